/** Finds what a run left behind: mounts, processes, files. Looks only at given directories, as other tests run beside. */
import { IsalInflater } from "../../lib/compression/isal.ts";
import { createSha256 } from "../../lib/sha256.ts";

// A library that a process opens once is no leak of the test that opens it first.
createSha256();
await IsalInflater.create();

export interface LeakScope {
  /** Mounts and processes count when they mention one of these directories. */
  readonly mention: readonly string[];
  /** Directories whose entries count, such as a private $TMPDIR. @default none */
  readonly entriesOf?: readonly string[];
}

/** What there is within a scope. */
export interface LeakSnapshot {
  readonly scope: LeakScope;
  readonly found: ReadonlySet<string>;
}

/** Notes the mounts, processes and directory entries of a scope. Zombies and this process do not count. */
export async function leakSnapshot(scope: LeakScope): Promise<LeakSnapshot> {
  const found = new Set<string>();
  for (const line of (await readProc("/proc/self/mountinfo")).split("\n")) {
    if (scope.mention.some((dir) => line.includes(dir))) {
      found.add(`mount ${line.split(" ").slice(3).join(" ")}`);
    }
  }
  for (const entry of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(entry.name) || entry.name === String(Deno.pid)) continue;
    const process = await mentioningProcess(entry.name, scope.mention);
    if (process !== undefined) found.add(process);
  }
  for (const dir of scope.entriesOf ?? []) {
    for (const entry of Deno.readDirSync(dir)) found.add(`file ${dir}/${entry.name}`);
  }
  return { scope, found };
}

/**
 * Fails when the scope holds something that it did not hold `before`. Ending is asynchronous for processes, so it
 * looks again for up to `graceMs`.
 */
export async function assertNoLeaks(before: LeakSnapshot, graceMs = 5_000): Promise<void> {
  const deadline = Date.now() + graceMs;
  while (true) {
    const after = await leakSnapshot(before.scope);
    const leaked = [...after.found].filter((item) => !before.found.has(item));
    if (leaked.length === 0) return;
    if (Date.now() > deadline) throw new Error(`Left behind: ${leaked.length} items\n${leaked.join("\n")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Its command line when a directory occurs in that, in its working or root directory, or in its own mounts. */
async function mentioningProcess(pid: string, dirs: readonly string[]): Promise<string | undefined> {
  const stat = await readProc(`/proc/${pid}/stat`);
  const state = stat.slice(stat.lastIndexOf(")") + 2)[0];
  if (state === undefined || state === "Z" || state === "X") return undefined;
  const command = (await readProc(`/proc/${pid}/cmdline`)).replaceAll("\0", " ").trim();
  const mounts = await sameMountNamespace(pid) ? "" : await readProc(`/proc/${pid}/mountinfo`);
  const places = [command, await readLink(`/proc/${pid}/cwd`), await readLink(`/proc/${pid}/root`), mounts];
  return dirs.some((dir) => places.some((place) => place.includes(dir)))
    ? `process ${pid} ${command}`
    : undefined;
}

async function sameMountNamespace(pid: string): Promise<boolean> {
  return await readLink(`/proc/${pid}/ns/mnt`) === await readLink("/proc/self/ns/mnt");
}

/** Empty when the process is gone or not ours to look at. */
async function readProc(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return "";
  }
}

async function readLink(path: string): Promise<string> {
  try {
    return await Deno.readLink(path);
  } catch {
    return "";
  }
}
