import {
  definePlugin,
  type ImageSource,
  isDigest,
  isImageState,
  type ResolvedImage,
  type SourceRequest,
} from "../../core/contract/plugin.ts";
import { hasMembers, isOptional } from "../../lib/guard.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { parseLocation } from "../../lib/oci/layout.ts";
import { formatPlatform } from "../../lib/oci/platform.ts";
import { explained } from "./_explain.ts";
import { Shared } from "../../lib/memoize.ts";

/**
 * Base images in a file: `archive:FILE`, `archive:FILE:NAME` or `archive:FILE@sha256:HEX`, for what `docker save`,
 * `skopeo`, `podman` and other tools write (Docker and OCI archives, plain or compressed). A relative FILE starts at the
 * project; FILE ends at the first ":". NAME is a tag of an OCI archive, or an image name with tag.
 */
export const sourceArchive = definePlugin({
  name: "source-archive",
  api: 1,
  setup: () => ({
    openSource: (request) => request.name.startsWith("archive:") ? openArchive(request) : undefined,
  }),
});

function openArchive({ name, platform, projectDir, store }: SourceRequest): ImageSource {
  const { location, ...selector } = parseLocation(name.slice("archive:".length));
  const file = location.startsWith("/") ? location : `${projectDir}/${location}`;
  const opened = new Shared(async (signal: AbortSignal) => {
    const { Archive } = await import("../../lib/oci/archive.ts");
    return await Archive.open(file, name, signal);
  });
  return {
    resolve: (pin, signal) =>
      explained(name, async () => {
        const key = JSON.stringify([await identity(file, name), name, formatPlatform(platform), pin ?? ""]);
        const memo = await store.memo.get("archive", key, isResolved);
        if (memo) return memo;
        const { resolveInArchive } = await import("../../lib/oci/fetch_archive.ts");
        const found = await resolveInArchive(await opened.get(signal), { selector, pin, platform });
        await store.memo.put("archive", key, found);
        return found;
      }),
    fetch: ({ id }, io) =>
      explained(name, async () => {
        const key = `${id.slice(7)}-${formatPlatform(platform).replaceAll("/", "-")}`;
        const memo = await store.memo.get("archive-image", key, isImageState);
        if (memo) {
          const sizes = await Promise.all(memo.layers.map(({ digest }) => store.blobs.size(digest)));
          if (memo.layers.every(({ size }, i) => sizes[i] === size)) {
            await Promise.all(memo.layers.map(({ digest }) => store.blobs.settle?.(digest)));
            return memo;
          }
        }
        const { fetchFromArchive } = await import("../../lib/oci/fetch_archive.ts");
        const image = await fetchFromArchive(await opened.get(io.signal), {
          ...io,
          id,
          platform,
          sink: store.blobs,
        });
        await store.memo.put("archive-image", key, image);
        return image;
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Changes whenever the file does. */
async function identity(file: string, title: string): Promise<unknown> {
  try {
    const { dev, ino, size, mtime, ctime } = await Deno.stat(file);
    return [dev, ino, size, mtime?.getTime(), ctime?.getTime()];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new OciError("missing", `Cannot use image "${title}": "${file}" does not exist`);
  }
}

const isResolved = hasMembers<ResolvedImage>({ id: isDigest, pin: isOptional(isDigest) });
