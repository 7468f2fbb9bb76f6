import { RegistryClient } from "../../lib/registry/client.ts";
import { lookUpManifest } from "../../lib/registry/manifests.ts";
import type { Environment } from "../../lib/environment.ts";
import type { Asked } from "./answer.ts";

/** Whether a registry says the same now: one HEAD for each name. @throws {RegistryError}, or the signal's reason */
export async function clientSaysSame(
  { domain, host, found }: Asked,
  env: Environment,
  signal: AbortSignal,
): Promise<boolean> {
  const memo = { get: () => Promise.resolve(host), put: () => Promise.resolve() };
  const client = new RegistryClient(domain, { env, memo, retry: { attempts: 1 } });
  try {
    const each = found.map(async ([path, reference, digest]) =>
      await lookUpManifest(client, path, { reference, signal }) === digest
    );
    return (await Promise.all(each)).every(Boolean);
  } finally {
    await client[Symbol.asyncDispose]();
  }
}
