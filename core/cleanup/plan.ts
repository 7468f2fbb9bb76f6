import type { Digest } from "../../lib/oci/digest.ts";

/** The rule by which tags go that a builder needed for a step, when nobody came to remove them. */
export const FORGOTTEN = "forgotten";

/** The rule by which tags go that a cleanup was removing when it was stopped. */
export const LEFT = "left by a cleanup";

/** The rule by which stages of the old tool go, which carry the project's label in their configuration alone. */
export const OLD_STAGE = "old stage";

/** The rule by which signatures, attestations and lists of referrers go with their image. */
export const ATTACHED = "attached";

/** What kind of tag it is. */
export type TagKind = "image" | "stage" | "foreign" | "service" | "broken";

/** One tag with its fate. */
export interface PlannedRemoval {
  /** What stands under the tag. */
  readonly kind: TagKind;
  /** "" is REPO itself, any other name is below it. */
  readonly repository: string;
  /** What stands after the ":". */
  readonly tag: string;
  /** The full name with tag. */
  readonly reference: string;
  /** What the tag points at, when that is known. */
  readonly digest?: Digest;
  /** Whether it goes. */
  readonly verdict: "keep" | "delete";
  /** What the rule is called. */
  readonly rule: string;
  /** The case at hand, one line. */
  readonly why: string;
  /** The plugin that gave the reason. */
  readonly plugin?: string;
  /** From what decides to the tag: branch, commit, image, stage. For what goes: what it was. */
  readonly chain: readonly string[];
  /** Further reasons. */
  readonly also?: readonly { readonly plugin: string; readonly rule: string; readonly why: string }[];
  /** Of a stage. */
  readonly signature?: string;
  /** Whether the digest is from an earlier run. */
  readonly remembered?: true;
  /** Of an image: name of its dimg. */
  readonly dimg?: string;
  /** Of an image. */
  readonly scheme?: string;
  /** The git commit, when it is known. */
  readonly commit?: string;
  /** RFC 3339, when it was published, where that is known. */
  readonly time?: string;
  /** Compressed bytes with everything that it refers to. */
  readonly bytes?: number;
}

/** Tags of one digest in one repository of which at least one goes, or one tag that names nothing. */
export interface RemovalGroup {
  /** "" is REPO itself, any other name is below it. */
  readonly repository: string;
  /** The manifest that these tags point at; absent for a tag that is listed and names nothing. */
  readonly digest?: Digest;
  /** Tags that go. */
  readonly remove: readonly string[];
  /** Tags at the same digest that stay. */
  readonly siblings: readonly string[];
  /** An index that stays refers to the manifest, so only tags may be taken off it. */
  readonly child: boolean;
  /** Manifests that only this index refers to; they go after it. */
  readonly children?: readonly Digest[];
}

/** What cleaning up will do. Plain data; `JSON.stringify` gives what `parseCleanupPlan` reads. */
export interface CleanupPlan {
  /** Of this document. */
  readonly format: 1;
  /** Name of the project. */
  readonly project: string;
  /** REPO in full. */
  readonly repo: string;
  /** RFC 3339, of the inventory. */
  readonly now: string;
  /** Every tag, kept or not, by reference. */
  readonly tags: readonly PlannedRemoval[];
  /** In the order in which they are to be removed: images, then stages from the top of each chain down. */
  readonly groups: readonly RemovalGroup[];
  /** Compressed bytes of what no manifest that stays refers to, each blob once. */
  readonly freedBytes: number;
  /** How many tags stay and go, by kind. */
  readonly counts: Readonly<Record<"keep" | "delete", Readonly<Record<TagKind, number>>>>;
  /** Worth saying: one sentence each. */
  readonly notes: readonly string[];
}
