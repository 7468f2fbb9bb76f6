/** A plugin's builder, as dapp calls it from another process. */
import type {
  Builder,
  BuildStep,
  DockerfileStep,
  LayerRef,
  StepIo,
  StepPlace,
} from "../../../contract/plugin.ts";
import { isObject } from "../../../../lib/guard.ts";
import { observed } from "../../../../lib/pool.ts";
import { Reference, type Remote } from "../wire.ts";
import { blobShape } from "./shapes.ts";
import type { AskDapp } from "./store_in_child.ts";

/** A layer as it is handed over: each question is a call. */
interface GivenLayer extends Pick<LayerRef, "diffId"> {
  stored(): LayerRef["stored"];
  described(): LayerRef["stored"];
}

/** What a step is handed while it runs. */
interface GivenIo {
  readonly signal: AbortSignal;
  readonly secrets: ReadonlyMap<string, Uint8Array | undefined>;
  readonly agents: ReadonlyMap<string, string | undefined>;
  output(stream: string, text: string): Promise<unknown>;
  placed(place: StepPlace): Promise<unknown>;
  ran(): Promise<unknown>;
  onFailure?(): Promise<void>;
}

/** What is handed out in place of the builder. */
export function wrapBuilder(builder: Builder, ask: AskDapp): object {
  const { name, mounts } = builder;
  return {
    name,
    mounts,
    ...(builder.watchCapacity && {
      watchCapacity: (watcher: Remote) =>
        builder.watchCapacity!((steps) => void observed(ask(watcher, "changed", [steps]))),
    }),
    ...(builder.place && {
      place: (step: Pick<BuildStep, "signature" | "placement">) => builder.place!(step),
    }),
    ...(builder.warmUp && { warmUp: () => builder.warmUp!() }),
    ...(builder.prefetch && {
      prefetch: (layers: readonly GivenLayer[]) => builder.prefetch!(layers.map(layerOf)),
    }),
    run: async (
      { parents, ...step }: Omit<BuildStep, "parents"> & { parents: GivenLayer[] },
      io: GivenIo,
    ) => {
      const result = await builder.run({ ...step, parents: parents.map(layerOf) }, ioOf(io));
      return { ...result, layer: handed(result.layer) };
    },
    ...(builder.buildDockerfile && {
      async buildDockerfile(step: DockerfileStep, io: GivenIo) {
        const result = await builder.buildDockerfile!(step, ioOf(io));
        return { ...result, layers: result.layers.map(handed) };
      },
    }),
    ...(builder.leftovers && {
      leftovers: (...args: Parameters<NonNullable<Builder["leftovers"]>>) => builder.leftovers!(...args),
    }),
    [Symbol.asyncDispose]: () => builder[Symbol.asyncDispose](),
  };
}

function layerOf({ diffId, stored, described }: GivenLayer): LayerRef {
  let asked: LayerRef["stored"] | undefined;
  return {
    diffId,
    get stored() {
      return asked ??= observed(stored());
    },
    get described() {
      return observed(described());
    },
  };
}

function ioOf({ signal, secrets, agents, output, placed, ran, onFailure }: GivenIo): StepIo {
  return {
    signal,
    secret: (id) => wanted(secrets, id),
    sshAgent: (id) => wanted(agents, id),
    output: (stream, text) => void observed(output(stream, text)),
    placed: (place) => void observed(placed(place)),
    ran: () => void observed(ran()),
    ...(onFailure && { onFailure: () => onFailure() }),
  };
}

function wanted<T>(values: ReadonlyMap<string, T | undefined>, id: string): T {
  const value = values.get(id);
  if (value !== undefined) return value;
  throw new TypeError(`the step has no "${id}"`);
}

/** A layer whose blob comes later; what is in it, dapp finds out itself. */
function handed(layer: unknown): unknown {
  if (!isObject(layer) || !("blob" in layer)) return layer;
  const { blob, index: _, ...rest } = layer;
  const made = observed(Promise.resolve(blob));
  return { ...rest, blob: new Reference({ take: () => made }, blobShape) };
}
