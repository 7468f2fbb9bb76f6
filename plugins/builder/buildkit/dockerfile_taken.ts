import {
  type DockerfileResult,
  type DockerfileStep,
  type ImageConfig,
  isDigest,
  type Layer,
} from "../../../core/contract/plugin.ts";
import { refused } from "./canonical.ts";
import { clampedLayer } from "./clamped_layer.ts";
import type { LayerPress } from "./layer_press.ts";
import type { StepExchange } from "./step_exchange.ts";

/** What a daemon has handed over. */
export interface HandedOver {
  readonly step: DockerfileStep;
  readonly exchange: StepExchange;
  /** When it began, in seconds since 1970 by the daemon's clock. */
  readonly started: number;
}

/** The image of a manifest that was handed over: its new layers are this builder's, with no times that are late. */
export async function takeHandedOver(
  manifest: string,
  { step, exchange, started }: HandedOver,
  press: Pick<LayerPress, "take">,
): Promise<DockerfileResult> {
  const { config: { digest }, layers } = await exchange.document(manifest) as {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
  };
  const config = await exchange.document(digest) as ImageConfig;
  const bases = new Map<string, Layer>(
    step.bases.flatMap(({ image }) => image.layers.map((layer) => [layer.digest, layer] as const)),
  );
  const taken: DockerfileResult["layers"][number][] = [];
  for (const { digest } of layers) {
    const known = isDigest(digest) ? bases.get(digest) : undefined;
    if (known) {
      // Pushed with the image, if there is where to.
      taken.push(step.shared ? { ...known, place: step.shared.repository.name } : known);
      continue;
    }
    const tar = `${exchange.directory}/layer-${crypto.randomUUID()}.tar`;
    try {
      const made = await clampedLayer({ layer: exchange.file(digest), tar, epoch: step.epoch, started });
      taken.push(await press.take(made, tar, step));
    } catch (error) {
      await Deno.remove(tar).catch(() => {}); // the failure is the news
      throw refused(error, step.label);
    }
  }
  return {
    config: { ...config, rootfs: { type: "layers", diff_ids: taken.map(({ diffId }) => diffId) } },
    layers: taken,
  };
}
