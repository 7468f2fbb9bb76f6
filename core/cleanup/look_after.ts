import { emptyImage } from "../../lib/oci/empty_image.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { EngineError, whyOf } from "../contract/errors.ts";
import { labels } from "../contract/labels.ts";
import type { RegistryBackend, Repository } from "../contract/registry.ts";
import { PROTOCOL } from "../protocol/clock.ts";
import { knownOf } from "../protocol/manifest_facts.ts";
import type { ApplyOptions, TagResult } from "./apply_model.ts";
import type { PlannedRemoval } from "./plan.ts";
import type { Throttle } from "./throttle.ts";

/** First wait for a registry that still has what it says it has deleted, milliseconds; each next one is twice as long. */
const FIRST_WAIT_MS = 250;

/** Who publishes a stage again at this moment makes what was there before. */
const STAYS = "the registry says that it is deleted, and has it still, or again";

/** What looking takes. */
export interface LookInputs extends Pick<ApplyOptions, "clock" | "signal" | "graceMs" | "onEvent"> {
  readonly backend: RegistryBackend;
  readonly throttle: Throttle;
}

interface Gone extends Pick<PlannedRemoval, "tag" | "reference" | "digest"> {
  readonly repository: Repository;
}

/**
 * Looks at what has gone by what the registry says, with one list for each repository. distribution can go on listing
 * tags whose manifests were deleted at the same time: these are cleared, as nobody could ever get rid of them. Others say
 * that they delete, and do not.
 *
 * @returns what is still there, when the registry has had the time in which all that it is asked for takes effect
 */
export async function lookAfter(
  gone: readonly PlannedRemoval[],
  inputs: LookInputs,
): Promise<readonly TagResult[]> {
  const { backend, signal, clock, throttle, onEvent, graceMs = PROTOCOL.graceMs } = inputs;
  const out: TagResult[] = [];
  let left: Gone[] = [];
  for (const [name, tags] of Map.groupBy(gone, ({ repository }) => repository)) {
    const repository = backend.repository(name);
    const mine = new Map(tags.map((tag) => [tag.tag, tag]));
    for await (const { tag } of repository.tags(signal)) {
      const planned = mine.get(tag);
      if (planned) left.push({ ...planned, repository });
    }
  }
  let there = await Promise.all(left.map((row) => throttle.run(() => isThere(row, signal))));
  if (backend.capabilities.deletion !== "tag") {
    for (const { repository, tag, reference } of left.filter((_, i) => there[i] === undefined)) {
      try {
        await throttle.run(() => clearListed(repository, tag, signal));
      } catch (error) {
        if (!(error instanceof EngineError) || signal.aborted) throw error;
        out.push({ reference, outcome: "failed", why: `it names nothing, and is listed: ${whyOf(error)}` });
      }
    }
  }
  for (let waited = 0, ms = FIRST_WAIT_MS;; waited += ms, ms *= 2) {
    left = left.filter((_, i) => there[i]);
    if (left.length === 0 || waited >= graceMs) break;
    if (waited === 0) {
      const why = `the registry says that ${left[0]!.reference} is deleted, and has it still`;
      onEvent?.({ type: "waiting", ms: graceMs, why });
    }
    await clock.sleep(ms, signal);
    there = await Promise.all(left.map((row) => throttle.run(() => isThere(row, signal))));
  }
  return [...out, ...left.map(({ reference }) => ({ reference, outcome: "refused" as const, why: STAYS }))];
}

/** Whether a tag names what it named, or what it was moved to before it went; undefined when it names nothing. */
async function isThere(
  { repository, tag, digest }: Gone,
  signal: AbortSignal,
): Promise<boolean | undefined> {
  const now: Digest | undefined = await repository.head(tag, signal);
  if (now === undefined || now === digest) return now && true;
  const found = await repository.manifest(now, signal);
  return found !== undefined && knownOf(found)?.annotations[labels.removed] !== undefined;
}

/** Puts an image of dapp's own under a tag that is listed but names nothing, and removes that: then it is not listed. */
async function clearListed(repository: Repository, tag: string, signal: AbortSignal): Promise<void> {
  const { manifest, blobs } = await emptyImage({ annotations: { [labels.removed]: crypto.randomUUID() } });
  for (const { digest, size, bytes } of blobs) {
    const blob = { digest, size, source: { bytes } };
    await repository.upload(blob, { signal, report() {} });
  }
  await repository.putManifest(manifest, tag, signal);
  await repository.remove({ tag, digest: manifest.digest, alone: true }, signal);
}
