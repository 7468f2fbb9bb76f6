import { matchName } from "../../lib/glob.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { Pool } from "../../lib/pool.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { labels, REPOSITORY_TAG_PREFIX, SERVICE_TAG_PREFIX, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import type { RegistryBackend, RemoteManifest, Repository } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { askingPool } from "../protocol/asking_pool.ts";
import type { MoveNeeds } from "../share/move_stages.ts";
import { annotationsOf } from "./image_document.ts";
import { mendRepo } from "./mend_repo.ts";
import { type DamagedPlace, type MissingPart, RepoParts, type TagPlace } from "./repo_parts.ts";

/** Tags that are looked at side by side; requests are bounded beside that. */
const TAGS = 64;
/** Tags of which nobody can tell: more are an outage. */
const MAX_UNKNOWN = 20;

/** How REPO is checked. */
export interface RepoCheckOptions {
  /** Read every byte and compare digests, not the last byte of each blob alone. @default false */
  readonly read?: boolean;
  /** Send again what the store has. @default false */
  readonly repair?: boolean;
}

/** A tag that does not have all that it stands on. */
export interface DamagedTag {
  /** Full name with tag. */
  readonly reference: string;
  /** Name of the dimg, "" for the one without; absent for stages, and where nobody can tell. */
  readonly image?: string;
  /** What it stands on and is not there as it should be. */
  readonly missing: readonly (MissingPart & {
    /** This machine's store has it. */
    readonly here: boolean;
    /** It was sent again, and can be read. */
    readonly repaired?: true;
  })[];
}

/** What of a project in REPO is really there. */
export interface RepoCheck {
  /** Name of the project. */
  readonly project: string;
  /** REPO in full. */
  readonly repo: string;
  /** Tags of images that were looked at. */
  readonly tags: number;
  /** Tags of stages that were looked at. */
  readonly stages: number;
  /** Blobs that they name, each repository's by itself. */
  readonly blobs: number;
  /** Of those blobs. */
  readonly bytes: number;
  /** Every byte was read. */
  readonly read: boolean;
  /** What is not whole, or was not before it was repaired. */
  readonly damaged: readonly DamagedTag[];
  /** Tags of which the registry does not tell. */
  readonly unknown: readonly { readonly reference: string; readonly why: string }[];
}

/** Looks whether what the project's tags and stages in REPO stand on can be read. Changes nothing without `repair`. */
export async function checkRepo(
  session: MoveNeeds,
  patterns: readonly string[],
  { repo, read = false, repair = false }: RepoCheckOptions & { readonly repo: string },
): Promise<RepoCheck> {
  const { signal } = session.options;
  const backend = (await session.registry(repo, { writes: repair })).value;
  const { name: project } = await session.project();
  const store = await session.store();
  const pool = askingPool(backend);
  const parts = new RepoParts({ pool, whole: read, signal, blobs: store.blobs });
  const unknown: RepoCheck["unknown"][number][] = [];
  const damaged: DamagedPlace[] = [];
  const count = { tags: 0, stages: 0 };
  const look = async (place: TagPlace) => {
    const reference = `${place.repository.name}:${place.tag}`;
    try {
      const found = await lookAt(place, { parts, pool, project, patterns, signal });
      if (!found) return;
      count[isStage(place) ? "stages" : "tags"]++;
      if (found.missing.length > 0) damaged.push(found);
    } catch (error) {
      const one = error instanceof OciError || error instanceof EngineError && error.exitCode === 1;
      if (!one || signal.aborted || unknown.length >= MAX_UNKNOWN) throw error;
      unknown.push({ reference, why: messageOf(error) });
    }
  };
  const tags = new Pool(TAGS);
  const places = await placesOf(backend, { pool, patterns, signal });
  await Promise.all(places.map((place) => tags.run(() => look(place))));
  const left = await stillThere(damaged, signal);
  const repaired = repair ? await mendRepo(session, left, { repo, store }) : new Set<string>();
  const byName = (a: { reference: string }, b: { reference: string }) => a.reference < b.reference ? -1 : 1;
  const rows = await Promise.all(left.map((place) => rowOf(place, store, repaired)));
  return {
    project,
    repo: backend.repository("").name,
    ...count,
    ...parts.count,
    read,
    damaged: rows.sort(byName),
    unknown: unknown.sort(byName),
  };
}

function isStage({ tag }: TagPlace): boolean {
  return tag.startsWith(STAGE_TAG_PREFIX);
}

/** Tags of REPO and of the repositories below it that are the project's, or may be. */
async function placesOf(
  backend: RegistryBackend,
  { pool, patterns, signal }: {
    readonly pool: Pool;
    readonly patterns: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<readonly TagPlace[]> {
  const main = backend.repository("");
  const all = (await Array.fromAsync(main.tags(signal))).map(({ tag }) => tag);
  const own = all.filter((tag) => !tag.startsWith(SERVICE_TAG_PREFIX));
  const out: TagPlace[] = own.map((tag) => ({ repository: main, tag, below: undefined }));
  const marks = all.filter((tag) => tag.startsWith(REPOSITORY_TAG_PREFIX));
  const names = await Promise.all(marks.map((tag) =>
    pool.run(async () => {
      const found = await main.manifest(tag, signal);
      return found && annotationsOf(found.bytes)[labels.name];
    })
  ));
  const below = new Set(names.filter((name) => name !== undefined && wants(patterns, name)));
  await Promise.all([...below].map((name) =>
    pool.run(async () => {
      const repository = backend.repository(name!);
      for await (const { tag } of repository.tags(signal)) out.push({ repository, tag, below: name });
    })
  ));
  return out.filter((place) => patterns.length === 0 || !isStage(place));
}

function wants(patterns: readonly string[], name: string): boolean {
  return patterns.length === 0 || patterns.some((pattern) => matchName(pattern, name));
}

/** What is missing below a tag; undefined when it is not the project's, or is no image that is asked for. */
async function lookAt(
  place: TagPlace,
  { parts, pool, project, patterns, signal }: {
    readonly parts: RepoParts;
    readonly pool: Pool;
    readonly project: string;
    readonly patterns: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<DamagedPlace | undefined> {
  const { repository, tag, below } = place;
  const manifest: RemoteManifest | undefined = await pool.run(() => repository.manifest(tag, signal));
  if (!manifest) {
    const gone = { part: "manifest", size: 0, state: "absent" } as const;
    return { ...place, digest: undefined, image: below, missing: [gone] };
  }
  const notes = annotationsOf(manifest.bytes);
  const owner = notes[labels.project];
  if (owner === undefined ? below === undefined && !isStage(place) : owner !== project) return undefined;
  const image = isStage(place) ? undefined : notes[labels.name] ?? below;
  if (image !== undefined && !wants(patterns, image)) return undefined;
  const missing = await parts.missingOf(repository, manifest, `${repository.name}:${tag}`);
  return { ...place, digest: manifest.digest, image, missing };
}

/** Without what has gone or was moved since it was looked at, as by a cleanup. */
async function stillThere(damaged: readonly DamagedPlace[], signal: AbortSignal): Promise<DamagedPlace[]> {
  const lists = new Map<Repository, Promise<ReadonlySet<string>>>();
  const listed = (repository: Repository) => {
    let list = lists.get(repository);
    if (!list) {
      list = Array.fromAsync(repository.tags(signal)).then((tags) => new Set(tags.map(({ tag }) => tag)));
      lists.set(repository, list);
    }
    return list;
  };
  const out: DamagedPlace[] = [];
  for (const place of damaged) {
    const { repository, tag, digest } = place;
    const same = (await repository.head(tag, signal)) === digest;
    if (same && (digest !== undefined || (await listed(repository)).has(tag))) out.push(place);
  }
  return out;
}

async function rowOf(
  { repository, tag, image, missing }: DamagedPlace,
  { blobs }: Store,
  repaired: ReadonlySet<string>,
): Promise<DamagedTag> {
  return {
    reference: `${repository.name}:${tag}`,
    ...(image !== undefined && { image }),
    missing: await Promise.all(missing.map(async (part) => ({
      ...part,
      here: part.part === "layer" && part.digest !== undefined && await blobs.size(part.digest) === part.size,
      ...(repaired.has(`${repository.name}:${tag}@${part.digest}`) && { repaired: true as const }),
    }))),
  };
}
