import { parseReference, type Reference } from "../../lib/oci/reference.ts";
import type { Inventory, InventoryImage, Keep } from "../../core/contract/plugin.ts";
import { keep } from "../../core/contract/reasons.ts";

/** A name of an image that something runs, with who says so. */
export interface UsedImage {
  /** A reference by tag or digest, or an image id. */
  readonly name: string;
  /** `pod shop/web-1 in context "prod"` */
  readonly by: string;
  /** A name without a tag stands for every tag, not for `latest`: the tag may be told elsewhere. */
  readonly everyTag?: boolean;
}

/**
 * Reasons to keep images that are in use: by path and tag, or by digest or id. The host does not count, since one registry
 * has many: its address, a name inside a cluster, a mirror, another port. A platform's manifest counts as its index.
 *
 * @param aliases other names under which REPO is pulled, when their path is another
 */
export function keepUsed(
  inventory: Inventory,
  used: Iterable<UsedImage>,
  options: { readonly rule: string; readonly aliases?: readonly string[] },
): readonly Keep[] {
  const byTag = new Map<string, string>();
  const byPath = new Map<string, string>();
  const byDigest = new Map<string, string>();
  for (const { name, by, everyTag = false } of used) {
    for (const [digest] of name.matchAll(/sha256:[0-9a-f]{64}/g)) remember(byDigest, digest, by);
    const { path, tag } = read(name) ?? {};
    if (path === undefined || tag === undefined) continue;
    if (everyTag && !name.trim().endsWith(`:${tag}`)) remember(byPath, path, by);
    else remember(byTag, `${path}:${tag}`, by);
  }
  return inventory.images.flatMap((image) => {
    const names = [
      image.reference,
      ...(options.aliases ?? []).map((alias) => alias + image.reference.slice(inventory.repo.length)),
    ].map(read).filter((name) => name !== undefined);
    const named = firstOf(names, ({ path, tag }) => byTag.get(`${path}:${tag}`));
    if (named !== undefined) return [keep(image, options.rule, `${named} uses it by name`)];
    const pathed = firstOf(names, ({ path }) => byPath.get(path));
    if (pathed !== undefined) {
      return [keep(image, options.rule, `${pathed} names its repository without a tag`)];
    }
    const pinned = firstOf(digestsOf(image, inventory), (digest) => byDigest.get(digest));
    return pinned === undefined ? [] : [keep(image, options.rule, `${pinned} uses it by digest`)];
  });
}

/** Whether a text can be the name of an image, or has a digest. */
export function namesImage(text: string): boolean {
  return read(text) !== undefined || /sha256:[0-9a-f]{64}/.test(text);
}

/** Digests that stand for an image: its own, those of its platforms, and their configurations, which are image ids. */
function digestsOf(image: InventoryImage, { manifests }: Inventory): readonly string[] {
  const own = [image.digest, ...manifests[image.digest]?.children ?? []];
  return own.flatMap((digest) => [digest, ...(manifests[digest]?.blobs ?? []).map(([blob]) => blob)]);
}

function remember(into: Map<string, string>, key: string, by: string): void {
  if (!into.has(key)) into.set(key, by);
}

function firstOf<T>(list: readonly T[], answer: (each: T) => string | undefined): string | undefined {
  for (const each of list) {
    const found = answer(each);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** As Docker completes names; undefined for what is none. */
function read(name: string): Reference | undefined {
  try {
    return parseReference(name.trim().replace(/^[a-z-]+:\/\//, ""));
  } catch {
    return undefined;
  }
}
