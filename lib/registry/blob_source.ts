import { whyFailed } from "../file_failure.ts";
import { type Digest, digestFromHex, digestOf } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";
import { sleep } from "../sleep.ts";
import { RegistryError } from "./errors.ts";

/**
 * A blob to be sent: a file with exactly this content, or the content itself. A file that is `untouched` since it was
 * verified is not hashed on the way; should the registry say that it got something else, it is read again.
 */
export interface SourceBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly source: { readonly file: string; untouched?(): Promise<boolean> } | { readonly bytes: Uint8Array };
}

/** Largest blob that is read into memory as a whole; without streams and hashes of Node, which take time to load. */
export const WHOLE_BYTES = 1024 * 1024;

/** Bytes read at once: few enough to be in the processor's cache still when they are sent. */
const PIECE = 256 * 1024;
/** Longest work on a file that is not sent before all else has its turn. */
const TURN_MS = 50;

/** A whole blob of up to {@linkcode WHOLE_BYTES}. @throws {RegistryError} like {@linkcode readSource} */
export async function readWhole(blob: SourceBlob): Promise<Uint8Array> {
  const { source } = blob;
  const bytes = "bytes" in source ? source.bytes : await readFile(blob, source.file);
  requireSize(blob, bytes.length);
  verify(blob, await digestOf(bytes));
  return bytes;
}

/** As much of a file as the blob should have, after a look at its size. */
async function readFile(blob: SourceBlob, path: string): Promise<Uint8Array> {
  using file = await open(blob, path);
  requireSize(blob, (await file.stat()).size);
  const bytes = new Uint8Array(blob.size);
  for (let at = 0; at < bytes.length;) {
    const count = await file.read(bytes.subarray(at));
    if (count === null) throw changed(blob, `it ends after ${at} bytes`);
    at += count;
  }
  return bytes;
}

/**
 * The bytes `from` (inclusive) to `to` (exclusive), in pieces that are good until the next is asked for. Read from the
 * start the whole blob is verified on the way: the last piece is held back until its digest is known, so that a changed
 * file is never sent completely.
 *
 * @throws {RegistryError} source, when a file has another size or content than it should
 */
export async function* readSource(blob: SourceBlob, from = 0, to = blob.size): AsyncGenerator<Uint8Array> {
  const { source } = blob;
  if ("bytes" in source) {
    requireSize(blob, source.bytes.length);
    verify(blob, await digestOf(source.bytes));
    for (let at = from; at < to; at += PIECE) yield source.bytes.subarray(at, Math.min(to, at + PIECE));
    return;
  }
  using file = await open(blob, source.file);
  requireSize(blob, (await file.stat()).size);
  const all = from === 0 && to === blob.size;
  const hash = all && !await source.untouched?.() ? createSha256() : undefined;
  if (from > 0) await file.seek(from, Deno.SeekMode.Start);
  const buffer = new Uint8Array(PIECE);
  for (let at = from; at < to;) {
    // What the page cache has is read sooner than it is handed to a thread and back.
    const count = file.readSync(buffer.subarray(0, to - at));
    if (count === null) throw changed(blob, `it ends after ${at} bytes`);
    const part = buffer.subarray(0, count);
    at += count;
    hash?.update(part);
    if (at === to && hash) verify(blob, digestFromHex(hash.hex()));
    yield part;
  }
}

/** Reads the whole blob without sending it. @throws {RegistryError} like {@linkcode readSource} */
export async function verifySource(sent: SourceBlob, signal: AbortSignal): Promise<void> {
  const { source } = sent;
  const blob = "file" in source ? { ...sent, source: { file: source.file } } : sent;
  let paused = performance.now();
  for await (const _ of readSource(blob)) {
    if (performance.now() - paused < TURN_MS) continue;
    await sleep(0, signal);
    paused = performance.now();
  }
}

async function open(blob: SourceBlob, file: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(file);
  } catch (error) {
    throw changed(blob, whyFailed(error));
  }
}

function requireSize(blob: SourceBlob, size: number): void {
  if (size !== blob.size) throw changed(blob, `it has ${size} bytes`);
}

function verify(blob: SourceBlob, digest: Digest): void {
  if (digest !== blob.digest) throw changed(blob, `its digest is ${digest}`);
}

function changed(blob: SourceBlob, why: string): RegistryError {
  const what = "file" in blob.source ? `file "${blob.source.file}"` : "content";
  return new RegistryError(
    `Cannot send blob ${blob.digest}: the ${what} is not the ${blob.size} bytes it should be, ${why}`,
    { kind: "source" },
  );
}
