/** Starting a process inside namespaces and a root of its own, straight from this thread. */
import { endProcess } from "../../../lib/process_group.ts";
import type { StepNetwork } from "../../../core/contract/plugin.ts";
import { addConfinement, addSettling, type ConfinedProcess, START } from "./confine.ts";
import { CallProgram } from "./launcher.ts";
import {
  closeFd,
  errorText,
  keepDescriptors,
  loopbackUp,
  MS,
  NS,
  openFd,
  setHostname,
  setns,
  unshare,
} from "./libc.ts";
import { HOSTNAME } from "./network_files.ts";
import { type MountedRootfs, RootfsError, stepPaths } from "./rootfs.ts";
import { addProcMounts } from "./system_mounts.ts";

/** Prepares this process for its steps: host name, loopback, control groups, what they would inherit. */
export function settleHelper(network: StepNetwork): void {
  keepDescriptors();
  setHostname(HOSTNAME);
  if (network !== "host") loopbackUp();
  unshare(NS.cgroup);
  Deno.umask(0);
  endBeforeOthers();
}

/** Whatever protects the caller from the kernel's search for memory must not protect steps. */
function endBeforeOthers(): void {
  const path = "/proc/self/oom_score_adj";
  if (Number(Deno.readTextFileSync(path)) < 0) Deno.writeTextFileSync(path, "0");
}

/** How the program of a step ended. */
export interface Ended {
  readonly code: number;
  /** Name of the signal that killed it. */
  readonly signal: string | null;
}

/** A running step. */
export interface Inside {
  readonly child: Deno.ChildProcess;
  /** Settles when no process of the step is left. @throws {RootfsError} when its program could not be started */
  readonly ended: Promise<Ended>;
  /** Kills all of it. */
  kill(): void;
}

export type Streams = Pick<Deno.CommandOptions, "stdin" | "stdout" | "stderr">;

let home: { readonly fd: number; readonly flag: number }[] | undefined;

/**
 * Calls `mount` in new mount, IPC and pid namespaces and starts a process there. Then this thread returns to where it
 * was; what was mounted lives as long as the processes.
 *
 * Only the calling thread moves, so everything in between must be synchronous. It works because Deno forks children
 * from the thread that asks for them. Compared with a chain of helper programs it is faster, leaves setuid programs
 * working, and needs nothing installed.
 *
 * @throws {RootfsError}
 */
export function spawnInside(
  run: string,
  mount: () => MountedRootfs,
  process: () => ConfinedProcess,
  streams: Streams,
): Inside {
  home ??= ([["mnt", "mnt"], ["ipc", "ipc"], ["pid", "pid_for_children"]] as const).map(([flag, name]) => ({
    fd: openFd(`/proc/thread-self/ns/${name}`),
    flag: NS[flag],
  }));
  unshare(NS.mnt | NS.ipc | NS.pid);
  try {
    const rootfs = mount();
    const confined = process();
    const program = stepProgram(run, rootfs, confined);
    Deno.writeFileSync(stepPaths(run).report, UNWRITTEN, { mode: 0o600 });
    const child = launch(`${rootfs.control}/init`, program, streams);
    return {
      child,
      ended: child.status.then((status) => endOf(stepPaths(run).report, status, program, confined)),
      kill: () => endProcess(child),
    };
  } finally {
    for (const { fd, flag } of home) setns(fd, flag);
  }
}

/**
 * Starts the program from a file that is gone at once. It is in memory, since it holds the environment, and it is
 * started by its descriptor, so that no path of this machine is in the process list of the step.
 */
function launch(file: string, program: CallProgram, streams: Streams): Deno.ChildProcess {
  Deno.writeFileSync(file, program.build(), { mode: 0o700 });
  const fd = openFd(file, { inherit: true });
  Deno.removeSync(file);
  try {
    return new Deno.Command(`/proc/self/fd/${fd}`, { clearEnv: true, cwd: "/", ...streams }).spawn();
  } finally {
    closeFd(fd);
  }
}

/** Descriptor of the report in process 1 of a step, the first one after the standard streams. */
const REPORT = 3;
const WAIT_ALL = 0x40000000;
const WRITE = 0o2000000 | 1; // O_CLOEXEC, O_WRONLY
/** What stands in the report before it is written: no status, no failure. Writing over it needs no space. */
const UNWRITTEN = new Uint8Array(32).fill(0xff);

/**
 * What process 1 of the step does: mounts /proc, makes the image its root, starts the image's program as process 2,
 * takes ended orphans and reports how process 2 ended. When it ends, the kernel kills what is left.
 */
function stepProgram(run: string, rootfs: MountedRootfs, process: ConfinedProcess): CallProgram {
  const here = -100; // AT_FDCWD
  const status = new Uint8Array([0, 255, 0, 0]);
  const program = new CallProgram();
  program
    .call("close open files", "close_range", [3, 0xffffffff, 0])
    .call("open the report", "openat", [here, stepPaths(run).report, WRITE, 0]);
  addProcMounts(program, rootfs.proc, rootfs.nothing);
  program
    .call("enter the image", "chdir", [stepPaths(run).target])
    .call("change the root", "pivot_root", [".", "."], { failed: "initial ramdisk" })
    .call("let go of the old root", "umount2", [".", 2], { otherwise: "inside" })
    .label("initial ramdisk") // the machine runs from one, which cannot be put aside
    .call("move the root", "mount", [".", "/", 0, MS.MOVE, 0])
    .call("change the root", "chroot", ["."])
    .label("inside")
    .call("enter the root", "chdir", ["/"]);
  addSettling(program);
  program
    .call("start a process", "clone", [17], { equals: 0, then: "child" }) // SIGCHLD
    .call("close its streams", "close_range", [0, 2, 0])
    .label("wait")
    .call("wait", "wait4", [-1, status, WAIT_ALL, 0], {
      equals: 2,
      then: "ended",
      otherwise: "wait",
      failed: "ended",
    })
    .label("ended")
    .call("report", "write", [REPORT, status, 4])
    .call("end", "exit_group", [0])
    .label("child");
  addConfinement(program, process);
  return program.end(REPORT);
}

const SIGNALS = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM".split(" ");

/** What the report of process 1 says; `status` is its own end. */
async function endOf(
  report: string,
  status: Deno.CommandStatus,
  program: CallProgram,
  { argv }: ConfinedProcess,
): Promise<Ended> {
  const bytes = await readReport(report);
  const failure = program.explain(bytes);
  if (failure) {
    const why = errorText(failure.errno);
    if (failure.what !== START) throw new RootfsError(`cannot ${failure.what}: ${why}`);
    throw new RootfsError(
      `"${
        argv[0]
      }" of the image cannot be started, is it for another processor, or lacks it its loader? ${why}`,
    );
  }
  if (bytes.length < 4) return { code: status.code, signal: status.signal }; // it was killed itself
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const signal = word & 0x7f;
  if (signal === 0) return { code: (word >> 8) & 0xff, signal: null };
  const name = SIGNALS[signal - 1];
  return { code: 128 + signal, signal: name ? `SIG${name}` : `signal ${signal}` };
}

async function readReport(path: string): Promise<Uint8Array> {
  const bytes = await Deno.readFile(path);
  return bytes.every((byte) => byte === 0xff) ? bytes.subarray(0, 0) : bytes;
}
