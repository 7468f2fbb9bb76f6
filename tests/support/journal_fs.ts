/**
 * A journaled ext4 in a file, for measuring: on ext4 without a journal, creating files after deleting others takes the
 * kernel ten times longer and says nothing about the tool. Needs root and a loop device.
 */
import { run } from "./process.ts";
import { removeTree } from "./tmp.ts";

export interface JournalFs extends AsyncDisposable {
  /** Mount point. */
  readonly path: string;
}

/**
 * Makes and mounts a fresh file system of `gigabytes` (sparse: only what is used takes space), its image below
 * `parent`. Disposing unmounts it. @default parent $TMPDIR
 */
export async function mountJournalFs(gigabytes: number, parent?: string): Promise<JournalFs> {
  const dir = await Deno.makeTempDir({
    prefix: "dapp-fs-",
    ...(parent === undefined ? {} : { dir: parent }),
  });
  const image = `${dir}/image`;
  const path = `${dir}/mnt`;
  try {
    await Deno.mkdir(path);
    await run(["truncate", `--size=${gigabytes}G`, image]);
    await run([
      "mkfs.ext4",
      "-q",
      "-F",
      "-O",
      "has_journal",
      "-E",
      "lazy_itable_init=0,lazy_journal_init=0",
      image,
    ]);
    await run(["mount", "-o", "loop,noatime", image, path]);
  } catch (error) {
    await removeTree(dir);
    throw error;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await unmountBelow(path);
      await removeTree(dir);
    },
  };
}

/** Mount points at or below a directory, outermost first. */
export async function mountsBelow(dir: string): Promise<string[]> {
  return (await Deno.readTextFile("/proc/self/mounts")).split("\n")
    .map((line) => unescapeMount(line.split(" ")[1] ?? ""))
    .filter((target) => target === dir || target.startsWith(`${dir}/`));
}

/** Unmounts what is at or below a directory, innermost first, except for mount points that are to `keep`. */
export async function unmountBelow(dir: string, keep: readonly string[] = []): Promise<void> {
  for (const target of (await mountsBelow(dir)).filter((target) => !keep.includes(target)).reverse()) {
    const { code } = await run(["umount", target], { allowFailure: true });
    if (code !== 0) await run(["umount", "--lazy", target], { allowFailure: true });
  }
}

/** proc(5): blanks in mount points are octal escapes. */
function unescapeMount(target: string): string {
  return target.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
