/** Starting a process inside namespaces and a root of its own, straight from this thread. */
import {
  chdir,
  dropBoundingCapability,
  kill,
  loopbackUp,
  NS,
  openFd,
  peekEnded,
  pivotHere,
  reap,
  setHostname,
  setns,
  unshare,
} from "./libc.ts";
import { HOSTNAME, stepPaths } from "./rootfs.ts";

/** What steps may keep, the same as in other container tools (capabilities(7)). */
const CAPABILITIES = new Set([
  0, // CHOWN
  1, // DAC_OVERRIDE
  3, // FOWNER
  4, // FSETID
  5, // KILL
  6, // SETGID
  7, // SETUID
  8, // SETPCAP
  10, // NET_BIND_SERVICE
  13, // NET_RAW
  18, // SYS_CHROOT
  27, // MKNOD
  29, // AUDIT_WRITE
  31, // SETFCAP
]);

/** Takes all other capabilities from what this thread will execute; the thread itself keeps them. */
function limitCapabilities(): void {
  for (let capability = 0; capability < 64; capability++) {
    if (!CAPABILITIES.has(capability) && !dropBoundingCapability(capability)) return;
  }
}

/** Prepares this process for its steps: host name, loopback, capabilities. */
export function settleHelper(network: "host" | "none"): void {
  setHostname(HOSTNAME);
  if (network === "none") loopbackUp();
  limitCapabilities();
  Deno.umask(0);
}

let home: { readonly fd: number; readonly flag: number }[] | undefined;

/**
 * Calls `prepare` in new mount and IPC namespaces, makes `run`/m the root and calls `spawn`. Then this thread returns to where it was; what was mounted lives as long as the spawned processes.
 *
 * Only the calling thread moves, so everything in between must be synchronous. It works because Deno forks children
 * from the thread that asks for them. Compared with a chain of helper programs it is faster, leaves setuid programs
 * working, and needs nothing installed.
 */
export function spawnInside(
  run: string,
  prepare: () => void,
  spawn: () => Deno.ChildProcess,
): Deno.ChildProcess {
  home ??= (["mnt", "ipc"] as const).map((name) => ({
    fd: openFd(`/proc/thread-self/ns/${name}`),
    flag: NS[name],
  }));
  unshare(NS.mnt | NS.ipc);
  try {
    prepare();
    chdir(stepPaths(run).target);
    pivotHere();
    Deno.umask(0o022);
    return spawn();
  } finally {
    for (const { fd, flag } of home) setns(fd, flag);
    Deno.umask(0);
  }
}

/** Takes ended orphans, so that waiting for a background process works; `main` is left to Deno. */
export function reapOrphans(main: number): void {
  for (let pid; (pid = peekEnded()) > 0 && pid !== main;) reap(pid);
}

/** Kills every process of this pid namespace but this one, and waits until they are gone. `child` is left to Deno. */
export async function killAll(child: Deno.ChildProcess): Promise<void> {
  kill(-1, 9);
  await child.status;
  for (let pid; (pid = peekEnded()) >= 0;) {
    if (pid > 0) reap(pid);
    else await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
