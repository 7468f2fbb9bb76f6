/** What a step may take of this machine's processes, and that it ends first when memory does. */
import type { CallProgram } from "./launcher.ts";
import { isKernelBefore } from "./kernel.ts";

/** Of the processes that this machine has memory for, as much as systemd lets a service have. */
const SHARE = 0.15;
/** What no build needs more of: a third of the numbers that Linux has for processes when nobody asks for more. */
const MOST = { any: 10_000, perProcessor: 300 };
/** Fewer would hinder builds on small machines. */
const LEAST = 1000;

/** How many processes and threads a step of this machine may have at once. */
export function processLimit(): number {
  const machine = Number(Deno.readTextFileSync("/proc/sys/kernel/threads-max"));
  const most = Math.max(MOST.any, MOST.perProcessor * navigator.hardwareConcurrency);
  return Math.max(LEAST, Math.min(most, Math.floor(machine * SHARE)));
}

/** Since this version a pid namespace has a highest number of its own; before, writing it changes the machine's. */
const OWN_NUMBERS = [6, 14] as const;

/**
 * Adds the calls that keep the pid namespace of the calling process to {@linkcode processLimit}: it has no higher numbers.
 * `proc` is a /proc that can be written to.
 */
export function addProcessLimit(program: CallProgram, proc: string): void {
  if (isKernelBefore(Deno.osRelease(), OWN_NUMBERS)) return;
  addWrite(program, `${proc}/sys/kernel/pid_max`, String(processLimit()));
}

/** How much more likely a step is to be ended for lack of memory, in thousandths of the machine's memory. */
const FIRST = 300;

/** Adds the calls that let the kernel end the calling process, and what it starts, before dapp and other services. */
export function addEndFirst(program: CallProgram): void {
  const own = Number(Deno.readTextFileSync("/proc/self/oom_score_adj"));
  addWrite(program, "/proc/self/oom_score_adj", String(Math.min(1000, Math.max(0, own) + FIRST)));
}

/** The descriptor that is opened next in a step: after the standard streams and the report of process 1. */
const OPENED = 4;

/** Writes a file where it can be written: around us may be a container whose /proc is read-only. */
function addWrite(program: CallProgram, path: string, text: string): void {
  const bytes = new TextEncoder().encode(text);
  program
    .call(`open ${path}`, "openat", [-100, path, 0o2000001, 0], { failed: path }) // O_CLOEXEC, O_WRONLY
    .call(`write ${path}`, "write", [OPENED, bytes, bytes.length], { failed: "next" })
    .call(`close ${path}`, "close_range", [OPENED, OPENED, 0])
    .label(path);
}

/** What shells, the C library, Go, Java and Python say when no process or thread can be started. */
const SAID =
  /fork[^\n]*: (?:retry: )?Resource temporarily unavailable|pthread_create failed|create new OS thread|create native thread|start new thread/;

/** What to add to the failure of a step that printed that it could start no process; nothing when it did not. */
export function noMoreProcesses(output: string) {
  if (!SAID.test(output)) return undefined;
  return {
    why: `its output tells that no more processes could be started: it may have ${processLimit()} at once`,
    details: { fix: "Start fewer at once, as with make -j8" },
  };
}
