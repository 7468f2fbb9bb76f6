import { hexOf } from "../../lib/oci/digest.ts";

/** How a repository names its objects. */
export type ObjectFormat = "SHA-1" | "SHA-256";

/**
 * The id of the blob that git makes of a file or symbolic link as it is, without filters; undefined when none is at `path`
 * (gitformat objects: "blob", the size and NUL before the content).
 */
export async function blobIdAt(path: string, format: ObjectFormat): Promise<string | undefined> {
  const content = await contentAt(path).catch(() => undefined);
  if (content === undefined) return undefined;
  const header = new TextEncoder().encode(`blob ${content.length}\0`);
  const object = new Uint8Array(header.length + content.length);
  object.set(header);
  object.set(content, header.length);
  return hexOf(new Uint8Array(await crypto.subtle.digest(format, object)));
}

async function contentAt(path: string): Promise<Uint8Array> {
  const { isSymlink } = await Deno.lstat(path);
  return isSymlink ? new TextEncoder().encode(await Deno.readLink(path)) : await Deno.readFile(path);
}
