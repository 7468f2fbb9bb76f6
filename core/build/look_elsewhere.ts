import type { LayerOutline } from "../../lib/layer/outline.ts";
import type { RegistryAccess } from "../contract/registry.ts";
import type { Layer } from "../contract/store.ts";
import type { LayerReader } from "../layers/layer_reader.ts";
import type { SharedStages } from "../share/shared_stages.ts";
import type { OnDemandBuilder } from "./on_demand_builder.ts";

/** Who can see what is in layers of repositories. */
export interface LookNeeds {
  readonly session: { accessTo(name: string): RegistryAccess };
  readonly builder: Pick<OnDemandBuilder, "open" | "isAsked">;
  readonly reader: Pick<LayerReader, "remember">;
  readonly signal: AbortSignal;
  /** Layers that repositories of this build have, and what is in them. */
  readonly shared: Pick<SharedStages, "elsewhere" | "outlines"> | undefined;
}

/**
 * What is in a layer that is not here: what a builder that is there anyway sees, else what its stage tells; undefined
 * when it must come here for that.
 */
export async function lookElsewhere(
  { session, builder, reader, signal, shared }: LookNeeds,
  layer: Layer,
  place: string,
): Promise<LayerOutline | undefined> {
  const repository = shared?.elsewhere.repository(place);
  if (!shared || !repository) return undefined;
  const told = builder.isAsked ? undefined : await shared.outlines.of(layer, place);
  if (told) return told;
  const opened = await builder.open().catch(() => undefined);
  const index = await opened?.look?.(layer, { repository, access: session.accessTo(place) }, signal);
  if (!index) return await shared.outlines.of(layer, place);
  await reader.remember(layer.diffId, index);
  return { index, texts: new Map() };
}
