/** What every step sees beside its image: /dev, /sys and /proc. */
import type { CallProgram } from "./launcher.ts";
import { addProcessLimit } from "./process_limit.ts";
import { lstatIfPresent, mknod, mount, mountAttributes, MS, restrictMount, SyscallError } from "./libc.ts";

const SAFE = MS.NOSUID | MS.NODEV | MS.NOEXEC;

/**
 * The only devices that a step can open, with their numbers (Linux, devices.txt): `mknod` makes nodes, but no file system of
 * a step lets them be opened.
 */
const DEVICES = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
} as const;
const LINKS = {
  fd: "/proc/self/fd",
  stdin: "/proc/self/fd/0",
  stdout: "/proc/self/fd/1",
  stderr: "/proc/self/fd/2",
  ptmx: "pts/ptmx",
} as const;

/** Mounts /dev at `full`; `files` appear in `.dapp` there. They are in memory and belong to the step alone. */
export function mountDev(full: string, files: Readonly<Record<string, string>>): void {
  mount("tmpfs", full, "tmpfs", MS.NOSUID, "mode=755,size=65536k");
  for (const [name, [major, minor]] of Object.entries(DEVICES)) mountDevice(name, full, { major, minor });
  mount("", full, "", MS.REMOUNT | MS.BIND | MS.NOSUID | MS.NODEV);
  for (const [name, target] of Object.entries(LINKS)) Deno.symlinkSync(target, `${full}/${name}`);
  Deno.mkdirSync(`${full}/pts`);
  mount("devpts", `${full}/pts`, "devpts", MS.NOSUID | MS.NOEXEC, "newinstance,ptmxmode=0666,mode=620");
  Deno.mkdirSync(`${full}/shm`);
  mount("tmpfs", `${full}/shm`, "tmpfs", SAFE, "mode=1777,size=65536k");
  Deno.mkdirSync(`${full}/mqueue`);
  attempt(() => mount("mqueue", `${full}/mqueue`, "mqueue", SAFE)); // kernels may lack it
  Deno.mkdirSync(`${full}/.dapp`, { mode: 0o755 });
  for (const [name, text] of Object.entries(files)) {
    Deno.writeTextFileSync(`${full}/.dapp/${name}`, text, { mode: 0o644 });
  }
}

/**
 * A node of the step's own, that can be opened when the file system it is on no longer lets nodes be: root of a step may
 * change its mode, owner and times. A user namespace makes none, and gets the machine's, of which nothing can be changed.
 */
function mountDevice(name: string, dir: string, numbers: { readonly major: number; readonly minor: number }) {
  const path = `${dir}/${name}`;
  if (attempt(() => mknod(path, "char", 0o666, numbers))) {
    Deno.chmodSync(path, 0o666);
    mount(path, path, "", MS.BIND);
  } else {
    Deno.writeTextFileSync(path, "");
    mount(`/dev/${name}`, path, "", MS.BIND);
    restrictMount(path, MS.RDONLY); // devices are written to all the same
  }
}

/** What tells about the machine's hardware and services, or would if it were there. */
const HIDDEN_SYS = ["firmware", "devices/virtual/powercap"];
/** Other file systems that a copy of the host's /sys brings along. */
const FOREIGN_SYS = ["fs/cgroup", "fs/bpf", "fs/pstore", "kernel/debug", "kernel/security", "kernel/tracing"];

/** Mounts a read-only /sys at `full`. */
export function mountSys(full: string): void {
  if (attempt(() => mount("sysfs", full, "sysfs", SAFE))) hide(full, HIDDEN_SYS);
  else { // the network belongs to another user namespace: only the host's own /sys can be shown
    mount("/sys", full, "", MS.BIND | MS.REC);
    hide(full, [...HIDDEN_SYS, ...FOREIGN_SYS]);
  }
  // programs read limits of memory and processors here; of version 1 there is nothing that does not name other services
  if (lstatIfPresent("/sys/fs/cgroup/cgroup.controllers")) {
    attempt(() => mount("cgroup", `${full}/fs/cgroup`, "cgroup2", SAFE));
  }
  restrictMount(full, MS.RDONLY | SAFE);
}

function hide(root: string, names: readonly string[]): void {
  for (const name of names) {
    if (lstatIfPresent(`${root}/${name}`)?.type !== "dir") continue;
    mount("tmpfs", `${root}/${name}`, "tmpfs", MS.RDONLY | SAFE, "size=0,mode=755");
  }
}

/** False when the kernel refuses. */
function attempt(work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

/** The same as in other container tools (runtime-tools, Docker). */
const HIDDEN_PROC = [
  "acpi",
  "asound",
  "interrupts",
  "kcore",
  "keys",
  "latency_stats",
  "sched_debug",
  "scsi",
  "timer_list",
  "timer_stats",
];
const READ_ONLY_PROC = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/**
 * Adds the calls that mount /proc at `full`, with `hider` over files that nobody is to read: it shows the pid namespace of the process that mounts it, so the step's
 * first process has to do so.
 */
export function addProcMounts(program: CallProgram, full: string, hider: string): void {
  const here = -100; // AT_FDCWD
  const recursive = 0x8000;
  program
    .call("mount /proc", "mount", ["proc", full, "proc", SAFE, 0], {
      failed: "proc of a container",
      otherwise: "proc",
    })
    .label("proc of a container") // around us, that hides parts of /proc: it does not let us have an own one
    .call("mount the /proc around it", "mount", ["/proc", full, 0, MS.BIND | MS.REC, 0])
    .label("proc");
  addProcessLimit(program, full);
  for (const name of HIDDEN_PROC) {
    const stat = lstatIfPresent(`/proc/${name}`);
    const path = `${full}/${name}`;
    const what = `hide /proc/${name}`;
    if (stat?.type === "dir") {
      program.call(what, "mount", ["tmpfs", path, "tmpfs", MS.RDONLY | SAFE, "size=0,mode=755"]);
    } else if (stat) program.call(what, "mount", [hider, path, 0, MS.BIND, 0]);
  }
  const attributes = mountAttributes(MS.RDONLY | SAFE);
  for (const name of READ_ONLY_PROC) {
    if (!lstatIfPresent(`/proc/${name}`)) continue;
    const path = `${full}/${name}`;
    program
      .call(`mount /proc/${name}`, "mount", [path, path, 0, MS.BIND | MS.REC, 0])
      .call(`protect /proc/${name}`, "mount_setattr", [here, path, recursive, attributes, attributes.length]);
  }
}
