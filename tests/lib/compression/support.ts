import { concat, noise, randomNumbers, randomPieces } from "../tar/support.ts";

/** What a decoder makes of bytes that come in pieces of many sizes. */
export async function decompress(
  decoder: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>,
  bytes: Uint8Array,
  random = randomNumbers(9),
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of decoder(stream(randomPieces(bytes, random, 100_000)))) parts.push(part);
  return concat(parts);
}

export async function* stream(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** Data with some order in it, as files have. */
export function sample(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const words = Array.from({ length: 500 }, () => noise(3 + Math.floor(random() * 20), random));
  const out = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const word = words[Math.floor(random() * words.length)]!.subarray(0, length - at);
    out.set(word, at);
    at += word.length;
  }
  return out;
}
