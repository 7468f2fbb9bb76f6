import type { Inventory } from "../contract/cleanup.ts";
import { EngineError } from "../contract/errors.ts";
import { STAGE_TAG_PREFIX, stageTag } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import type { ApplyOptions, ApplyReport, Leftover, TagOutcome, TagResult } from "./apply_model.ts";
import { PROTOCOL } from "../protocol/clock.ts";
import { readInventory } from "./inventory.ts";
import { leasedBy, readLeases, removeIdleSlots, validLeases } from "../protocol/leases.ts";
import { MarkWatch } from "../protocol/mark_watch.ts";
import { type Mark, mayMark, mayRemove, readMark, retractMark, writeMark } from "../protocol/marks.ts";
import { ATTACHED, type CleanupPlan, type PlannedRemoval, type RemovalGroup } from "./plan.ts";
import { subjectInName } from "./classify.ts";
import { clearListed } from "./clear_listed.ts";
import { dropLeftovers } from "./leftovers.ts";
import type { JournalEntry } from "./journal.ts";
import { CannotDelete, removeGroup } from "./removal.ts";
import { addFixedRoots, Needs } from "./stage_roots.ts";
import { Throttle } from "./throttle.ts";
import { knownOf } from "../protocol/manifest_facts.ts";

export type * from "./apply_model.ts";

/**
 * Does what a plan says, with everything looked at once more: a tag that moved stays, a digest keeps its other tags,
 * and stages go only by the protocol that docs/protocol.md describes, after builds had time to object. It can be stopped
 * and started again with the same plan at any time.
 *
 * A registry that deletes nothing ends the run with one message, `outcome: "impossible"`.
 *
 * @throws {EngineError} USAGE when the plan is for another REPO; REGISTRY_DENIED and REGISTRY_FAILED when the registry
 * cannot be read; STORE_FAILED when the journal cannot be written
 */
export async function applyPlan(plan: CleanupPlan, options: ApplyOptions): Promise<ApplyReport> {
  const { name } = options.backend.repository("");
  if (name !== plan.repo) {
    throw new EngineError(
      "USAGE",
      `Cannot apply the plan: it was made for "${plan.repo}", this is "${name}"`,
      { fix: "Make a new plan: dapp dimg cleanup repo REPO --dry-run --json > FILE" },
    );
  }
  for (const { repository, tag, reference } of plan.tags) {
    if (`${options.backend.repository(repository).name}:${tag}` === reference) continue;
    throw new EngineError(
      "USAGE",
      `Cannot apply the plan: it calls tag "${tag}" of repository "${repository}" "${reference}"`,
      { fix: "Make a new plan: dapp dimg cleanup repo REPO --dry-run --json > FILE" },
    );
  }
  return await new Applier(plan, options).run();
}

class Applier {
  readonly #results = new Map<string, TagResult>();
  readonly #tags: ReadonlyMap<string, PlannedRemoval>;
  readonly #going: readonly PlannedRemoval[];
  /** Manifests that lost their tags in this run. */
  readonly #leftovers: Leftover[] = [];
  /** Those that earlier runs have left. */
  readonly #pending: readonly Leftover[];
  readonly #throttle: Throttle;
  readonly #start: number;

  constructor(readonly plan: CleanupPlan, readonly options: ApplyOptions) {
    this.#tags = new Map(plan.tags.map((tag) => [key(tag.repository, tag.tag), tag]));
    this.#going = plan.tags.filter(({ verdict }) => verdict === "delete");
    // What has its tag again is no leftover.
    const left = (options.pending ?? []).filter(({ repository, tag }) =>
      !this.#tags.has(key(repository, tag!))
    );
    this.#pending = left.map(leftoverOf);
    this.#start = options.clock.now();
    this.#throttle = new Throttle({
      parallel: options.parallel ?? 8,
      clock: options.clock,
      signal: options.signal,
      onLimited: (limit) => options.onEvent?.({ type: "limited", ...limit }),
    });
  }

  async run(): Promise<ApplyReport> {
    const { backend, signal } = this.options;
    if (this.#going.length === 0 && this.#pending.length === 0) return this.#report("complete");
    if (backend.capabilities.deletion === "none") {
      return this.#report(
        "impossible",
        `Cannot delete from ${this.plan.repo}: this registry deletes nothing`,
      );
    }
    try {
      const { image = [], attached = [], stage = [] } = Object.groupBy(this.plan.groups, (group) => {
        const planned = this.#planned(group, group.remove[0]!);
        return planned?.kind === "image" ? "image" : planned?.rule === ATTACHED ? "attached" : "stage";
      });
      await this.#removeImages(image);
      await this.#removeStages(stage);
      await this.#removeAttached(attached);
      await this.#clearListed();
    } catch (error) {
      if (error instanceof CannotDelete) return this.#report("impossible", error.message, error.fix);
      if (signal.aborted) return this.#report("interrupted", "Interrupted; run it again to go on");
      throw error;
    }
    const results = [...this.#results.values()];
    const stays = results.filter(({ outcome, why }) => outcome === "deleted" && why !== undefined);
    const left = results.some(({ outcome }) =>
      outcome === "failed" || outcome === "refused" || outcome === "not tried"
    );
    if (stays.length === 0) return this.#report(left ? "partial" : "complete");
    const what = stays.length === 1
      ? "1 image that lost its tags takes"
      : `${stays.length} images that lost their tags take`;
    return this.#report(
      "partial",
      `${what} space all the same: ${stays[0]!.why}`,
      "Give this login the right that is missing; what has lost its tags can be deleted in the registry itself",
    );
  }

  async #removeImages(groups: readonly RemovalGroup[]): Promise<void> {
    const mayRemove = () => true;
    await this.#removeAll(groups, { spare: () => undefined, mayRemove });
    await this.#dropLeftovers(this.#pending.filter(({ tags }) => !tags.some(isStageTag)), mayRemove);
  }

  /** What belongs to images goes after them, unless one has stayed or got another tag meanwhile. */
  async #removeAttached(groups: readonly RemovalGroup[]): Promise<void> {
    if (groups.length === 0) return;
    const { images, stages, others, broken, manifests } = await this.#look();
    const standing = new Set<string>();
    for (const { repository, digest } of [...images, ...stages, ...others, ...broken]) {
      if (!digest) continue;
      for (const each of [digest, ...manifests[digest]?.children ?? []]) {
        standing.add(`${repository}@${each}`);
      }
    }
    const mayRemove = () => true;
    await this.#removeAll(groups, {
      spare: ({ repository }, tag) => {
        const subject = subjectInName(tag);
        if (subject && !standing.has(`${repository}@${subject}`)) return undefined;
        return "its image has stayed, or has a tag again";
      },
      mayRemove,
    });
    await this.#dropLeftovers([], mayRemove);
  }

  /** In rounds, each with a mark of its own, until all are done. */
  async #removeStages(groups: readonly RemovalGroup[]): Promise<void> {
    let rest = groups;
    while (rest.length > 0) {
      const marked = await this.#markSome(rest);
      if (marked.unmarked) {
        rest = rest.filter((group) => !marked.groups.includes(group));
        continue;
      }
      const { mark, root, held } = marked;
      await using _ = held;
      let done: ReadonlySet<RemovalGroup>;
      try {
        done = await this.#removeMarked(marked.groups, mark);
      } catch (error) {
        // A removal under way takes effect soon or never; then others need not wait for this cleanup any more.
        const until = Math.min(mark.until, this.options.clock.now() + PROTOCOL.graceMs / 2);
        await this.#retract(mark, { until }, { root, signal: AbortSignal.timeout(5000) }).catch(() => {});
        throw error;
      }
      await this.#retract(mark, { active: false }, { root, signal: this.options.signal });
      rest = rest.filter((group) => !done.has(group));
    }
  }

  /** Takes this cleanup's mark back or shortens it, unless it ran out: then another's may be there. */
  async #retract(
    mark: Mark,
    change: Partial<Mark>,
    where: { root: Repository; signal: AbortSignal },
  ): Promise<void> {
    if (!mayRemove(mark, mark.id, this.options.clock.now() + this.#margin(mark))) return;
    await retractMark(where.root, { ...mark, ...change }, where.signal);
  }

  /** Time for a request to take effect while the mark still stands. */
  #margin(mark: Mark): number {
    return Math.min(PROTOCOL.graceMs / 2, (mark.until - mark.at) / 4);
  }

  async #removeMarked(groups: readonly RemovalGroup[], mark: Mark): Promise<ReadonlySet<RemovalGroup>> {
    const look = await this.#look();
    const spare = await this.#protection(look);
    const margin = this.#margin(mark);
    const inTime = () => mayRemove(mark, mark.id, this.options.clock.now() + margin);
    const done = await this.#removeAll(groups, {
      spare: (group, tag) => spare(this.#planned(group, tag)),
      mayRemove: inTime,
    });
    // A build may publish what an earlier run has left, unless the mark says so.
    const condemned = new Set(mark.condemned.map(stageTag));
    const left = this.#pending.filter(({ tags }) => tags.every((tag) => condemned.has(tag)));
    await this.#dropLeftovers(left, inTime);
    return done;
  }

  /** Deletes manifests that lost their tags, in this run or in one before; what could go with them alone is told now. */
  async #dropLeftovers(before: readonly Leftover[], inTime: () => boolean): Promise<void> {
    const { backend, clock, signal, journal } = this.options;
    const own = this.#leftovers.splice(0);
    if (backend.capabilities.deletion === "tag") return;
    const here = new Set(own.map(({ repository, digest }) => `${repository}@${digest}`));
    const leftovers = [...own, ...before.filter((l) => !here.has(`${l.repository}@${l.digest}`))];
    const done = await dropLeftovers(leftovers, {
      backend,
      repo: this.plan.repo,
      look: () => this.#look(),
      journal,
      throttle: this.#throttle,
      clock,
      signal,
      parallel: this.options.parallel ?? 8,
      mayRemove: inTime,
    });
    for (const leftover of own) {
      const result = done.get(leftover);
      for (const [tag, why] of leftover.inseparable) {
        const reference = `${backend.repository(leftover.repository).name}:${tag}`;
        if (result === "dropped") this.#note({ reference, outcome: "deleted" });
        else if (result) this.#note({ reference, outcome: "refused", why: `${why}; ${result.why}` });
      }
    }
  }

  /**
   * Marks as many stages as the registry has room for: where a quota is used up, what nobody needs of dapp's own
   * bookkeeping goes first, then fewer stages make a smaller mark. Their removal makes room for the others.
   */
  async #markSome(groups: readonly RemovalGroup[]) {
    const { backend, clock, signal } = this.options;
    const skewMs = this.options.skewMs ?? PROTOCOL.skewMs;
    let made = false;
    for (let some = groups;;) {
      try {
        return { ...await this.#mark(some), groups: some, unmarked: false } as const;
      } catch (error) {
        if (!(error instanceof EngineError) || !error.details.full) throw error;
        if (!made) {
          made = true;
          const freed = await removeIdleSlots(backend.repository(""), { now: clock.now(), skewMs, signal });
          if (freed > 0) continue;
        }
        if (some.length > 1) {
          some = some.slice(0, Math.ceil(some.length / 2));
          continue;
        }
        const tried = await this.#removeUnmarked(groups);
        if (!tried) throw error;
        return { groups: tried, unmarked: true } as const;
      }
    }
  }

  /**
   * Removes a stage without a mark, where there is no room for one: as long as that is so, nobody can publish anything
   * that would need it. Builds that publish from now on see a mark that they did not see before, and look at their stages.
   * Gives what was done or must stay; undefined when nothing could go.
   */
  async #removeUnmarked(groups: readonly RemovalGroup[]): Promise<readonly RemovalGroup[] | undefined> {
    const { backend, clock, signal } = this.options;
    const spare = await this.#protection(await this.#look());
    const tried: RemovalGroup[] = [];
    for (const group of groups) {
      tried.push(group);
      await this.#removeAll([group], {
        spare: (group, tag) => spare(this.#planned(group, tag)),
        mayRemove: () => true,
      });
      const { name } = backend.repository(group.repository);
      if (!group.remove.some((tag) => this.#results.get(`${name}:${tag}`)?.outcome === "deleted")) continue;
      const root = backend.repository("");
      const at = clock.now();
      // Where another cleanup is at work by now, builds have to see its mark.
      if (!mayMark(await readMark(root, signal), at, this.options.skewMs ?? PROTOCOL.skewMs)) return tried;
      const mark = { id: crypto.randomUUID(), active: false, at, until: at, condemned: [] };
      await writeMark(root, mark, signal);
      return tried;
    }
    return undefined;
  }

  /** Says which stages are to go, gives builds time to notice, and makes sure that no other cleanup is at work. */
  async #mark(groups: readonly RemovalGroup[]) {
    const { backend, clock, signal, onEvent } = this.options;
    const root = backend.repository("");
    const skewMs = this.options.skewMs ?? PROTOCOL.skewMs;
    const graceMs = this.options.graceMs ?? PROTOCOL.graceMs;
    const condemned = [
      ...groups.flatMap((group) =>
        group.remove.map((tag) => this.#planned(group, tag)?.signature ?? signatureIn(tag))
      ),
      ...this.#pending.flatMap(({ tags }) => tags.filter(isStageTag).map(signatureIn)),
    ];
    const { owners } = this.options;
    const watch = new MarkWatch({ clock, owners, settleMs: graceMs / 2 });
    for (let told = "";;) {
      const readAt = clock.now();
      const present = await watch.judge(await readMark(root, signal));
      if (present && !mayMark(present, clock.now(), skewMs)) {
        if (told !== present.id) {
          told = present.id;
          const ends = present.until + skewMs;
          onEvent?.({
            type: "waiting",
            ms: Math.max(0, ends - clock.now()),
            why: `another cleanup is at work, until ${new Date(ends).toISOString()} at most`,
          });
        }
        await clock.sleep(Math.min(PROTOCOL.pollMs, graceMs), signal);
        continue;
      }
      const at = clock.now();
      const windowMs = this.options.windowMs ?? PROTOCOL.windowMs;
      const until = at + graceMs + windowMs;
      const mark: Mark = { id: crypto.randomUUID(), active: true, at, until, condemned };
      let own = false;
      await using stack = new AsyncDisposableStack();
      if (owners) stack.use(await owners.hold(mark.id));
      try {
        await writeMark(root, mark, signal);
        const slow = clock.now() - readAt > PROTOCOL.graceMs / 2;
        onEvent?.({ type: "waiting", ms: graceMs, why: "builds are told which stages will go" });
        await clock.sleep(graceMs, signal);
        own = !slow && mayRemove(await readMark(root, signal), mark.id, clock.now());
        if (own) return { mark, root, held: stack.move() };
      } finally {
        if (!own) await this.#giveUp(mark, root).catch(() => {});
      }
    }
  }

  /** Takes back a mark by which nothing was removed, if it is still there: nobody need wait for it. */
  async #giveUp(mark: Mark, root: Repository): Promise<void> {
    const signal = AbortSignal.timeout(5000);
    if (!mayRemove(await readMark(root, signal), mark.id, this.options.clock.now())) return;
    await retractMark(root, { ...mark, active: false }, signal);
  }

  /** Why a stage must stay after all, by what REPO holds now: new images, leases, stages of others. */
  async #protection(look: Inventory): Promise<(planned: PlannedRemoval | undefined) => string | undefined> {
    const { backend, clock, signal } = this.options;
    const stages = look.stages;
    const needs = new Needs(stages);
    const skewMs = this.options.skewMs ?? PROTOCOL.skewMs;
    const leases = validLeases(await readLeases(backend.repository(""), signal), clock.now(), skewMs);
    const options = { graceMs: 0, leased: leasedBy(leases), kept: new Map() };
    addFixedRoots(needs, look, options);
    const known = new Map(
      this.plan.tags.map(({ reference, digest, verdict }) => [reference, { digest, verdict }]),
    );
    const images = look.images.map((image) => {
      const before = known.get(image.reference);
      return { image, isNew: before?.digest !== image.digest || before.verdict === "delete" };
    });
    const fixed = new Needs(stages);
    addFixedRoots(fixed, look, options);
    for (const { image, isNew } of images) {
      needs.addImage(image, []);
      if (isNew) fixed.addImage(image, []);
    }
    const unreadable = look.broken.find((tag) => {
      const gone = ["deleted", "gone"].includes(this.#results.get(tag.reference)?.outcome ?? "");
      return tag.kind !== "damaged" && !gone && known.get(tag.reference)?.verdict !== "keep";
    });
    return (planned) => {
      if (!planned) return "the plan does not say what it is";
      if (planned.rule !== "flush" && unreadable) {
        return `what ${unreadable.reference} stands on cannot be read`;
      }
      const signature = planned.signature ?? signatureIn(planned.tag);
      // What a budget takes away is needed by images that were there before; a flush asks for leases alone.
      const from = planned.rule === "budget" || planned.rule === "flush" ? fixed : needs;
      const need = from.get(signature);
      return need && !(planned.rule === "flush" && need.evictable) ? need.why : undefined;
    };
  }

  async #look(): Promise<Inventory> {
    const { backend, memo, signal, clock } = this.options;
    const { project } = this.plan;
    return await readInventory(backend, { project, memo, signal, verify: true, now: clock.now() });
  }

  async #removeAll(
    groups: readonly RemovalGroup[],
    rules: {
      readonly spare: (group: RemovalGroup, tag: string) => string | undefined;
      readonly mayRemove: () => boolean;
    },
  ): Promise<ReadonlySet<RemovalGroup>> {
    const done = new Set<RemovalGroup>();
    let failure: { readonly error: unknown } | undefined;
    const work = async (group: RemovalGroup) => {
      const { tags, leftover } = await removeGroup(group, {
        ...this.options,
        repo: this.plan.repo,
        run: new Date(this.#start).toISOString(),
        ...(["image", "stage"].includes(this.#planned(group, group.remove[0]!)?.kind ?? "") && {
          ours: this.plan.project,
        }),
        throttle: this.#throttle,
        spare: (tag) => rules.spare(group, tag),
        mayRemove: rules.mayRemove,
      });
      for (const result of tags.values()) if (result) this.#note(result);
      if (leftover) this.#leftovers.push(leftover);
      if ([...tags.values()].every((result) => result !== undefined)) done.add(group);
    };
    // In the order of the plan: a few workers take the next group each.
    let next = 0;
    const worker = async () => {
      while (next < groups.length && !failure && !this.options.signal.aborted && rules.mayRemove()) {
        try {
          await work(groups[next++]!);
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    await Promise.all(Array.from({ length: this.options.parallel ?? 8 }, worker));
    this.options.signal.throwIfAborted();
    if (failure) throw failure.error;
    return done;
  }

  /** distribution can go on listing tags whose manifests were deleted at the same time: they would be asked for ever. */
  async #clearListed(): Promise<void> {
    const { backend, signal } = this.options;
    if (backend.capabilities.deletion === "tag") return;
    const gone = this.#going.filter(({ reference }) =>
      ["deleted", "gone"].includes(this.#results.get(reference)?.outcome ?? "")
    );
    for (const [name, tags] of Map.groupBy(gone, ({ repository }) => repository)) {
      const repository = backend.repository(name);
      const mine = new Set(tags.map(({ tag }) => tag));
      for await (const { tag } of repository.tags(signal)) {
        if (mine.has(tag)) await this.#throttle.run(() => clearListed(repository, tag, signal));
      }
    }
  }

  #planned(group: RemovalGroup, tag: string): PlannedRemoval | undefined {
    return this.#tags.get(key(group.repository, tag));
  }

  #note(result: TagResult): void {
    this.#results.set(result.reference, result);
    const { onEvent, clock } = this.options;
    if (!onEvent) return;
    onEvent({ type: "tag", result });
    const [done, total] = [this.#results.size, this.#going.length];
    const perSecond = done / Math.max((clock.now() - this.#start) / 1000, 0.001);
    onEvent({
      type: "progress",
      done,
      total,
      perSecond,
      etaMs: Math.round((total - done) / perSecond * 1000),
    });
  }

  #report(outcome: ApplyReport["outcome"], message?: string, fix?: string): ApplyReport {
    const counts: Record<TagOutcome, number> = {
      deleted: 0,
      gone: 0,
      spared: 0,
      refused: 0,
      failed: 0,
      "not tried": 0,
    };
    const tags = this.#going.map(({ reference }): TagResult =>
      this.#results.get(reference) ??
        { reference, outcome: "not tried", why: message ?? "the run ended before" }
    );
    for (const tag of tags) counts[tag.outcome]++;
    const exitCode = outcome === "complete" ? 0 : outcome === "interrupted" ? 130 : 1;
    return {
      outcome,
      exitCode,
      ...(message !== undefined && { message }),
      ...(fix !== undefined && { fix }),
      counts,
      tags,
    };
  }
}

function key(repository: string, tag: string): string {
  return `${repository}:${tag}`;
}

function signatureIn(stageTag: string): string {
  return stageTag.slice(STAGE_TAG_PREFIX.length);
}

function isStageTag(tag: string): boolean {
  return tag.startsWith(STAGE_TAG_PREFIX);
}

function leftoverOf({ repository, digest, tag, bytes, mediaType }: JournalEntry): Leftover {
  const children = knownOf({ digest, bytes, mediaType })?.children ?? [];
  return { repository, digest, tags: tag === undefined ? [] : [tag], inseparable: new Map(), children };
}
