import type { BuildStep, StepMount, StepNetwork } from "../../../core/contract/plugin.ts";
import {
  CacheSharingOpt,
  type Definition,
  MountType,
  NetMode,
} from "../../../lib/buildkit/gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import { Llb, type LlbMount, type LlbOutput } from "../../../lib/buildkit/llb.ts";
import { CONTROL, stageScript } from "../_script.ts";
import { LOOK, lookFile } from "./look.ts";

/** Where the script says how far it is. /dev is in memory, so nothing of it is in the layer. */
const STATE = "/dev/.dapp-at";
/** Where the look at "/" is written. */
const ROOT_LOOK = "/dev/.dapp-root";
/** BuildKit's tracing, one of them random, in the environment of every command. */
const TRACING = [
  "OTEL_TRACES_EXPORTER",
  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
  "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
  "TRACEPARENT",
];
/** BuildKit's words for networks. */
export const NETWORKS: Readonly<Record<StepNetwork, NetMode>> = {
  host: NetMode.HOST,
  none: NetMode.NONE,
  private: NetMode.UNSET,
};

/** What of a step decides its operations. */
export type PlannedStep = Pick<
  BuildStep,
  "label" | "signature" | "commands" | "env" | "secretEnv" | "mounts" | "network" | "forced"
>;

/** What the operations of a step stand on. */
export interface StepGround {
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Shell of the image. */
  readonly shell: string;
  /** Manifest of the image in the session's store, or in `repository`. */
  readonly manifest: string;
  /** Full name of the repository that has the image. */
  readonly repository?: string;
  /** The program that looks into things there, which then says what "/" looks like in the end. */
  readonly program?: Uint8Array;
  /** A command that makes "/" look as the image says, when BuildKit does not. */
  readonly rootLook?: string;
  /** Names this run, for what ends with it. */
  readonly run: string;
}

/** A step as BuildKit builds it. */
export interface StepPlan {
  readonly definition: Definition;
  /** The same with the copy of "/". */
  readonly withRootCopy: Definition;
  /** Says what "/" of the result looks like, for {@linkcode readRootLook}; for grounds with a program. */
  readonly rootLook: Definition;
  /** What the commands have mounted, "/" first. */
  readonly mounts: readonly LlbMount[];
  /** Begins the line on stderr that says how far the script came. */
  readonly mark: string;
  /** A directory that the result of `withRootCopy` has in a layer of its own: it looks like "/" after the commands. */
  readonly rootCopy: string;
}

/** Name of the store that a session serves images from. */
export const STORE = "dapp";

/**
 * The operations of a step. Two daemons or clients that are given the same step come to the same operations, so that a
 * daemon runs it once; the signature is in them, since a step may have to run anew though its commands are the same. A
 * step that somebody forces has something new in them: BuildKit's own word for that, `ignore_cache`, would also empty
 * the caches that the step mounts.
 */
export function planStep(step: PlannedStep, ground: StepGround): StepPlan {
  const llb = llbFor(ground.platform);
  const mark = `\x1e${step.signature.slice(0, 16)} `;
  const image = imageOf(llb, ground, step.label);
  const forced = step.forced ? ` ${crypto.randomUUID()}` : "";
  const text = `# ${step.signature}${forced}\n${stageScript(step.commands, STATE)}`;
  const data = new TextEncoder().encode(text);
  const files = [
    { case: "mkfile", value: { path: "/script", mode: 0o644, data, timestamp: -1n } } as const,
    ...(ground.program ? [lookFile(ground.program)] : []),
  ];
  // Each goes into what the one before it made.
  const actions = files.map((action, i) => ({
    action,
    input: BigInt(i - 1),
    secondaryInput: -1n,
    output: i === files.length - 1 ? 0n : -1n,
  }));
  const script = llb.file([], actions, { name: `commands of ${step.label}` });
  const mounts = [
    { input: image, dest: "/", output: 0 },
    { input: script, dest: CONTROL, readonly: true },
    ...step.mounts.map((mount) => mountOf(mount, ground.run)).toSorted(inOrder),
  ];
  const ran = llb.exec({
    meta: {
      args: [ground.shell, "-c", wrapper(ground, mark, step)],
      env: Object.entries(step.env).map(([name, value]) => `${name}=${value}`),
      cwd: "/",
      hostname: "dapp",
      removeMountStubsRecursive: true,
    },
    network: NETWORKS[step.network ?? "private"],
    secretenv: Object.entries(step.secretEnv ?? {}).map(([name, ID]) => ({ name, ID })),
    mounts,
  }, { name: step.label });
  const rootCopy = `.dapp-${step.signature.slice(0, 16)}`;
  const definition = llb.definition(ran);
  const rootLook = llb.definition(
    llb.exec({
      meta: { args: [`${CONTROL}/${LOOK}`, "root", `${ROOT_LOOK}/root`], cwd: "/" },
      network: NetMode.NONE,
      mounts: [
        { input: ran, dest: "/", readonly: true },
        { input: script, dest: CONTROL, readonly: true },
        { dest: ROOT_LOOK, output: 0 },
      ],
    }, { name: `look at the root directory of ${step.label}` }),
  );
  const copied = llb.definition(withRootCopy(llb, ran, rootCopy, step));
  return { definition, withRootCopy: copied, rootLook, mounts, mark, rootCopy };
}

/** An image as it is, for shells. */
export function planImage(
  label: string,
  ground: Pick<StepGround, "platform" | "manifest" | "repository">,
): Definition {
  const llb = llbFor(ground.platform);
  return llb.definition(imageOf(llb, ground, label));
}

function llbFor({ os, architecture, variant = "" }: StepGround["platform"]): Llb {
  return new Llb({ OS: os, Architecture: architecture, Variant: variant });
}

function imageOf(
  llb: Llb,
  { manifest, repository }: Pick<StepGround, "manifest" | "repository">,
  label: string,
): LlbOutput {
  const name = `image of ${label}`;
  return repository === undefined
    ? llb.source(`oci-layout://dapp/image@${manifest}`, { "oci.store": STORE }, { name })
    : llb.source(`docker-image://${repository}@${manifest}`, {}, { name });
}

/** A layer of BuildKit has no entry for "/": what it looks like is copied to where a layer can have it. */
function withRootCopy(llb: Llb, ran: LlbOutput, rootCopy: string, { label }: PlannedStep): LlbOutput {
  return llb.file([ran], [{
    input: 0n,
    secondaryInput: 0n,
    output: 0n,
    action: {
      case: "copy",
      value: {
        src: "/",
        dest: `/${rootCopy}`,
        mode: -1,
        timestamp: -1n,
        excludePatterns: ["*"],
      },
    },
  }], { name: `root directory of ${label}` });
}

/**
 * Runs the script with nothing in the environment but what was declared, as a child: the first process of a container
 * ignores signals. It says on stderr how far the script came, and fails when that is not the end.
 */
function wrapper({ shell, rootLook, program }: StepGround, mark: string, step: PlannedStep): string {
  const { commands } = step;
  const look = program ? ` "$(${CONTROL}/${LOOK} root)"` : "";
  return [
    unsetAdded(step),
    ...(rootLook === undefined ? [] : [rootLook]),
    `${shell} -e ${CONTROL}/script`,
    "code=$?",
    `read at <${STATE} || at=0`,
    `printf '\\036%s %s %s${look && " %s"}\\n' ${mark.slice(1).trim()} $code "$at"${look} >&2`,
    // "exit 0" in the last command is as good as its end
    `case $code$at in 0end | 0${commands.length - 1}) ;; 0*) code=1 ;; esac`,
    "exit $code",
  ].join("\n");
}

/** The command that takes out of the environment what BuildKit puts in. */
export function unsetAdded(
  { env, secretEnv = {} }: Pick<PlannedStep, "env" | "secretEnv">,
  kept: readonly string[] = [],
): string {
  const added = [...TRACING, "HOME", "PATH", "SSH_AUTH_SOCK", "SHLVL"]
    .filter((name) => env[name] === undefined && secretEnv[name] === undefined && !kept.includes(name));
  return `unset ${added.join(" ")}`;
}

/** A mount as BuildKit makes it; `run` names this run. */
export function mountOf(mount: StepMount, run: string): LlbMount {
  const { target: dest } = mount;
  switch (mount.kind) {
    case "cache":
      return cache(`dapp/${mount.project}/${mount.name}`, dest, mount.locked);
    case "tmp":
      return cache(`${run}/${dest}`, dest);
    case "memory":
      return { dest, mountType: MountType.TMPFS, TmpfsOpt: { size: BigInt(mount.size) } };
    case "secret":
      return { dest, mountType: MountType.SECRET, secretOpt: { ID: mount.id, mode: 0o400 } };
    case "ssh":
      return { dest, mountType: MountType.SSH, SSHOpt: { ID: mount.id, mode: 0o600 } };
    case "host":
      throw new TypeError(`"${mount.source}" is of this machine`);
    default:
      return mount satisfies never;
  }
}

function cache(ID: string, dest: string, locked = false): LlbMount {
  const sharing = locked ? CacheSharingOpt.LOCKED : CacheSharingOpt.SHARED;
  return { dest, mountType: MountType.CACHE, cacheOpt: { ID, sharing } };
}

/**
 * The outermost first, and in one order whatever the dappfile's is: the daemon takes them one after another, and two steps
 * that each held what the other one wants for itself would wait forever.
 */
function inOrder({ dest: a = "" }: LlbMount, { dest: b = "" }: LlbMount): number {
  return depth(a) - depth(b) || (a < b ? -1 : 1);
}

function depth(path: string): number {
  return path.split("/").filter((part) => part !== "").length;
}
