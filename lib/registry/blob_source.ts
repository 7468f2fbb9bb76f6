import { createHash } from "node:crypto";
import { sha256Of } from "../oci/digest.ts";
import { RegistryError } from "./errors.ts";

/** A blob to be sent: a file with exactly this content, or the content itself. */
export interface SourceBlob {
  readonly digest: string;
  readonly size: number;
  readonly source: { readonly file: string } | { readonly bytes: Uint8Array };
}

/** Bytes read at once; each piece is a buffer of its own, as the socket may hold on to it. */
const PIECE = 128 * 1024;

/**
 * The bytes `from` (inclusive) to `to` (exclusive). Read from the start the whole blob is verified on the way: the last
 * piece is held back until its digest is known, so that a changed file is never sent completely.
 *
 * @throws {RegistryError} source, when a file has another size or content than it should
 */
export async function* readSource(blob: SourceBlob, from = 0, to = blob.size): AsyncGenerator<Uint8Array> {
  const { source } = blob;
  if ("bytes" in source) {
    if (source.bytes.length !== blob.size || await sha256Of(source.bytes) !== blob.digest) {
      throw changed(blob, "its content differs");
    }
    for (let at = from; at < to; at += PIECE) yield source.bytes.subarray(at, Math.min(to, at + PIECE));
    return;
  }
  using file = await open(blob, source.file);
  const { size } = await file.stat();
  if (size !== blob.size) throw changed(blob, `it has ${size} bytes`);
  const hash = from === 0 && to === blob.size ? createHash("sha256") : undefined;
  if (from > 0) await file.seek(from, Deno.SeekMode.Start);
  for (let at = from; at < to;) {
    const piece = new Uint8Array(Math.min(PIECE, to - at));
    const count = await file.read(piece);
    if (count === null) throw changed(blob, `it ends after ${at} bytes`);
    const part = piece.subarray(0, count);
    hash?.update(part);
    at += count;
    if (at === to && hash) verify(blob, `sha256:${hash.digest("hex")}`);
    yield part;
  }
}

/** Reads the whole blob without sending it. @throws {RegistryError} like {@linkcode readSource} */
export async function verifySource(blob: SourceBlob, signal: AbortSignal): Promise<void> {
  for await (const _ of readSource(blob)) signal.throwIfAborted();
}

async function open(blob: SourceBlob, file: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(file);
  } catch (error) {
    throw changed(blob, error instanceof Error ? error.message : String(error));
  }
}

function verify(blob: SourceBlob, digest: string): void {
  if (digest !== blob.digest) throw changed(blob, `its digest is ${digest}`);
}

function changed(blob: SourceBlob, why: string): RegistryError {
  const what = "file" in blob.source ? `file "${blob.source.file}"` : "content";
  return new RegistryError(
    `Cannot send blob ${blob.digest}: the ${what} is not the ${blob.size} bytes it should be, ${why}`,
    { kind: "source" },
  );
}
