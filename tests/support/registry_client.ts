/** Clients that note what they do instead of waiting, and blobs to send. */
import { digestOf } from "../../lib/oci/digest.ts";
import type { SourceBlob } from "../../lib/registry/blob_source.ts";
import { RegistryClient, type RegistryClientOptions } from "../../lib/registry/client.ts";

/** A clock that only waiting moves. */
export class FakeClock {
  time = Date.now();
  readonly waits: number[] = [];
  readonly retry = {
    now: () => this.time,
    sleep: (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      this.waits.push(ms);
      this.time += ms;
      return Promise.resolve();
    },
  };
}

/** A client of a registry on this machine that knows no credentials but `user`. */
export function clientOf(
  host: string,
  options: Partial<RegistryClientOptions> & { readonly clock?: FakeClock; readonly user?: string } = {},
): RegistryClient {
  const { clock = new FakeClock(), user, ...more } = options;
  const auths = user === undefined ? {} : { [host]: { auth: btoa(user) } };
  const env = { HOME: "/nonexistent", DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) };
  return new RegistryClient(host, { env, ...more, retry: { ...clock.retry, ...more.retry } });
}

/** Bytes that do not repeat soon. */
export function someBytes(size: number): Uint8Array {
  return new Uint8Array(size).map((_, at) => (at * 7919) >> 3);
}

/** A blob in memory. */
export async function blobOf(bytes: Uint8Array): Promise<SourceBlob> {
  return { digest: await digestOf(bytes), size: bytes.length, source: { bytes } };
}

/** A blob in a file, which is written. */
export async function fileBlob(file: string, bytes: Uint8Array): Promise<SourceBlob> {
  await Deno.writeFile(file, bytes);
  return { ...await blobOf(bytes), source: { file } };
}
