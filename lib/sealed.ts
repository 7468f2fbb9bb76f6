import { digestOf } from "./oci/digest.ts";

/** A text with its digest before it, so that whatever happens to its file is noticed when it is read. */
export async function seal(text: string): Promise<string> {
  return `${await digestOf(new TextEncoder().encode(text))}\n${text}`;
}

/** The text inside; undefined for what {@linkcode seal} did not make. */
export async function unseal(sealed: string): Promise<string | undefined> {
  const cut = sealed.indexOf("\n");
  if (cut < 0) return undefined;
  const text = sealed.slice(cut + 1);
  return await digestOf(new TextEncoder().encode(text)) === sealed.slice(0, cut) ? text : undefined;
}
