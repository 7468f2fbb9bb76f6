import type { StepExchange } from "./step_exchange.ts";

/** How layers travel: the daemon compresses fast, and what comes is compressed anew as all layers of dapp are. */
const TRAVEL = { compression: "zstd", "compression-level": "1" };

/** How layers are handed to this process. */
export const HAND_OVER = { type: "oci", attrs: { tar: "false", "oci-mediatypes": "true", ...TRAVEL } };

/** Files of the layers that a daemon handed over, from number `below` on. */
export async function newLayers(
  manifest: string,
  below: number,
  exchange: StepExchange,
): Promise<readonly string[]> {
  const { layers } = await exchange.document(manifest) as { layers: readonly { digest: string }[] };
  return layers.slice(below).map(({ digest }) => exchange.file(digest));
}
