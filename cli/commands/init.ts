import { EngineError } from "../../core/contract/errors.ts";
import type { CommandRun } from "../command.ts";
import { firstDappfile } from "../init/first_dappfile.ts";
import type { ProjectFiles } from "../init/look.ts";
import type { Io } from "../io.ts";
import { projectDir } from "../project_dir.ts";

const FILE = "dappfile.yaml";
const SCHEMA = "dappfile.schema.json";

/** `dapp init`: writes a dappfile for the project that is there. */
export const init: CommandRun = async ({ io, options, answer, progress, quiet }) => {
  const dir = await projectDir(io, options);
  const names = new Set(await io.list(dir));
  const there = ["dappfile.yaml", "dappfile.yml"].find((name) => names.has(name));
  if (there !== undefined) {
    throw new EngineError("USAGE", `Cannot write "${FILE}": "${dir}/${there}" is there already`, {
      fix: "Check it with: dapp config check; or move it away first",
    });
  }
  const { text, what, notes } = await firstDappfile(nameOf(dir), filesOf(dir, names, io));
  if (options.flag("dry-run")) {
    answer({ what, notes, written: [], text }, () => text.trimEnd().split("\n"));
    return 0;
  }
  const { configJsonSchema } = await import("../../mod.ts");
  await io.writeText(`${dir}/${FILE}`, text);
  await io.writeText(`${dir}/${SCHEMA}`, `${JSON.stringify(await configJsonSchema(), undefined, 2)}\n`);
  for (const note of notes) progress.note(note);
  answer({ what, notes, written: [FILE, SCHEMA] }, () =>
    quiet ? [FILE, SCHEMA] : [
      `${FILE} is written, for ${what}; ${SCHEMA} beside it is for editors`,
      "",
      "Look at it, commit it, and then:",
      "  dapp dimg lock     pins base images, so that builds agree",
      "  dapp dimg build",
    ]);
  return 0;
};

function nameOf(dir: string): string {
  return dir.replace(/\/+$/, "").split("/").at(-1) || "project";
}

function filesOf(dir: string, names: ReadonlySet<string>, io: Io): ProjectFiles {
  return {
    names,
    list: (below) => io.list(`${dir}/${below}`),
    read: (path) => io.readText(`${dir}/${path}`),
  };
}
