import { OciError } from "../../lib/oci/errors.ts";
import type { Digest } from "../contract/digest.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { labels } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import type { ApplyOptions, TagResult } from "./apply_model.ts";
import type { JournalEntry } from "./journal.ts";
import { type KnownManifest, readKnown } from "./manifest_facts.ts";
import type { RemovalGroup } from "./plan_model.ts";
import type { Throttle } from "./throttle.ts";

/** Ends the whole run: the same would be said for every other tag. */
export class CannotDelete extends Error {
  override readonly name = "CannotDelete";
}

export interface RemovalInputs extends ApplyOptions {
  readonly repo: string;
  /** The project whose label the manifest must carry, whatever a plan that came from a file says. */
  readonly ours?: string;
  readonly throttle: Throttle;
  /** Tags at the digest that stay, as far as is known now. */
  readonly staying: readonly string[];
  /** Why a tag must be left alone after all. */
  readonly spare: (tag: string) => string | undefined;
  /** Whether a manifest below an index is still of use; undefined when the registry removes such manifests itself. */
  readonly isUsed?: (digest: Digest) => boolean;
  /** Whether there is still time; false ends the removal without a result. */
  readonly mayRemove: () => boolean;
}

/** A check older than this is made again right before the removal, milliseconds. */
const CHECK_LASTS_MS = 250;

/**
 * Removes the tags of one digest in one repository: looks at each once more, writes the journal, then deletes. A tag
 * that moved is left alone, and a manifest is only deleted as such when no tag that stays is at it.
 *
 * @returns undefined for tags that must wait for another round
 * @throws {CannotDelete}
 */
export async function removeGroup(
  group: RemovalGroup,
  inputs: RemovalInputs,
): Promise<ReadonlyMap<string, TagResult | undefined>> {
  const repository = inputs.backend.repository(group.repository);
  const results = new Map<string, TagResult | undefined>();
  const say = (tag: string, outcome: TagResult["outcome"], why?: string) =>
    results.set(tag, { reference: `${repository.name}:${tag}`, outcome, ...(why !== undefined && { why }) });
  // A manifest that went with the first of its tags took the others along.
  const sayAbsent = (tag: string) =>
    results.values().some((r) => r?.outcome === "deleted")
      ? say(tag, "deleted")
      : say(tag, "gone", "it is not there any more");
  let alone = inputs.staying.length === 0 && !group.child;
  const going: string[] = [];
  let manifest: RemoteManifest | undefined;
  for (const tag of group.remove) {
    const why = inputs.spare(tag);
    if (why !== undefined) {
      say(tag, "spared", why);
      alone = false;
      continue;
    }
    try {
      const found = await inputs.throttle.run(() => look(repository, tag, manifest === undefined, inputs));
      if (found === undefined) sayAbsent(tag);
      else if (found.digest !== group.digest) {
        say(tag, "spared", `it moved to ${found.digest} since the plan was made`);
      } else {
        manifest ??= found.manifest;
        going.push(tag);
      }
    } catch (error) {
      inputs.signal.throwIfAborted();
      say(tag, "failed", messageOf(error));
      alone = false;
    }
  }
  if (going.length === 0) return results;
  const { annotations = {}, children = [] } = manifest ? knownOf(manifest) ?? {} : {};
  const { [labels.project]: owner, [labels.dimg]: role } = annotations;
  const stranger = inputs.ours !== undefined && (owner !== inputs.ours || role === undefined);
  if (stranger) {
    for (const tag of going) say(tag, "spared", `it does not carry the label of project "${inputs.ours}"`);
    return results;
  }
  const checkedAt = inputs.clock.now();
  await inputs.journal.append(await entriesOf(group, going, { inputs, repository, manifest, children }));
  for (const tag of going) {
    try {
      await inputs.throttle.run(async () => {
        inputs.signal.throwIfAborted();
        if (inputs.clock.now() - checkedAt > CHECK_LASTS_MS) {
          const now = await repository.head(tag, inputs.signal);
          if (now === undefined) return sayAbsent(tag);
          if (now !== group.digest) return say(tag, "spared", `it moved to ${now} since the plan was made`);
        }
        if (!inputs.mayRemove()) return results.set(tag, undefined);
        const { digest } = group;
        const removal = await repository.remove({ tag, digest, alone }, inputs.signal);
        if (removal.outcome === "removed") say(tag, "deleted");
        else if (removal.outcome === "refused") say(tag, "refused", removal.why);
        else sayAbsent(tag);
      });
    } catch (error) {
      inputs.signal.throwIfAborted();
      const code = error instanceof EngineError ? error.code : undefined;
      if (code === "REGISTRY_UNSUPPORTED" || code === "REGISTRY_DENIED") {
        throw new CannotDelete(messageOf(error), { cause: error });
      }
      say(tag, "failed", messageOf(error));
    }
    // What stays now is at the digest, and must not be taken along by the next one.
    const outcome = results.get(tag)?.outcome;
    if (outcome === "refused" || outcome === "failed") alone = false;
  }
  const gone = group.remove.every((tag) => ["deleted", "gone"].includes(results.get(tag)?.outcome ?? ""));
  if (gone) await removeChildren(group, children, inputs);
  return results;
}

/** Removes what only an index that is gone referred to. Where it cannot be, only space is lost. */
async function removeChildren(
  group: RemovalGroup,
  below: readonly Digest[],
  { backend, isUsed, throttle, signal }: RemovalInputs,
): Promise<void> {
  const repository = backend.repository(group.repository);
  for (const child of below) {
    if (!group.children?.includes(child) || (isUsed?.(child) ?? true)) continue;
    try {
      await throttle.run(async () => await repository.removeUntagged?.(child, signal));
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
    }
  }
}

/** What a tag points at, with the manifest if that is asked for: one request. */
async function look(
  repository: Repository,
  tag: string,
  whole: boolean,
  { signal }: ApplyOptions,
): Promise<{ readonly digest: Digest; readonly manifest?: RemoteManifest } | undefined> {
  if (whole) {
    const manifest = await repository.manifest(tag, signal);
    return manifest && { digest: manifest.digest, manifest };
  }
  const digest = await repository.head(tag, signal);
  return digest === undefined ? undefined : { digest };
}

async function entriesOf(
  group: RemovalGroup,
  tags: readonly string[],
  { inputs, repository, manifest, children }: {
    readonly inputs: RemovalInputs;
    readonly repository: Repository;
    readonly manifest: RemoteManifest | undefined;
    readonly children: readonly Digest[];
  },
): Promise<readonly JournalEntry[]> {
  if (!manifest) return [];
  const time = new Date(inputs.clock.now()).toISOString();
  const common = { time, repo: inputs.repo, repository: group.repository };
  const below: JournalEntry[] = [];
  for (const child of children) {
    const found = await inputs.throttle.run(() => repository.manifest(child, inputs.signal));
    if (found) below.push({ ...common, ...found });
  }
  return [...below, ...tags.map((tag) => ({ ...common, tag, ...manifest }))];
}

/** What a manifest says; undefined when it cannot be read. */
function knownOf({ bytes, mediaType, digest }: RemoteManifest): KnownManifest | undefined {
  try {
    return readKnown(bytes, mediaType, digest);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
