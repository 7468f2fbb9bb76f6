/** How a step's processes are confined: the calls that its first process makes before it runs the image's program. */
import type { StepNetwork } from "../../../core/contract/plugin.ts";
import type { CallProgram } from "./launcher.ts";
import { addEndFirst, processLimit } from "./process_limit.ts";
import { encodeFilter, seccompFilter } from "./seccomp.ts";
import type { Identity } from "./users.ts";

/** A program of the image and how it runs. */
export interface ConfinedProcess {
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly identity: Identity;
  /** A session of its own, without a terminal. */
  readonly session: boolean;
  readonly network: StepNetwork;
}

/** What the last call is for, in an error. */
export const START = "start the program";

const NET_RAW = 13;

/** What steps may keep, the same as in other container tools (capabilities(7)). */
const CAPABILITIES = [
  0, // CHOWN
  1, // DAC_OVERRIDE
  3, // FOWNER
  4, // FSETID
  5, // KILL
  6, // SETGID
  7, // SETUID
  8, // SETPCAP
  10, // NET_BIND_SERVICE
  NET_RAW,
  18, // SYS_CHROOT
  27, // MKNOD
  29, // AUDIT_WRITE
  31, // SETFCAP
];

const SIGKILL = 9;
const SIGSTOP = 19;
const RLIMIT = { stack: 3, core: 4, nproc: 6, nofile: 7 } as const;
const PRCTL = { setDumpable: 4, setName: 15, dropBounding: 24 } as const;
const JOIN_SESSION_KEYRING = 1;
const SECCOMP = { setFilter: 1, allowSpeculation: 4 } as const; // speculation stays as safe as the machine makes it

/** Before the fork: what process 1 of the step needs as well. Other processes cannot look into it. */
export function addSettling(program: CallProgram): void {
  program
    .call("protect process 1", "prctl", [PRCTL.setDumpable, 0, 0, 0, 0])
    .call("name process 1", "prctl", [PRCTL.setName, "init", 0, 0, 0]);
  for (let signal = 1; signal <= 64; signal++) { // what whoever started dapp ignores (nohup) is not a step's matter
    if (signal === SIGKILL || signal === SIGSTOP) continue;
    program.call("reset signals", "rt_sigaction", [signal, DEFAULT_ACTION, 0, 8], { failed: "next" });
  }
}

const DEFAULT_ACTION = new Uint8Array(32); // struct sigaction

/** After the fork, to the end: everything that commands must not have goes, then the image's program starts. */
export function addConfinement(program: CallProgram, process: ConfinedProcess): void {
  const { argv, env, cwd, identity, session, network } = process;
  const { uid, gid, groups } = identity;
  if (session) {
    program
      .call("start a session", "setsid", [])
      .call("close standard input", "close_range", [0, 0, 0])
      .call("open /dev/null", "openat", [-100, "/dev/null", 0, 0]); // the step's own; it becomes descriptor 0
  }
  program
    .call("set the umask", "umask", [0o022])
    .call("set the personality", "personality", [0])
    .call(`enter "${cwd}"`, "chdir", [cwd])
    // a kernel without keyrings has none to keep from the step
    .call("leave the session keyring", "keyctl", [JOIN_SESSION_KEYRING, 0], { failed: "next" });
  addEndFirst(program);
  for (const [name, limit] of Object.entries(limits())) {
    program.call(`limit ${name}`, "prlimit64", [0, RLIMIT[name as keyof typeof RLIMIT], limit, 0]);
  }
  const kept = CAPABILITIES.filter((capability) => capability !== NET_RAW || network !== "host");
  const last = Number(Deno.readTextFileSync("/proc/sys/kernel/cap_last_cap"));
  for (let capability = 0; capability <= last; capability++) {
    if (kept.includes(capability)) continue;
    program.call("drop a capability", "prctl", [PRCTL.dropBounding, capability, 0, 0, 0]);
  }
  program
    .call("filter system calls", "seccomp", [SECCOMP.setFilter, SECCOMP.allowSpeculation, socketFilter()])
    .call("set groups", "setgroups", [groups.length, new Uint8Array(new Uint32Array(groups).buffer)])
    .call("set the group", "setresgid", [gid, gid, gid])
    .call("set the user", "setresuid", [uid, uid, uid])
    .call("drop capabilities", "capset", [CAPABILITY_VERSION, capabilitySets(uid === 0 ? kept : [])])
    .call(START, "execve", [
      argv[0],
      [...argv, 0],
      [...Object.entries(env).map(([name, value]) => `${name}=${value}`), 0],
    ]);
}

/** struct __user_cap_header_struct: version 3, this process. */
const CAPABILITY_VERSION = new Uint8Array(new Uint32Array([0x20080522, 0]).buffer);

/** Effective and permitted sets alike; nothing is inheritable, so nothing is ambient either. */
function capabilitySets(kept: readonly number[]): Uint8Array {
  const words = [0, 1].map((half) =>
    kept.filter((bit) => bit >> 5 === half).reduce((set, bit) => set | (1 << (bit & 31)), 0)
  );
  return new Uint8Array(new Int32Array(words.flatMap((word) => [word, word, 0])).buffer);
}

let encoded: Uint8Array | undefined;

/** struct sock_fprog: how many instructions, and where. Takes time once. */
export function socketFilter(): readonly (number | Uint8Array)[] {
  encoded ??= encodeFilter(seccompFilter());
  return [encoded.length / 8, encoded];
}

/** Soft and hard limits, as struct rlimit64: those of Docker's service, within what this process may have. */
function limits(): Partial<Record<keyof typeof RLIMIT, Uint8Array>> {
  const rows = Deno.readTextFileSync("/proc/self/limits");
  const hard = (title: string) => {
    const text = new RegExp(`^${title} +\\S+ +(\\S+)`, "m").exec(rows)?.[1] ?? "unlimited";
    return text === "unlimited" ? 0xffffffffffffffffn : BigInt(text);
  };
  const least = (a: bigint, b: bigint) => a < b ? a : b;
  const pair = (soft: bigint, most: bigint) =>
    new Uint8Array(new BigUint64Array([least(soft, most), most]).buffer);
  const files = least(hard("Max open files"), 1048576n);
  const processes = least(hard("Max processes"), BigInt(processLimit()));
  return {
    // what keeps ordinary users before Linux 6.14; of all other ids the machine's own processes would count
    ...(inUserNamespace() && { nproc: pair(processes, processes) }),
    nofile: pair(files, files),
    core: pair(0n, hard("Max core file size")), // a core would end up in the layer
    stack: pair(8n << 20n, hard("Max stack size")),
  };
}

/** Whether ids are those of a user namespace, in which processes are counted apart. */
function inUserNamespace(): boolean {
  return !/^\s*0\s+0\s+4294967295\s*$/.test(Deno.readTextFileSync("/proc/self/uid_map"));
}
