import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../../lib/tar/encode.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export interface Member {
  readonly entry: TarEntry;
  readonly content: Uint8Array;
}

/** An entry with plain values for what a test does not care about. */
export function member(
  path: string,
  rest: Partial<TarEntry> = {},
  content: string | Uint8Array = "",
): Member {
  const bytes = typeof content === "string" ? utf8(content) : content;
  const entry: TarEntry = {
    path,
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtime: 1_700_000_000,
    ...rest,
  };
  return { entry, content: bytes };
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** A whole archive. */
export function archive(members: readonly Member[]): Uint8Array<ArrayBuffer> {
  return concat([
    ...members.flatMap(({ entry, content }) => [encodeTarHeader(entry), content, tarPadding(content.length)]),
    TAR_TRAILER,
  ]);
}

/** Parses an archive that arrives in the given pieces. */
export function parse(chunks: Iterable<Uint8Array>): Member[] {
  const members: Member[] = [];
  let entry: TarEntry | undefined;
  let parts: Uint8Array[] = [];
  const parser = new TarParser({
    entry(next) {
      if (entry) throw new Error(`"${next.path}" begins before "${entry.path}" ends`);
      entry = next;
      parts = [];
    },
    data: (chunk) => void parts.push(chunk.slice()),
    end() {
      members.push({ entry: entry!, content: concat(parts) });
      entry = undefined;
    },
  });
  for (const chunk of chunks) parser.push(chunk);
  parser.finish();
  return members;
}

/** Numbers in [0, 1) that are the same in every run (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Cuts `bytes` into pieces of random length, some of them empty. */
export function* randomPieces(
  bytes: Uint8Array,
  random: () => number,
  longest: number,
): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length;) {
    const length = Math.floor(random() * longest);
    yield bytes.slice(at, at + length);
    at += length;
  }
}

/** Bytes that do not compress. */
export function noise(length: number, random: () => number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map(() => random() * 256);
}
