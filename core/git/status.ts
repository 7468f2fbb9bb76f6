import type { GitHead, UncommittedPath } from "./model.ts";

/** Arguments of the one process that a run without changes starts. */
export const statusArgs: readonly string[] = [
  "status",
  "--porcelain=v2",
  "--branch",
  "-z",
  "--untracked-files=normal",
  "--no-renames",
  "--no-ahead-behind",
];

/** Reads what `git status --porcelain=v2 --branch -z` printed (git-status(1), "Porcelain Format Version 2"). */
export function parseStatus(bytes: Uint8Array, prefix: string): GitHead {
  const below = prefix === "" ? "" : `${prefix}/`;
  const rows = new TextDecoder().decode(bytes).split("\0");
  const uncommitted: UncommittedPath[] = [];
  let commit: string | undefined;
  let branch: string | undefined;
  const add = (path: string, state: UncommittedPath["state"]) => {
    if (path.startsWith(below)) uncommitted.push({ path: path.slice(below.length), state });
    // The project directory itself is part of an untracked directory.
    else if (path.endsWith("/") && below.startsWith(path)) uncommitted.push({ path: "", state });
  };
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    if (row.startsWith("# branch.oid ")) {
      commit = row === "# branch.oid (initial)" ? undefined : row.slice(13);
    } else if (row.startsWith("# branch.head ")) {
      branch = row === "# branch.head (detached)" ? undefined : row.slice(14);
    } else if (row.startsWith("? ")) add(row.slice(2), "untracked");
    else if (row.startsWith("1 ")) add(field(row, 8), stateOf(row));
    else if (row.startsWith("u ")) add(field(row, 10), "conflicted");
    else if (row.startsWith("2 ")) {
      add(field(row, 9), stateOf(row));
      i++; // the path it was renamed from
    }
  }
  return { commit, branch, uncommitted };
}

/** Everything after the `count`th space: paths may contain spaces. */
function field(row: string, count: number): string {
  let at = 0;
  for (let i = 0; i < count; i++) at = row.indexOf(" ", at) + 1;
  return row.slice(at);
}

function stateOf(row: string): UncommittedPath["state"] {
  const [index, tree] = [row[2], row[3]];
  if (row[5] === "S" && index === ".") return "submodule";
  if (tree === "D" || (index === "D" && tree === ".")) return "deleted";
  return index === "A" || tree === "A" ? "added" : "modified";
}
