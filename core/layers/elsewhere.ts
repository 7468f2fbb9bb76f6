import { fetchLayers } from "../../lib/oci/fetch_layers.ts";
import { memoize } from "../../lib/memoize.ts";
import type { LayerRef } from "../contract/builder.ts";
import { EngineError } from "../contract/errors.ts";
import type { EventSink } from "../contract/events.ts";
import type { Repository } from "../contract/registry.ts";
import type { Layer, StageRecord, Store } from "../contract/store.ts";
import type { LayerContents } from "./contents.ts";
import { Losses } from "./losses.ts";
import { shown, transferring } from "./transfers.ts";

/** What bringing layers takes. */
export interface ElsewhereNeeds {
  readonly store: Store;
  readonly contents: Pick<LayerContents, "require">;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

/** Layers that repositories of this run have, brought into the store when somebody asks for their bytes. */
export class Elsewhere {
  readonly #repositories = new Map<string, Repository>();
  readonly #brought = new Map<string, Promise<Layer>>();
  readonly #places = new Map<string, string>();

  /** @param losses takes layers that turned out to be there no more */
  constructor(
    readonly needs: ElsewhereNeeds,
    repositories: Iterable<Repository>,
    readonly losses: Losses = new Losses(),
  ) {
    for (const repository of repositories) this.#repositories.set(repository.name, repository);
  }

  /** A repository of this run by its full name. */
  repository(name: string): Repository | undefined {
    return this.#repositories.get(name);
  }

  /** A layer of a repository of this run. */
  ref(layer: Layer, place: string): LayerRef {
    this.#places.set(layer.digest, place);
    const bring = () => this.#bring(layer, place);
    return {
      diffId: layer.diffId,
      described: Promise.resolve(layer),
      place,
      get stored() {
        return bring();
      },
    };
  }

  /** The layers of a record, wherever they are; undefined when its repository is not one of this run. */
  refsOf({ image, elsewhere }: StageRecord): readonly LayerRef[] | undefined {
    if (!elsewhere || !this.#repositories.has(elsewhere.repository)) return undefined;
    return image.layers.map((layer) => this.ref(layer, elsewhere.repository));
  }

  /** Where a layer is, of which somebody has asked for a reference. */
  placeOf({ digest }: Pick<Layer, "digest">): string | undefined {
    return this.#places.get(digest);
  }

  #bring(layer: Layer, place: string): Promise<Layer> {
    return memoize(this.#brought, `${layer.digest} ${place}`, async () => {
      const { store, contents, emit, signal } = this.needs;
      const repository = this.#repositories.get(place)!;
      await transferring(emit, (progress) =>
        fetchLayers([layer], store.blobs, {
          title: place,
          signal,
          progress: shown(progress),
          download: (blob, file, io) =>
            this.losses.reading(
              blob.digest,
              place,
              io.signal,
              () => repository.download(blob, file, io),
            ),
        }), { signal }).catch((error) => {
          if (!(error instanceof EngineError) || !error.details.missing) throw error;
          const why = `only ${place} had it, and it is gone from there`;
          throw new EngineError("STAGE_GONE", `Cannot use layer ${layer.digest}: ${why}`, { cause: error });
        });
      await contents.require([layer], place, signal);
      return layer;
    });
  }
}
