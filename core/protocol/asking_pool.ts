import { Pool } from "../../lib/pool.ts";
import type { RegistryBackend } from "../contract/registry.ts";

/** Requests at once to a registry that says nothing of that. */
const AT_ONCE = 16;

/** Bounds how many things a registry is asked at once: as many as it should get at each moment. */
export function askingPool(backend: Pick<RegistryBackend, "capabilities">): Pool {
  return new Pool(() => requestsAtOnce(backend));
}

/** Small requests that a registry should get at once now. */
export function requestsAtOnce({ capabilities }: Pick<RegistryBackend, "capabilities">): number {
  return capabilities.atOnce ?? AT_ONCE;
}
