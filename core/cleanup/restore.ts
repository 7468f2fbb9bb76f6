import { OciError } from "../../lib/oci/errors.ts";
import { EngineError, whyOf } from "../contract/errors.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";
import { manifestsOf, parseManifest } from "../../lib/oci/documents.ts";
import type { RegistryBackend, Repository } from "../contract/registry.ts";
import { labels } from "../contract/labels.ts";
import type { JournalEntry } from "./journal.ts";
import { subjectInName } from "../protocol/subject_in_name.ts";
import { subjectOf } from "./referrers.ts";
import { knownOf } from "../protocol/manifest_facts.ts";
import { putExactly } from "../protocol/put_readable.ts";
import { isForeign } from "../publish/repo_parts.ts";
import { Pool } from "../../lib/pool.ts";

/** Layers that are looked up at once. */
const AT_ONCE = 8;

export interface RestoreOptions {
  readonly signal: AbortSignal;
  /** References, or tags of REPO; undefined = everything that the journal has of REPO. */
  readonly tags?: readonly string[];
  readonly dryRun?: boolean;
}

/** `restored`; `present`: it is there; `taken`: the tag points at something newer, which stays; `lost`: blobs are gone. */
export interface RestoredTag {
  /** The full name with tag. */
  readonly reference: string;
  /** What the tag points at again. */
  readonly digest: Digest;
  /** `present`: it was there already. `taken`: the tag points at something else by now. `lost`: its blobs are not there any more. */
  readonly outcome: "restored" | "would restore" | "present" | "taken" | "lost" | "failed";
  /** One line. */
  readonly why?: string;
  /** RFC 3339, when the cleanup that deleted it began. */
  readonly run: string;
}

/**
 * Puts deleted tags back, exactly as they were, the newest deletion of each, as long as the registry still has their
 * blobs.
 *
 * @throws {EngineError} USAGE when the journal has none of a named tag
 */
export async function restore(
  backend: RegistryBackend,
  journal: readonly JournalEntry[],
  options: RestoreOptions,
): Promise<readonly RestoredTag[]> {
  const root = backend.repository("").name;
  const children = new Map<string, JournalEntry>();
  const latest = new Map<string, JournalEntry>();
  for (const entry of journal) {
    if (entry.repo !== root) continue;
    if (entry.tag === undefined) children.set(`${entry.repository}@${entry.digest}`, entry);
    else latest.set(referenceOf(backend, entry), entry);
  }
  // In full, below REPO, or of REPO itself.
  const named = (tag: string) => [tag, `${root}/${tag}`].find((name) => latest.has(name)) ?? `${root}:${tag}`;
  const asked = options.tags?.map(named) ?? [...latest.keys()];
  const digests = new Set(asked.map((reference) => latest.get(reference)?.digest));
  // Signatures and what else belongs to an image come back with it.
  const attached = [...latest].flatMap(([name, { tag }]) => {
    const subject = subjectInName(tag!);
    return subject !== undefined && digests.has(subject) ? [name] : [];
  });
  const wanted = [...new Set([...asked, ...attached])];
  const missing = wanted.find((reference) => !latest.has(reference));
  if (missing !== undefined) {
    throw new EngineError("USAGE", `Cannot restore "${missing}": the journal has no deletion of it`, {
      fix: "See what was deleted with --list; name no tag to restore all",
    });
  }
  const results: RestoredTag[] = [];
  // Stages before images would be nicer to look at; each is whole by itself.
  for (const reference of wanted) {
    results.push(await restoreOne(backend, { entry: latest.get(reference)!, reference, children }, options));
  }
  return results;
}

async function restoreOne(
  backend: RegistryBackend,
  { entry, reference, children }: {
    readonly entry: JournalEntry;
    readonly reference: string;
    readonly children: ReadonlyMap<string, JournalEntry>;
  },
  { signal, dryRun }: RestoreOptions,
): Promise<RestoredTag> {
  const repository = backend.repository(entry.repository);
  const { digest, tag } = entry;
  const say = (outcome: RestoredTag["outcome"], why?: string): RestoredTag => ({
    reference,
    digest,
    outcome,
    ...(why !== undefined && { why }),
    run: entry.run ?? entry.time,
  });
  try {
    const present = await repository.head(tag!, signal);
    if (present === digest) return say("present");
    if (present !== undefined && !await isDummy(repository, present, signal)) {
      return say("taken", `the tag points at ${present} now`);
    }
    const below = childDigests(entry).flatMap((child) => children.get(`${entry.repository}@${child}`) ?? []);
    for (const each of [entry, ...below]) {
      const lost = await lostPart(repository, each, signal);
      if (lost !== undefined) return say("lost", lost);
    }
    if (dryRun) return say("would restore");
    for (const child of below) {
      if (await repository.head(child.digest, signal) === undefined) {
        await putExactly(repository, child, { reference: child.digest, signal });
      }
    }
    await putExactly(repository, entry, { reference: tag!, signal });
    return say("restored", await restoreReferrers(repository, { entry, children }, signal));
  } catch (error) {
    signal.throwIfAborted();
    return say(isLoss(error) ? "lost" : "failed", whyOf(error));
  }
}

/** Whether a tag is at what it was moved to by a removal that was stopped. */
async function isDummy(repository: Repository, digest: Digest, signal: AbortSignal): Promise<boolean> {
  const manifest = await repository.manifest(digest, signal);
  return manifest !== undefined && knownOf(manifest)?.annotations[labels.removed] !== undefined;
}

/** Puts back what referred to an image, its signatures and SBOMs, and what referred to these; says what could not be. */
async function restoreReferrers(
  repository: Repository,
  { entry, children }: {
    readonly entry: JournalEntry;
    readonly children: ReadonlyMap<string, JournalEntry>;
  },
  signal: AbortSignal,
): Promise<string | undefined> {
  const back = new Set<Digest>([entry.digest, ...childDigests(entry)]);
  const rest = new Set([...children.values()].filter(({ repository }) => repository === entry.repository));
  let lost: string | undefined;
  for (let before = -1; before !== rest.size;) {
    before = rest.size;
    for (const referrer of rest) {
      const subject = subjectOf(referrer);
      if (subject === undefined) rest.delete(referrer);
      if (subject === undefined || !back.has(subject)) continue;
      rest.delete(referrer);
      try {
        if (await repository.head(referrer.digest, signal) === undefined) {
          await repository.putManifest(referrer, referrer.digest, signal);
        }
        back.add(referrer.digest);
      } catch (error) {
        if (!(error instanceof EngineError) || signal.aborted) throw error;
        lost ??= `without ${referrer.digest}, which refers to it: ${error.message}`;
      }
    }
  }
  return lost;
}

function isLoss(error: unknown): boolean {
  return error instanceof EngineError && error.details.missing === true;
}

/**
 * What is missing of an image. Some registries take manifests without looking at blobs, or say that they have what they
 * have lost. The configuration is small, and is read.
 */
async function lostPart(
  repository: Repository,
  entry: JournalEntry,
  signal: AbortSignal,
): Promise<string | undefined> {
  const document = parse(entry);
  if (document?.kind !== "manifest") return undefined;
  const { config, layers } = document.manifest;
  try {
    await repository.blob(config, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isLoss(error)) throw error;
    return `its configuration ${config.digest} is gone`;
  }
  const pool = new Pool(AT_ONCE);
  const io = { signal, report: () => {} };
  const states = await Promise.all(
    layers.map((layer) =>
      pool.run(async () =>
        isForeign(layer) ? "there" : await repository.probe?.(layer, { whole: false }, io) ?? "there"
      )
    ),
  );
  const gone = layers.find((_, i) => states[i] !== "there");
  return gone && `its layer ${gone.digest} is gone`;
}

function childDigests(entry: JournalEntry): readonly Digest[] {
  const document = parse(entry);
  return document?.kind === "index" ? manifestsOf(document.index).map((m) => m.digest).filter(isDigest) : [];
}

function parse({ bytes, mediaType, digest }: JournalEntry) {
  try {
    return parseManifest(bytes, digest, mediaType);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function referenceOf(backend: RegistryBackend, { repository, tag }: JournalEntry): string {
  return `${backend.repository(repository).name}:${tag}`;
}
