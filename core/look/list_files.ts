import { type ImageFiles, imageFiles, type ShownFile } from "../../lib/layer/image_files.ts";
import type { FileNode, LayerFiles } from "../../lib/layer/layer_files.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { formatPlatform } from "../../lib/oci/platform.ts";
import type { TarType } from "../../lib/tar/types.ts";
import { compareText, type Signature } from "../contract/signature.ts";
import { layerError } from "../layers/layer_reader.ts";
import type { LookNeeds } from "./needs.ts";
import { type OpenedImage, openImage } from "./open_image.ts";
import { readLayers } from "./read_layers.ts";

/** What is in an image, and which of its layers brought it. JSON-printable. */
export interface ImageListing extends LookedImage {
  /** Lowest first. */
  readonly layers: readonly ListedLayer[];
  /** Every path that the image shows, those with most bytes first. */
  readonly files: readonly ImageFile[];
  /** What is in layers and not shown, most bytes first. */
  readonly wasted: readonly WastedFile[];
}

/** An image that was looked into. */
export interface LookedImage {
  /** What it was called. */
  readonly image: string;
  /** `os/architecture[/variant]` */
  readonly platform: string;
  /** Of the manifest, where the image has one. */
  readonly digest?: Digest;
  /** Of the stage that it is. */
  readonly signature?: Signature;
  /** Compressed bytes of all layers. */
  readonly size: number;
  /** Bytes of all files that it shows; those with several hard links count once. */
  readonly bytes: number;
  /** Bytes of files that are in its layers and not shown. */
  readonly wastedBytes: number;
}

/** One layer of an image. */
export interface ListedLayer {
  /** 0 is the lowest. */
  readonly layer: number;
  /** The stage of dapp that brought it, as the image's history says. */
  readonly stage?: string;
  /** The command that brought it, as the image's history says. */
  readonly createdBy?: string;
  /** Of the compressed blob. */
  readonly digest: Digest;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Compressed bytes. */
  readonly size: number;
  /** Bytes of its files. */
  readonly bytes: number;
  /** Those of them that the image does not show. */
  readonly wastedBytes: number;
  /** Paths that the image shows of it. */
  readonly files: number;
}

/** A path of an image. */
export interface ImageFile {
  /** Absolute. */
  readonly path: string;
  /** What it is. A hard link is what it links to. */
  readonly type: Exclude<TarType, "hardlink">;
  /** Four octal digits. */
  readonly mode: string;
  /** Numeric owner. */
  readonly uid: number;
  /** Numeric group. */
  readonly gid: number;
  /** Bytes of content. */
  readonly size: number;
  /** Seconds since 1970; absent for a directory that layers only mention. */
  readonly mtime?: number;
  /** Of the content of a file. */
  readonly digest?: Digest;
  /** Target of a symbolic link. */
  readonly target?: string;
  /** Another path that shares its content. */
  readonly hardlink?: string;
  /** `major:minor` of a device. */
  readonly device?: string;
  /** Extended attributes, base64. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** The layer that brought it; 0 is the lowest. */
  readonly layer: number;
  /** The stage of dapp that brought it. */
  readonly stage?: string;
}

/** A file whose bytes are in a layer, although the image does not show them. */
export interface WastedFile {
  /** Absolute. */
  readonly path: string;
  /** Bytes of content. */
  readonly size: number;
  /** `repeated`: written again with the same content, as changes of mode and owner do. */
  readonly how: "removed" | "rewritten" | "repeated";
  /** The layer that has it; 0 is the lowest. */
  readonly layer: number;
  /** The stage of dapp that brought it. */
  readonly stage?: string;
  /** The layer that hides it. */
  readonly by: number;
  /** The stage of dapp that did. */
  readonly byStage?: string;
}

/** Lists what is in an image. */
export async function listFiles(session: LookNeeds, name: string | undefined): Promise<ImageListing> {
  const opened = await openImage(session, name);
  const [layers] = await readLayers(session, [opened]);
  const listing = listingOf(opened, layers!);
  const cost = ({ hardlink, size }: ImageFile) => hardlink === undefined ? size : 0;
  const files = listing.files.toSorted((a, b) => cost(b) - cost(a) || compareText(a.path, b.path));
  return { ...listing, files };
}

/** The same for layers that are read, files in the order of a walk. @throws LAYER_INVALID */
export function listingOf(image: OpenedImage, contents: readonly LayerFiles[]): ImageListing {
  const { title, state, digest, signature } = image;
  const { shown, hidden } = filesOf(title, contents);
  const origins = originsOf(image);
  const stageOf = (layer: number) => origins[layer]?.stage;
  const wasted = hidden.map(({ path, layer, by, ...rest }): WastedFile => ({
    path: `/${path}`,
    ...rest,
    layer,
    ...(stageOf(layer) !== undefined && { stage: stageOf(layer)! }),
    by,
    ...(stageOf(by) !== undefined && { byStage: stageOf(by)! }),
  })).sort((a, b) => b.size - a.size || compareText(a.path, b.path));
  const [counts, wastes] = [contents.map(() => 0), contents.map(() => 0)];
  for (const { layer } of shown) counts[layer]!++;
  for (const { layer, size } of hidden) wastes[layer]! += size;
  return {
    image: title,
    platform: formatPlatform(state.config),
    ...(digest && { digest }),
    ...(signature && { signature }),
    size: sum(state.layers.map((layer) => layer.size)),
    bytes: bytesOf(shown.map(({ node }) => node)),
    wastedBytes: sum(wastes),
    layers: state.layers.map(({ digest, diffId, size }, layer) => ({
      layer,
      ...origins[layer],
      digest,
      diffId,
      size,
      bytes: bytesOf(contents[layer]!.nodes.values()),
      wastedBytes: wastes[layer]!,
      files: counts[layer]!,
    })),
    files: shown.map((file) => fileOf(file, stageOf(file.layer))),
    wasted,
  };
}

function filesOf(title: string, contents: readonly LayerFiles[]): ImageFiles {
  try {
    return imageFiles(contents);
  } catch (error) {
    throw layerError(error, `Cannot look into "${title}"`);
  }
}

function fileOf({ path, layer, node, hardlink }: ShownFile, stage: string | undefined): ImageFile {
  const { type, mode, uid, gid, size, mtime, digest, link, major, minor, xattrs } = node;
  return {
    path: `/${path}`,
    type,
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    size,
    ...(mtime !== undefined && { mtime }),
    ...(digest && { digest }),
    ...(type === "symlink" && link !== undefined && { target: link }),
    ...(hardlink !== undefined && { hardlink: `/${hardlink}` }),
    ...(major !== undefined && minor !== undefined && { device: `${major}:${minor}` }),
    ...(xattrs && { xattrs }),
    layer,
    ...(stage !== undefined && { stage }),
  };
}

/** What the image's history says of each layer, where it fits. */
function originsOf(
  { state: { config, layers } }: OpenedImage,
): readonly Pick<ListedLayer, "stage" | "createdBy">[] {
  const rows = (config.history ?? []).filter((row) => !row.empty_layer);
  if (rows.length !== layers.length) return [];
  return rows.map(({ created_by: createdBy }) => {
    const stage = createdBy && /^dapp (\S+?)(?:: .*)?$/s.exec(createdBy)?.[1];
    return { ...(stage && { stage }), ...(createdBy && { createdBy }) };
  });
}

/** Bytes of contents, of which hard links share one. */
function bytesOf(nodes: Iterable<FileNode>): number {
  return sum(Array.from(new Set(nodes), ({ size }) => size));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
