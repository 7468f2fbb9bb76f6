import type { ContextEntry } from "../../../core/contract/plugin.ts";
import type { SharedEntry } from "../../../lib/buildkit/filesync.ts";

const CHUNK = 1 << 18;

/** An entry of a context, as a daemon reads it. */
export function sharedEntry(entry: ContextEntry): SharedEntry {
  if (entry.kind !== "file") return entry;
  const { path, mode, kind, file, offset, size } = entry;
  return { path, mode, kind, size, read: () => readPart(file, offset, size) };
}

/** A file of a text. */
export function memoryEntry(path: string, text: string): SharedEntry {
  const bytes = new TextEncoder().encode(text);
  return {
    path,
    kind: "file",
    mode: 0o644,
    size: bytes.length,
    async *read() {
      for (let at = 0; at < bytes.length; at += CHUNK) {
        yield await Promise.resolve(bytes.subarray(at, at + CHUNK));
      }
    },
  };
}

async function* readPart(path: string, offset: number, size: number): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let left = size; left > 0;) {
    const chunk = new Uint8Array(Math.min(left, CHUNK));
    const count = await file.read(chunk);
    if (count === null) throw new Error(`Cannot read "${path}" back: it ends early`);
    left -= count;
    yield chunk.subarray(0, count);
  }
}
