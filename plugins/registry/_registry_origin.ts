import type { RegistryClient } from "../../lib/registry/client.ts";

/**
 * Scheme and host that a registry is reached at, for its other APIs: one request.
 *
 * @throws {RegistryError} when it does not answer
 */
export async function registryOrigin(client: RegistryClient, signal: AbortSignal): Promise<string> {
  const response = await client.request({
    method: "GET",
    path: "",
    scopes: [],
    // Any answer shows the origin.
    expect: [200, 401, 403, 404],
    probe: true,
    doing: `reach registry ${client.domain}`,
    signal,
  });
  await response.discard();
  return response.url.origin;
}
