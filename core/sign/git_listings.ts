import { type Digest, digestOf } from "../../lib/oci/digest.ts";
import { once } from "../../lib/memoize.ts";
import { digestOfListing, type ListedFile, listingOf } from "../contract/signature.ts";
import type { SelectedFile } from "../git/select.ts";

/** Files from which on listings are made again rather than kept, and hashed without being made. */
const LONG = 20_000;

/** The canonical listings of what a stage puts into the image, one for each entry that delivers files. */
export interface GitListings {
  texts(): readonly string[];
  digests(): Promise<readonly Digest[]>;
}

/** Listings of the files of entries. */
export function gitListings(entries: readonly (readonly SelectedFile[])[]): GitListings {
  const make = () => entries.map((files) => listingOf(files, listed));
  if (entries.reduce((sum, { length }) => sum + length, 0) > LONG) {
    return {
      texts: make,
      digests: () => Array.fromAsync(entries, (files) => digestOfListing(files, listed)),
    };
  }
  const texts = once(make);
  return { texts, digests: () => Promise.all(texts().map((text) => digestOf(text))) };
}

/** A selected file as a listing row. */
function listed({ target, mode, oid }: SelectedFile): ListedFile {
  return { path: target, mode, oid };
}
