import { type Digest, digestFromHex, digestOf, sha256Hex } from "../../lib/oci/digest.ts";
import { createSha256 } from "../../lib/sha256.ts";

/** 64 lower-case hex digits: the sha256 of a stage's canonical facts. */
export type Signature = string & { readonly __brand: "Signature" };

/** Takes a text for a stage signature. @throws {TypeError} when it is none */
function parseSignature(text: string): Signature {
  if (isSignature(text)) return text;
  throw new TypeError(`Cannot read signature "${text}": expected 64 lower-case hex digits`);
}

/** Whether `text` is a stage signature. */
export function isSignature(text: unknown): text is Signature {
  return typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
}

/** One named input of a stage. Keys are unique within a stage; a plugin's facts are keyed `plugin-name/key`. */
export type Fact = TextFact | ListingFact;

/** A fact whose value says all. */
export interface TextFact {
  /** Unique within the stage. */
  readonly key: string;
  /** What counts, as text. */
  readonly value: string;
  /** Tells the two apart. */
  readonly listing?: never;
}

/** A fact about files: its value is the digest of a listing. */
export interface ListingFact {
  /** Unique within the stage. */
  readonly key: string;
  /** Of a listing kept as a blob: rows of `mode id path`, NUL-separated, for `explain`. */
  readonly value: Digest;
  /** Tells the two apart. */
  readonly listing: true;
}

/**
 * Version of the signature rows. Raising it invalidates every stage on purpose.
 *
 * 1: first format. 2: every stage names its kind with a version, entries are named by their targets and not counted,
 * the epoch is always a fact, a platform has one spelling; layers are written as containerd and BuildKit write them.
 */
export const SIGNATURE_FORMAT = 2;

/** Order of UTF-16 code units; the same on every machine, unlike locale order. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The signature of a stage: sha256 over `[format, previous, rows]`, rows sorted by key.
 *
 * @throws {TypeError} when two facts have one key
 */
export async function signatureOf(previous: Signature | null, facts: readonly Fact[]): Promise<Signature> {
  const rows = facts.map(({ key, value }) => [key, value] as const).sort((a, b) => compareText(a[0], b[0]));
  for (let i = 1; i < rows.length; i++) {
    if (rows[i]?.[0] === rows[i - 1]?.[0]) {
      throw new TypeError(`Cannot sign a stage: two facts are named "${rows[i]?.[0]}"`);
    }
  }
  return parseSignature(await sha256Hex(JSON.stringify([SIGNATURE_FORMAT, previous, rows])));
}

/** One file in a listing: what makes it this file, and where it goes. */
export interface ListedFile {
  /** Absolute path in the image. */
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
}

/** Rows of a listing that are put together at once. */
const ROWS = 1000;
/** Rows from which on a listing is long. */
const LONG = 20_000;

/**
 * The canonical text of a set of files: rows `mode oid path`, sorted by path, each ended by NUL.
 *
 * A listing is kept as a blob; its digest is the fact that enters the signature.
 */
export function formatListing(files: readonly ListedFile[]): string {
  return listingOf(files, (file) => file);
}

/** What {@linkcode formatListing} gives for the rows of `items`, of which none is kept. */
export function listingOf<T>(items: readonly T[], rowOf: (item: T) => ListedFile): string {
  return [...listingTexts(items, rowOf)].join("");
}

/**
 * The digest of what {@linkcode formatListing} gives for the rows of `items`. A long listing is never in memory as a
 * whole: there may be hundreds of thousands of files.
 */
export async function digestOfListing<T>(
  items: readonly T[],
  rowOf: (item: T) => ListedFile,
): Promise<Digest> {
  if (items.length <= LONG) return await digestOf(listingOf(items, rowOf));
  const hash = createSha256();
  const encoder = new TextEncoder();
  let buffer = new Uint8Array(0);
  for (const text of listingTexts(items, rowOf)) {
    if (buffer.length < 3 * text.length) buffer = new Uint8Array(4 * text.length);
    hash.update(buffer.subarray(0, encoder.encodeInto(text, buffer).written));
  }
  return digestFromHex(hash.hex());
}

/** The rows of a listing, some at a time. */
function* listingTexts<T>(items: readonly T[], rowOf: (item: T) => ListedFile): Generator<string> {
  let before = "";
  const isSorted = items.every((item) => compareText(before, before = rowOf(item).path) <= 0);
  const sorted = isSorted ? items : items.toSorted((a, b) => compareText(rowOf(a).path, rowOf(b).path));
  for (let at = 0; at < sorted.length; at += ROWS) {
    const rows = sorted.slice(at, at + ROWS).map(rowOf);
    yield rows.map(({ mode, oid, path }) => `${mode} ${oid} ${path}\0`).join("");
  }
}

/** Reads what {@linkcode formatListing} wrote. */
export function parseListing(text: string): ListedFile[] {
  return text.split("\0").slice(0, -1).map(parseListed);
}

/** Reads one row of a listing, without the NUL that ends it. */
export function parseListed(row: string): ListedFile {
  const [mode = "", oid = ""] = row.split(" ", 2);
  return { mode, oid, path: row.slice(mode.length + oid.length + 2) };
}
