import type { LayerRef } from "../contract/builder.ts";
import type { ImageRule } from "../contract/config.ts";
import type { ImageState, Store } from "../contract/store.ts";
import { layerTypes } from "../../lib/oci/media_type.ts";
import type { Descriptor } from "../../lib/oci/types.ts";
import {
  describe,
  type GrownImage,
  outputOfImage,
  withoutRelease,
  withoutTriggers,
} from "../layers/stage_output.ts";
import { transferring } from "../layers/transfers.ts";
import { baseName, isOwn } from "../sign/base_rule.ts";
import { imageKey, imageTitle } from "../sign/graph.ts";
import { type BaseMeans, RemoteBases } from "./remote_bases.ts";
import type { WorkTask } from "./stage_task.ts";

/** A layer under the type that its content has, which not every image says right: some tools believe what they are told. */
async function withOwnType<T extends Descriptor>(layer: T, blobs: Pick<Store["blobs"], "path">): Promise<T> {
  const { layerCompression } = await import("../../lib/layer/open.ts");
  const mediaType = layerTypes[await layerCompression(blobs.path(layer.digest))];
  return { ...layer, mediaType };
}

/** The images that first stages stand on: others of the dappfile, and those of sources, here or where they are. */
export class BaseImages {
  /** Those that builders elsewhere take from where they are. */
  readonly remote: RemoteBases;

  constructor(readonly means: BaseMeans) {
    this.remote = new RemoteBases(means);
  }

  /** What the first stage of an image is. */
  async output({ image: { node: { rule } }, others, registry }: WorkTask): Promise<GrownImage> {
    const { base } = rule;
    const output = isOwn(base)
      ? others.get(imageKey(base.kind, base.name))!
      : withoutRelease({ ...await this.#find(baseName(rule), registry), trees: {} });
    const triggers = output.config.config?.OnBuild ?? [];
    if (triggers.length === 0) return output;
    const title = imageTitle(rule.kind, rule.name);
    const text = `The base of ${title} has ONBUILD triggers, which are not run: ${triggers.join("; ")}`;
    this.means.session.options.emit({ type: "note", level: "warn", text });
    return withoutTriggers(output);
  }

  /** Brings an image into the store, for `platform` if that is another than the build's, and shows how that goes on. */
  async fetch(name: string, platform?: string): Promise<ImageState> {
    const { session, signal } = this.means;
    const { emit } = session.options;
    const source = await session.source(name, platform);
    const image = await session.base(name, platform);
    const note = (text: string) => emit({ type: "note", level: "info", text });
    const found = await transferring(emit, (progress) => source.fetch(image, { signal, note, progress }), {
      signal,
    });
    const { blobs } = await session.store();
    const layers = await Promise.all(found.layers.map((layer) => withOwnType(layer, blobs)));
    return { ...found, layers };
  }

  /**
   * Makes sure that the layers of a base hold what it says. With `unpack` a builder will need them, and sees that on the
   * way.
   */
  async require(rule: ImageRule, layers: readonly LayerRef[], unpack: boolean): Promise<void> {
    const { builder, reader, signal } = this.means;
    const here = layers.every(({ place }) => place === undefined);
    if (unpack && here) await (await builder.open().catch(() => undefined))?.prefetch?.(layers);
    await reader.contents.require(await Promise.all(layers.map(describe)), baseName(rule), signal);
  }

  /** In REPO if a builder that is elsewhere runs anyway and can bring it there, else in the store. */
  async #find(name: string, registry: WorkTask["registry"]): Promise<Omit<GrownImage, "trees">> {
    const there = registry && await this.means.builder.runsElsewhere()
      ? await this.remote.output(name, registry)
      : undefined;
    return there ?? outputOfImage(await this.fetch(name));
  }
}
