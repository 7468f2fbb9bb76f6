/** Texts of any kind as names: for tags, and for whatever else wants lower-case letters, digits and dashes. */
import { isTag } from "../oci/reference.ts";
import { murmur3 } from "./murmur3.ts";
import { transliterate } from "./transliterate.ts";

/** Characters that a tag may have (OCI distribution specification, "Pulling manifests"). */
const TAG_LENGTH = 128;
const HASH_LENGTH = 8;

/**
 * A name made of lower-case ASCII letters, digits and single inner dashes.
 *
 * A text that is one stays as it is. Of any other the readable part is kept, and the hash of the whole text is appended,
 * so that different texts have different names: `feature/using_cache` is `feature-using-cache-81644ed0`. The length is
 * not bounded; see {@linkcode tagOf}. A slug's slug is the slug.
 */
export function slug(text: string): string {
  const readable = readablePart(text);
  return readable === text && text !== "" ? text : withHash(readable, text);
}

/**
 * A tag for any text: one that is a valid tag stays as it is, any other is {@linkcode slug}ged and cut to 128 characters.
 *
 * What is cut is the readable part; the hash is always that of the whole text.
 */
export function tagOf(text: string): string {
  if (isTag(text)) return text;
  const whole = slug(text);
  if (isTag(whole)) return whole;
  return withHash(readablePart(text).slice(0, TAG_LENGTH - HASH_LENGTH - 1).replace(/-$/, ""), text);
}

function readablePart(text: string): string {
  return Array.from(text, transliterate).join("").replaceAll(/-+/g, "-").replaceAll(/^-|-$/g, "");
}

function withHash(readable: string, text: string): string {
  const hash = murmur3(new TextEncoder().encode(text));
  return readable === "" ? hash : `${readable}-${hash}`;
}
