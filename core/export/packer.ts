import type { BuiltDocument } from "../../lib/oci/build.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { EngineError } from "../contract/errors.ts";
import type { ImageState, Store } from "../contract/store.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** An image with the documents and the name under which it is written. */
export interface PackedImage {
  /** Of the dimg. */
  readonly name: string;
  /** Tag in an OCI layout, full name with tag in a Docker archive. */
  readonly reference: string;
  readonly state: ImageState;
  readonly manifest: BuiltDocument;
  readonly config: BuiltDocument;
}

/** Writes images to a path. */
export type Packer = (images: readonly PackedImage[], path: string, options: ExportOptions) => Promise<void>;

/** Every blob of some images once, by digest: documents as bytes, layers without. */
export function blobsOf(
  images: readonly PackedImage[],
): { readonly digest: Digest; readonly size: number; readonly bytes?: Uint8Array }[] {
  const all = images.flatMap(({ state, manifest, config }) => [
    ...state.layers.map(({ digest, size }) => ({ digest, size })),
    config,
    manifest,
  ]);
  return [...new Map(all.map((blob) => [blob.digest, blob])).values()];
}

/** Runs `action`, which reads blobs of the store and verifies them. @throws STORE_CORRUPT when one is damaged or gone */
export async function fromStore<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof OciError ? damaged(error.message, error) : error;
  }
}

/** The store does not hold what it should. */
export function damaged(message: string, cause?: unknown): EngineError {
  return new EngineError("STORE_CORRUPT", message, {
    cause,
    fix: "Run: dapp store check --repair, then build again",
  });
}

export interface ExportOptions {
  readonly store: Store;
  /** Relative destinations start here. */
  readonly projectDir: string;
  readonly signal: AbortSignal;
  /** Bytes written and to be written. */
  progress(done: number, total: number): void;
}

/** What an export wrote. */
export interface ExportResult {
  /** Where it went. */
  readonly destination: string;
  /** What is in it, under which names. */
  readonly images: readonly { readonly name: string; readonly reference: string; readonly digest: Digest }[];
}
