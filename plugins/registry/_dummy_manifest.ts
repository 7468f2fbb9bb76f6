import { isObject } from "../../lib/guard.ts";
import { type Digest, labels } from "../../core/contract/plugin.ts";
import { emptyImage } from "../../lib/oci/empty_image.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { isBlobUnknown } from "../../lib/registry/errors.ts";
import { type OutgoingManifest, putManifest } from "../../lib/registry/put_manifest.ts";
import { uploadBlob } from "../../lib/registry/upload.ts";

/** An image like no other, without files; with it a tag can be moved away from what it names. */
export interface DummyManifest extends OutgoingManifest {
  readonly digest: Digest;
}

/** Where to store a dummy. */
export interface DummyPlace {
  readonly path: string;
  /** A tag, or the dummy's own digest. */
  readonly reference: string;
  /** Called before it is stored after a wait; throws when it is not to be stored any more. */
  readonly check?: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Makes dummies and stores them. Their blobs are always the same, so each repository gets them once. */
export class Dummies {
  readonly #supplied = new Map<string, Promise<void>>();
  /** Paths whose blobs have been stored. */
  readonly #ready = new Set<string>();

  constructor(readonly client: RegistryClient) {}

  async make(): Promise<DummyManifest> {
    return (await emptyImage({ annotations: { [labels.removed]: crypto.randomUUID() } })).manifest;
  }

  /** @throws {RegistryError}; what `check` does */
  async put(dummy: DummyManifest, { path, reference, check, signal }: DummyPlace): Promise<void> {
    const put = () => putManifest(this.client, path, { manifest: dummy, reference, check, signal });
    const known = this.#supplied.get(path);
    if (!this.#ready.has(path)) {
      await (known ?? this.#supply(path, signal));
      await check?.();
    }
    try {
      await put();
    } catch (error) {
      // Garbage collection ran since.
      if (!known || !isBlobUnknown(error)) throw error;
      await this.#supply(path, signal);
      await check?.();
      await put();
    }
  }

  #supply(path: string, signal: AbortSignal): Promise<void> {
    const pending = (async () => {
      const { blobs } = await emptyImage({});
      for (const { digest, size, bytes } of blobs) {
        await uploadBlob(this.client, path, { blob: { digest, size, source: { bytes } }, signal });
      }
      this.#ready.add(path);
    })();
    this.#supplied.set(path, pending);
    pending.catch(() => {
      if (this.#supplied.get(path) === pending) this.#supplied.delete(path);
    });
    return pending;
  }
}

/** Whether a manifest is a dummy of anybody. */
export function isDummy(manifest: Uint8Array): boolean {
  try {
    const json: unknown = JSON.parse(new TextDecoder().decode(manifest));
    return isObject(json) && isObject(json.annotations) && labels.removed in json.annotations;
  } catch {
    return false;
  }
}
