/** Files that are replaced as a whole, and what writers that were killed have left beside them. */
import { renameDurably } from "./durable.ts";
import { atPath, ifPresent } from "./file_failure.ts";
import { lockAlone, lockBeside } from "./file_lock.ts";

/** What a write that goes on or was interrupted has not renamed or removed yet. */
const UNFINISHED = /^(.+)\.[0-9a-f]{8}\.tmp(?:\.old)?$/;

/** The name of the file that another one is to become, or was made to keep; undefined for what was not made here. */
export function unfinishedOf(name: string): string | undefined {
  return UNFINISHED.exec(name)?.[1];
}

/**
 * Makes a file under a temporary name beside `path`, then moves it there, durably. Meanwhile the directory is locked,
 * shared with other writers.
 */
export async function replaceFile(path: string, write: (temp: string) => Promise<void>): Promise<void> {
  const dir = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(dir, { recursive: true });
  using directory = await Deno.open(dir || "/");
  // Nobody sweeps where somebody has it for himself, or it cannot be locked.
  await lockBeside(directory).catch(() => {});
  await replaceAlone(path, write);
}

/** The same for whoever keeps others out of the directory already: to lock it once more would be to wait for oneself. */
export async function replaceAlone(path: string, write: (temp: string) => Promise<void>): Promise<void> {
  const temp = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await atPath(path, () => write(temp));
    await renameDurably(temp, path);
  } catch (error) {
    await Deno.remove(temp).catch(() => {});
    throw error;
  }
}

/**
 * Removes what killed calls of {@linkcode replaceFile} have left in a directory for files that `concerns` names. Nothing
 * while anybody writes there, and where the file system locks no directories: then it cannot be told who is dead.
 */
export async function removeUnfinished(dir: string, concerns: (name: string) => boolean): Promise<void> {
  const dead = await ifPresent(() => unfinishedIn(dir || "/", concerns)).catch(() => undefined);
  for (const name of dead ?? []) await Deno.remove(`${dir}/${name}`).catch(() => {}); // of another user
}

/** The same for one file. */
export async function removeUnfinishedOf(path: string): Promise<void> {
  const cut = path.lastIndexOf("/");
  await removeUnfinished(path.slice(0, cut), (name) => name === path.slice(cut + 1));
}

/** Names in a directory without writers. They stay dead, since no name is used twice. */
async function unfinishedIn(dir: string, concerns: (name: string) => boolean): Promise<readonly string[]> {
  const found: string[] = [];
  using directory = await Deno.open(dir);
  for await (const { name, isFile } of Deno.readDir(dir)) {
    const becomes = unfinishedOf(name);
    if (isFile && becomes !== undefined && concerns(becomes)) found.push(name);
  }
  return found.length > 0 && await lockAlone(directory) ? found : [];
}
