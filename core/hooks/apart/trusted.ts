/** A plugin that the user lets run in dapp itself, with all that dapp may: what it is made of is compared none the less. */
import { isObject, isText } from "../../../lib/guard.ts";
import { lookOnce } from "./memory.ts";
import { fetchPinned, requirePinned } from "./modules.ts";
import type { ApartOptions } from "./open.ts";
import { dappByName } from "./own_modules.ts";
import { hasPackages } from "./pins.ts";

/** The module to load: of a package, the very version that was accepted. @throws PLUGIN_NOT_PINNED, PLUGIN_CHANGED, PLUGIN_NOT_FOUND */
export async function requireAccepted(options: ApartOptions): Promise<string> {
  const { use, url, host, context, pin } = options;
  const wanted = { use, url, projectDir: host.projectDir, env: host.env, signal: context.signal };
  const seen = await lookOnce(wanted, options);
  options.loads?.(seen.modules.files);
  requirePinned(use, seen.modules, pin);
  await seen.remember();
  if (!pin?.modules) return url;
  await fetchPinned(wanted, pin);
  if (hasPackages(pin)) (await import("./for_packages.ts")).offerToPackages(dappByName());
  return acceptedVersion(url, pin.modules.specifiers);
}

/** No lock file says in dapp's own process which version `npm:NAME@1` means. */
function acceptedVersion(url: string, specifiers: unknown): string {
  const [, name, range = "*", path = ""] =
    /^((?:npm|jsr):(?:@[^/]+\/)?[^/@]+)(?:@([^/]+))?(\/.*)?$/.exec(url) ?? [];
  if (name === undefined || !isObject(specifiers)) return url;
  const version = specifiers[`${name}@${range}`];
  // What follows "_" are the versions of what it is used together with.
  return isText(version) ? `${name}@${version.split("_")[0]}${path}` : url;
}
