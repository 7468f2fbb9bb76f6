import { startDockerRegistry } from "../support/docker_registry.ts";
import { type DeletionRule, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { openOci, registryRequest } from "../support/registry_request.ts";
import { registryConformance } from "../../testing/registry_conformance.ts";

for (const deletion of ["manifests", "tags", "greedy"] satisfies DeletionRule[]) {
  registryConformance(`registry-oci with a registry that deletes ${deletion}`, async () => {
    const registry = new MemoryRegistry();
    registry.deletion = deletion;
    const backend = (await openOci(registryRequest(`${registry.host}/grp/shop`)))!;
    return { backend, [Symbol.asyncDispose]: () => closeAll(backend, registry) };
  });
}

registryConformance("registry-oci with docker-registry", async () => {
  const registry = await startDockerRegistry();
  if (!registry) return undefined;
  const backend = (await openOci(registryRequest(`${registry.host}/grp/shop`)))!;
  return { backend, [Symbol.asyncDispose]: () => closeAll(backend, registry) };
});

async function closeAll(...all: readonly AsyncDisposable[]): Promise<void> {
  for (const one of all) await one[Symbol.asyncDispose]();
}
