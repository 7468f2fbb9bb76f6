import { formatReference, parseReference } from "../../lib/oci/reference.ts";
import { manifestOf } from "../../lib/oci/build.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import type { ImageState } from "../contract/store.ts";
import { type Destination, parseDestination } from "./destination.ts";
import type { ExportOptions, ExportResult, PackedImage, Packer } from "./packer.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** An image to write. */
export interface ExportImage {
  /** Of the dimg; "" for the nameless one. */
  readonly name: string;
  /** What it is called where the destination does not say. */
  readonly reference: string;
  readonly state: ImageState;
}

/**
 * Writes images with all their layers to `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]` or `docker-archive:FILE[:REFERENCE]`.
 * Each needs a name of its own, so a destination with one takes a single image. Archives of equal images have equal bytes.
 *
 * @throws {EngineError} USAGE for a destination that cannot be meant, EXPORT_FAILED
 */
export async function exportImages(
  images: readonly ExportImage[],
  destination: string,
  options: ExportOptions,
): Promise<ExportResult> {
  const parsed = parseDestination(destination, options.projectDir);
  if (parsed.reference !== undefined && images.length > 1) {
    throw new EngineError(
      "USAGE",
      `Cannot export ${images.length} images as "${parsed.reference}": each needs a name of its own`,
      { fix: "Leave the name out, or export one image" },
    );
  }
  const packed = await Promise.all(images.map((image) => pack(image, parsed)));
  try {
    const { pack } = await packerFor(parsed.kind);
    await pack(packed, parsed.path, options);
  } catch (error) {
    options.signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError("EXPORT_FAILED", `Cannot export to "${destination}": ${messageOf(error)}`, {
      cause: error,
    });
  }
  return {
    destination,
    images: packed.map(({ name, reference, manifest }) => ({
      name,
      reference,
      digest: manifest.digest,
    })),
  };
}

async function packerFor(kind: Destination["kind"]): Promise<{ readonly pack: Packer }> {
  switch (kind) {
    case "oci":
      return { pack: (await import("./oci_layout.ts")).writeLayout };
    case "oci-archive":
      return { pack: (await import("./archive.ts")).writeOciArchive };
    case "docker-archive":
      return { pack: (await import("./archive.ts")).writeDockerArchive };
    default:
      return unreachable(kind);
  }
}

async function pack(image: ExportImage, { kind, reference }: Destination): Promise<PackedImage> {
  const { manifest, config } = await manifestOf(image.state);
  const name = reference ?? image.reference;
  const shown = kind === "docker-archive" ? dockerName(name) : name;
  return { name: image.name, reference: shown, state: image.state, manifest, config };
}

/** The full name that goes into a Docker archive. @throws USAGE */
function dockerName(text: string): string {
  try {
    const { digest, ...reference } = parseReference(text);
    if (digest) {
      throw new OciError("invalid", `Cannot read image name "${text}": it names a digest, wanted is a tag`);
    }
    return formatReference(reference);
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw new EngineError("USAGE", error.message, {
      fix: "Say what it is to be called: docker-archive:FILE:NAME[:TAG]",
      cause: error,
    });
  }
}
