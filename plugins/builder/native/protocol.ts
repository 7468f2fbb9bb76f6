/** Messages between the builder and its helper processes: one JSON document a line. */
import type { Digest, LayerCompression, StepNetwork } from "../../../core/contract/plugin.ts";
import type { LayerIndex } from "../../../lib/layer/index.ts";
import type { DirMeta, LayerMeta } from "./cache.ts";

/** A host directory or file bound into a step. */
export interface MountSpec {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** It is to be made first, in memory, and to hold so many bytes. */
  readonly memory?: number;
}

/** How to make the file system of a step. Paths are absolute, but for those below `l/`. */
export interface RootfsSpec {
  /** Directory with `l/`. */
  readonly native: string;
  /** Working directory of this step, empty. */
  readonly run: string;
  /** Directories of unpacked layers and their skeletons, lowest first, below `l/`, without repetition. */
  readonly lower: readonly string[];
  /** Metadata of "/". */
  readonly root: DirMeta;
  readonly mounts: readonly MountSpec[];
  readonly network: StepNetwork;
  readonly rootless: boolean;
}

export interface RunRequest extends RootfsSpec {
  readonly op: "run";
  readonly label: string;
  readonly commands: readonly string[];
  /** Seen as files of mode 0400 in memory; contents are base64. */
  readonly secrets: readonly { readonly target: string; readonly content: string }[];
  readonly env: Readonly<Record<string, string>>;
  readonly epoch: number;
  readonly compression: LayerCompression;
  /** Threads for compression. */
  readonly threads: number;
  /** Where the compressed layer goes. */
  readonly blob: string;
  /** Keep the step's directory when a command fails, for a shell. */
  readonly keepFailed: boolean;
}

export interface ShellRequest extends RootfsSpec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly user: string;
  readonly label: string;
  /** The terminal on standard input, to be seen as /dev/console. */
  readonly terminal?: string;
}

export interface UnpackRequest {
  readonly op: "unpack";
  readonly native: string;
  readonly run: string;
  readonly name: string;
  readonly diffId: Digest;
  readonly blob: string;
  /** Whether the blob is a tar, which may begin as compressed data does. If not, its first bytes say what it is. */
  readonly tar: boolean;
  readonly rootless: boolean;
  /** Keep it as an image, if that can be. */
  readonly image: boolean;
  /** Metadata for directories that the layer does not describe, one for each of `implicit`. */
  readonly dirs?: Readonly<Record<string, DirMeta>>;
}

/** Makes a directory of a layer's image. */
export interface SpreadRequest {
  readonly op: "spread";
  /** Where to work, on the same file system. */
  readonly run: string;
  /** The layer's directory in the cache. */
  readonly layer: string;
}

/** Metadata that layers below, at `dir` from `l/`, give to the `implicit` directories of one; undefined where none has it. */
export interface InheritRequest {
  readonly op: "inherit";
  readonly native: string;
  readonly lower: readonly { readonly dir: string; readonly implicit: readonly string[] }[];
  readonly paths: readonly string[];
  readonly rootless: boolean;
}

/** Removes directories that an ordinary user cannot. */
export interface RemoveRequest {
  readonly op: "remove";
  readonly paths: readonly string[];
}

/** Compresses a small tar. */
export interface CompressRequest {
  readonly op: "compress";
  readonly tar: string;
  /** Where the compressed layer goes. */
  readonly blob: string;
  readonly compression: LayerCompression;
}

/** Flushes unpacked layers that may be in memory only, and marks them. */
export interface SyncRequest {
  readonly op: "sync";
  readonly native: string;
}

/** Kills what the step with this request id runs. */
export interface AbortRequest {
  readonly op: "abort";
  readonly target: number;
}

export type HelperRequest =
  | RunRequest
  | UnpackRequest
  | SpreadRequest
  | InheritRequest
  | RemoveRequest
  | CompressRequest
  | SyncRequest
  | AbortRequest;

export interface Captured {
  /** Undefined when the step changed nothing. */
  readonly layer?: { readonly name: string; readonly meta: LayerMeta; readonly index: LayerIndex };
}

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  readonly mediaType: string;
}

export interface WireError {
  /** Catalogued code, when the failure is one that people can act on. */
  readonly code?: string;
  readonly message: string;
  readonly fix?: string;
  /** Which command of a step failed. */
  readonly command?: number;
}

/** A request with its number. */
export type Numbered = HelperRequest & { readonly id: number };

/** What a helper answers; `id` is that of the request, whose last reply is `done` or `failed`. */
export type HelperReply =
  | { readonly kind: "ready" }
  | {
    readonly kind: "output";
    readonly id: number;
    readonly stream: "stdout" | "stderr";
    readonly text: string;
  }
  /** The step's layer is in the cache, `done` with a `StoredBlob` follows once it is compressed. */
  | { readonly kind: "captured"; readonly id: number; readonly value: Captured }
  | { readonly kind: "done"; readonly id: number; readonly value?: unknown }
  | { readonly kind: "failed"; readonly id: number; readonly error: WireError };
