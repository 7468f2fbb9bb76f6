/**
 * Prints what a fresh process with a certain environment sees: the commit or state, then the paths, then the contents
 * of files below "sub/". Arguments: `local DIR` or `remote URL COMMIT|"" DIRECTORY`.
 */
import { openRemote } from "../../../core/git/remote.ts";
import type { GitRepository } from "../../../core/git/model.ts";
import { contents, memoryMemo, open } from "./fixture.ts";

const [kind, place = "", commit = "", directory = ""] = Deno.args;
const repository: GitRepository = kind === "local"
  ? await open(place)
  : await openRemote({ url: place, ref: commit ? { kind: "commit", value: commit } : { kind: "head" } }, {
    directory,
    memo: memoryMemo(),
    lock: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
  });
const tree = await repository.tree();
const lines = [tree.commit ?? tree.treeId, ...tree.files.map((file) => file.path)];
const inner = tree.files.filter((file) => file.path.startsWith("sub/"));
for (const [path, text] of Object.entries(await contents(repository, inner))) {
  lines.push(`content of ${path}: ${text}`);
}
await Deno.stdout.write(new TextEncoder().encode(lines.join("\n") + "\n"));
