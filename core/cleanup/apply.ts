import type { Inventory } from "../contract/cleanup.ts";
import { EngineError } from "../contract/errors.ts";
import { signatureIn, STAGE_TAG_PREFIX, stageTag } from "../contract/labels.ts";
import type { ApplyOptions, ApplyReport, Leftover } from "./apply_model.ts";
import { earlier, PROTOCOL } from "../protocol/clock.ts";
import { readInventory } from "./inventory.ts";
import { Pool } from "../../lib/pool.ts";
import { removeIdleSlots } from "../protocol/leases.ts";
import type { Mark } from "../protocol/marks.ts";
import { ATTACHED, type CleanupPlan, LEFT, type PlannedRemoval, type RemovalGroup } from "./plan.ts";
import { subjectInName } from "../protocol/subject_in_name.ts";
import { lookAfter } from "./look_after.ts";
import { dropLeftovers } from "./leftovers.ts";
import type { JournalEntry } from "./journal.ts";
import { CannotDelete, type RemovalInputs, removeGroup } from "./removal.ts";
import { Outcomes } from "./outcomes.ts";
import { requestsAtOnce } from "../protocol/asking_pool.ts";
import { placeOf, tagsAt } from "./places.ts";
import { protectStages } from "./protection.ts";
import { StageMarks } from "./stage_marks.ts";
import { Throttle } from "./throttle.ts";
import { knownOf } from "../protocol/manifest_facts.ts";

export type * from "./apply_model.ts";

/** The most images whose tags are on their way out at once: who copies such a tag by hand may get what it was moved to. */
const REMOVED_AT_ONCE = 8;

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
  readonly #outcomes: Outcomes;
  readonly #marks: StageMarks;
  readonly #tags: ReadonlyMap<string, PlannedRemoval>;
  /** Manifests that lost their tags in this run. */
  readonly #leftovers: Leftover[] = [];
  /** Those that earlier runs have left. */
  readonly #pending: readonly Leftover[];
  readonly #throttle: Throttle;
  readonly #start: number;

  constructor(readonly plan: CleanupPlan, readonly options: ApplyOptions) {
    this.#tags = new Map(plan.tags.map((tag) => [key(tag.repository, tag.tag), tag]));
    this.#outcomes = new Outcomes(plan.tags.filter(({ verdict }) => verdict === "delete"), options);
    this.#marks = new StageMarks(options);
    // What has its tag again is no leftover.
    const left = (options.pending ?? []).filter(({ repository, tag }) =>
      !this.#tags.has(key(repository, tag!))
    );
    this.#pending = left.map(leftoverOf);
    this.#start = options.clock.now();
    this.#throttle = new Throttle({
      parallel: () => options.parallel ?? requestsAtOnce(options.backend),
      clock: options.clock,
      signal: options.signal,
      onLimited: (limit) => options.onEvent?.({ type: "limited", ...limit }),
    });
  }

  async run(): Promise<ApplyReport> {
    const { backend, signal } = this.options;
    if (this.#outcomes.going.length === 0 && this.#pending.length === 0) {
      return this.#outcomes.report("complete");
    }
    if (backend.capabilities.deletion === "none") {
      return this.#outcomes.report(
        "impossible",
        `Cannot delete from ${this.plan.repo}: this registry deletes nothing`,
      );
    }
    try {
      const { image = [], attached = [], stage = [] } = Object.groupBy(this.plan.groups, (group) => {
        const planned = this.#planned(group, group.remove[0]!);
        if (planned?.kind === "image" || planned?.rule === LEFT) return "image";
        return planned?.rule === ATTACHED ? "attached" : "stage";
      });
      await this.#removeImages(image);
      await this.#removeStages(stage);
      await this.#removeAttached(attached);
      const stay = await this.#lookAfter();
      if (stay > 0) {
        const what = stay === 1 ? "1 tag is" : `${stay} tags are`;
        return this.#outcomes.report(
          "partial",
          `The registry says that ${what} deleted, and still has ${stay === 1 ? "it" : "them"}`,
          "See what the registry can do with: dapp registry check REPO; whoever runs it can say why it keeps them",
        );
      }
    } catch (error) {
      if (error instanceof CannotDelete) return this.#outcomes.report("impossible", error.message, error.fix);
      if (signal.aborted) return this.#outcomes.report("interrupted", "Interrupted; run it again to go on");
      throw error;
    }
    return this.#outcomes.finish();
  }

  async #removeImages(groups: readonly RemovalGroup[]): Promise<void> {
    const mayRemove = () => true;
    await this.#removeAll(groups, { spare: () => undefined, mayRemove });
    await this.#dropLeftovers(this.#pending.filter(({ tags }) => !tags.some(isStageTag)), mayRemove);
  }

  /**
   * What belongs to images goes after them, unless one has stayed or got another tag meanwhile; what belongs to that goes
   * after it.
   */
  async #removeAttached(groups: readonly RemovalGroup[]): Promise<void> {
    if (groups.length === 0) return;
    const look = await this.#look();
    const standing = tagsAt(look);
    const above = ({ repository }: RemovalGroup, tag: string) => {
      const subject = subjectInName(tag);
      return subject && (standing.get(placeOf(repository, subject)) ?? [])
        .filter(({ reference }) => !this.#outcomes.isGone(reference));
    };
    const mayRemove = () => true;
    for (let rest = groups; rest.length > 0;) {
      const left = new Set(rest.flatMap((group) => this.#referencesOf(group)));
      const ready = rest.filter((group) =>
        !group.remove.some((tag) => above(group, tag)?.some(({ reference }) => left.has(reference)))
      );
      const wave = ready.length > 0 ? ready : rest;
      await this.#removeAll(wave, {
        spare: (group, tag) =>
          above(group, tag)?.length === 0 ? undefined : "its image has stayed, or has a tag again",
        mayRemove,
      });
      rest = rest.filter((group) => !wave.includes(group));
    }
    await this.#dropLeftovers([], mayRemove);
  }

  #referencesOf({ repository, remove }: RemovalGroup): readonly string[] {
    const { name } = this.options.backend.repository(repository);
    return remove.map((tag) => `${name}:${tag}`);
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
      const { mark, held } = marked;
      await using _ = held;
      let done: ReadonlySet<RemovalGroup>;
      try {
        done = await this.#removeMarked(marked.groups, mark);
      } catch (error) {
        await this.#marks.giveUp(mark);
        throw error;
      }
      await this.#marks.end(mark);
      rest = rest.filter((group) => !done.has(group));
    }
  }

  async #removeMarked(groups: readonly RemovalGroup[], mark: Mark): Promise<ReadonlySet<RemovalGroup>> {
    const spare = await this.#protection();
    const inTime = () => this.#marks.isStanding(mark);
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
      mayRemove: inTime,
    });
    for (const leftover of own) {
      const result = done.get(leftover);
      for (const [tag, why] of leftover.inseparable) {
        const reference = `${backend.repository(leftover.repository).name}:${tag}`;
        if (result === "dropped") this.#outcomes.note({ reference, outcome: "deleted" });
        else if (result) this.#outcomes.note({ reference, outcome: "refused", why: `${why}; ${result.why}` });
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
        return { ...await this.#marks.put(this.#condemned(some)), groups: some, unmarked: false } as const;
      } catch (error) {
        if (!(error instanceof EngineError) || !error.details.full) throw error;
        if (!made) {
          made = true;
          const now = earlier(clock.now(), clock);
          const freed = await removeIdleSlots(backend.repository(""), { now, skewMs, signal });
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
    const spare = await this.#protection();
    const tried: RemovalGroup[] = [];
    for (const group of groups) {
      tried.push(group);
      await this.#removeAll([group], {
        spare: (group, tag) => spare(this.#planned(group, tag)),
        mayRemove: () => true,
      });
      if (!this.#referencesOf(group).some((reference) => this.#outcomes.isDeleted(reference))) continue;
      await this.#marks.tellGone();
      return tried;
    }
    return undefined;
  }

  async #protection() {
    const { plan, options } = this;
    return await protectStages(await this.#look(), { ...options, plan, outcomes: this.#outcomes });
  }

  /** Signatures of the stages that may go with some groups, and of those that earlier runs have left. */
  #condemned(groups: readonly RemovalGroup[]): readonly string[] {
    return [
      ...groups.flatMap((group) =>
        group.remove.flatMap((tag) => this.#planned(group, tag)?.signature ?? signatureIn(tag) ?? [])
      ),
      ...this.#pending.flatMap(({ tags }) => tags.flatMap((tag) => signatureIn(tag) ?? [])),
    ];
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
        project: this.plan.project,
        ...mustBe(this.#planned(group, group.remove[0]!)),
        throttle: this.#throttle,
        spare: (tag) => rules.spare(group, tag),
        mayRemove: rules.mayRemove,
      });
      for (const result of tags.values()) if (result) this.#outcomes.note(result);
      if (leftover) this.#leftovers.push(leftover);
      if ([...tags.values()].every((result) => result !== undefined)) done.add(group);
    };
    // In the order of the plan.
    const pool = new Pool(() => Math.min(REMOVED_AT_ONCE, this.#throttle.parallel));
    await Promise.all(groups.map((group) =>
      pool.run(async () => {
        if (failure || this.options.signal.aborted || !rules.mayRemove()) return;
        try {
          await work(group);
        } catch (error) {
          failure ??= { error };
        }
      })
    ));
    this.options.signal.throwIfAborted();
    if (failure) throw failure.error;
    return done;
  }

  /** What the registry says that it has deleted, and still has, was not deleted. */
  async #lookAfter(): Promise<number> {
    const gone = this.#outcomes.going.filter(({ reference }) => this.#outcomes.isGone(reference));
    const results = await lookAfter(gone, { ...this.options, throttle: this.#throttle });
    for (const result of results) this.#outcomes.note(result);
    return results.filter(({ outcome }) => outcome === "refused").length;
  }

  #planned(group: RemovalGroup, tag: string): PlannedRemoval | undefined {
    return this.#tags.get(key(group.repository, tag));
  }
}

function key(repository: string, tag: string): string {
  return `${repository}:${tag}`;
}

/** What is looked for again in what a plan calls one or the other. */
function mustBe(planned: PlannedRemoval | undefined): Pick<RemovalInputs, "must"> {
  if (planned?.rule === LEFT) return { must: "stand for what goes" };
  return planned?.kind === "image" || planned?.kind === "stage" ? { must: "be of the project" } : {};
}

function isStageTag(tag: string): boolean {
  return tag.startsWith(STAGE_TAG_PREFIX);
}

function leftoverOf({ repository, digest, tag, bytes, mediaType }: JournalEntry): Leftover {
  const children = knownOf({ digest, bytes, mediaType })?.children ?? [];
  return { repository, digest, tags: tag === undefined ? [] : [tag], inseparable: new Map(), children };
}
