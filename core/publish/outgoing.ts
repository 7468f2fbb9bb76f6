import type { ImageNode } from "../sign/graph.ts";
import type { TagFacts } from "./image_document.ts";
import type { ImageTarget } from "./names.ts";
import type { BuiltImage } from "../contract/results.ts";
import type { OwnedTag } from "./tags.ts";
import type { TagWish } from "../contract/tagging.ts";
import type { BuildOptions } from "../build/introspect.ts";
import type { Signature } from "../contract/signature.ts";

/** One dimg under one tag, on its way out. */
export interface OutgoingTag {
  readonly tag: OwnedTag;
  readonly target: ImageTarget;
  /** The full name with tag. */
  readonly reference: string;
  readonly facts: TagFacts;
}

/** One dimg with all its tags. `images`: one for each platform; empty when a dry run builds it. */
export interface OutgoingImage {
  readonly node: ImageNode;
  readonly signature: Signature;
  readonly tags: readonly OutgoingTag[];
  readonly images: readonly BuiltImage[];
}

/** How references are made from targets. */
export interface Naming {
  readonly naming: "nested" | "flat";
  reference(target: ImageTarget): string;
  /** Told of the names as soon as they are known. */
  named?(targets: readonly ImageTarget[]): void;
}

/** What to publish, and how; what a build is asked for counts with `build`. */
export interface PushOptions extends BuildOptions {
  /** Where to. @default `repo` of the engine, else of the dappfile */
  readonly repo?: string;
  /** Which tags. @default one: `{ flag: "tag-plain", value: "latest" }` */
  readonly tags?: readonly TagWish[];
  /** Publish the stages first. @default false */
  readonly withStages?: boolean;
  /** One dimg, under REPO:TAG whatever its name (`spush`). @default false */
  readonly single?: boolean;
  /** Build first; stages go up while later ones are built (`bp`). @default false */
  readonly build?: boolean;
}
