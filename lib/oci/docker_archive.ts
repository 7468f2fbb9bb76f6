import type { Archive } from "./archive.ts";
import { type Digest, digestOf } from "./digest.ts";
import { isListOf, isObject, isText } from "../guard.ts";
import { MAX_DOCUMENT, requireFlat } from "./documents.ts";
import { OciError } from "./errors.ts";
import { parseConfig, requireLayerCount } from "./image.ts";
import { fullName, type ImageSelector } from "./layout.ts";
import { formatPlatform, platformDistance } from "./platform.ts";
import type { ImageConfig, OciPlatform } from "./types.ts";

/** An image of a `docker save` archive without an OCI layout in it. */
export interface DockerImage {
  /** Of the config: Docker's image id. */
  readonly digest: Digest;
  readonly config: ImageConfig;
  /** Paths in the archive, lowest first. */
  readonly layers: readonly string[];
}

/**
 * Finds an image by name or image id in the archive's `manifest.json`; without either the only one.
 *
 * @throws {OciError} when there is none, several, or it is made for another platform
 */
export async function findDockerImage(
  archive: Archive,
  { tag, digest }: ImageSelector,
  platform: OciPlatform,
): Promise<DockerImage> {
  const fail = (kind: "missing" | "invalid", why: string) =>
    new OciError(kind, `Cannot use image "${archive.title}": ${why}`);
  const rows = await readRows(archive);
  const names = rows.flatMap(({ tags }) => tags);
  const list = names.length > 0
    ? names.slice(0, 20).join(", ") + (names.length > 20 ? ", ..." : "")
    : `${rows.length} images without names`;
  const configs = new Map<string, Promise<Document>>();
  const images: (Row & Document)[] = [];
  for (const row of rows) {
    const config = configs.get(row.config) ?? readConfig(archive, row.config);
    configs.set(row.config, config);
    images.push({ ...row, ...await config });
  }
  const wanted = images.filter((image) =>
    (digest === undefined || image.digest === digest) &&
    (tag === undefined || image.tags.some((name) => fullName(name) === fullName(tag)))
  );
  const [found] = wanted;
  if (!found) throw fail("missing", `the archive has ${list}, wanted is "${digest ?? tag ?? "an image"}"`);
  if (wanted.some((image) => image.digest !== found.digest)) {
    throw fail("missing", `the archive has ${list}, name one after ":"`);
  }
  const config = parseConfig(found.bytes, archive.title);
  if (config.os !== "" && config.architecture !== "" && platformDistance(platform, config) === undefined) {
    throw fail("invalid", `it is made for ${formatPlatform(config)}, wanted is ${formatPlatform(platform)}`);
  }
  requireLayerCount(config.rootfs.diff_ids.length, archive.title);
  if (config.rootfs.diff_ids.length !== found.layers.length) {
    const { length } = config.rootfs.diff_ids;
    throw fail("invalid", `its config lists ${length} layers, manifest.json ${found.layers.length}`);
  }
  return { digest: found.digest, config, layers: found.layers };
}

interface Row {
  readonly config: string;
  readonly tags: readonly string[];
  readonly layers: readonly string[];
}

async function readRows(archive: Archive): Promise<readonly Row[]> {
  const fail = (why: string) => new OciError("invalid", `Cannot use image "${archive.title}": ${why}`);
  const bytes = await archive.read("manifest.json", MAX_DOCUMENT);
  if (!bytes) throw fail('the file is no image archive: neither "manifest.json" nor "oci-layout" is in it');
  let rows: unknown;
  try {
    rows = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw fail("its manifest.json is not JSON");
  }
  if (!Array.isArray(rows)) throw fail("its manifest.json is not a list");
  requireFlat(rows, `manifest.json of "${archive.title}"`);
  return rows.map((row: unknown) => {
    const { Config: config, RepoTags: tags, Layers: layers } = isObject(row) ? row : {};
    const texts = { tags: tags ?? [], layers: layers ?? [] };
    if (typeof config !== "string" || !isTexts(texts.layers) || !isTexts(texts.tags)) {
      throw fail("its manifest.json has an entry without Config or Layers");
    }
    return { config, tags: texts.tags, layers: texts.layers };
  });
}

interface Document {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

async function readConfig(archive: Archive, path: string): Promise<Document> {
  const bytes = await archive.read(path, MAX_DOCUMENT);
  if (bytes) return { bytes, digest: await digestOf(bytes) };
  throw new OciError("invalid", `Cannot use image "${archive.title}": "${path}" is not in the archive`);
}

const isTexts = isListOf(isText);
