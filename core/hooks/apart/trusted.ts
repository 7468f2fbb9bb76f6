/** A plugin that the user lets run in dapp itself, with all that dapp may: what it is made of is compared none the less. */
import { fetchPinned, lookAt, requirePinned } from "./modules.ts";
import type { ApartOptions } from "./open.ts";
import { offerToPackages } from "./own_modules.ts";
import { hasPackages } from "./pins.ts";

/** @throws PLUGIN_NOT_PINNED, PLUGIN_CHANGED, PLUGIN_NOT_FOUND */
export async function requireAccepted({ use, url, host, context, pin }: ApartOptions): Promise<void> {
  const wanted = { use, url, projectDir: host.projectDir, signal: context.signal };
  requirePinned(use, await lookAt(wanted), pin);
  if (!pin?.modules) return;
  await fetchPinned(wanted, pin);
  if (hasPackages(pin)) await offerToPackages();
}
