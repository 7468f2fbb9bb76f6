import { atPath } from "../file_failure.ts";
import { OciError } from "./errors.ts";
import { writeAllSync } from "../write_all.ts";
import { createSha256 } from "../sha256.ts";
import { type Digest, digestFromHex } from "./digest.ts";

export interface WriteBlobOptions {
  readonly signal: AbortSignal;
  /** Names the blob in messages: `layer … of …`. */
  readonly title: string;
  report?(done: number): void;
}

/** Writes a stream to a new file while hashing it; gives its size and digest. */
export async function writeHashed(
  source: AsyncIterable<Uint8Array>,
  path: string,
  options: Omit<WriteBlobOptions, "title">,
): Promise<{ readonly size: number; readonly digest: Digest }> {
  using file = await Deno.open(path, { write: true, createNew: true });
  const hash = createSha256();
  let size = 0;
  await atPath(path, async () => {
    for await (const chunk of source) {
      options.signal.throwIfAborted();
      const hashed = hash.updateBeside(chunk);
      writeAllSync(file, chunk);
      await hashed;
      size += chunk.length;
      options.report?.(size);
    }
  });
  return { size, digest: digestFromHex(hash.hex()) };
}

/** Like {@linkcode writeHashed} for a blob that is known. @throws {OciError} when its size or digest differs */
export async function writeBlob(
  source: AsyncIterable<Uint8Array>,
  path: string,
  blob: { readonly digest: Digest; readonly size: number },
  options: WriteBlobOptions,
): Promise<void> {
  requireBlob(await writeHashed(source, path, options), blob, options.title);
}

/** @throws {OciError} when what was found is another blob than the wanted one */
export function requireBlob(
  found: { readonly digest: Digest; readonly size: number },
  wanted: { readonly digest: string; readonly size: number },
  title: string,
): void {
  const fail = (why: string) => new OciError("invalid", `Cannot read ${title}: ${why}`);
  if (found.size !== wanted.size) throw fail(`it has ${found.size} bytes, wanted are ${wanted.size}`);
  if (found.digest !== wanted.digest) throw fail(`its digest is ${found.digest}, wanted is ${wanted.digest}`);
}

/** The content of a file in pieces of up to 256 KiB, each valid until the next is asked for. */
export async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  const buffer = new Uint8Array(256 * 1024);
  for (let count; (count = await file.read(buffer)) !== null;) yield buffer.subarray(0, count);
}

/**
 * The content of a file that should hold a certain blob, in pieces like {@linkcode readChunks}.
 *
 * @throws {OciError} when the file is absent; at its end, when size or digest differ
 */
export async function* readBlobFile(
  path: string,
  blob: { readonly digest: Digest; readonly size: number },
): AsyncGenerator<Uint8Array> {
  const title = `blob ${blob.digest} from "${path}"`;
  const hash = createSha256();
  let size = 0;
  try {
    for await (const chunk of readChunks(path)) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new OciError("missing", `Cannot read ${title}: the file is not there`);
  }
  requireBlob({ size, digest: digestFromHex(hash.hex()) }, blob, title);
}
