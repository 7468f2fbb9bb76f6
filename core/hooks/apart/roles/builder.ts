/** A builder whose plugin runs apart: it reads the layers that steps stand on, and hands over those that they add. */
import { whyFailed } from "../../../../lib/file_failure.ts";
import { createHash } from "node:crypto";
import type {
  Builder,
  BuilderRequest,
  BuildStep,
  Digest,
  DockerfileResult,
  DockerfileStep,
  Layer,
  LayerRef,
  StepIo,
  StepResult,
  Store,
} from "../../../contract/plugin.ts";
import type { ContextEntry, LayerFile } from "../../../contract/builder.ts";
import { EngineError } from "../../../contract/errors.ts";
import { isCount, isText } from "../../../../lib/guard.ts";
import { openLayer } from "../../../../lib/layer/open.ts";
import { digestFromHex } from "../../../../lib/oci/digest.ts";
import { observed } from "../../../../lib/pool.ts";
import type { Remote } from "../wire.ts";
import { giveStore } from "./given_store.ts";
import { requireConfig, requireLayerType } from "./image.ts";
import type { Role } from "./role.ts";
import * as schemas from "./schemas.ts";
import type { SaidLayer } from "./schemas.ts";
import { builderShape, watcherShape } from "./shapes.ts";

/** What the plugin is asked with. What it says of layers that it unpacked, dapp finds out itself. */
export async function builderRequest(request: BuilderRequest, role: Role): Promise<unknown> {
  const { onLayer: _, store, ...rest } = request;
  return { ...rest, store: await giveStore(store, role) };
}

/**
 * The builder that a plugin answered with. Its steps never stand on images in a registry: the login to that would have to
 * be handed over with them.
 */
export function builderApart(answer: unknown, role: Role, { store }: BuilderRequest): Builder {
  const remote = role.requireObject(answer, builderShape);
  const { name, mounts } = remote.facts;
  const has = (method: string) => remote.has.includes(method);
  if (!isText(name)) throw role.wrong('its "name" is no text');
  role.requireShape(mounts, schemas.mounts, "mounts");
  const work = new StepWork(role, store, name);
  return {
    name,
    ...(mounts !== undefined && { mounts }),
    ...(has("watchCapacity") && {
      watchCapacity(changed: (steps: number) => void) {
        const watcher = { changed: (steps: unknown) => void (isCount(steps) && changed(steps)) };
        observed(role.tell(remote, "watchCapacity", [role.give(watcher, watcherShape)]));
      },
    }),
    ...(has("place") && {
      place: ({ signature, placement }: Pick<BuildStep, "signature" | "placement">) =>
        role.ask(remote, "place", [{ signature, ...(placement && { placement }) }], {
          schema: schemas.place,
        }),
    }),
    ...(has("warmUp") && { warmUp: () => void observed(role.tell(remote, "warmUp", [])) }),
    ...(has("expectLayers") && {
      async expectLayers() {
        await role.tell(remote, "expectLayers", []).catch(() => {});
      },
    }),
    ...(has("prefetch") && {
      prefetch: async (layers: readonly LayerRef[]) => {
        await observed(role.tell(remote, "prefetch", [work.parents(layers)], LONG)).catch(() => {});
      },
    }),
    async run({ shared: _, parents, ...step }, io) {
      const secrets = [...Object.values(step.secretEnv ?? {}), ...idsOf(step, "secret")];
      const given = work.io(io, { secrets, ssh: idsOf(step, "ssh") });
      const { signal } = io;
      const made = await role.ask(remote, "run", [{ ...step, parents: work.parents(parents) }, given], {
        ...STEP,
        signal,
        schema: schemas.stepResult,
      });
      return made.layer ? { layer: work.layer(made.layer, "run", signal) } : {};
    },
    ...(has("buildDockerfile") && {
      buildDockerfile: (step: DockerfileStep, io: StepIo) => dockerfile(remote, { role, work, step, io }),
    }),
    ...(has("leftovers") && {
      leftovers: (used: ReadonlySet<Digest>, { dryRun }: { readonly dryRun: boolean }) =>
        role.ask(remote, "leftovers", [used, { dryRun }], { ...LONG, schema: schemas.leftovers }),
    }),
    shell: () => Promise.reject(work.noShell()),
    [Symbol.asyncDispose]: () => role.dispose(remote),
  };
}

/** Nobody knows how long commands take. */
const LONG = { goesOn: "alive" } as const;

/** Steps have directories of this machine, and take some time to let go of them. */
const STEP = { ...LONG, holdsOn: true } as const;

function idsOf({ mounts }: Pick<BuildStep, "mounts">, kind: "secret" | "ssh"): readonly string[] {
  return mounts.flatMap((mount) => mount.kind === kind ? [mount.id] : []);
}

/** What steps take from dapp and give to it. */
class StepWork {
  /** @param name of the builder */
  constructor(readonly role: Role, readonly store: Store, readonly name: string) {}

  /** Its process has no terminal, nor anything else of what dapp was started with. */
  noShell(): EngineError {
    const { plugin } = this.role.needs;
    return new EngineError(
      "PLUGIN_NOT_APART",
      `Cannot open a shell with builder "${this.name}": plugin "${plugin}" runs apart and has no terminal`,
      { plugin },
    );
  }

  /** Layers that can be asked for, and read then. */
  parents(refs: readonly LayerRef[]): unknown {
    return refs.map((ref) => ({
      diffId: ref.diffId,
      stored: async () => {
        const layer = await ref.stored;
        await this.lend(layer);
        return layer;
      },
      described: () => ref.described ?? ref.stored,
    }));
  }

  async lend({ digest }: Pick<Layer, "digest">): Promise<void> {
    await this.role.needs.exchange.lendBlob(this.store.blobs.path(digest), digest);
  }

  io(
    { signal, output, placed, ran, secret, sshAgent, onFailure }: StepIo,
    { secrets, ssh }: { readonly secrets: readonly string[]; readonly ssh: readonly string[] },
  ): unknown {
    return {
      signal,
      secrets: new Map(secrets.map((id) => [id, secret?.(id)])),
      agents: new Map(ssh.map((id) => [id, sshAgent?.(id)])),
      output(stream: unknown, text: unknown) {
        if ((stream !== "stdout" && stream !== "stderr") || !isText(text)) {
          throw new TypeError('output is a text of "stdout" or "stderr"');
        }
        output(stream, text);
      },
      placed: (place: unknown) => {
        this.role.requireShape(place, schemas.place, "placed");
        placed?.(place);
      },
      ran: () => ran?.(),
      ...(onFailure && { onFailure: () => onFailure(() => Promise.reject(this.noShell())) }),
    };
  }

  /** A layer as dapp takes it: hashed while it is copied, and with the content that it should have. */
  layer(said: SaidLayer, method: string, signal: AbortSignal): NonNullable<StepResult["layer"]> {
    const { diffId } = said;
    return { diffId, blob: observed(this.#take(said, method, signal)) };
  }

  async #take({ diffId, blob }: SaidLayer, method: string, signal: AbortSignal): Promise<Layer & LayerFile> {
    const { role, store } = this;
    const made = await role.ask(blob, "take", [], { ...LONG, signal, schema: schemas.madeLayer });
    if (made.diffId !== diffId) throw role.wrong("its layer has two contents", method);
    requireLayerType(made, role, method);
    const file = `${await store.blobs.scratch()}/${crypto.randomUUID()}`;
    await role.take(method, made.file, file, { digest: made.digest, size: made.size, signal });
    const content = createHash("sha256");
    try {
      for await (const chunk of openLayer(file)) content.update(chunk);
    } catch (error) {
      throw role.wrong(`layer ${made.digest} cannot be read: ${whyFailed(error)}`, method);
    }
    const found = digestFromHex(content.digest("hex"));
    if (found !== diffId) throw role.wrong(`the content of layer ${made.digest} is ${found}`, method);
    return { ...made, file };
  }
}

interface DockerfileWork {
  readonly role: Role;
  readonly work: StepWork;
  readonly step: DockerfileStep;
  readonly io: StepIo;
}

async function dockerfile(
  remote: Remote,
  { role, work, step, io }: DockerfileWork,
): Promise<DockerfileResult> {
  const { signal } = io;
  const { shared: _, ...plainStep } = step;
  using lent = new DisposableStack();
  const places = new Map<string, string>();
  const context: ContextEntry[] = [];
  for (const entry of step.context) {
    if (entry.kind === "file" && !places.has(entry.file)) {
      places.set(entry.file, lent.use(await role.needs.exchange.lend(entry.file)).path);
    }
    context.push(entry.kind === "file" ? { ...entry, file: places.get(entry.file)! } : entry);
  }
  const known = step.bases.flatMap(({ image }) => image.layers);
  for (const layer of known) await work.lend(layer);
  const made = await role.ask(remote, "buildDockerfile", [{ ...plainStep, context }, work.io(io, step)], {
    ...STEP,
    signal,
    schema: schemas.dockerfileResult,
  });
  const config = requireConfig(made, role, "buildDockerfile");
  const layers = made.layers.map((layer) => {
    if ("blob" in layer) return work.layer(layer, "buildDockerfile", signal);
    const found = known.find(({ digest, diffId }) => digest === layer.digest && diffId === layer.diffId);
    if (!found) throw role.wrong(`layer ${layer.digest} is of no image that it was given`, "buildDockerfile");
    return found;
  });
  return { config, layers };
}
