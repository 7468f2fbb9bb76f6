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
    ...(builder.expectLayers && { expectLayers: () => builder.expectLayers!() }),
    ...(builder.prefetch && {
      prefetch: (layers: readonly GivenLayer[]) => builder.prefetch!(layers.map(layerOf)),
    }),
    run: async (
      { parents, ...step }: Omit<BuildStep, "parents"> & { parents: GivenLayer[] },
      io: GivenIo,
    ) => {
      const result = await withIo(
        io,
        (own) => builder.run({ ...step, parents: parents.map(layerOf) }, own),
      );
      return { ...result, layer: handed(result.layer) };
    },
    ...(builder.buildDockerfile && {
      async buildDockerfile(step: DockerfileStep, io: GivenIo) {
        const result = await withIo(io, (own) => builder.buildDockerfile!(step, own));
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

/** Does the work of a step; all that it printed has been sent when it ends. */
async function withIo<T>(
  { signal, secrets, agents, output, placed, ran, onFailure }: GivenIo,
  work: (io: StepIo) => Promise<T>,
): Promise<T> {
  const printed = new Printed(output);
  try {
    return await work({
      signal,
      secret: (id) => wanted(secrets, id),
      sshAgent: (id) => wanted(agents, id),
      output: (stream, text) => printed.add(stream, text),
      placed: (place) => void observed(placed(place)),
      ran() {
        printed.send();
        observed(ran());
      },
      ...(onFailure && { onFailure: () => onFailure() }),
    });
  } finally {
    printed.send();
  }
}

/** Characters of output that go at once. */
const CHUNK = 1 << 20;

/** Output on its way: what is printed while some is goes together, since each call takes a tenth of a millisecond. */
class Printed {
  #stream = "";
  #text = "";
  #underway = 0;

  constructor(readonly output: GivenIo["output"]) {}

  add(stream: string, text: string): void {
    if (stream !== this.#stream || this.#text.length > CHUNK) this.send();
    this.#stream = stream;
    this.#text += text;
    if (this.#underway === 0) this.send();
  }

  /** Sends what waits. */
  send(): void {
    if (this.#text === "") return;
    this.#underway++;
    observed(
      this.output(this.#stream, this.#text).finally(() => {
        if (--this.#underway === 0) this.send();
      }),
    );
    this.#text = "";
  }
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
