import { type Digest, digestOf, isDigest } from "./digest.ts";
import { MAX_DOCUMENT, parseManifest } from "./documents.ts";
import { OciError } from "./errors.ts";
import { findImage, type ImageReader, type RootDocument } from "./find_image.ts";
import { formatReference, parseReference } from "./reference.ts";
import { type Descriptor, type ImageIndex, mediaTypes, type OciPlatform } from "./types.ts";

/** The annotation that is a tag in a layout (image-spec annotations.md). */
export const REF_NAME = "org.opencontainers.image.ref.name";
/** The annotation in which containerd and Docker keep the whole name. */
export const CONTAINERD_NAME = "io.containerd.image.name";

/** Which image of a layout or archive is meant. */
export interface ImageSelector {
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An image for one platform, and what to ask for to get it again. */
export interface PinnedImage {
  readonly id: Digest;
  /** Absent when the selector is a digest. */
  readonly pin?: Digest;
}

/** `LOCATION`, `LOCATION:TAG` or `LOCATION@sha256:HEX`; the location ends at the first ":" or at that "@". */
export function parseLocation(text: string): ImageSelector & { readonly location: string } {
  const at = text.lastIndexOf("@");
  const digest = text.slice(at + 1);
  if (at >= 0 && isDigest(digest)) return { location: text.slice(0, at), digest };
  const colon = text.indexOf(":");
  return colon < 0 ? { location: text } : { location: text.slice(0, colon), tag: text.slice(colon + 1) };
}

/** Where the files of a layout are; a directory or an archive. `read` gives undefined for absent files. */
export interface LayoutFiles {
  read(path: string, limit: number): Promise<Uint8Array | undefined>;
}

/** The files of a layout directory. */
export function layoutDirectory(dir: string): LayoutFiles {
  return { read: async (path, limit) => await readSmall(dir, path, limit) };
}

/** Synchronous, since waiting for a thread takes longer than such a file. */
function readSmall(dir: string, path: string, limit: number): Uint8Array | undefined {
  try {
    const { size, isFile } = Deno.statSync(`${dir}/${path}`);
    // A pipe would be waited for, for ever.
    if (!isFile) throw new OciError("invalid", `Cannot read "${path}" in "${dir}": it is no regular file`);
    if (size <= limit) return Deno.readFileSync(`${dir}/${path}`);
    throw new OciError(
      "invalid",
      `Cannot read "${path}" in "${dir}": it has ${size} bytes, allowed are ${limit}`,
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** The path of a blob inside a layout. */
export function blobFile(digest: Digest): string {
  return `blobs/sha256/${digest.slice(7)}`;
}

/** Where a search starts. */
interface SelectedRoot extends RootDocument {
  /** It was made for the search and stands nowhere. */
  readonly made?: true;
}

/** Reads an OCI image layout (image-spec image-layout.md), directory or archive alike. */
export class LayoutReader implements ImageReader {
  constructor(readonly files: LayoutFiles, readonly title: string) {}

  /** @throws {OciError} when there is no layout */
  async index(): Promise<ImageIndex> {
    const [marker, bytes] = await Promise.all([
      this.files.read("oci-layout", MAX_DOCUMENT),
      this.files.read("index.json", MAX_DOCUMENT),
    ]);
    if (!marker || !bytes) {
      const file = marker ? "index.json" : "oci-layout";
      throw new OciError(
        "missing",
        `Cannot use image "${this.title}": no OCI layout is there ("${file}" is missing)`,
      );
    }
    const document = parseManifest(bytes, `index.json of "${this.title}"`, mediaTypes.index);
    if (document.kind === "index") return document.index;
    throw new OciError("invalid", `Cannot use image "${this.title}": index.json is not an image index`);
  }

  /**
   * The image for a platform: `id` is its manifest's digest, `pin` what to note in order to find it again, absent when
   * the selector is a digest already. A given pin decides.
   *
   * @throws {OciError}
   */
  async resolve(
    { selector, pin, platform }: {
      readonly selector: ImageSelector;
      readonly pin?: Digest | undefined;
      readonly platform: OciPlatform;
    },
  ): Promise<PinnedImage> {
    const root: SelectedRoot = pin ? await this.byDigest(pin) : await this.#root(selector);
    const { digest: id } = await findImage(root, { platform, title: this.title, reader: this });
    return selector.digest ? { id } : { id, pin: root.made ? id : root.digest };
  }

  /**
   * The document that a selector means: the entry of that tag or digest, the only entry without one. Entries that share
   * the name are taken together, as an index of platforms.
   */
  async #root({ tag, digest }: ImageSelector): Promise<SelectedRoot> {
    if (digest) return await this.byDigest(digest);
    const index = await this.index();
    const named = tag === undefined
      ? index.manifests
      : index.manifests.filter((entry) =>
        namesOf(entry).some((name) => name === tag || name === fullName(tag))
      );
    const first = named[0];
    if (!first) {
      const tags = tagsOf(index);
      const why = index.manifests.length === 0
        ? "the layout is empty"
        : tags.length === 0
        ? `the layout has no tags, wanted is "${tag}"`
        : `the layout has ${tags.join(", ")}, wanted is "${tag}"`;
      throw new OciError("missing", `Cannot use image "${this.title}": ${why}`);
    }
    if (named.every((entry) => entry.digest === first.digest)) {
      return { digest: first.digest, bytes: await this.manifest(first), mediaType: first.mediaType };
    }
    const tags = tagsOf(index);
    if (tag === undefined && tags.length > 1) {
      throw new OciError(
        "missing",
        `Cannot use image "${this.title}": the layout has ${tags.join(", ")}, name one after ":"`,
      );
    }
    const document = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: named };
    const bytes = new TextEncoder().encode(JSON.stringify(document));
    return { digest: await digestOf(bytes), bytes, made: true };
  }

  /** A manifest or index that need not be listed in index.json. @throws {OciError} */
  async byDigest(digest: Digest): Promise<RootDocument> {
    return { digest, bytes: await this.#blob(digest) };
  }

  manifest(descriptor: Descriptor): Promise<Uint8Array> {
    return this.#blob(descriptor.digest);
  }

  config(descriptor: Descriptor): Promise<Uint8Array> {
    return this.#blob(descriptor.digest);
  }

  async #blob(digest: Digest): Promise<Uint8Array> {
    const bytes = await this.files.read(blobFile(digest), MAX_DOCUMENT);
    if (!bytes) throw new OciError("missing", `Cannot use image "${this.title}": it has no blob ${digest}`);
    if (await digestOf(bytes) === digest) return bytes;
    throw new OciError("invalid", `Cannot use image "${this.title}": the content of blob ${digest} differs`);
  }
}

function namesOf({ annotations }: Descriptor): string[] {
  const names = [annotations?.[REF_NAME], annotations?.[CONTAINERD_NAME]];
  return names.filter((name) => name !== undefined);
}

function tagsOf(index: ImageIndex): string[] {
  return [...new Set(index.manifests.flatMap((entry) => namesOf(entry).slice(0, 1)))].sort();
}

/** An image name in full; the text itself when it is none. */
export function fullName(text: string): string {
  try {
    return formatReference(parseReference(text));
  } catch {
    return text;
  }
}
