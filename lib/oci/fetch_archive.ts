import { sniffCompression } from "../compression/sniff.ts";
import { atPathSync } from "../file_failure.ts";
import { type Archive, scan } from "./archive.ts";
import { findDockerImage } from "./docker_archive.ts";
import { OciError } from "./errors.ts";
import type { BlobSink, FetchLayersOptions } from "./fetch_layers.ts";
import { type Image, type ImageLayer, withPlatform } from "./image.ts";
import { blobFile, type ImageSelector, LayoutReader, type PinnedImage } from "./layout.ts";
import { layoutImage } from "./layout_image.ts";
import { layerTypes } from "./media_type.ts";
import { mediaTypes, type OciPlatform } from "./types.ts";
import { writeAllSync } from "../write_all.ts";
import { type Digest, digestFromHex } from "./digest.ts";
import { createSha256 } from "../sha256.ts";

/**
 * Finds an image in an archive. With an OCI layout in it the `id` is the image manifest's digest, otherwise that of the
 * config. `pin` finds it again.
 *
 * @throws {OciError}
 */
export async function resolveInArchive(
  archive: Archive,
  options: {
    readonly selector: ImageSelector;
    readonly pin?: Digest | undefined;
    readonly platform: OciPlatform;
  },
): Promise<PinnedImage> {
  if (hasLayout(archive)) return await new LayoutReader(archive, archive.title).resolve(options);
  const { selector, pin, platform } = options;
  const { digest: id } = await findDockerImage(archive, pin ? { digest: pin } : selector, platform);
  return selector.digest ? { id } : { id, pin: id };
}

export interface FetchArchiveOptions extends Pick<FetchLayersOptions, "signal" | "progress"> {
  /** As `resolveInArchive` gave it. */
  readonly id: Digest;
  readonly platform: OciPlatform;
  readonly sink: BlobSink;
}

/** Brings the layers of an image into a store, in one pass over the archive. @throws {OciError} */
export async function fetchFromArchive(archive: Archive, options: FetchArchiveOptions): Promise<Image> {
  const { id, platform, sink } = options;
  const { title } = archive;
  if (!hasLayout(archive)) {
    const image = await findDockerImage(archive, { digest: id }, platform);
    const layers = await extract(
      archive,
      image.layers,
      options,
      (blobs) =>
        blobs.map(({ mediaType, digest, size }, i): ImageLayer => {
          const diffId = image.config.rootfs.diff_ids[i]!;
          if (mediaType === mediaTypes.layerTar && digest !== diffId) {
            throw new OciError(
              "invalid",
              `Cannot use image "${title}": the content of "${image.layers[i]}" is not ${diffId}`,
            );
          }
          return { mediaType, digest, size, diffId };
        }),
    );
    return { config: withPlatform(image.config, platform), layers };
  }
  const image = await layoutImage(new LayoutReader(archive, title), id, platform);
  const present = await Promise.all(
    image.layers.map(async ({ digest, size }) => await sink.size(digest) === size),
  );
  await Promise.all(image.layers.map(({ digest }, i) => present[i] ? sink.settle?.(digest) : undefined));
  const absent = image.layers.filter((_, i) => !present[i]);
  await extract(archive, absent.map(({ digest }) => blobFile(digest)), options, (blobs) => {
    for (const [i, { digest }] of absent.entries()) {
      if (blobs[i]!.digest === digest) continue;
      throw new OciError("invalid", `Cannot use image "${title}": the content of blob ${digest} differs`);
    }
  });
  return image;
}

function hasLayout(archive: Archive): boolean {
  return archive.has("oci-layout") && archive.has("index.json");
}

type Extracted = Omit<ImageLayer, "diffId">;

/** Copies members into the store once `check` has seen what they are, in the order of `paths`; gives what that gives. */
async function extract<T>(
  archive: Archive,
  paths: readonly string[],
  { sink, signal, progress }: FetchArchiveOptions,
  check: (blobs: readonly Extracted[]) => T,
): Promise<T> {
  const { title } = archive;
  const members = new Map<string, string>();
  for (const path of paths) {
    const member = archive.resolve(path);
    if (member === undefined) {
      throw new OciError("missing", `Cannot use image "${title}": "${path}" is not in the archive`);
    }
    members.set(path, member);
  }
  const wanted = new Set(members.values());
  if (wanted.size === 0) return check([]);
  const total = [...wanted].reduce((sum, member) => sum + archive.members.get(member)!.size, 0);
  const dir = await sink.scratch();
  const found = new Map<string, Extracted & { readonly file: string }>();
  let done = 0;
  const tell = (bytes: number) => progress(archive.file, `layers of ${title}`, bytes, total);
  try {
    await scan(archive.file, title, signal, (entry) => {
      if (!wanted.has(entry.path) || entry.type !== "file") return undefined;
      const path = `${dir}/member-${crypto.randomUUID()}`;
      const file = Deno.openSync(path, { write: true, createNew: true });
      const hash = createSha256();
      const head: number[] = [];
      let size = 0;
      const save = () => {
        const mediaType = layerTypes[sniffCompression(Uint8Array.from(head))];
        found.set(entry.path, { file: path, mediaType, digest: digestFromHex(hash.hex()), size });
      };
      return {
        data(chunk) {
          for (let i = 0; head.length < 4 && i < chunk.length; i++) head.push(chunk[i]!);
          hash.update(chunk);
          atPathSync(path, () => writeAllSync(file, chunk));
          size += chunk.length;
          done += chunk.length;
          if (done < total) tell(done); // all of them are there when they are stored
        },
        end() {
          file.close();
          save();
        },
      };
    });
    const checked = check(paths.map((path) => found.get(members.get(path)!)!));
    for (const { file, digest } of found.values()) await sink.adopt(file, digest);
    tell(total);
    return checked;
  } catch (error) {
    await Promise.allSettled([...found.values()].map(({ file }) => Deno.remove(file)));
    throw error;
  }
}
