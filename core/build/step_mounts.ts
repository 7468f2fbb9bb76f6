import type { ImageRule, MountRule } from "../contract/config.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { EngineError } from "../contract/errors.ts";
import type { Builder, BuildStep, MountKind, StepMount } from "../contract/builder.ts";
import type { LockOptions, Locks } from "../contract/store.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** Where commands find the socket of the ssh agent. */
export const AGENT_SOCKET = "/run/ssh-agent/default";

/** @throws BUILDER_UNAVAILABLE when a builder cannot show a step what it needs */
export function requireMounts({ name, mounts = ["host", "cache", "tmp"] }: Builder, step: BuildStep): void {
  const needed: MountKind[] = step.mounts.map(({ kind }) => kind);
  if (step.secretEnv) needed.push("secret");
  const missing = needed.find((kind) => !mounts.includes(kind));
  if (missing === undefined) return;
  const what = {
    host: "directories of this machine (`fromPath`)",
    cache: "directories that are kept (`build_dir`)",
    tmp: "temporary directories (`tmp_dir`)",
    memory: "directories in memory (`memory`)",
    secret: "`secrets`",
    ssh: "`ssh`",
  }[missing];
  throw new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot build ${step.label}: builder "${name}" does not offer ${what}`,
    {
      fix: "Choose another builder with --builder",
    },
  );
}

/** What mounting directories takes. */
export interface MountNeeds {
  readonly options: Pick<ResolvedOptions, "untrusted">;
  project(): Promise<{ readonly name: string }>;
}

/** Directories that an image's commands have. @throws CONFIG_INVALID when one of this machine is not there */
export async function mountsOf(
  session: MountNeeds,
  { mounts }: Pick<ImageRule, "mounts">,
  what: string,
): Promise<StepMount[]> {
  const { name } = await session.project();
  const { untrusted } = session.options;
  return await Promise.all(mounts.map(async (mount): Promise<StepMount> => {
    // What strangers leave there, builds of others would find.
    if (untrusted && mount.from === "build_dir") return { kind: "tmp", target: mount.to };
    return await mountOf(mount, name, what);
  }));
}

/**
 * Takes what a step wants for itself, and waits until it may: no other step has it then, here or in another process.
 *
 * @throws LOCK_TIMEOUT
 */
export async function lockMounts(
  mounts: readonly StepMount[],
  locks: Pick<Locks, "take">,
  options: LockOptions,
): Promise<AsyncDisposable> {
  const names = mounts.flatMap((mount) =>
    mount.kind === "cache" && mount.locked ? [`mount ${mount.project} ${mount.name}`] : []
  );
  await using stack = new AsyncDisposableStack();
  // In one order, so that no two steps wait for each other.
  for (const name of names.sort()) stack.use(await locks.take(name, options));
  return stack.move();
}

/** Files of secrets and the socket of the agent. */
export function secretMounts({ secrets, ssh }: Pick<ImageRule, "secrets" | "ssh">): StepMount[] {
  return [
    ...secrets.flatMap(({ id, target }): StepMount[] =>
      target === undefined ? [] : [{ kind: "secret", id, target }]
    ),
    ...ssh.map((id): StepMount => ({ kind: "ssh", id, target: AGENT_SOCKET })),
  ];
}

/** @throws CONFIG_INVALID when there is nothing to mount */
async function mountOf(mount: MountRule, project: string, what: string): Promise<StepMount> {
  const { to: target } = mount;
  switch (mount.from) {
    case "build_dir":
      return { kind: "cache", project, name: target, target, ...mount.sharing && { locked: true } };
    case "tmp_dir":
      return { kind: "tmp", target };
    case "memory":
      return { kind: "memory", target, size: mount.size };
    case "path": {
      const source = await existing(mount.path, () => {
        throw new EngineError(
          "CONFIG_INVALID",
          `Cannot build ${what}: "${mount.path}", which is to be mounted on "${target}", does not exist here`,
          {
            fix: `Create it, or correct \`fromPath\` in line ${mount.line} of ${
              mount.file ?? "the dappfile"
            }`,
          },
        );
      });
      return { kind: "host", source, target, readOnly: false };
    }
    default:
      return unreachable(mount);
  }
}

/** `path` if something is there, whatever it is. */
async function existing(path: string, absent: () => never): Promise<string> {
  try {
    await Deno.stat(path);
    return path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return absent();
    throw error;
  }
}
