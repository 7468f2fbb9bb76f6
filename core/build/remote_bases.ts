import { memoize } from "../../lib/memoize.ts";
import { EngineError } from "../contract/errors.ts";
import type { Store } from "../contract/store.ts";
import type { RegistryAccess } from "../contract/registry.ts";
import type { ImageSource, RemoteImage, ResolvedImage } from "../contract/source.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { LayerContents } from "../layers/contents.ts";
import { shown, transferring } from "../layers/transfers.ts";
import { type GrownImage, outputOfImage, type TaskRegistry } from "../layers/stage_output.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { OnDemandBuilder } from "./on_demand_builder.ts";

/** What base images come from. */
export interface BaseNeeds {
  readonly options: Pick<ResolvedOptions, "emit" | "untrusted">;
  source(name: string, platform?: string): Promise<ImageSource>;
  base(name: string, platform?: string): Promise<ResolvedImage>;
  accessTo(name: string): RegistryAccess;
  store(): Promise<Store>;
}

/** What using base images takes. */
export interface BaseMeans {
  readonly session: BaseNeeds;
  readonly builder: Pick<OnDemandBuilder, "open" | "runsElsewhere">;
  readonly reader: { readonly contents: LayerContents };
  readonly signal: AbortSignal;
}

/** Base images of registries that a builder elsewhere takes from there itself. */
export class RemoteBases {
  readonly #found = new Map<string, Promise<RemoteImage | undefined>>();
  readonly #looks = new Map<Digest, Promise<boolean>>();

  constructor(readonly means: BaseMeans) {}

  /**
   * The image behind a name, without its layers, every one of which the builder has looked into; undefined, after a remark
   * where it is news, when it must come here.
   *
   * @throws LAYER_INVALID
   */
  find(name: string, platform?: string): Promise<RemoteImage | undefined> {
    return memoize(this.#found, `${platform} ${name}`, () => this.#find(name, platform));
  }

  /** A base image whose layers the builder has brought to REPO; undefined when it must come here. */
  async output(
    name: string,
    registry: TaskRegistry,
  ): Promise<Omit<GrownImage, "trees"> | undefined> {
    const place = registry.place();
    const builder = await this.means.builder.open();
    const { copy } = builder;
    const remote = place && copy && await this.find(name);
    if (!remote) return undefined;
    const { image, repository, digest } = remote;
    try {
      const pinned = { repository: repository.name, digest, layers: image.layers };
      const bytes = image.layers.reduce((sum, { size }) => sum + size, 0);
      const spare = await this.#shown(
        `bringing ${name} to ${place.repository.name}`,
        bytes,
        () => copy.call(builder, pinned, place, this.means.signal),
      );
      registry.spare(place.spareTag, spare);
    } catch (error) {
      this.remark(name, error);
      return undefined;
    }
    return { ...outputOfImage(image), layers: image.layers.map((layer) => registry.left(layer)) };
  }

  /** Says that an image comes here although it need not. @throws what says something else */
  remark(name: string, error: unknown): void {
    const { session: { options: { emit } }, signal } = this.means;
    const known = error instanceof EngineError &&
      ["REGISTRY_FAILED", "SOURCE_NOT_FOUND", "BUILDER_UNAVAILABLE"].includes(error.code);
    if (!known || signal.aborted) throw error;
    emit({ type: "note", level: "warn", text: `${name} goes through this machine: ${error.message}` });
  }

  async #find(name: string, platform: string | undefined): Promise<RemoteImage | undefined> {
    const { session, reader: { contents }, signal } = this.means;
    // The daemon would show logins of this machine wherever strangers want.
    if (session.options.untrusted) return undefined;
    const builder = await this.means.builder.open().catch(() => undefined);
    const source = await session.source(name, platform);
    const look = builder?.look;
    if (!look || !source.describe) return undefined;
    const remote = await source.describe(await session.base(name, platform), signal);
    const { image: { layers }, repository } = remote;
    const at = { repository, access: session.accessTo(repository.name) };
    try {
      const looked = await Promise.all(layers.map(async (layer) => {
        const { digest, size } = layer;
        // Images that have a layer in common are found at once.
        const known = await contents.knows(digest) || await memoize(this.#looks, digest, async () => {
          const what = `looking into layer ${digest.slice(7, 19)} of ${name}`;
          const index = await this.#shown(what, size, () => look.call(builder, layer, at, signal));
          if (index) await contents.note(layer);
          return index !== undefined;
        });
        if (known) await contents.require([layer], name, signal);
        return known;
      }));
      return looked.includes(false) ? undefined : remote;
    } catch (error) {
      this.remark(name, error);
      return undefined;
    }
  }

  /** Shows work of the builder that takes long for many bytes. */
  async #shown<T>(what: string, bytes: number, work: () => Promise<T>): Promise<T> {
    const { session: { options: { emit } }, signal } = this.means;
    return await transferring(emit, async (progress) => {
      const tell = (done: number) => shown(progress)(what, what, done, bytes);
      tell(0);
      const result = await work();
      tell(bytes);
      return result;
    }, { signal });
  }
}
