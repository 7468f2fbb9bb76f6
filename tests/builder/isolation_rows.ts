/**
 * What a command can reach, row by row, as SECURITY.md shows it. Each row has a probe that runs inside a step, and
 * inside containers of Docker, buildah and BuildKit where they are at hand.
 */
import { machine } from "../../plugins/builder/native/syscalls.ts";
import { CallProgram } from "../../plugins/builder/native/launcher.ts";

/** Column of SECURITY.md. */
export type OtherTool = "docker" | "buildah" | "BuildKit";

export type Tool = "root" | "user" | OtherTool;

export interface IsolationRow {
  /** First cell of the table. */
  readonly title: string;
  /** Shell commands that print the cell, as root of the busybox base; see {@linkcode PRELUDE}. */
  readonly probe: string;
  /** What they print. */
  readonly cells: Readonly<Record<Tool, string>>;
  /** Other answers of a tool that depend on its version or its machine. */
  readonly may?: Partial<Record<OtherTool, RegExp>>;
  /** The network that the step has. @default one of its own */
  readonly network?: "host";
  /** There is nothing to probe in other tools: the command is itself what the row is about. */
  readonly ownOnly?: true;
}

const others = (text: string) => ({ docker: text, buildah: text, BuildKit: text });
const all = (text: string) => ({ root: text, user: text, ...others(text) });

/** System calls that probes make: number of the call and its arguments. */
const calls: Readonly<Record<string, readonly [name: string, ...args: (number | bigint | string)[]]>> = {
  unshare_user: ["unshare", 0x10000000],
  unshare_mount: ["unshare", 0x20000],
  clone_user: ["clone", 0x10000011],
  clone3: ["clone3", 0, 0],
  mount: ["mount", "none", "/tmp", "tmpfs", 0, 0],
  umount: ["umount2", "/proc", 2],
  pivot_root: ["pivot_root", "/", "/"],
  setns: ["setns", 0, 0],
  keyctl: ["keyctl", 0, -3, 0],
  add_key: ["add_key", "user", "x", "x", 1, -3],
  request_key: ["request_key", "user", "x", 0, 0],
  bpf: ["bpf", 0, 0, 0],
  perf: ["perf_event_open", 0, 0, -1, -1, 0],
  userfaultfd: ["userfaultfd", 0],
  io_uring: ["io_uring_setup", 1, 0],
  kexec: ["kexec_load", 0, 0, 0, 0],
  module: ["init_module", 0, 0, ""],
  by_handle: ["open_by_handle_at", -100, 0, 0],
  reboot: ["reboot", 0, 0, 0, 0],
  swapon: ["swapon", "/", 0],
  quotactl: ["quotactl", 0, 0, 0, 0],
  acct: ["acct", 0],
  settime: ["settimeofday", 0, 0],
  syslog: ["syslog", 3, 0, 0],
  sethostname: ["sethostname", "x", 1],
  personality: ["personality", 0x40000],
  fanotify: ["fanotify_init", 0, 0],
  move_pages: ["move_pages", 1, 0, 0, 0, 0, 0],
  vsock: ["socket", 40, 1, 0],
  alg: ["socket", 38, 5, 0],
  packet: ["socket", 17, 3, 0],
  raw: ["socket", 2, 3, 1],
  unix: ["socket", 1, 1, 0],
  tiocsti: ["ioctl", 0, 0x5412, "x"],
  tiocsti_high: ["ioctl", 0, 0x100005412n, "x"],
  tioclinux: ["ioctl", 0, 0x541c, "\x0b"],
  ptrace: ["ptrace", 16, 1, 0, 0],
  pidfd_getfd: ["pidfd_getfd", 0, 0, 0],
  kcmp: ["kcmp", 1, 1, 0, 0, 0],
  become_root: ["setresuid", 0, 0, 0],
};

/** Numbers of calls that dapp itself has no use for. */
const numbers: Readonly<Record<string, readonly [x86_64: number, aarch64: number]>> = {
  setns: [308, 268],
  add_key: [248, 217],
  request_key: [249, 218],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  kexec_load: [246, 104],
  init_module: [175, 105],
  open_by_handle_at: [304, 265],
  reboot: [169, 142],
  swapon: [167, 224],
  quotactl: [179, 60],
  acct: [163, 89],
  settimeofday: [164, 170],
  syslog: [103, 116],
  sethostname: [170, 161],
  fanotify_init: [300, 262],
  move_pages: [279, 239],
  pidfd_getfd: [438, 438],
  kcmp: [312, 272],
};

/** Executables by name, each of which makes one call; a failure is written to standard output as a record. */
export function probePrograms(): Record<string, Uint8Array> {
  const programs: Record<string, Uint8Array> = {};
  for (const [title, [name, ...args]] of Object.entries(calls)) {
    const number = numbers[name]?.[machine === "x86_64" ? 0 : 1] ?? name;
    programs[title] = oneCall(number, args);
  }
  programs["new_call"] = oneCall(999, []);
  if (machine === "x86_64") programs["x32"] = oneCall(0x40000000 + 39, []);
  return programs;
}

function oneCall(call: string | number, args: readonly (number | bigint | string)[]): Uint8Array {
  return new CallProgram().call("probe", call, args).call("end", "exit_group", [0]).end(1).build();
}

/** `e NAME...` prints how each program's call ended, once when all say the same. */
export const PRELUDE = `
one() {
  out=$(/probe/$1 2>/dev/null | od -An -tx1 -j8 -N1 | tr -d ' \\n')
  case $out in
    '') echo ok ;; ff) echo EPERM ;; f3) echo EACCES ;; da) echo ENOSYS ;; f2) echo EFAULT ;; ea) echo EINVAL ;;
    9f) echo EAFNOSUPPORT ;; e7) echo ENOTTY ;; fd) echo ESRCH ;; f7) echo EBADF ;; *) echo "0x$out" ;;
  esac
}
e() { for p in "$@"; do [ -e /probe/$p ] && one $p; done | sort -u | tr '\\n' ' ' | sed 's/ $//'; }
opens() { mknod $1 $2 $3 $4 2>/dev/null || { echo cannot be made; return; }; r=opens
  (: <$1) 2>/tmp/err || r=$(sed 's/.*: //' /tmp/err); rm -f $1 /tmp/err; echo "$r"; }
`;

const capabilities = (set: string) => `0 ${set} ${set} ${set} 0`;

const own = (names: readonly string[]) =>
  names.map((name) => `readlink /proc/self/ns/${name} | sed 's/.*\\[\\(.*\\)\\]/${name} \\1/'`).join("; ");

/** Of /dev/shm, /dev/mqueue, /proc and /sys. */
const FLAGS = "rw,nosuid,nodev,noexec rw,nosuid,nodev,noexec rw,nosuid,nodev,noexec ro,nosuid,nodev,noexec";

export const isolationRows: readonly IsolationRow[] = [
  {
    title: "Capabilities: inheritable, permitted, effective, bounding, ambient",
    probe: "sed -n 's/^Cap.*:\\t0*\\([0-9a-f]\\)/\\1/p' /proc/self/status | tr '\\n' ' ' | sed 's/ $//'",
    cells: { ...all(capabilities("a80425fb")), buildah: capabilities("800405fb") },
  },
  {
    title: "`no_new_privs`, seccomp mode (2: filtered)",
    probe: "sed -n 's/^\\(Seccomp\\|NoNewPrivs\\):\\t//p' /proc/self/status | tr '\\n' ' ' | sed 's/ $//'",
    cells: all("0 2"),
  },
  {
    title: "Become root as another user: by a program without setuid, by one with it (sudo, su)",
    probe:
      "cp /probe/become_root /tmp; chmod 4755 /tmp/become_root; for p in /probe /tmp; do su -s /bin/sh nobody -c \"$p/become_root >/dev/null && echo yes || echo no\"; done | tr '\\n' ' ' | sed 's/ $//'; rm /tmp/become_root",
    cells: all("no yes"),
  },
  {
    title: "Make namespaces: user, mount (unshare, clone)",
    probe: "e unshare_user unshare_mount clone_user",
    cells: { ...all("EPERM"), buildah: "EPERM ok" },
  },
  {
    title: "clone3, whose flags no filter sees",
    probe: "e clone3",
    cells: { ...all("ENOSYS"), buildah: "EINVAL" },
  },
  {
    title: "mount, umount2, pivot_root, setns",
    probe: "e mount umount pivot_root setns",
    cells: { ...all("EPERM"), buildah: "EINVAL EPERM" },
  },
  {
    title: "Keyrings of the kernel (keyctl, add_key, request_key)",
    probe: "e keyctl add_key request_key",
    cells: { ...all("EPERM"), buildah: "ENOSYS ok" },
  },
  {
    title: "bpf, perf_event_open, userfaultfd, kexec_load, init_module, open_by_handle_at",
    probe: "e bpf perf userfaultfd kexec module by_handle",
    cells: all("EPERM"),
  },
  {
    title: "io_uring",
    probe: "e io_uring",
    cells: { ...all("EPERM"), buildah: "ENOSYS" },
    may: { docker: /^(EPERM|EFAULT|EINVAL)$/ }, // before 25
  },
  {
    title: "reboot, swapon, quotactl, acct, settimeofday, syslog, sethostname, fanotify_init, move_pages",
    probe: "e reboot swapon quotactl acct settime syslog sethostname fanotify move_pages",
    cells: all("EPERM"),
  },
  {
    title: "personality with other than its harmless values",
    probe: "e personality",
    cells: { ...all("EPERM"), buildah: "ENOSYS" },
  },
  {
    title: "Calls by the numbers of x32",
    probe: "[ -e /probe/x32 ] && e x32 || echo ENOSYS", // aarch64 has no such numbers
    cells: all("ENOSYS"),
  },
  {
    title: "Calls that are newer than the filter",
    probe: "e new_call",
    cells: all("ENOSYS"),
  },
  {
    title: "Sockets of virtual machines (AF_VSOCK) and of the kernel's ciphers (AF_ALG)",
    probe: "e vsock alg",
    cells: { ...all("EPERM"), buildah: "ok" },
    may: { docker: /^((EPERM|ok|EAFNOSUPPORT) ?)+$/, buildah: /^((EPERM|ok|EAFNOSUPPORT) ?)+$/ }, // AF_VSOCK before 24, AF_ALG before 29
  },
  {
    title: "Raw packets in the host's network",
    probe: "e packet raw",
    network: "host",
    cells: { ...all("EPERM"), docker: "ok", BuildKit: "ok" },
  },
  {
    title: "Type into the terminal (TIOCSTI, TIOCLINUX, also with high bits set)",
    probe: "e tiocsti tiocsti_high tioclinux",
    cells: { root: "EPERM", user: "EPERM", ...others("ENOTTY") },
  },
  {
    title: "Terminal, standard input, descriptors",
    probe:
      "(: </dev/tty) 2>/dev/null && echo terminal; sh -c 'readlink /proc/$$/fd/0; for f in 0 1 2 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/$$/fd/$f ] && echo $f; done' | tr '\\n' ' ' | sed 's/ $//'",
    cells: all("/dev/null 0 1 2"),
  },
  {
    title: "Open a block device of the host (in /, /dev, /dev/shm)",
    probe: "for d in /tmp /dev /dev/shm; do opens $d/probe b 7 0; done | sort -u",
    cells: {
      root: "Permission denied",
      user: "cannot be made",
      ...others("Operation not permitted"),
      buildah: "cannot be made",
    },
    may: {
      docker:
        /^(Operation not permitted|Permission denied\nOperation not permitted|Operation not permitted\nPermission denied)$/,
      BuildKit: /^((Operation not permitted|Permission denied)\n?)+$/,
    },
  },
  {
    title: "Open a character device (`mknod c 1 3`, which package scripts make)",
    probe: "opens /tmp/probe c 1 3",
    cells: {
      root: "Permission denied",
      user: "cannot be made",
      ...others("opens"),
      buildah: "cannot be made",
    },
  },
  {
    title: "Devices in /dev",
    probe: "ls /dev | grep -vx -e console -e core -e probe -e otel-grpc.sock | tr '\\n' ' ' | sed 's/ $//'",
    cells: all("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"),
  },
  {
    title: "Flags of /dev, /dev/shm, /dev/mqueue, /proc, /sys",
    probe:
      "for d in /dev /dev/shm /dev/mqueue /proc /sys; do awk -v d=$d '$5==d {print d, $6}' /proc/self/mountinfo | tail -n 1 | sed 's/,relatime\\|,strictatime\\|relatime,//'; done | sed 's/^[^ ]* //; s/^rw$/rw/' | tr '\\n' ' ' | sed 's/ $//'",
    cells: {
      ...all(`rw,nosuid,nodev ${FLAGS}`),
      ...others(`rw,nosuid ${FLAGS}`),
      buildah: `rw,nosuid,noexec ${FLAGS}`,
    },
  },
  {
    title: "Size of /dev/shm, in KiB",
    probe: "df -k /dev/shm | awk 'NR==2 {print $2}'",
    cells: all("65536"),
  },
  {
    title: "Secrets of the kernel in /proc (kcore, keys, timer_list, sched_debug, acpi, scsi)",
    probe:
      "for f in kcore keys timer_list sched_debug acpi scsi; do [ -d /proc/$f ] && ls /proc/$f; [ -f /proc/$f ] && head -c 1 /proc/$f; [ -c /proc/$f ] && head -c 1 /proc/$f; done | wc -c",
    cells: all("0"),
  },
  {
    title: "Write to /proc/sys, /proc/sysrq-trigger, /proc/irq, /proc/bus",
    probe:
      "for f in /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/irq/default_smp_affinity; do [ -e $f ] && (: >>$f) 2>&1 | sed 's/.*: //'; done | sort -u",
    cells: { ...all("Read-only file system"), user: "Permission denied" },
  },
  {
    title: "Write to /sys; its firmware and the host's control groups",
    probe:
      "(: >/sys/kernel/profiling) 2>&1 | sed 's/.*: //'; ls /sys/firmware /sys/kernel/debug /sys/fs/bpf 2>/dev/null | grep -v : | grep -v '^$'",
    cells: all("Read-only file system"),
  },
  {
    title: "Files of the kernel that open for writing: control groups, /sys/kernel, /proc/sys/kernel",
    probe:
      'for f in $(find /sys/fs/cgroup /sys/kernel /proc/sys/kernel -maxdepth 2 -type f 2>/dev/null); do true 2>/dev/null >>"$f" && echo x; done | wc -l',
    cells: { ...all("0"), buildah: "its control groups" },
    may: { buildah: /^[0-9]+$/ },
  },
  {
    title: "Mounts that follow the host's, or that the host's follow",
    probe: "grep -c ' \\(shared\\|master\\):' /proc/self/mountinfo",
    cells: { ...all("0"), docker: "volumes" },
    may: { docker: /^[0-9]+$/ },
  },
  {
    title: "Other processes than the step's own",
    probe: "ls /proc | grep -c '^[0-9]' | awk '{ print ($1 < 12) ? \"none\" : \"seen\" }'",
    cells: all("none"),
  },
  {
    title: "Signals to process 1",
    probe:
      'for s in TERM INT HUP SEGV ABRT STOP KILL USR1; do sh -c "kill -$s 1"; done; sleep 0.1; kill -0 1 && echo ignored',
    cells: { ...all("ignored"), ...others("ignored, but for those that the command handles") },
    may: { docker: /^(ignored)?$/, buildah: /^(ignored)?$/, BuildKit: /^(ignored)?$/ },
  },
  {
    title: "Look into process 1 (memory, program, descriptors, root, environment), trace it",
    probe:
      "for f in environ mem maps exe; do (cat /proc/1/$f) 2>&1 >/dev/null | sed 's/.*: //'; done | sort -u; for d in fd root/ cwd/; do (ls /proc/1/$d) 2>&1 >/dev/null | sed 's/.*: //'; done | sort -u | grep -v 'Permission denied'; e ptrace pidfd_getfd kcmp",
    cells: { ...all("Permission denied\nEPERM"), ...others("is the command itself") },
    ownOnly: true,
  },
  {
    title: "Groups, umask",
    probe: "echo $(id -G) $(umask)",
    cells: all("0 0022"),
    may: { docker: /^[0-9 ]+ 0022$/, buildah: /^[0-9 ]+ 0022$/, BuildKit: /^[0-9 ]+ 0022$/ }, // /etc/group of the image
  },
  {
    title: "Core files; how much sooner than others it ends when memory runs out (`oom_score_adj`)",
    probe: "echo $(ulimit -c) $(cat /proc/self/oom_score_adj)",
    cells: { ...all("0 300"), ...others("unlimited 0") },
    may: { docker: /^(0|unlimited) 0$/, buildah: /^(0|unlimited) 0$/, BuildKit: /^(0|unlimited) 0$/ },
  },
  {
    title: "Paths of the host in mounts and command lines",
    probe: 'cat /proc/self/mountinfo /proc/1/cmdline | grep -c -a "$HOST_PATH"',
    cells: { ...all("0"), ...others("its own directories") },
    ownOnly: true,
  },
];

/** Namespaces and whether they are the step's own; compared with this process's. */
export const namespaceRow = {
  title: "Own namespaces",
  probe: own(["mnt", "pid", "ipc", "uts", "cgroup", "net", "user"]),
  cells: {
    root: "mnt pid ipc uts cgroup net",
    user: "mnt pid ipc uts cgroup net user",
    ...others("mnt pid ipc uts cgroup net"),
    buildah: "mnt pid ipc uts net",
  },
  /** With control groups of version 1 the others have the machine's. */
  may: /^mnt pid ipc uts (cgroup )?net$/,
} as const;

/** What the host's network shows; asked once with it and with every other. */
export const networkRow = {
  title: "Services of the host: on 127.0.0.1, on abstract sockets",
  /** `$PORT` and `$NAME` are what this process listens on. */
  probe:
    'nc -w 1 127.0.0.1 $PORT </dev/null >/dev/null 2>&1 && echo port; grep -q "@$NAME" /proc/net/unix && echo socket',
  cells: { host: "reached", own: "out of reach" }, // of every tool
};
