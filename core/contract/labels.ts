import { isObject } from "../../lib/guard.ts";
import { isSignature, type Signature } from "./signature.ts";

/**
 * Keys of labels (image config) and annotations (manifest) that dapp writes, beside the standard ones of the OCI image
 * specification (annotations.md). The first three are those of the old tool.
 */
export const labels = {
  /** Name of the project. Whatever does not carry it is not dapp's to delete. */
  project: "dapp",
  /** "true" for published images, "false" for stages. */
  dimg: "dapp-dimg",
  /** How the tag was made: `git_branch`, `custom`, ... */
  scheme: "dapp-tag-scheme",
  /** Name of the dimg; "" is the nameless one. */
  name: "dapp-dimg-name",
  /** What the tag was made from: the branch, the git tag, the text. */
  value: "dapp-tag-value",
  /** Commit of the project that was built; equals `org.opencontainers.image.revision`. */
  commit: "dapp-commit",
  /** Id of that commit's tree, which a squash or rebase keeps. */
  tree: "dapp-tree",
  /** Signature of the image's last stage, or of the stage. */
  signature: "dapp-signature",
  /** JSON, only as annotation: the stages of the image and of all images it stands on or imports from. See StageChain. */
  stages: "dapp-stages",
  /** Of a stage: its name. */
  stage: "dapp-stage",
  /** Of a stage: signature of the one before it; absent for the first. */
  previous: "dapp-previous",
  /** Of dapp's own bookkeeping: `repository` names one of a dimg, `service` is what builds and cleanups tell each other. */
  service: "dapp-service-kind",
  /** Of what a tag is moved to while it is being removed, so that its manifest stays for others. */
  removed: "dapp-removed-tag",
  /** Of a manifest that was stored once more, since the registry had lost it: makes it another one. */
  again: "dapp-again",
} as const;

/** Standard annotations of the OCI image specification that dapp writes. */
export const ociLabels = {
  created: "org.opencontainers.image.created",
  revision: "org.opencontainers.image.revision",
  version: "org.opencontainers.image.version",
  baseName: "org.opencontainers.image.base.name",
  baseDigest: "org.opencontainers.image.base.digest",
} as const;

/** Value of the `dapp-stages` annotation: every stage that an image is made of, those of other images included. */
export type StageChain = readonly {
  /** `artifact:NAME` for artifacts. */
  readonly image: string;
  readonly stages: readonly {
    readonly stage: string;
    readonly signature: string;
    /** Milliseconds that building it took, where known. */
    readonly ms?: number;
    /** Compressed bytes that it added, where known. */
    readonly bytes?: number;
  }[];
}[];

/** Reads the annotation `dapp-stages`; empty when there is none, undefined when it cannot be read. */
export function parseChain(text: string | undefined): StageChain | undefined {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return isChain(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isChain(value: unknown): value is StageChain {
  return Array.isArray(value) &&
    value.every((image) =>
      isObject(image) && typeof image.image === "string" && Array.isArray(image.stages) &&
      image.stages.every((stage) =>
        isObject(stage) && typeof stage.stage === "string" && typeof stage.signature === "string" &&
        isSignature(stage.signature)
      )
    );
}

/** Tag of a stage in REPO. */
export function stageTag(signature: string): string {
  return `${STAGE_TAG_PREFIX}${signature}`;
}

/** The signature in the tag of a stage; undefined in any other tag. */
export function signatureIn(tag: string): Signature | undefined {
  const signature = tag.startsWith(STAGE_TAG_PREFIX) ? tag.slice(STAGE_TAG_PREFIX.length) : "";
  return isSignature(signature) ? signature : undefined;
}

/** What tags of stages start with; no image may be published under such a tag. */
export const STAGE_TAG_PREFIX = "dimgstage-";
/** What tags of dapp's own bookkeeping start with; their number grows with the dimgs, not with the builds. */
export const SERVICE_TAG_PREFIX = "dappservice-";
/** What tags in REPO start with that note a repository below it, so that cleanup finds images of dimgs that are gone. */
export const REPOSITORY_TAG_PREFIX = `${SERVICE_TAG_PREFIX}dimg-`;
