/** OCI image-spec v1.1 and Docker image manifest v2 schema 2 documents, as far as they are read or written here. */
import type { Digest } from "./digest.ts";

export const mediaTypes = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layerTar: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayerTar: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
} as const;

/** image-spec descriptor.md. */
export interface Descriptor {
  /** Media type, as the registry or store has it. */
  readonly mediaType: string;
  /** Of the content (descriptor.md#digests). */
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  /** Of a manifest in an index. */
  readonly platform?: OciPlatform;
  /** Free text by key. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What an image runs on (image-index.md). */
export interface OciPlatform {
  /** As Go calls it: `linux`. */
  readonly os: string;
  /** As Go calls it: `amd64`. */
  readonly architecture: string;
  /** Of the processor: `v7`. */
  readonly variant?: string;
}

/** image-spec manifest.md; the Docker schema 2 manifest has the same shape. */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** image-spec image-index.md; the Docker manifest list has the same shape. */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The execution parameters inside an image config (image-spec config.md). */
export interface ContainerConfig {
  /** `user`, `uid`, `user:group` or `uid:gid` */
  readonly User?: string;
  /** `port/protocol` as keys. */
  readonly ExposedPorts?: Readonly<Record<string, Record<string, never>>>;
  /** `NAME=value` */
  readonly Env?: readonly string[];
  /** What is run, before `Cmd`. */
  readonly Entrypoint?: readonly string[] | null;
  /** Arguments, or what is run. */
  readonly Cmd?: readonly string[] | null;
  /** Absolute paths as keys. */
  readonly Volumes?: Readonly<Record<string, Record<string, never>>>;
  /** Where it is run. */
  readonly WorkingDir?: string;
  /** Free text by key. */
  readonly Labels?: Readonly<Record<string, string>>;
  /** Name or number. */
  readonly StopSignal?: string;
  /** Docker's own: instructions for images that stand on this one. */
  readonly OnBuild?: readonly string[];
  /** Docker's own. */
  readonly Healthcheck?: unknown;
  /** Docker's own: what runs texts. */
  readonly Shell?: readonly string[];
}

/** How one layer, or none, came about. */
export interface HistoryEntry {
  /** RFC 3339. */
  readonly created?: string;
  /** The command. */
  readonly created_by?: string;
  /** Who made it. */
  readonly author?: string;
  /** Free text. */
  readonly comment?: string;
  /** It added no layer. */
  readonly empty_layer?: boolean;
}

/** image-spec config.md. */
export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  /** Who made it. */
  readonly author?: string;
  /** As Go calls it. */
  readonly architecture: string;
  /** As Go calls it. */
  readonly os: string;
  /** Of the processor. */
  readonly variant?: string;
  /** How it is run. */
  readonly config?: ContainerConfig;
  /** The layers, lowest first. */
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly Digest[] };
  /** One entry for each layer, and for steps without one. */
  readonly history?: readonly HistoryEntry[];
}
