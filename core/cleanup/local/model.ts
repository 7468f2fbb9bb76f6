/** What is to be cleaned up on this machine. */
export type LocalCleanupRequest =
  /** `dimg cleanup`: leftovers of all projects: blobs nothing names, unpacked layers of stages that are gone, memos not used for long. */
  | { readonly what: "leftovers" }
  /** `dimg stages cleanup local`: stages of the project, by the flags given. */
  | {
    readonly what: "stages";
    /** Stages that no image in this REPO needs, but young ones and those that a running build uses. */
    readonly improperRepoCache?: string;
    /** Go on although REPO holds no image of the project. @default false */
    readonly force?: boolean;
    /** Stages of another format of signatures. */
    readonly improperCacheVersion?: boolean;
  }
  /** `dimg flush local` and `dimg stages flush local`: what the project has here. */
  | {
    readonly what: "flush";
    readonly images: boolean;
    readonly stages: boolean;
    /** dimgs by glob patterns; stages that other dimgs need as well stay. @default all */
    readonly patterns?: readonly string[];
  }
  /** `dimg mrproper`: all projects. */
  | { readonly what: "everything"; readonly only?: "dev" | "cache-version" };

/** What a cleanup of this machine would do. JSON-printable. */
export interface LocalCleanupPlan {
  /** Directory of the store. */
  readonly home: string;
  /** What was asked for. */
  readonly request: LocalCleanupRequest;
  /** What was looked at, with its fate. */
  readonly rows: readonly LocalCleanupRow[];
  /** Bytes on disk that will be free. */
  readonly freedBytes: number;
  /** Remarks, one sentence each. */
  readonly notes: readonly string[];
}

/** One thing on this machine and its fate. */
export interface LocalCleanupRow {
  /** What it is. */
  readonly kind: "stage" | "docker image" | "directory";
  /** Signature, image name, path. */
  readonly name: string;
  /** Whether it goes. */
  readonly verdict: "keep" | "delete";
  /** One line. */
  readonly why: string;
  /** The project it belongs to, when it belongs to one. */
  readonly project?: string;
  /** `image/stage` of a stage. */
  readonly title?: string;
  /** Bytes on disk that would be free. */
  readonly bytes?: number;
}

/** What a cleanup of this machine did. */
export interface LocalCleanupReport {
  /** What went, in the order of the plan. */
  readonly removed: readonly LocalCleanupRow[];
  /** Bytes on disk that are free now. */
  readonly freedBytes: number;
  /** What was to go and stayed, with the reason. */
  readonly spared: readonly { readonly name: string; readonly why: string }[];
}

/** Whether what is remembered between builds goes as well, used or not. */
export function isReset(request: LocalCleanupRequest): boolean {
  return request.what === "everything" && request.only === undefined;
}
