/** Users and groups of an image: who a command runs as. */
import { resolveInside } from "./inner_path.ts";
import { lstatIfPresent } from "./libc.ts";

/** Whom a process runs as. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  /** Home directory. */
  readonly home: string;
}

/** One of the image's account files, or why it cannot be read. */
export type AccountFile = { readonly text: string } | { readonly unreadable: string };

export interface Accounts {
  readonly passwd: AccountFile;
  readonly group: AccountFile;
}

/** An account file may have this many bytes: a thousand times what any image needs. */
const MAX_BYTES = 10 << 20;
/** Largest user and group id that a name in a text may stand for. */
const MAX_ID = 2 ** 31 - 1;

/** Reads `/etc/passwd` and `/etc/group` of the image at `root`. An image may have neither. */
export function readAccounts(root: string): Accounts {
  return { passwd: readAccountFile(root, "/etc/passwd"), group: readAccountFile(root, "/etc/group") };
}

/** Links lead to files of the image; whatever is no regular file or is enormous is not read. */
function readAccountFile(root: string, path: string): AccountFile {
  const full = `${root}/${resolveInside(root, path)}`;
  const stat = lstatIfPresent(full);
  if (!stat) return { text: "" };
  if (stat.type !== "file") return { unreadable: `${path} of the image is a ${stat.type}, wanted is a file` };
  if (stat.size > MAX_BYTES) return { unreadable: `${path} of the image has ${stat.size} bytes` };
  return { text: Deno.readTextFileSync(full) };
}

/** Whom stages run as. */
export const ROOT: Identity = { uid: 0, gid: 0, groups: [], home: "/root" };

/**
 * Resolves `user`, `uid`, `user:group` or `uid:gid`; "" is root. A user that is known brings home, group and
 * supplementary groups, unless a group is named; a number that is not has group 0 and the home "/".
 *
 * @throws {Error} naming what is unknown
 */
export function resolveUser(text: string, { passwd, group }: Accounts): Identity {
  const cut = text.indexOf(":");
  const user = cut < 0 ? text : text.slice(0, cut);
  const wanted = cut < 0 ? "" : text.slice(cut + 1);
  const row = rowsOf(passwd, 2).find(([name, , id]) =>
    user === "" ? id === "0" : name === user || id === user
  );
  const uid = row ? Number(row[2]) : user === "" ? 0 : idOf(user);
  if (uid === undefined) throw unknown("user", user, "/etc/passwd", passwd);
  const home = row?.[5] || "/";
  const groups = rowsOf(group, 2);
  if (wanted !== "") {
    const found = groups.find(([name, , id]) => name === wanted || id === wanted);
    const gid = found ? Number(found[2]) : idOf(wanted);
    if (gid === undefined) throw unknown("group", wanted, "/etc/group", group);
    return { uid, gid, groups: [], home };
  }
  const member = row ? groups.filter(([, , , list = ""]) => list.split(",").includes(row[0]!)) : [];
  return {
    uid,
    gid: idOf(row?.[3] ?? "") ?? 0,
    groups: [...new Set(member.map(([, , id]) => Number(id)))],
    home,
  };
}

function unknown(what: string, name: string, path: string, file: AccountFile): Error {
  if (!("unreadable" in file)) return new Error(`${what} "${name}" is not in ${path} of the image`);
  return new Error(`${what} "${name}" cannot be looked up: ${file.unreadable}`);
}

/** Rows whose field number `id` is an id. */
function rowsOf(file: AccountFile, id: number): string[][] {
  if ("unreadable" in file) return [];
  return file.text.split("\n").map((line) => line.trim().split(":")).filter((row) =>
    idOf(row[id] ?? "") !== undefined
  );
}

function idOf(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined;
}
