import { number } from "./header.ts";
import { TAR_LIMITS } from "./limits.ts";
import type { PaxRecord } from "./pax.ts";
import { TAR_BLOCK, TarError } from "./types.ts";

/** A run of real data at `offset` of the expanded file. */
export type Segment = readonly [offset: number, length: number];

/** How a sparse file is laid out (GNU tar manual, "Sparse Formats"). */
export interface SparseInfo {
  /** Size with holes. */
  readonly size: number;
  readonly name?: Uint8Array;
  /** Undefined when the map stands at the head of the content (format 1.0). */
  readonly map?: readonly Segment[];
}

const latin1 = new TextDecoder("latin1");

const malformed = () => new TarError("Cannot read the tar archive: a GNU sparse map is malformed");

/** Sparse format 0.0, 0.1 or 1.0 in PAX records; undefined for ordinary files. @throws {TarError} */
export function sparseFromPax(
  records: readonly PaxRecord[],
  values: ReadonlyMap<string, Uint8Array>,
): SparseInfo | undefined {
  const name = values.get("GNU.sparse.name");
  const size = values.get("GNU.sparse.realsize") ?? values.get("GNU.sparse.size");
  if (size === undefined) return undefined;
  const info = { size: whole(latin1.decode(size)), ...(name && { name }) };
  const major = values.get("GNU.sparse.major");
  if (major && latin1.decode(major) !== "0") return info;
  const list = values.get("GNU.sparse.map");
  const numbers = list ? latin1.decode(list).split(",").filter((text) => text !== "").map(whole) : [];
  if (!list) {
    for (const [key, value] of records) {
      const expected = numbers.length % 2 === 0 ? "GNU.sparse.offset" : "GNU.sparse.numbytes";
      if (key === expected) numbers.push(whole(latin1.decode(value)));
      else if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") throw malformed();
    }
  }
  return { ...info, map: segments(numbers) };
}

/** Collects the map of an old GNU sparse header (type "S") and of the extension blocks after it. */
export class OldSparseMap {
  readonly #numbers: number[] = [];
  readonly size: number;
  /** Whether an extension block follows. */
  more: boolean;

  constructor(block: Uint8Array) {
    this.size = number(block, 483, 12);
    this.more = this.#take(block, 386, 4, 482);
  }

  push(block: Uint8Array): void {
    this.more = this.#take(block, 0, 21, 504);
  }

  map(): Segment[] {
    return segments(this.#numbers);
  }

  #take(block: Uint8Array, at: number, count: number, flagAt: number): boolean {
    for (let i = 0; i < count; i++) {
      const offset = at + i * 24;
      if (block[offset] === 0) break;
      this.#numbers.push(number(block, offset, 12), number(block, offset + 12, 12));
    }
    if (this.#numbers.length > 2 * TAR_LIMITS.segments) throw malformed();
    return block[flagAt] !== 0;
  }
}

/** Collects the map at the head of a sparse 1.0 file: decimal lines, padded to whole blocks. */
export class HeadSparseMap {
  readonly #numbers: number[] = [];
  #partial = "";

  /** Takes one block; true once the map is complete. */
  push(block: Uint8Array): boolean {
    const lines = (this.#partial + latin1.decode(block)).split("\n");
    this.#partial = lines.pop()!;
    for (const line of lines) {
      if (this.#complete()) break;
      this.#numbers.push(whole(line));
    }
    if (this.#partial.length > TAR_BLOCK || (this.#numbers[0] ?? 0) > TAR_LIMITS.segments) throw malformed();
    return this.#complete();
  }

  map(): Segment[] {
    return segments(this.#numbers.slice(1));
  }

  #complete(): boolean {
    const count = this.#numbers[0];
    return count !== undefined && this.#numbers.length === 1 + 2 * count;
  }
}

/** @throws {TarError} unless the segments ascend, stay within `size`, which a file can have, and hold `stored` bytes together */
export function checkSegments(map: readonly Segment[], size: number, stored: number): void {
  if (size > TAR_LIMITS.fileSize) {
    throw new TarError(
      `Cannot read the tar archive: a file has ${size} bytes, allowed are ${TAR_LIMITS.fileSize}`,
    );
  }
  let end = 0;
  let sum = 0;
  for (const [offset, length] of map) {
    if (offset < end || offset + length > size) throw malformed();
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw malformed();
}

function whole(text: string): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value)) throw malformed();
  return value;
}

function segments(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * TAR_LIMITS.segments) throw malformed();
  const out: Segment[] = [];
  for (let i = 0; i < numbers.length; i += 2) out.push([numbers[i]!, numbers[i + 1]!]);
  return out;
}
