/**
 * Prints what a fresh process with a certain environment sees: the commit or state, the paths, the contents of files
 * below "sub/" and what is missing; an error as its code, message and fix. Arguments: `local DIR` or
 * `remote URL COMMIT|"" DIRECTORY`.
 */
import { EngineError } from "../../../core/contract/errors.ts";
import { openRemote } from "../../../core/git/remote.ts";
import type { GitRepository } from "../../../core/git/model.ts";
import { contents, memoryMemo, open } from "./fixture.ts";

async function report(kind = "", place = "", commit = "", directory = ""): Promise<string[]> {
  const repository: GitRepository = kind === "local"
    ? await open(place)
    : await openRemote({ url: place, ref: commit ? { kind: "commit", value: commit } : { kind: "head" } }, {
      directory,
      env: Deno.env.toObject(),
      memo: memoryMemo(),
      lock: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
    });
  const { commit: id, treeId, files, gaps } = await repository.tree();
  const inner = files.filter((file) => file.path.startsWith("sub/"));
  const texts = Object.entries(await contents(repository, inner));
  return [
    id ?? treeId,
    ...files.map((file) => file.path),
    ...texts.map(([path, text]) => `content of ${path}: ${text}`),
    ...gaps.map((gap) => `gap at ${gap.path}: ${gap.problem}`),
  ];
}

const lines = await report(...Deno.args).catch((error: unknown) => {
  if (!(error instanceof EngineError)) throw error;
  return [error.code, error.message, error.fix];
});
await Deno.stdout.write(new TextEncoder().encode(lines.join("\n") + "\n"));
