import { type Digest, digestFromHex } from "../../lib/oci/digest.ts";

/** The manifest that a tag belongs to by its name; undefined for other names. */
export function subjectInName(tag: string): Digest | undefined {
  const hex = /^sha256-([0-9a-f]{64})(?:\.[a-z0-9]+)?$/.exec(tag)?.[1];
  return hex === undefined ? undefined : digestFromHex(hex);
}
