/** A plugin that the user lets run in dapp itself, with all that dapp may: what it is made of is compared none the less. */
import { lookOnce } from "./memory.ts";
import { fetchPinned, requirePinned } from "./modules.ts";
import type { ApartOptions } from "./open.ts";
import { dappByName } from "./own_modules.ts";
import { hasPackages } from "./pins.ts";

/** @throws PLUGIN_NOT_PINNED, PLUGIN_CHANGED, PLUGIN_NOT_FOUND */
export async function requireAccepted(options: ApartOptions): Promise<void> {
  const { use, url, host, context, pin } = options;
  const wanted = { use, url, projectDir: host.projectDir, signal: context.signal };
  const seen = await lookOnce(wanted, options);
  requirePinned(use, seen.modules, pin);
  await seen.remember();
  if (!pin?.modules) return;
  await fetchPinned(wanted, pin);
  if (hasPackages(pin)) (await import("./for_packages.ts")).offerToPackages(dappByName());
}
