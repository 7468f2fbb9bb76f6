import { OciError } from "../../lib/oci/errors.ts";
import { EngineError, whyOf } from "../contract/errors.ts";
import { labels } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import type { ApplyOptions, Leftover, TagResult } from "./apply_model.ts";
import type { JournalEntry } from "./journal.ts";
import { type KnownManifest, knownOf } from "../protocol/manifest_facts.ts";
import { readFacts } from "../protocol/read_facts.ts";
import type { RemovalGroup } from "./plan.ts";
import { referrersOf } from "./referrers.ts";
import type { Throttle } from "./throttle.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** Ends the whole run: the same would be said for every other tag. */
export class CannotDelete extends Error {
  override readonly name = "CannotDelete";
  /** What to do about it, where whoever failed has said so. */
  readonly fix: string | undefined;

  constructor(error: EngineError) {
    super(error.message, { cause: error });
    this.fix = error.details.fix;
  }

  /** Whether a failure is one of these. */
  static isMeant(error: unknown): error is EngineError {
    return error instanceof EngineError &&
      (error.code === "REGISTRY_UNSUPPORTED" || error.code === "REGISTRY_DENIED");
  }
}

export interface RemovalInputs extends ApplyOptions {
  readonly repo: string;
  /** RFC 3339, when this cleanup began. */
  readonly run: string;
  readonly project: string;
  /** What the manifest must say of itself, whatever a plan that came from a file says. */
  readonly must?: "be of the project" | "stand for what goes";
  readonly throttle: Throttle;
  /** Why a tag must be left alone after all. */
  readonly spare: (tag: string) => string | undefined;
  /** Whether there is still time; false ends the removal without a result. */
  readonly mayRemove: () => boolean;
}

/** What became of the tags of one digest. */
export interface GroupResult {
  /** Undefined for tags that must wait for another round. */
  readonly tags: ReadonlyMap<string, TagResult | undefined>;
  /** The manifest, when all its tags are gone or wait for it to go. */
  readonly leftover?: Leftover;
}

/** A check older than this is made again right before the removal, milliseconds. */
const CHECK_LASTS_MS = 250;

/**
 * Removes the tags of one digest in one repository: looks at each once more, writes the journal, then takes the tags
 * away. A tag that moved is left alone. The manifest stays: see {@linkcode dropLeftovers}.
 *
 * @throws {CannotDelete}
 */
export async function removeGroup(group: RemovalGroup, inputs: RemovalInputs): Promise<GroupResult> {
  const repository = inputs.backend.repository(group.repository);
  const tags = new Map<string, TagResult | undefined>();
  const say = (tag: string, outcome: TagResult["outcome"], why?: string) =>
    tags.set(tag, { reference: `${repository.name}:${tag}`, outcome, ...(why !== undefined && { why }) });
  const sayAbsent = (tag: string) => say(tag, "gone", "it is not there any more");
  const sayMoved = (tag: string, to: Digest) =>
    say(tag, "spared", `it moved to ${to} since the plan was made`);
  const going = new Map<string, Digest>();
  let manifest: RemoteManifest | undefined;
  for (const tag of group.remove) {
    const why = inputs.spare(tag);
    if (why !== undefined) {
      say(tag, "spared", why);
      continue;
    }
    try {
      const found = await inputs.throttle.run(() =>
        look(repository, tag, { ...inputs, group, known: manifest })
      );
      if (found === undefined) sayAbsent(tag);
      else if (found.digest !== group.digest && !found.isDummy) sayMoved(tag, found.digest);
      else {
        manifest ??= found.manifest;
        going.set(tag, found.digest);
      }
    } catch (error) {
      inputs.signal.throwIfAborted();
      say(tag, "failed", whyOf(error));
    }
  }
  const { annotations = {}, children = [] } = manifest
    ? await factsOf(repository, manifest, inputs) ?? {}
    : {};
  const why = manifest && strangeness(annotations, inputs);
  if (why !== undefined) {
    for (const tag of going.keys()) say(tag, "spared", why);
    return { tags };
  }
  const checkedAt = inputs.clock.now();
  const named = [...going].filter(([, digest]) => digest === group.digest).map(([tag]) => tag);
  await inputs.journal.append(await entriesOf(group, named, { inputs, repository, manifest, children }));
  const inseparable = new Map<string, string>();
  for (const [tag, digest] of going) {
    try {
      await inputs.throttle.run(async () => {
        inputs.signal.throwIfAborted();
        if (inputs.clock.now() - checkedAt > CHECK_LASTS_MS) {
          const now = await repository.head(tag, inputs.signal);
          if (now === undefined) return sayAbsent(tag);
          if (now !== digest) return sayMoved(tag, now);
        }
        if (!inputs.mayRemove()) return tags.set(tag, undefined);
        const alone = group.siblings.length === 0 && !group.child && group.remove.length === going.size;
        const removal = await repository.remove({ tag, digest, alone }, inputs.signal);
        if (removal.outcome === "removed") return say(tag, "deleted", removal.left);
        if (removal.outcome === "absent") return sayAbsent(tag);
        if (removal.outcome === "inseparable") return inseparable.set(tag, removal.why);
        if (removal.outcome !== "refused") return unreachable(removal);
        // Somebody was faster, which is no failure.
        const now = await repository.head(tag, inputs.signal);
        if (now !== undefined && now !== digest) return sayMoved(tag, now);
        say(tag, "refused", removal.why);
      });
    } catch (error) {
      inputs.signal.throwIfAborted();
      if (CannotDelete.isMeant(error)) throw new CannotDelete(error);
      say(tag, "failed", whyOf(error));
    }
  }
  const away = group.remove.every((tag) =>
    inseparable.has(tag) || ["deleted", "gone"].includes(tags.get(tag)?.outcome ?? "")
  );
  const { repository: name, digest, remove, siblings, child } = group;
  if (away && digest !== undefined && siblings.length === 0 && !child) {
    const below = manifest ? children : group.children ?? [];
    return { tags, leftover: { repository: name, digest, tags: remove, inseparable, children: below } };
  }
  for (const [tag, why] of inseparable) say(tag, "refused", `${why}; its image has other tags, or stays`);
  return { tags };
}

/** Why a manifest is not what it must be. */
function strangeness(
  { [labels.project]: owner, [labels.dimg]: role, [labels.removed]: removed }: KnownManifest["annotations"],
  { project, must }: RemovalInputs,
): string | undefined {
  switch (must) {
    case undefined:
      return undefined;
    case "be of the project":
      return owner === project && role !== undefined
        ? undefined
        : `it does not carry the label of project "${project}"`;
    case "stand for what goes":
      return removed === undefined ? "it is no tag that a cleanup has left" : undefined;
    default:
      return unreachable(must);
  }
}

/**
 * What a tag points at, with the manifest unless that is known; one request, unless it is not what was expected. Where
 * reading counts as a pull, a tag is looked up first, so that one that stays was not read.
 */
async function look(
  repository: Repository,
  tag: string,
  { backend, group, known, signal }: ApplyOptions & {
    readonly group: RemovalGroup;
    readonly known: RemoteManifest | undefined;
  },
): Promise<
  { readonly digest: Digest; readonly manifest?: RemoteManifest; readonly isDummy?: true } | undefined
> {
  if (known && await repository.head(tag, signal) === known.digest) return { digest: known.digest };
  let reference = tag;
  if (backend.capabilities.pulls && !known) {
    const now = await repository.head(tag, signal);
    if (now === undefined) return undefined;
    if (now !== group.digest) return { digest: now };
    reference = now;
  }
  const manifest = await repository.manifest(reference, signal);
  if (!manifest) return undefined;
  const { digest } = manifest;
  // A removal that was stopped leaves a tag at what it was moved to.
  const isDummy = digest !== group.digest && knownOf(manifest)?.annotations[labels.removed] !== undefined;
  return isDummy ? { digest, isDummy } : { digest, manifest };
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
  const { run, project, repo } = inputs;
  const common = { time, run, project, repo, repository: group.repository };
  const below: JournalEntry[] = [];
  for (const child of children) {
    const found = await inputs.throttle.run(() => repository.manifest(child, inputs.signal));
    if (found) below.push({ ...common, ...found });
  }
  const referrers = await inputs.throttle.run(() =>
    referrersOf(repository, [manifest.digest, ...children], inputs.signal)
  );
  return [
    ...below,
    ...referrers.map((referrer) => ({ ...common, ...referrer })),
    ...tags.map((tag) => ({ ...common, tag, ...manifest })),
  ];
}

/** What a manifest says, in its labels too; undefined when it cannot be read. */
async function factsOf(
  repository: Repository,
  manifest: RemoteManifest,
  { backend, signal }: RemovalInputs,
): Promise<KnownManifest | undefined> {
  const sources = { repository, root: backend.repository(""), signal };
  const read = async (each: RemoteManifest): Promise<KnownManifest | undefined> => {
    try {
      return await readFacts(each, each.digest, {
        ...sources,
        manifest: async (digest) => {
          const child = await repository.manifest(digest, signal);
          return child && await read(child);
        },
      });
    } catch (error) {
      if (error instanceof OciError) return undefined;
      throw error;
    }
  };
  return await read(manifest);
}
