import type { RemovalOutcome, TagRemoval } from "../../core/contract/plugin.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { deleteManifest } from "../../lib/registry/delete_manifest.ts";
import { RegistryError } from "../../lib/registry/errors.ts";
import { findManifest, lookUpManifest } from "../../lib/registry/manifests.ts";
import { putManifest } from "../../lib/registry/put_manifest.ts";
import { type DummyManifest, prepareDummy } from "./_dummy_manifest.ts";
import { deletesNothing } from "./_tag_remover.ts";

/** What DELETE with a tag does: nothing, remove the tag alone, or perhaps what it names as well. */
type ByTag = "untried" | "impossible" | "untags" | "unclear";

/**
 * Removes exactly one tag, in the order that is safe on every registry: DELETE with the tag; by digest when no other tag
 * has it; otherwise by moving the tag to an image of its own that is then deleted (regclient's way). While it is not
 * known that DELETE with a tag spares what others need, a tag that shares its digest is moved away first.
 */
export class ProtocolRemover {
  readonly #client: RegistryClient;
  #byTag: ByTag = "untried";
  #digestsGo: Promise<void> | undefined;

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  /** @throws {EngineError} REGISTRY_UNSUPPORTED when nothing can be deleted */
  async remove(path: string, removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    const direct = removal.alone || this.#byTag === "untags";
    if (this.#byTag !== "impossible" && direct) {
      const done = await this.#deleteTag(path, removal.tag, signal);
      if (done) return done;
    }
    return removal.alone
      ? await this.#deleteDigest(path, removal.digest, signal)
      : await this.#moveAway(path, removal, signal);
  }

  /** Undefined when the registry does not delete by tag. */
  async #deleteTag(path: string, tag: string, signal: AbortSignal): Promise<RemovalOutcome | undefined> {
    const done = await deleteManifest(this.#client, path, { reference: tag, signal });
    if (done.outcome === "unsupported") {
      this.#byTag = "impossible";
      return undefined;
    }
    if (done.outcome === "refused") return { outcome: "refused", why: done.why };
    if (done.outcome === "absent") {
      // A registry that knows no such request may answer 404 as well.
      const there = this.#byTag === "untried" &&
        await lookUpManifest(this.#client, path, { reference: tag, signal }) !== undefined;
      if (!there) return { outcome: "absent" };
      this.#byTag = "impossible";
      return undefined;
    }
    if (this.#byTag === "untried") this.#byTag = "unclear";
    return { outcome: "removed", by: "tag" };
  }

  async #deleteDigest(path: string, digest: string, signal: AbortSignal): Promise<RemovalOutcome> {
    const done = await deleteManifest(this.#client, path, { reference: digest, signal });
    switch (done.outcome) {
      case "deleted":
        return { outcome: "removed", by: "manifest" };
      case "absent":
        return { outcome: "absent" };
      case "refused":
        return { outcome: "refused", why: done.why };
      case "unsupported":
        throw deletesNothing(this.#client.domain, done.why);
    }
  }

  async #moveAway(path: string, removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome> {
    const { tag, digest } = removal;
    const client = this.#client;
    if (await lookUpManifest(client, path, { reference: tag, signal }) === undefined) {
      return { outcome: "absent" };
    }
    if (this.#byTag !== "unclear") await this.#digestsCanGo(path, signal);
    const original = await findManifest(client, path, { reference: digest, signal });
    const dummy = await prepareDummy(client, path, signal);
    const now = await lookUpManifest(client, path, { reference: tag, signal });
    if (now === undefined) return { outcome: "absent" };
    if (now !== digest) return { outcome: "refused", why: `it was moved to ${now} meanwhile` };
    let moved = true;
    try {
      const locked = await lockOf(() =>
        putManifest(client, path, { manifest: dummy, reference: tag, signal })
      );
      if (locked !== undefined) {
        moved = false;
        return { outcome: "refused", why: locked };
      }
      const done = await this.#deleteDummy(path, { tag, dummy }, signal);
      moved = done.outcome === "refused";
      return done;
    } finally {
      if (moved && original) await this.#putBack(path, { tag, dummy, original });
    }
  }

  /** The tag names the dummy now, which nobody needs: time to see what DELETE with a tag takes along. */
  async #deleteDummy(
    path: string,
    { tag, dummy }: { readonly tag: string; readonly dummy: DummyManifest },
    signal: AbortSignal,
  ): Promise<RemovalOutcome> {
    if (this.#byTag !== "impossible") {
      const done = await this.#deleteTag(path, tag, signal);
      if (done?.outcome === "removed") {
        const left = await lookUpManifest(this.#client, path, { reference: dummy.digest, signal });
        this.#byTag = left === undefined ? "unclear" : "untags";
        if (left) await this.#drop(path, dummy, signal);
      }
      if (done) return done;
    }
    const done = await deleteManifest(this.#client, path, { reference: dummy.digest, signal });
    if (done.outcome === "refused" || done.outcome === "unsupported") {
      return { outcome: "refused", why: `the registry does not let go of it: ${done.why}` };
    }
    return { outcome: "removed", by: "tag" };
  }

  /** Deletes a dummy of its own: a registry that keeps manifests must not get tags moved that then stay. */
  #digestsCanGo(path: string, signal: AbortSignal): Promise<void> {
    const pending = this.#digestsGo ??= (async () => {
      const dummy = await prepareDummy(this.#client, path, signal);
      await putManifest(this.#client, path, { manifest: dummy, reference: dummy.digest, signal });
      await this.#deleteDigest(path, dummy.digest, signal);
    })();
    pending.catch(() => {
      if (this.#digestsGo === pending) this.#digestsGo = undefined;
    });
    return pending;
  }

  /** What is left of a dummy takes space, no more. */
  async #drop(path: string, dummy: DummyManifest, signal: AbortSignal): Promise<void> {
    try {
      await deleteManifest(this.#client, path, { reference: dummy.digest, signal });
    } catch {
      signal.throwIfAborted();
    }
  }

  /** Gives the tag back what it named, also after the removal was aborted, unless somebody else has moved it. */
  async #putBack(path: string, { tag, dummy, original }: {
    readonly tag: string;
    readonly dummy: DummyManifest;
    readonly original: { readonly bytes: Uint8Array; readonly mediaType: string | undefined };
  }): Promise<void> {
    const signal = AbortSignal.timeout(PUT_BACK_MS);
    const client = this.#client;
    if (await lookUpManifest(client, path, { reference: tag, signal }) !== dummy.digest) return;
    const { bytes, mediaType = JSON.parse(new TextDecoder().decode(bytes)).mediaType } = original;
    await putManifest(client, path, { manifest: { bytes, mediaType }, reference: tag, signal });
  }
}

const PUT_BACK_MS = 60_000;

/** What the registry says when one of its rules stands against `action`; undefined when that was done. */
async function lockOf(action: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== "locked") throw error;
    return error.details.said ?? error.message;
  }
}
