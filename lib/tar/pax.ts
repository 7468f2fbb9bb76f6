import { TarError } from "./types.ts";

/** A keyword with its raw value. */
export type PaxRecord = readonly [key: string, value: Uint8Array];

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Body of a PAX extended header (POSIX.1-2001, pax, "Extended Header"), sorted by keyword bytes. */
export function encodePax(records: readonly PaxRecord[]): Uint8Array {
  const rows = records.map(([key, value]) => ({ key: encoder.encode(key), value }));
  rows.sort((a, b) => compareBytes(a.key, b.key));
  const lengths = rows.map(({ key, value }) => recordLength(key.length + value.length + 3));
  const out = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  rows.forEach(({ key, value }, i) => {
    const length = lengths[i]!;
    const head = encoder.encode(`${length} `);
    out.set(head, at);
    out.set(key, at + head.length);
    out[at + head.length + key.length] = 0x3d; // "="
    out.set(value, at + head.length + key.length + 1);
    out[at + length - 1] = 0x0a;
    at += length;
  });
  return out;
}

/** The length of a record counts its own digits. `rest` is everything but the digits. */
function recordLength(rest: number): number {
  let length = rest + String(rest).length;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return length;
}

/** Splits the body of a PAX extended header; the order and repeated keywords are kept. @throws {TarError} */
export function parsePax(body: Uint8Array): PaxRecord[] {
  const records: PaxRecord[] = [];
  const fail = () => new TarError("Cannot read the tar archive: a PAX extended header is malformed");
  for (let at = 0; at < body.length;) {
    if (body[at] === 0) break; // some writers count the padding
    const space = body.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? "" : String.fromCharCode(...body.subarray(at, space));
    if (!/^[0-9]+$/.test(digits)) throw fail();
    const end = at + Number(digits);
    const equals = body.indexOf(0x3d, space);
    if (end > body.length || equals <= space + 1 || equals >= end || body[end - 1] !== 0x0a) throw fail();
    if (body.subarray(space, equals).includes(0)) throw fail();
    try {
      records.push([decoder.decode(body.subarray(space + 1, equals)), body.slice(equals + 1, end - 1)]);
    } catch {
      throw fail();
    }
    at = end;
  }
  return records;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
