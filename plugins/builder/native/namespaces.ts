/** How helper processes get their namespaces, and what to say when they do not. */
import { denoEnvironment } from "../../../lib/own_process.ts";
import { programEnvironment } from "../../../lib/program_environment.ts";
import type { EngineError } from "../../../core/contract/errors.ts";
import type { StepNetwork } from "../../../core/contract/plugin.ts";
import { type Env, find } from "../../../lib/programs.ts";
import { isKernelBefore } from "./kernel.ts";
import { unavailable } from "./unavailable.ts";

/** Whether this process builds as an ordinary user does: root of a container that may not mount is one, too. */
export function isRootless(): boolean {
  const set = ownStatus("CapEff");
  return Deno.uid() !== 0 || (set !== undefined && (BigInt(`0x${set}`) & FOR_NAMESPACES) !== FOR_NAMESPACES);
}

/** CAP_NET_ADMIN and CAP_SYS_ADMIN: networks and mounts without a user namespace. */
const FOR_NAMESPACES = 1n << 12n | 1n << 21n;

/** A row of /proc/self/status. */
function ownStatus(name: string): string | undefined {
  try {
    const text = Deno.readTextFileSync("/proc/self/status");
    return new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(text)?.[1];
  } catch {
    return undefined;
  }
}

/** What a helper is started as and stays. */
export interface HelperKind {
  readonly rootless: boolean;
  /** With "none", its steps see a loopback interface only; with "private", `user_network.ts` connects it. */
  readonly network: StepNetwork;
}

/**
 * The command line of a helper. It dies with this process, and everything below it with it: `setpriv` lets the kernel
 * kill `unshare`, `--kill-child` the helper, which as process 1 of its pid namespace takes the rest along.
 *
 * @throws BUILDER_UNAVAILABLE when a program is missing
 */
export function helperCommand(
  kind: HelperKind,
  env: Env,
  args: readonly string[] = [],
  flags: readonly string[] = [],
): string[] {
  const { rootless, network } = kind;
  const unshare = find("unshare", env);
  if (!unshare) throw unavailable('program "unshare" is not in PATH', "Install the package util-linux");
  if (rootless) {
    for (const program of ["newuidmap", "newgidmap"]) {
      if (!find(program, env)) {
        throw unavailable(
          `without the right to mount, it needs "${program}", which is not in PATH`,
          "Install the package uidmap (shadow-utils), or build as root, with CAP_SYS_ADMIN in a container",
        );
      }
    }
  }
  const setpriv = find("setpriv", env);
  const helper = new URL("./helper.ts", import.meta.url);
  return [
    ...(setpriv ? [setpriv, "--pdeathsig", "KILL"] : []), // without it helpers end when their input does
    unshare,
    ...(rootless ? ["--user", "--map-root-user", "--map-auto"] : []),
    ...(network === "host" ? [] : ["--net"]),
    ...[
      "--mount",
      "--propagation",
      "private",
      "--ipc",
      "--uts",
      "--pid",
      "--fork",
      "--kill-child=SIGKILL",
      "--",
    ],
    ...[
      Deno.execPath(),
      "run",
      "--allow-all",
      "--no-config",
      "--no-lock",
      "--quiet",
      ...flags,
    ],
    helper.href,
    network,
    ...args,
  ];
}

/** Where programs and caches are; nothing else of an environment concerns a helper. */
const PASSED = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "TMPDIR",
  "XDG_CACHE_HOME",
  "XDG_RUNTIME_DIR",
];

/** The environment of a helper: secrets in that of the engine are not passed on. */
export function helperEnvironment(env: Env): Record<string, string> {
  const passed = Object.entries(programEnvironment(env)).filter(([name]) =>
    PASSED.includes(name) || name.startsWith("DENO_")
  );
  return { ...Object.fromEntries(passed), ...denoEnvironment() };
}

/** Whether a kernel lacks what steps are kept apart with: close_range(2) as of Linux 5.11, mount_setattr(2) of 5.12. */
export function isOldKernel(release: string): boolean {
  return isKernelBefore(release, [5, 12]);
}

/** A range of ids that none of these rows of /etc/subuid and /etc/subgid has: who has ids of another owns its files. */
export function freeIds(rows: readonly string[]): string {
  const ends = rows.map((row) => row.split(":")).map(([, first, count]) => Number(first) + Number(count));
  const first = Math.max(100_000, ...ends.filter(Number.isSafeInteger));
  return `${first}-${first + 65_535}`;
}

/** Turns a helper that did not start, and what it printed, into an error that says what to change. */
export async function explainNoHelper(rootless: boolean, printed: string): Promise<EngineError> {
  const last = printed.trim().split("\n").at(-1) || "it ended without a message";
  const kernel = await setting("/proc/sys/kernel/osrelease");
  if (kernel !== undefined && isOldKernel(kernel)) {
    return unavailable(
      `Linux ${kernel} is too old for it`,
      "Use Linux 5.12 or later, or have a BuildKit daemon run the commands (BUILDKIT_HOST)",
    );
  }
  if (!rootless) {
    if (!/permitted|denied/i.test(last)) {
      return unavailable(`its helper process did not start: ${last}`, "Report it");
    }
    return unavailable(`this process is root but may not make mount namespaces (${last})`, UNCONFINED);
  }
  if (await setting("/proc/sys/user/max_user_namespaces") === "0") {
    return unavailable(
      "user namespaces are switched off",
      "Run as root: sysctl -w user.max_user_namespaces=15000",
    );
  }
  if (await setting("/proc/sys/kernel/unprivileged_userns_clone") === "0") {
    return unavailable(
      "user namespaces are switched off for ordinary users",
      "Run as root: sysctl -w kernel.unprivileged_userns_clone=1",
    );
  }
  const name = await userName();
  const given = await Promise.all(
    ["/etc/subuid", "/etc/subgid"].map(async (file) =>
      [file, (await setting(file))?.split("\n") ?? []] as const
    ),
  );
  const free = freeIds(given.flatMap(([, rows]) => rows));
  for (const [file, rows] of given) {
    if (rows.some((row) => row.startsWith(`${name}:`) || row.startsWith(`${Deno.uid()}:`))) continue;
    return unavailable(
      `user "${name}" has no range of ids in ${file}`,
      `Run as root: usermod --add-subuids ${free} --add-subgids ${free} ${name}`,
    );
  }
  if (ownStatus("NoNewPrivs") === "1") {
    return unavailable(
      "this process may gain no privileges, which newuidmap needs",
      "Start the container without --security-opt no-new-privileges (Kubernetes: allowPrivilegeEscalation: true)",
    );
  }
  const lacking = /uid_map|gid_map|newuidmap|newgidmap/.test(printed) ? lackingForMaps() : [];
  if (lacking.length > 0) {
    return unavailable(
      `newuidmap cannot get the capabilities it needs: ${lacking.join(", ")} is missing`,
      `Start the container with ${lacking.map((name) => `--cap-add ${name}`).join(" ")} (Kubernetes: ` +
        `capabilities.add: [${lacking.join(", ")}])`,
    );
  }
  if (/unshare failed: Operation not permitted/.test(printed) && ownStatus("Seccomp") === "2") {
    return unavailable("a seccomp profile around this process forbids user namespaces", UNCONFINED);
  }
  if (await setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return unavailable(
      "AppArmor keeps ordinary users from using user namespaces",
      "Run as root: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or build as root",
    );
  }
  if (/map-auto|unrecognized/.test(printed)) {
    return unavailable(
      `"unshare" is too old (${last})`,
      "Install util-linux 2.38 or later, or build as root",
    );
  }
  return unavailable(
    `its helper process did not start: ${last}`,
    "Build as root, or choose another builder with --builder",
  );
}

const UNCONFINED =
  "Start the container with --security-opt seccomp=unconfined --security-opt apparmor=unconfined (Kubernetes: " +
  "seccompProfile and appArmorProfile of type Unconfined), or with --privileged, or use --builder buildkit";

/** Bits of what mapping ids takes; SETFCAP for root of a container alone, whose id is mapped. */
const FOR_MAPS = { SETGID: 6n, SETUID: 7n, SETFCAP: 31n };

/** Capabilities that newuidmap cannot have here. */
function lackingForMaps(): readonly string[] {
  const set = BigInt(`0x${ownStatus("CapBnd") ?? "ffffffffff"}`);
  return Object.entries(FOR_MAPS).flatMap(([name, bit]) =>
    (set >> bit & 1n) === 1n || (name === "SETFCAP" && Deno.uid() !== 0) ? [] : [name]
  );
}

async function setting(path: string): Promise<string | undefined> {
  try {
    return (await Deno.readTextFile(path)).trim();
  } catch {
    return undefined;
  }
}

async function userName(): Promise<string> {
  const rows = (await setting("/etc/passwd"))?.split("\n") ?? [];
  return rows.map((row) => row.split(":")).find((row) => row[2] === String(Deno.uid()))?.[0] ??
    String(Deno.uid());
}
