import type { Digest, RemovalOutcome, TagRemoval } from "../../core/contract/plugin.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { deleteManifest, type Deletion } from "../../lib/registry/delete_manifest.ts";
import { isBlobUnknown, RegistryError } from "../../lib/registry/errors.ts";
import { findManifest, lookUpManifest } from "../../lib/registry/manifests.ts";
import { putManifest } from "../../lib/registry/put_manifest.ts";
import { Dummies, type DummyManifest, isDummy } from "./_dummy_manifest.ts";
import { EngineError } from "../../core/contract/errors.ts";
import { sleep } from "../../lib/sleep.ts";
import { unreachable } from "../../lib/unreachable.ts";

/**
 * How a tag goes: `untag` by DELETE with the tag, which leaves its manifest; `move` by moving it to a dummy that is
 * deleted; `whole` not at all by itself.
 */
type Way =
  | { readonly by: "untag" }
  | { readonly by: "move"; readonly deletesByTag: boolean }
  | { readonly by: "whole"; readonly why: string };

/** distribution can fail after it has deleted a manifest and before its tags; then the tag is moved and deleted again. */
const ROUNDS = 3;
const FINISH_MS = 60_000;
/** Before each further look at what a registry says it has deleted, milliseconds. */
const LOOK_AGAIN_MS = [250, 1000];

/**
 * Removes tags and never what they name, since at any moment somebody may put another tag on the same manifest: with
 * DELETE of the tag where that leaves manifests alone, which is tried on an image of its own; elsewhere by moving the tag
 * to a dummy that is then deleted (regclient's way). Tags that go at the same time share a dummy.
 */
export class ProtocolRemover {
  readonly #client: RegistryClient;
  readonly #dummies: Dummies;
  #way: Promise<Way> | undefined;
  /** By path: the batch that can still be joined, and the last one. */
  readonly #open = new Map<string, Batch>();
  readonly #last = new Map<string, Promise<unknown>>();

  constructor(client: RegistryClient) {
    this.#client = client;
    this.#dummies = new Dummies(client);
  }

  /** @throws {EngineError} REGISTRY_UNSUPPORTED when nothing can be deleted */
  async remove(path: string, { tag, digest }: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    const look = () => lookUpManifest(this.#client, path, { reference: tag, signal });
    if (this.#way === undefined && await look() === undefined) return { outcome: "absent" };
    const way = await this.#learn(path, signal);
    const now = await look();
    if (now === undefined) return { outcome: "absent" };
    if (now !== digest) return await this.#moved(path, now, signal);
    if (way.by === "whole") return { outcome: "inseparable", why: way.why };
    if (way.by === "move") return await this.#moveAway(path, { tag, digest, signal });
    if (way.by !== "untag") return unreachable(way);
    const done = await deleteManifest(this.#client, path, { reference: tag, signal });
    if (done.outcome === "deleted") return { outcome: "removed", by: "tag" };
    return "why" in done ? { outcome: "refused", why: done.why } : { outcome: "absent" };
  }

  /** What is at a dummy is on its way out: another cleanup is at work. */
  async #moved(path: string, to: string, signal: AbortSignal): Promise<RemovalOutcome> {
    const found = await findManifest(this.#client, path, { reference: to, signal });
    return !found || isDummy(found.bytes)
      ? { outcome: "absent" }
      : { outcome: "refused", why: `it was moved to ${to} meanwhile` };
  }

  async #moveAway(
    path: string,
    tag: { readonly tag: string; readonly digest: Digest; readonly signal: AbortSignal },
  ): Promise<RemovalOutcome> {
    for (let round = 1, last = "";; round++) {
      if (round > 1) {
        // It may still be listed, but name nothing.
        const now = await lookUpManifest(this.#client, path, { ...tag, reference: tag.tag });
        if (now !== undefined && now !== last) return await this.#moved(path, now, tag.signal);
      }
      const batch = this.#join(path);
      const dummy = await batch.dummy;
      const known: readonly (string | undefined)[] = [tag.digest, dummy.digest, last];
      last = dummy.digest;
      // Who waits until the registry takes it may find that somebody has put the tag elsewhere meanwhile.
      const check = async () => {
        const now = await lookUpManifest(this.#client, path, { ...tag, reference: tag.tag });
        if (now === undefined ? round === 1 : !known.includes(now)) throw new MovedError(now);
      };
      try {
        await this.#dummies.put(dummy, { path, reference: tag.tag, check, signal: tag.signal });
      } catch (error) {
        batch.arrive(undefined);
        if (error instanceof MovedError) {
          return error.to === undefined
            ? { outcome: "absent" }
            : await this.#moved(path, error.to, tag.signal);
        }
        await this.#putBack(path, { ...tag, dummy });
        const why = ruleAgainst(error);
        if (why === undefined) throw error;
        return { outcome: "inseparable", why };
      }
      batch.arrive(tag.tag);
      const done = await batch.deleted.catch((error: unknown) => ({ error }));
      if ("outcome" in done) {
        if (!("why" in done)) {
          if (done.outcome === "deleted" || round === ROUNDS) return { outcome: "removed", by: "tag" };
          continue;
        }
        await this.#putBack(path, { ...tag, dummy });
        return { outcome: "refused", why: `the registry does not let go of it: ${done.why}` };
      }
      const there = await this.#putBack(path, { ...tag, dummy });
      if (there || round === ROUNDS) throw done.error;
    }
  }

  /** The next dummy of a repository. It is deleted as soon as the one before is gone and nobody is on the way to it. */
  #join(path: string): Batch {
    const open = this.#open.get(path);
    if (open) {
      open.join();
      return open;
    }
    const before = this.#last.get(path);
    const batch = new Batch(this.#dummies.make(), async (batch) => {
      await before;
      while (batch.onTheWay > 0) await batch.settled;
      this.#open.delete(path);
      return await this.#deleteDummy(path, await batch.dummy, batch.tags);
    });
    this.#open.set(path, batch);
    this.#last.set(path, batch.deleted.catch(() => {}));
    return batch;
  }

  /** Also after an interruption: whoever asks for the tags now would get the dummy. */
  async #deleteDummy(path: string, dummy: DummyManifest, tags: readonly string[]): Promise<Deletion> {
    if (tags.length === 0) return { outcome: "absent" };
    const signal = AbortSignal.timeout(FINISH_MS);
    const way = await this.#way;
    const done = await deleteManifest(this.#client, path, { reference: dummy.digest, signal });
    const stays = done.outcome === "refused" || done.outcome === "unsupported";
    if (!stays || way?.by !== "move" || !way.deletesByTag) return done;
    for (const reference of tags) {
      const each = await deleteManifest(this.#client, path, { reference, signal });
      if (each.outcome !== "deleted" && each.outcome !== "absent") return each;
    }
    return { outcome: "deleted" };
  }

  #learn(path: string, signal: AbortSignal): Promise<Way> {
    const pending = this.#way ??= this.#try(path, signal);
    pending.catch(() => {
      if (this.#way === pending) this.#way = undefined;
    });
    return pending;
  }

  /** Finds out how tags go, at names and images that nobody else has. */
  async #try(path: string, signal: AbortSignal): Promise<Way> {
    const client = this.#client;
    const probe = `dapp-removed-${crypto.randomUUID()}`;
    const asked = await deleteManifest(client, path, { reference: probe, signal });
    // A registry that knows no such request may answer 404 as well.
    const mayUntag = asked.outcome === "absent" || asked.outcome === "deleted";
    const dummy = await this.#dummies.make();
    try {
      await this.#dummies.put(dummy, { path, reference: mayUntag ? probe : dummy.digest, signal });
    } catch (error) {
      const why = ruleAgainst(error);
      if (why === undefined) throw error;
      return { by: "whole", why };
    }
    const byTag = mayUntag && (await deleteManifest(client, path, { reference: probe, signal })).outcome;
    if (byTag === "deleted") {
      const left = await lookUpManifest(client, path, { reference: dummy.digest, signal });
      if (left === undefined) return { by: "move", deletesByTag: true };
      // What is left of it takes space, no more.
      await deleteManifest(client, path, { reference: dummy.digest, signal }).catch(() => {});
      return { by: "untag" };
    }
    const done = await deleteManifest(client, path, { reference: dummy.digest, signal });
    if (done.outcome === "unsupported") throw deletesNothing(client.domain, done.why);
    if (done.outcome === "refused") return { by: "whole", why: done.why };
    // A tag that was moved to what stays would be at it for ever.
    for (const ms of [0, ...LOOK_AGAIN_MS]) {
      await sleep(ms, signal);
      if (await lookUpManifest(client, path, { reference: dummy.digest, signal }) === undefined) {
        return { by: "move", deletesByTag: false };
      }
    }
    return { by: "whole", why: "the registry says that it deletes images, and keeps them" };
  }

  /** Gives a tag back what it named, unless it names no dummy; whether it is there again. */
  async #putBack(path: string, { tag, digest, dummy }: {
    readonly tag: string;
    readonly digest: Digest;
    readonly dummy: DummyManifest;
  }): Promise<boolean> {
    const signal = AbortSignal.timeout(FINISH_MS);
    const client = this.#client;
    const now = await lookUpManifest(client, path, { reference: tag, signal });
    if (now !== dummy.digest) return now !== undefined;
    const original = await findManifest(client, path, { reference: digest, signal });
    if (!original) return false;
    const { bytes, mediaType = JSON.parse(new TextDecoder().decode(bytes)).mediaType } = original;
    await putManifest(client, path, { manifest: { bytes, mediaType }, reference: tag, signal });
    return true;
  }
}

/** A tag is not where it was looked up. */
class MovedError extends Error {
  constructor(readonly to: string | undefined) {
    super(`The tag is at ${to ?? "nothing"} by now`);
  }
}

/** Tags on their way to one dummy. */
class Batch {
  readonly tags: string[] = [];
  readonly deleted: Promise<Deletion>;
  /** Tags that are being moved at this moment. */
  onTheWay = 1;
  #settled = Promise.withResolvers<void>();

  constructor(readonly dummy: Promise<DummyManifest>, finish: (batch: Batch) => Promise<Deletion>) {
    this.deleted = Promise.resolve().then(() => finish(this));
    this.deleted.catch(() => {});
  }

  join(): void {
    if (this.onTheWay++ === 0) this.#settled = Promise.withResolvers();
  }

  /** A tag has reached the dummy, or will not. */
  arrive(tag: string | undefined): void {
    if (tag !== undefined) this.tags.push(tag);
    if (--this.onTheWay === 0) this.#settled.resolve();
  }

  /** Resolves when nobody was on the way for a moment. */
  get settled(): Promise<void> {
    return this.#settled.promise;
  }
}

/** Why this user or a rule of the registry keeps a tag from being written; undefined for other failures. */
function ruleAgainst(error: unknown): string | undefined {
  if (!(error instanceof RegistryError) || isBlobUnknown(error)) return undefined;
  const { kind, status } = error.details;
  const rule = kind === "denied" || kind === "locked" || kind === "full" || [400, 405].includes(status ?? 0);
  return rule ? error.message : undefined;
}

/** The registry removes neither tags nor manifests. */
export function deletesNothing(domain: string, why: string): EngineError {
  return new EngineError("REGISTRY_UNSUPPORTED", `Cannot delete from registry "${domain}": ${why}`, {
    fix: "Enable deletion in the registry's configuration (distribution: storage.delete.enabled: true), " +
      "or name what it is with --registry-kind",
  });
}
