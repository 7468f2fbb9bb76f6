/** User and group names of an image. */

export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** Whom stages run as. */
export const ROOT: Identity = { uid: 0, gid: 0, groups: [] };

/**
 * Resolves `user`, `uid`, `user:group` or `uid:gid`; "" is root. A user that is known brings its own group, a number
 * that is not has group 0.
 *
 * @throws {Error} naming what is unknown
 */
export function resolveUser(text: string, passwd: string, group: string): Identity {
  if (text === "") return ROOT;
  const cut = text.indexOf(":");
  const user = cut < 0 ? text : text.slice(0, cut);
  const wanted = cut < 0 ? "" : text.slice(cut + 1);
  const row = rows(passwd).find(([name, , id]) => name === user || id === user);
  const uid = row ? Number(row[2]) : numeric(user);
  if (uid === undefined) throw new Error(`user "${user}" is not in /etc/passwd of the image`);
  if (wanted === "") return { uid, gid: row ? Number(row[3]) : 0, groups: [] };
  const found = rows(group).find(([name]) => name === wanted);
  const gid = found ? Number(found[2]) : numeric(wanted);
  if (gid === undefined) throw new Error(`group "${wanted}" is not in /etc/group of the image`);
  return { uid, gid, groups: [] };
}

function rows(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

function numeric(text: string): number | undefined {
  return /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined;
}
