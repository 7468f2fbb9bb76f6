import type {
  BrokenTag,
  InventoryImage,
  InventoryStage,
  InventoryTag,
  ManifestFacts,
  OtherTag,
} from "../contract/cleanup.ts";
import { labels, ociLabels, parseChain, SERVICE_TAG_PREFIX, stageTag } from "../contract/labels.ts";
import type { ListedTag } from "../contract/registry.ts";
import { type KnownManifest, neededBy } from "../protocol/manifest_facts.ts";
import { isSignature } from "../contract/signature.ts";
import { subjectInName } from "../protocol/subject_in_name.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What a tag is to the project. */
export type Classified =
  | { readonly kind: "image"; readonly image: InventoryImage }
  | { readonly kind: "stage"; readonly stage: InventoryStage }
  | { readonly kind: "other"; readonly other: OtherTag }
  | { readonly kind: "broken"; readonly broken: BrokenTag };

interface Surroundings {
  readonly project: string;
  /** RFC 3339. */
  readonly now: string;
  readonly listed: ListedTag;
  /** With the manifest and its children. */
  readonly facts: Readonly<Record<Digest, ManifestFacts>>;
}

/** Tells images, stages and what is not the project's apart, by the annotations of the manifest alone. */
export function classify(
  tag: InventoryTag & { readonly digest: Digest },
  { annotations }: KnownManifest,
  { project, now, listed, facts }: Surroundings,
): Classified {
  if (tag.tag.startsWith(SERVICE_TAG_PREFIX) || annotations[labels.removed] !== undefined) {
    return { kind: "other", other: { ...tag, kind: "service", needs: [] } };
  }
  const owner = annotations[labels.project];
  const signature = annotations[labels.signature] ?? "";
  const [recorded, pushed] = [validTime(annotations[ociLabels.created]), validTime(listed.pushedAt)];
  // What was recorded stays true when a tag is restored, or all is moved to another registry; a tag that somebody put
  // there by hand is as young as that.
  const publishedAt = isCopy(tag, annotations) ? laterOf(recorded, pushed) : recorded ?? pushed;
  const common = {
    ...tag,
    signature,
    bytes: bytesOf(tag.digest, facts),
    ...(listed.pulledAt !== undefined && { pulledAt: listed.pulledAt }),
  };
  if (owner === project && annotations[labels.dimg] === "true") {
    const copy = isCopy(tag, annotations);
    const chain = parseChain(annotations[labels.stages]);
    if (!chain) {
      const why = `Its annotation "${labels.stages}" cannot be read`;
      return { kind: "broken", broken: { ...tag, kind: "unreadable", why } };
    }
    const { [labels.commit]: commit, [labels.tree]: tree } = annotations;
    const image: InventoryImage = {
      ...common,
      publishedAt: publishedAt ?? now,
      dimg: annotations[labels.name] ?? tag.repository,
      scheme: copy ? "custom" : annotations[labels.scheme] ?? "",
      value: copy ? tag.tag : annotations[labels.value] ?? "",
      ownTag: copy ? tag.tag : annotations[ociLabels.version] ?? tag.tag,
      ...(commit && { commit }),
      ...(tree && { tree }),
      chain,
      ...(listed.pushedAt !== undefined && { pushedAt: listed.pushedAt }),
    };
    return { kind: "image", image };
  }
  const isStage = annotations[labels.dimg] === "false" && isSignature(signature) &&
    tag.tag === stageTag(signature);
  if (owner === project && isStage) {
    const previous = annotations[labels.previous];
    const stage: InventoryStage = {
      ...common,
      stage: annotations[labels.stage] ?? "",
      ...(publishedAt !== undefined && { publishedAt }),
      ...(previous && { previous }),
    };
    return { kind: "stage", stage };
  }
  // A copy under another name, or another project: whoever made it knows what it is for.
  const attachedTo = subjectInName(tag.tag);
  const other: OtherTag = {
    ...tag,
    kind: "foreign",
    ...(attachedTo && { attachedTo }),
    ...(owner && { project: owner }),
    needs: neededBy(annotations),
  };
  return { kind: "other", other };
}

/**
 * Whether a published image stands under a name that it was not published under: somebody put the tag there by hand, as
 * `skopeo copy` does, and what its branch or git tag becomes says nothing of that tag.
 */
export function isCopy(
  { repository, tag }: Pick<InventoryTag, "repository" | "tag">,
  annotations: KnownManifest["annotations"],
): boolean {
  const { [labels.name]: name = repository, [ociLabels.version]: published = tag } = annotations;
  return repository !== "" && repository !== name || tag !== published && tag !== `${name}-${published}`;
}

/** Bytes of a manifest with everything it refers to, each blob once. */
function bytesOf(digest: Digest, facts: Readonly<Record<Digest, ManifestFacts>>): number {
  const blobs = new Map<string, number>();
  const visit = (each: Digest) => {
    const found = facts[each];
    if (!found || blobs.has(each)) return;
    blobs.set(each, found.size);
    for (const [blob, size] of found.blobs) blobs.set(blob, size);
    found.children.forEach(visit);
  };
  visit(digest);
  return blobs.values().reduce((sum, size) => sum + size, 0);
}

function validTime(text: string | undefined): string | undefined {
  return text !== undefined && !Number.isNaN(Date.parse(text)) ? text : undefined;
}

function laterOf(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(a) > Date.parse(b) ? a : b;
}
