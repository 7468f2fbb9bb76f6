import type { Inventory } from "../contract/cleanup.ts";
import { EngineError, whyOf } from "../contract/errors.ts";
import { Pool } from "../../lib/pool.ts";
import type { RegistryBackend, Repository } from "../contract/registry.ts";
import type { Clock } from "../protocol/clock.ts";
import type { Journal } from "./journal.ts";
import { addChildren } from "./groups.ts";
import { placeOf } from "./places.ts";
import { CannotDelete } from "./removal.ts";
import type { Throttle } from "./throttle.ts";
import type { Leftover } from "./apply_model.ts";
import type { Digest } from "../../lib/oci/digest.ts";

export interface DropInputs {
  readonly backend: RegistryBackend;
  /** Full name of REPO. */
  readonly repo: string;
  /** What REPO holds at this moment, every tag asked. */
  look(): Promise<Inventory>;
  readonly journal: Pick<Journal, "dropped">;
  readonly throttle: Throttle;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Whether there is still time. */
  readonly mayRemove: () => boolean;
}

/** `dropped`, or why it stays. Those not named were not looked at, for want of time. */
export type Dropped = ReadonlyMap<Leftover, "dropped" | { readonly why: string }>;

/**
 * Deletes manifests that lost all their tags. A registry takes every tag at a manifest along with it, and anybody may put
 * one on it at any time; so this is done after the tags are gone, when nobody finds the manifest by them any more, after
 * every tag there is was asked what it is at, and with a look at the names of tags right before.
 */
export async function dropLeftovers(leftovers: readonly Leftover[], inputs: DropInputs): Promise<Dropped> {
  const done = new Map<Leftover, "dropped" | { readonly why: string }>();
  if (leftovers.length === 0) return done;
  const look = await inputs.look();
  const places = new Map<string, Place>();
  const repositoryOf = (name: string) => {
    const place = places.get(name) ?? new Place(inputs.backend.repository(name), tagsOf(look, name), inputs);
    places.set(name, place);
    return place;
  };
  const used = childrenThatStay(look, leftovers);
  const unreadable = look.broken.find(({ kind }) => kind === "unreadable");
  const pool = new Pool(() => inputs.throttle.parallel);
  let failure: { readonly error: unknown } | undefined;
  /** Nothing waits for them: what is not noted, the next run asks for once more. */
  const notes: Promise<void>[] = [];
  const work = async (leftover: Leftover) => {
    if (failure || inputs.signal.aborted || !inputs.mayRemove()) return;
    const { repository, digest, inseparable, children } = leftover;
    const keep = (why: string) => {
      done.set(leftover, { why });
      for (const child of children) used.add(placeOf(repository, child));
    };
    if (unreadable) return keep(`what ${unreadable.reference} is at cannot be read`);
    if (used.has(placeOf(repository, digest))) return keep("an index that stays refers to it");
    const place = repositoryOf(repository);
    try {
      const result = await inputs.throttle.run(async () => {
        const others = await place.tagsAt(digest, leftover.tags);
        const strange = others.filter((tag) => !inseparable.has(tag));
        if (strange.length > 0) return { why: `tag "${strange[0]}" is at it as well` };
        if (!inputs.mayRemove()) return undefined;
        return await place.drop(digest);
      });
      if (!result) return;
      if (result !== "dropped") return keep(result.why);
      done.set(leftover, result);
      for (const child of children) {
        if (used.has(placeOf(repository, child)) || (await place.tagsAt(child, [])).length > 0) continue;
        await inputs.throttle.run(() => place.drop(child));
      }
      notes.push(inputs.journal.dropped({ repo: inputs.repo, repository, digest }).catch(() => {}));
    } catch (error) {
      inputs.signal.throwIfAborted();
      if (CannotDelete.isMeant(error) && inseparable.size > 0) failure = { error: new CannotDelete(error) };
      else if (error instanceof EngineError) keep(whyOf(error));
      else failure = { error };
    }
  };
  // An index that stays after all keeps what it refers to, so each goes before its manifests.
  for (let rest = leftovers; rest.length > 0;) {
    const below = new Set(rest.flatMap(({ children }) => children));
    const wave = rest.filter(({ digest }) => !below.has(digest));
    await Promise.all(wave.map((leftover) => pool.run(() => work(leftover))));
    rest = wave.length === 0 ? [] : rest.filter(({ digest }) => below.has(digest));
  }
  await Promise.all(notes);
  inputs.signal.throwIfAborted();
  if (failure) throw failure.error;
  return done;
}

/** A list of names older than this is made again right before a manifest goes, milliseconds. */
const NAMES_LAST_MS = 250;

/** One repository, with what is known of its tags. */
class Place {
  #listedAt = -Infinity;
  #listing: Promise<void> | undefined;

  constructor(
    readonly repository: Repository,
    /** Tag -> what it is at. */
    readonly tags: Map<string, Digest | undefined>,
    readonly inputs: Pick<DropInputs, "clock" | "signal">,
  ) {}

  /** Tags at a manifest, with those that joined since the look; `own` are asked once more. */
  async tagsAt(digest: Digest, own: readonly string[]): Promise<readonly string[]> {
    const { signal } = this.inputs;
    for (const tag of own) this.tags.set(tag, await this.repository.head(tag, signal));
    await this.#freshNames();
    return [...this.tags].filter(([, at]) => at === digest).map(([tag]) => tag);
  }

  async drop(digest: Digest): Promise<"dropped" | { readonly why: string }> {
    const { removeUntagged } = this.repository;
    if (!removeUntagged) return { why: "the registry removes such manifests itself" };
    return await this.repository.removeUntagged!(digest, this.inputs.signal)
      ? "dropped"
      : { why: "the registry keeps it" };
  }

  async #freshNames(): Promise<void> {
    if (this.inputs.clock.now() - this.#listedAt <= NAMES_LAST_MS) return;
    await (this.#listing ??= this.#list().finally(() => this.#listing = undefined));
  }

  async #list(): Promise<void> {
    const { clock, signal } = this.inputs;
    const startedAt = clock.now();
    for await (const { tag, digest } of this.repository.tags(signal)) {
      if (digest) this.tags.set(tag, digest);
      else if (!this.tags.has(tag)) this.tags.set(tag, await this.repository.head(tag, signal));
    }
    this.#listedAt = startedAt;
  }
}

function tagsOf(look: Inventory, repository: string): Map<string, Digest | undefined> {
  const all = [...look.images, ...look.stages, ...look.others, ...look.broken];
  return new Map(all.filter((tag) => tag.repository === repository).map(({ tag, digest }) => [tag, digest]));
}

/** Places of manifests below the indexes that stay, as far as the look tells. */
function childrenThatStay(look: Inventory, leftovers: readonly Leftover[]): Set<string> {
  const own = new Map(
    leftovers.map(({ repository, digest, tags }) => [placeOf(repository, digest), tags]),
  );
  const used = new Set<string>();
  for (const { repository, digest, tag } of [...look.images, ...look.stages, ...look.others]) {
    if (own.get(placeOf(repository, digest))?.includes(tag)) continue;
    const children = new Set<Digest>();
    addChildren(digest, look.manifests, children);
    for (const child of children) used.add(placeOf(repository, child));
  }
  return used;
}
