import type { CommandRun } from "../command.ts";
import { firstDappfile } from "../init/first_dappfile.ts";
import type { ProjectFiles } from "../init/look.ts";
import type { Io } from "../io.ts";
import { requireNoDappfile, writeDappfile } from "../new_dappfile.ts";
import { projectDir } from "../project_dir.ts";

/** `dapp init`: writes a dappfile for the project that is there. */
export const init: CommandRun = async ({ io, options, answer, progress, quiet }) => {
  const dir = await projectDir(io, options);
  const names = new Set(await io.list(dir));
  const dryRun = options.flag("dry-run");
  if (!dryRun) await requireNoDappfile(io, dir, "Check it with: dapp config check; or move it away first");
  const { text, what, notes } = await firstDappfile(nameOf(dir), filesOf(dir, names, io));
  if (dryRun) {
    answer({ what, notes, written: [], text }, () => text.trimEnd().split("\n"));
    return 0;
  }
  const written = await writeDappfile(io, dir, text);
  for (const note of notes) progress.note(note);
  const toCommit = await isInGit(dir, io)
    ? "commit it"
    : "make a git repository of the directory (git init), commit";
  answer({ what, notes, written }, () =>
    quiet ? written : [
      `dappfile.yaml is written, for ${what}; dappfile.schema.json beside it is for editors`,
      "",
      `Look at it, ${toCommit}, and then:`,
      "  dapp dimg lock     pins base images, so that builds agree; commit dappfile.lock too",
      "  dapp dimg build",
    ]);
  return 0;
};

/** Whether there is a `.git` in a directory or above it. */
async function isInGit(dir: string, io: Io): Promise<boolean> {
  if ((await io.list(dir)).includes(".git")) return true;
  return dir !== "/" && await isInGit(dir.slice(0, dir.lastIndexOf("/")) || "/", io);
}

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
