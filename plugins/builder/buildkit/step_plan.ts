import type { BuildStep, StepMount, StepNetwork } from "../../../core/contract/plugin.ts";
import {
  CacheSharingOpt,
  type Definition,
  MountType,
  NetMode,
} from "../../../lib/buildkit/gen/github.com/moby/buildkit/solver/pb/ops_pb.ts";
import { Llb, type LlbMount, type LlbOutput } from "../../../lib/buildkit/llb.ts";
import { CONTROL, stageScript } from "../_script.ts";

/** Where the script says how far it is. /dev is in memory, so nothing of it is in the layer. */
const STATE = "/dev/.dapp-at";
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
  /** Manifest of the image in the session's store. */
  readonly manifest: string;
  /** A command that makes "/" look as the image says, when BuildKit does not. */
  readonly rootLook?: string;
  /** Names this run, for what ends with it. */
  readonly run: string;
}

/** A step as BuildKit builds it. */
export interface StepPlan {
  readonly definition: Definition;
  /** What the commands have mounted, "/" first. */
  readonly mounts: readonly LlbMount[];
  /** Begins the line on stderr that says how far the script came. */
  readonly mark: string;
  /** A directory that the result has in a layer of its own: it looks like "/" after the commands. */
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
  const image = imageOf(llb, ground.manifest, step.label);
  const forced = step.forced ? ` ${crypto.randomUUID()}` : "";
  const text = `# ${step.signature}${forced}\n${stageScript(step.commands, STATE)}`;
  const script = llb.file([], [{
    input: -1n,
    secondaryInput: -1n,
    output: 0n,
    action: {
      case: "mkfile",
      value: { path: "/script", mode: 0o644, data: new TextEncoder().encode(text), timestamp: -1n },
    },
  }], { name: `commands of ${step.label}` });
  const mounts = [
    { input: image, dest: "/", output: 0 },
    { input: script, dest: CONTROL, readonly: true },
    ...step.mounts.map((mount) => mountOf(mount, ground.run)).toSorted(outermostFirst),
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
  return { definition: llb.definition(withRootCopy(llb, ran, rootCopy, step)), mounts, mark, rootCopy };
}

/** An image of the session's store as it is, for shells. */
export function planImage(
  label: string,
  { platform, manifest }: Pick<StepGround, "platform" | "manifest">,
): Definition {
  const llb = llbFor(platform);
  return llb.definition(imageOf(llb, manifest, label));
}

function llbFor({ os, architecture, variant = "" }: StepGround["platform"]): Llb {
  return new Llb({ OS: os, Architecture: architecture, Variant: variant });
}

function imageOf(llb: Llb, manifest: string, label: string): LlbOutput {
  return llb.source(`oci-layout://dapp/image@${manifest}`, { "oci.store": STORE }, {
    name: `image of ${label}`,
  });
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
function wrapper({ shell, rootLook }: StepGround, mark: string, step: PlannedStep): string {
  const { commands } = step;
  return [
    unsetAdded(step),
    ...(rootLook === undefined ? [] : [rootLook]),
    `${shell} -e ${CONTROL}/script`,
    "code=$?",
    `read at <${STATE} || at=0`,
    `printf '\\036%s %s %s\\n' ${mark.slice(1).trim()} $code "$at" >&2`,
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
      return cache(`dapp/${mount.project}/${mount.name}`, dest);
    case "tmp":
      return cache(`${run}/${dest}`, dest);
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

function cache(ID: string, dest: string): LlbMount {
  return { dest, mountType: MountType.CACHE, cacheOpt: { ID, sharing: CacheSharingOpt.SHARED } };
}

function outermostFirst(a: LlbMount, b: LlbMount): number {
  return depth(a) - depth(b);
}

function depth({ dest = "" }: LlbMount): number {
  return dest.split("/").filter((part) => part !== "").length;
}
