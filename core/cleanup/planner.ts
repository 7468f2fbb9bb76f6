import type {
  BrokenTag,
  Inventory,
  InventoryImage,
  InventoryStage,
  InventoryTag,
  OtherTag,
} from "../contract/cleanup.ts";
import { SERVICE_TAG_PREFIX, signatureIn, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import { BlobCount } from "./blob_count.ts";
import { evict } from "./budget.ts";
import type { GivenKeep } from "./policies.ts";
import { type AnyTag, placeOf, tagsAt } from "./places.ts";
import { removalGroups } from "./groups.ts";
import { addFixedRoots, Needs, short } from "./stage_roots.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { isForgottenSpare } from "../protocol/spare_tags.ts";
import {
  ATTACHED,
  type CleanupPlan,
  FORGOTTEN,
  LEFT,
  OLD_STAGE,
  type PlannedRemoval,
  type TagKind,
} from "./plan.ts";

/** What a cleanup is asked to do. */
export interface PlanOptions {
  /** Whether images may go. @default true */
  readonly images?: boolean;
  /** `unneeded`: stages that nothing kept stands on; `all`: every one, as flush wants it. @default "none" */
  readonly stages?: "none" | "unneeded" | "all";
  /** Names of the dimgs whose images may go; undefined = all, also of dimgs that no longer exist. */
  readonly dimgs?: readonly string[];
  /** Stages younger than this stay, with all they stand on, milliseconds. @default 2 hours, 0 for `all` */
  readonly graceMs?: number;
  /** Bytes that stages may take beside what images take anyway; more of them go when there are more. */
  readonly budgetBytes?: number;
  /** Nobody was asked for reasons to keep. */
  readonly flush?: boolean;
  /** Worth saying with the plan, one sentence each. */
  readonly notes?: readonly string[];
  /** Stages of the old tool that are to go, by reference, with why. */
  readonly legacy?: ReadonlyMap<string, string>;
  /** Images of the project that earlier cleanups removed, as `placeOf` calls them. */
  readonly removed?: ReadonlySet<string>;
  /** Signatures that builds rely on at this moment, with who says so. */
  readonly leased?: ReadonlyMap<string, string>;
}

/** Stages younger than this stay: a build may be on its way to using them. Milliseconds. */
const DEFAULT_GRACE_MS = 2 * 3_600_000;

type Fate = Pick<PlannedRemoval, "verdict" | "rule" | "why" | "chain" | "plugin" | "also">;

/**
 * Decides what goes: images that nobody gives a reason to keep, and stages that nothing kept stands on. Pure.
 *
 * Chains follow recorded signatures. What is not the project's is never touched. While the chain of any image cannot
 * be read, no stage goes.
 */
export function planCleanup(
  inventory: Inventory,
  keeps: readonly GivenKeep[],
  options: PlanOptions = {},
): CleanupPlan {
  return new Planner(inventory, keeps, options).plan();
}

class Planner {
  readonly #fates = new Map<string, Fate>();
  readonly #reasons: ReadonlyMap<string, readonly GivenKeep[]>;
  /** What was not quite a reason. */
  readonly #nearly: ReadonlyMap<string, readonly GivenKeep[]>;
  readonly #notes: string[];
  #standing: ReadonlyMap<string, readonly AnyTag[]> | undefined;
  /** An image of which nobody knows what it stands on: then no stage goes. */
  readonly #unreadable: BrokenTag | undefined;

  constructor(
    readonly inventory: Inventory,
    keeps: readonly GivenKeep[],
    readonly options: PlanOptions,
  ) {
    this.#reasons = Map.groupBy(keeps.filter((keep) => !keep.nearly), ({ reference }) => reference);
    this.#nearly = Map.groupBy(keeps.filter((keep) => keep.nearly), ({ reference }) => reference);
    this.#notes = [...options.notes ?? []];
    this.#unreadable = inventory.broken.find((tag) =>
      mayStandOnStages(tag) && !tag.tag.startsWith(STAGE_TAG_PREFIX)
    );
  }

  plan(): CleanupPlan {
    const { images, stages, others, broken } = this.inventory;
    for (const image of images) this.#fates.set(image.reference, this.#imageFate(image));
    const needs = this.#needs();
    this.#decideStages(needs);
    for (const other of others) this.#otherFate(other);
    this.#decideBroken(needs);

    this.#noteLocked();
    this.#noteUnreadable();
    const tags = [
      ...images.map((image) => this.#planned("image", image, detailsOf(image))),
      ...stages.map((stage) =>
        this.#planned("stage", stage, { signature: stage.signature, ...detailsOf(stage) })
      ),
      ...others.map((other) => this.#planned(other.kind, other)),
      ...broken.map((each) => this.#planned("broken", each)),
    ].sort((a, b) => a.reference < b.reference ? -1 : 1);
    return {
      format: 1,
      project: this.inventory.project,
      repo: this.inventory.repo,
      now: this.inventory.now,
      tags,
      groups: removalGroups(tags, this.inventory),
      freedBytes: this.#freed(tags),
      counts: countsOf(tags),
      notes: this.#notes,
    };
  }

  #planned(
    kind: TagKind,
    { repository, tag, reference, digest, remembered }: InventoryTag & { readonly digest?: Digest },
    details?: Partial<PlannedRemoval>,
  ): PlannedRemoval {
    return {
      kind,
      repository,
      tag,
      reference,
      ...(digest && { digest }),
      ...this.#fates.get(reference)!,
      ...(remembered && { remembered }),
      ...details,
    };
  }

  /** What would go, were it not for a rule of the registry. */
  #noteLocked(): void {
    const locked = [...this.#fates.values()].filter(({ rule }) => rule === "locked");
    for (const [why, fates] of Map.groupBy(locked, (fate) => fate.why)) {
      const tags = fates.length === 1
        ? "1 tag that nothing here keeps stays"
        : `${fates.length} tags that nothing here keeps stay`;
      this.#notes.push(`${tags}: ${why}`);
    }
  }

  /** What nobody could look at, unless it was named as what keeps stages. */
  #noteUnreadable(): void {
    const tags = this.inventory.broken.filter(({ kind }) => kind === "unreadable");
    const [first] = tags;
    if (!first || this.#notes.some((note) => note.includes(first.why))) return;
    const stay = tags.length === 1 ? "1 tag stays that" : `${tags.length} tags stay that`;
    this.#notes.push(`${stay} cannot be read, ${first.reference} for one: ${first.why}`);
  }

  #imageFate(image: InventoryImage): Fate {
    const was = [
      `${schemeTitle(image.scheme)} ${image.value}`,
      ...image.commit ? [`commit ${image.commit.slice(0, 12)}`] : [],
      `image ${image.reference}`,
    ];
    const keep = (rule: string, why: string): Fate => ({ verdict: "keep", rule, why, chain: [why, ...was] });
    if (this.options.images === false) return keep("not asked for", "only stages are asked for");
    const { dimgs } = this.options;
    if (dimgs && !dimgs.includes(image.dimg)) {
      return keep("not selected", `dimg "${image.dimg}" is not selected`);
    }
    const [first, ...also] = this.#reasons.get(image.reference) ?? [];
    if (first) {
      return {
        ...keep(first.rule, first.why),
        plugin: first.plugin,
        ...(also.length > 0 && { also: also.map(({ plugin, rule, why }) => ({ plugin, rule, why })) }),
      };
    }
    if (image.locked !== undefined) return keep("locked", image.locked);
    if (this.options.flush) {
      return { verdict: "delete", rule: "flush", why: "all images are to go", chain: was };
    }
    const [nearest, ...more] = this.#nearly.get(image.reference) ?? [];
    if (nearest) {
      const { rule, why, plugin } = nearest;
      const others = more.map(({ plugin, rule, why }) => ({ plugin, rule, why }));
      return { verdict: "delete", rule, why, chain: was, plugin, ...(others.length > 0 && { also: others }) };
    }
    const why = `no policy is about ${schemeTitle(image.scheme)} "${image.value}"`;
    return { verdict: "delete", rule: "nobody keeps it", why, chain: was };
  }

  #otherFate(other: OtherTag): Fate {
    const { reference, kind, project, attachedTo } = other;
    const known = this.#fates.get(reference);
    if (known) return known;
    const stay = kind === "service"
      ? "dapp keeps its books in it"
      : project !== undefined && project !== this.inventory.project
      ? `it belongs to project "${project}"`
      : `it does not carry the label of project "${this.inventory.project}"`;
    // Names can go round in a circle: then all of them stay.
    const kept: Fate = { verdict: "keep", rule: kind, why: stay, chain: [stay] };
    this.#fates.set(reference, kept);
    const going = (rule: string, why: string): Fate => ({ verdict: "delete", rule, why, chain: [why] });
    const old = this.options.legacy?.get(reference);
    const fate = old !== undefined
      ? going(OLD_STAGE, old)
      : isLeft(other) && other.locked === undefined
      ? going(LEFT, "a cleanup that was stopped had begun to remove it")
      : attachedTo && this.#attachedFate(other, attachedTo) ||
        (isForgottenSpare(other.tag, Date.parse(this.inventory.now))
          ? going(FORGOTTEN, "a builder needed it for a step that has long ended")
          : kept);
    this.#fates.set(reference, fate);
    return fate;
  }

  /** What belongs to an image of the project stays and goes with it; undefined where the image is not known. */
  #attachedFate({ repository, locked }: OtherTag, subject: Digest): Fate | undefined {
    const place = placeOf(repository, subject);
    const above = (this.#standing ??= tagsAt(this.inventory)).get(place) ?? [];
    const [first] = above;
    if (!first) {
      const left = this.options.removed?.has(place) && !this.options.dimgs &&
        this.options.images !== false && locked === undefined;
      if (!left) return undefined;
      const why = "the image it belongs to was removed by an earlier cleanup";
      return { verdict: "delete", rule: ATTACHED, why, chain: [why] };
    }
    const fateOf = (tag: AnyTag) => "needs" in tag ? this.#otherFate(tag) : this.#fates.get(tag.reference);
    const goes = above.every((tag) => fateOf(tag)?.verdict === "delete");
    const why = goes ? `it belongs to ${first.reference}, which goes` : `it belongs to ${first.reference}`;
    return { verdict: goes && locked === undefined ? "delete" : "keep", rule: ATTACHED, why, chain: [why] };
  }

  #needs(): Needs {
    const { images, stages } = this.inventory;
    const needs = new Needs(stages);
    const kept = new Map([...this.#reasons].map(([reference, [first]]) => [reference, first!]));
    addFixedRoots(needs, this.inventory, {
      graceMs: this.options.graceMs ?? (this.options.stages === "all" ? 0 : DEFAULT_GRACE_MS),
      leased: this.options.leased ?? new Map(),
      kept,
    });
    if (this.options.stages === "all" && !this.options.dimgs) return needs;
    for (const image of images) {
      const fate = this.#fates.get(image.reference)!;
      if (fate.verdict === "keep") needs.addImage(image, fate.chain);
    }
    return needs;
  }

  #decideStages(needs: Needs): void {
    const { stages } = this.inventory;
    const unreadable = this.#unreadable;
    const asked = (this.options.stages ?? "none") !== "none";
    // Also where all stages of the project are to go: it may be another project's image.
    if (unreadable && asked) {
      this.#notes.push(
        `No stage goes: what ${unreadable.reference} stands on cannot be read. ${unreadable.why}`,
      );
    }
    for (const stage of stages) {
      const named = `stage ${stage.stage} ${short(stage.signature)}`;
      const need = needs.get(stage.signature);
      const keep = (rule: string, why: string): Fate => ({ verdict: "keep", rule, why, chain: [why, named] });
      const fate: Fate = !asked
        ? keep("not asked for", "stages go with --with-stages only")
        : need
        ? { verdict: "keep", rule: need.rule, why: need.why, chain: need.chain }
        : unreadable
        ? keep("unreadable image", `what ${unreadable.reference} stands on cannot be read`)
        : {
          verdict: "delete",
          rule: this.options.stages === "all" ? "flush" : "nothing needs it",
          why: this.options.stages === "all" ? "all stages are to go" : "no image that stays stands on it",
          chain: [named],
        };
      this.#fates.set(stage.reference, fate);
    }
    if (this.options.budgetBytes !== undefined && this.options.stages === "unneeded" && !unreadable) {
      this.#applyBudget(needs, this.options.budgetBytes);
    }
  }

  #applyBudget(needs: Needs, budgetBytes: number): void {
    const stays = (tag: { readonly reference: string }) => this.#fates.get(tag.reference)?.verdict === "keep";
    const count = new BlobCount(this.inventory.manifests);
    for (const tag of this.#all()) {
      if (this.#fates.get(tag.reference)?.verdict !== "delete" && tag.digest) count.hold(tag.digest);
    }
    const evicted = evict({
      budgetBytes,
      stages: this.inventory.stages.filter(stays),
      evictable: (stage) => needs.get(stage.signature)?.evictable === true,
      images: this.inventory.images.filter(stays),
      count,
    });
    for (const { stage, why } of evicted) {
      const chain = [why, `stage ${stage.stage} ${short(stage.signature)}`];
      this.#fates.set(stage.reference, { verdict: "delete", rule: "budget", why, chain });
    }
  }

  /**
   * A damaged tag goes only when it is a stage that no image needs that stays, ours or another's, and that our images or
   * stages name. Of one that names nothing nobody can tell whose it was, nor use it.
   */
  #decideBroken(needs: Needs): void {
    const { images, stages, broken, others } = this.inventory;
    if (broken.length === 0) return;
    const ours = new Set([
      ...images.flatMap((i) => [i.signature, ...i.chain.flatMap((c) => c.stages.map((s) => s.signature))]),
      ...stages.flatMap((s) => s.previous ? [s.previous] : []),
    ]);
    const theirs = new Set(others.flatMap((other) => other.needs));
    for (const tag of broken) {
      const signature = (tag.repository === "" ? signatureIn(tag.tag) : undefined) ?? "";
      const known = tag.digest === undefined
        ? tag.kind === "missing" && signature !== ""
        : tag.kind !== "unreadable" && ours.has(signature);
      const sure = known && tag.locked === undefined && !theirs.has(signature);
      const unneeded = (this.options.stages ?? "none") !== "none" && !needs.get(signature);
      this.#fates.set(
        tag.reference,
        sure && unneeded && !this.#unreadable
          ? { verdict: "delete", rule: "broken", why: `nothing needs it. ${tag.why}`, chain: [tag.why] }
          : { verdict: "keep", rule: "broken", why: tag.why, chain: [tag.why] },
      );
    }
  }

  #all(): readonly { readonly reference: string; readonly digest?: Digest }[] {
    const { images, stages, others, broken } = this.inventory;
    return [...images, ...stages, ...others, ...broken];
  }

  #freed(tags: readonly PlannedRemoval[]): number {
    if (!tags.some(({ verdict }) => verdict === "delete")) return 0;
    const count = new BlobCount(this.inventory.manifests);
    for (const { digest } of tags) if (digest) count.hold(digest);
    let bytes = 0;
    for (const { digest, verdict } of tags) {
      if (digest && verdict === "delete") bytes += count.release(digest);
    }
    return bytes;
  }
}

/** Whether a tag is at what it was moved to in order to be removed: all else of dapp's own has names of its own. */
function isLeft({ kind, tag }: OtherTag): boolean {
  return kind === "service" && !tag.startsWith(SERVICE_TAG_PREFIX);
}

/** Whether a tag may be an image of which nobody can tell at this moment what it stands on. */
export function mayStandOnStages({ kind, seenBefore }: BrokenTag): boolean {
  return kind === "unreadable" || !seenBefore;
}

function schemeTitle(scheme: string): string {
  return { git_branch: "branch", git_tag: "git tag", git_commit: "commit" }[scheme] ??
    `${scheme || "no"} scheme`;
}

/** What else a plan says of an image or stage. */
function detailsOf(
  tag: InventoryImage | InventoryStage,
): Pick<PlannedRemoval, "dimg" | "scheme" | "commit" | "time" | "bytes"> {
  const { publishedAt: time, bytes } = tag;
  return {
    ...("dimg" in tag && { dimg: tag.dimg, scheme: tag.scheme, ...(tag.commit && { commit: tag.commit }) }),
    ...(time !== undefined && { time }),
    bytes,
  };
}

function countsOf(tags: readonly PlannedRemoval[]): CleanupPlan["counts"] {
  const zero = (): Record<TagKind, number> => ({ image: 0, stage: 0, foreign: 0, service: 0, broken: 0 });
  const counts = { keep: zero(), delete: zero() };
  for (const { verdict, kind } of tags) counts[verdict][kind]++;
  return counts;
}
