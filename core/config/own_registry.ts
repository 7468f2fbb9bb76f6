import type { ResolvedOptions } from "../settings/options.ts";
import { findDappfile } from "./find.ts";

/** A REPO that stands for the registry inside of a minikube, as in the old tool. */
export const MINIKUBE = ":minikube";

/** Keys of the project that name a REPO, and plugins, which may open one in their own way. An included file has neither. */
const KEYS = /(?:^|[\s{,"'])(?:repo|plugins)["']?\s*:/;

/**
 * Whether a dappfile may have a say in which registry is asked, and how: a look at its text, long before it is understood.
 * One that cannot be read may.
 */
export async function mayNameRegistry(
  { dir, config }: Pick<ResolvedOptions, "dir" | "config">,
): Promise<boolean> {
  try {
    return KEYS.test((await findDappfile(dir, config)).text);
  } catch {
    return true; // whoever reads it says why
  }
}
