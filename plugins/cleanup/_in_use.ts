import { parseReference } from "../../lib/oci/reference.ts";
import type { Inventory, Keep } from "../../core/contract/plugin.ts";
import { keep } from "./_images.ts";

/** A name of an image that something runs, with who says so. */
export interface UsedImage {
  /** A reference by tag or digest, or an image id. */
  readonly name: string;
  /** `pod shop/web-1 in context "prod"` */
  readonly by: string;
}

/**
 * Reasons to keep images that are in use: by full name and tag, or by digest, wherever it was pulled from. A platform's
 * manifest counts as its index.
 *
 * @param aliases other names under which REPO is pulled: mirrors, names inside a cluster
 */
export function keepUsed(
  inventory: Inventory,
  used: Iterable<UsedImage>,
  options: { readonly rule: string; readonly aliases?: readonly string[] },
): readonly Keep[] {
  const byName = new Map<string, string>();
  const byDigest = new Map<string, string>();
  for (const { name, by } of used) {
    const digest = /sha256:[0-9a-f]{64}/.exec(name)?.[0];
    if (digest && !byDigest.has(digest)) byDigest.set(digest, by);
    const full = normalise(name);
    if (full && !byName.has(full)) byName.set(full, by);
  }
  return inventory.images.flatMap((image) => {
    const names = [
      image.reference,
      ...(options.aliases ?? []).map((alias) => alias + image.reference.slice(inventory.repo.length)),
    ];
    const named = names.map((name) => byName.get(normalise(name) ?? name)).find((by) => by !== undefined);
    if (named !== undefined) return [keep(image, options.rule, `${named} uses it by name`)];
    const digests = [image.digest, ...inventory.manifests[image.digest]?.children ?? []];
    const pinned = digests.map((digest) => byDigest.get(digest)).find((by) => by !== undefined);
    return pinned === undefined ? [] : [keep(image, options.rule, `${pinned} uses it by digest`)];
  });
}

/** `domain/path:tag` as Docker completes names; undefined for what names no tag. */
function normalise(name: string): string | undefined {
  try {
    const plain = name.trim().replace(/^[a-z-]+:\/\//, "");
    const { domain, path, tag } = parseReference(plain);
    return tag === undefined ? undefined : `${domain}/${path}:${tag}`;
  } catch {
    return undefined;
  }
}
