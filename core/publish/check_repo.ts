import { matchName } from "../../lib/glob.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { memoize } from "../../lib/memoize.ts";
import { Pool } from "../../lib/pool.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { labels, REPOSITORY_TAG_PREFIX, SERVICE_TAG_PREFIX, STAGE_TAG_PREFIX } from "../contract/labels.ts";
import type { RegistryBackend, Repository } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { askingPool } from "../protocol/asking_pool.ts";
import { subjectInName } from "../protocol/subject_in_name.ts";
import type { MoveNeeds } from "../share/move_stages.ts";
import { documentsAgain } from "./documents_again.ts";
import { annotationsOf } from "./image_document.ts";
import { mendRepo, recordOf } from "./mend_repo.ts";
import { nameOfMarker } from "./names.ts";
import {
  damagedPart,
  type DamagedPlace,
  type MissingPart,
  nameOf,
  RepoParts,
  type TagPlace,
} from "./repo_parts.ts";
import { StageUsers } from "./stage_users.ts";
import { distrust } from "./standing.ts";

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
  /** A `mark` notes that a dimg has a repository of its own. */
  readonly kind: "image" | "stage" | "mark";
  /** What it points at, where that is there. */
  readonly digest?: Digest;
  /** Name of the dimg, "" for the one without; absent for stages, and where nobody can tell. */
  readonly image?: string;
  /** Of a stage: its name, where that can be read. */
  readonly stage?: string;
  /** Of a stage: images in REPO that stand on it. */
  readonly neededBy?: readonly string[];
  /** Of a stage: the commit that such an image, or this machine, built it from; where that is known. */
  readonly commit?: string;
  /** It could not be repaired, and nothing in REPO stands on it: the stage was taken away. */
  readonly removed?: true;
  /** What it stands on and is not there as it should be. */
  readonly missing: readonly (MissingPart & {
    /** This machine's store has it, or can make it again. */
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
  sessions: readonly [MoveNeeds, ...MoveNeeds[]],
  patterns: readonly string[],
  { repo, read = false, repair = false }: RepoCheckOptions & { readonly repo: string },
): Promise<RepoCheck> {
  const [session] = sessions;
  const { signal } = session.options;
  const backend = (await session.registry(repo, { writes: repair })).value;
  const { name: project } = await session.project();
  const store = await session.store();
  const pool = askingPool(backend);
  const needs = { pool, whole: read, signal, blobs: store.blobs };
  const parts = new RepoParts(needs);
  const unknown: RepoCheck["unknown"][number][] = [];
  const damaged: DamagedPlace[] = [];
  const count = { image: 0, stage: 0, mark: 0 };
  const dimgs = new Set((await session.select([])).map(({ rule }) => rule.name));
  /** What is at the project's tags. */
  const seen = new Set<Digest>();
  const users = new StageUsers();
  /** Takes the failure of a look at one tag. */
  const unsure = (reference: string, error: unknown) => {
    const one = error instanceof OciError || error instanceof EngineError && error.exitCode === 1;
    if (!one || signal.aborted || unknown.length >= MAX_UNKNOWN) throw error;
    unknown.push({ reference, why: messageOf(error) });
  };
  const look = async (place: TagPlace) => {
    try {
      const found = await lookAt(place, { parts, pool, project, patterns, signal });
      if (!found) return;
      if (found.digest !== undefined) seen.add(found.digest);
      if (found.image !== undefined) dimgs.add(found.image);
      count[kindOf(place)]++;
      users.add(found);
      if (found.missing.length > 0) damaged.push(found);
    } catch (error) {
      unsure(nameOf(place), error);
    }
  };
  const tags = new Pool(TAGS);
  const places = await placesOf(backend, { pool, patterns, dimgs, signal });
  const all = (some: readonly TagPlace[]) => Promise.all(some.map((place) => tags.run(() => look(place))));
  // What belongs to an image by its name is asked for once it is known whose the image is.
  await all(places.filter((place) => !isAttached(place)));
  await all(places.filter((place) => isAttached(place) && seen.has(subjectInName(place.tag)!)));
  const left = await Promise.all(
    (await stillThere(damaged, { pool, signal, unsure })).map((place) =>
      pool.run(() => withDocuments(place, store, signal))
    ),
  );
  const repaired = repair
    ? await mendRepo(sessions, left, { repo, project, dimgs, store })
    : new Set<string>();
  const after = new RepoParts(needs);
  const rows = await Promise.all(left.map(async (found) => {
    const place = await withBelow(found, { parts: after, repaired });
    const row = {
      ...await rowOf(place, { store, repaired, project, dimgs }),
      ...await users.of(place, store),
    };
    // The next push of such a tag publishes it anew.
    const whole = row.missing.every(({ repaired }) => repaired);
    if (place.digest !== undefined && !whole) await distrust(store.memo, row.reference, place.digest);
    return row;
  }));
  const byName = (a: { reference: string }, b: { reference: string }) => a.reference < b.reference ? -1 : 1;
  return {
    project,
    repo: backend.repository("").name,
    tags: count.image,
    stages: count.stage,
    ...parts.count,
    read,
    damaged: rows.sort(byName),
    unknown: unknown.sort(byName),
  };
}

function kindOf({ tag }: TagPlace): DamagedTag["kind"] {
  return tag.startsWith(STAGE_TAG_PREFIX)
    ? "stage"
    : tag.startsWith(REPOSITORY_TAG_PREFIX)
    ? "mark"
    : "image";
}

/** Whether it is in REPO itself and belongs to an image by its name, as signatures do. */
function isAttached({ tag, below }: TagPlace): boolean {
  return below === undefined && subjectInName(tag) !== undefined;
}

/** Tags of REPO and of the repositories below it that are the project's, or may be. */
async function placesOf(
  backend: RegistryBackend,
  { pool, patterns, dimgs, signal }: {
    readonly pool: Pool;
    readonly patterns: readonly string[];
    /** Names of the dappfile: a mark may have been deleted. */
    readonly dimgs: ReadonlySet<string>;
    readonly signal: AbortSignal;
  },
): Promise<readonly TagPlace[]> {
  const main = backend.repository("");
  const out: TagPlace[] = [];
  const marks: string[] = [];
  for await (const { tag } of main.tags(signal)) {
    if (tag.startsWith(REPOSITORY_TAG_PREFIX)) marks.push(tag);
    else if (!tag.startsWith(SERVICE_TAG_PREFIX)) out.push({ repository: main, tag, below: undefined });
  }
  const named = backend.capabilities.nested ? [...dimgs].filter((name) => name !== "") : [];
  const below = new Set(named.filter((name) => wants(patterns, name)));
  await Promise.all(marks.map((tag) =>
    pool.run(async () => {
      // Where that cannot be read is told when the tag itself is looked at.
      const found = await main.manifest(tag, signal).catch(() => undefined);
      const name = (found && annotationsOf(found.bytes)[labels.name]) ?? nameOfMarker(tag);
      if (!wants(patterns, name)) return;
      below.add(name);
      out.push({ repository: main, tag, below: undefined, ...(found && { manifest: found }) });
    })
  ));
  await Promise.all([...below].map((name) =>
    pool.run(async () => {
      const repository = backend.repository(name);
      for await (const { tag } of repository.tags(signal)) out.push({ repository, tag, below: name });
    })
  ));
  return out.filter((place) => patterns.length === 0 || kindOf(place) !== "stage");
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
  const manifest = place.manifest ?? await pool.run(() => repository.manifest(tag, signal));
  if (!manifest) {
    const gone = { part: "manifest", size: 0, state: "absent" } as const;
    return { ...place, digest: undefined, image: below, missing: [gone] };
  }
  const notes = annotationsOf(manifest.bytes);
  const owner = notes[labels.project];
  const own = below !== undefined || kindOf(place) !== "image" || isAttached(place);
  if (owner === undefined ? !own : owner !== project) return undefined;
  const image = kindOf(place) !== "image" ? undefined : notes[labels.name] ?? below;
  if (image !== undefined && !wants(patterns, image)) return undefined;
  const { digest } = manifest;
  const empty = kindOf(place) === "mark" && owner === undefined;
  const missing = empty
    ? [damagedPart(manifest)]
    : await parts.missingOf(repository, manifest, nameOf(place));
  if (image !== undefined) missing.push(...await parts.attachedTo(repository, digest, nameOf(place)));
  return { ...place, digest, image, missing, notes };
}

/** Without what has gone or was moved since it was looked at, as by a cleanup. */
async function stillThere(
  damaged: readonly DamagedPlace[],
  { pool, signal, unsure }: {
    readonly pool: Pool;
    readonly signal: AbortSignal;
    readonly unsure: (reference: string, error: unknown) => void;
  },
): Promise<readonly DamagedPlace[]> {
  const lists = new Map<Repository, Promise<ReadonlySet<string>>>();
  const listed = (repository: Repository) =>
    memoize(
      lists,
      repository,
      async () => new Set((await Array.fromAsync(repository.tags(signal))).map(({ tag }) => tag)),
    );
  const rows = await Promise.all(damaged.map((place) =>
    pool.run(async () => {
      const { repository, tag, digest } = place;
      try {
        const now = await repository.head(tag, signal);
        // What has gone is not in the list any more either.
        return now === undefined ? (await listed(repository)).has(tag) : now === digest;
      } catch (error) {
        unsure(nameOf(place), error);
        return false;
      }
    })
  ));
  return damaged.filter((_, i) => rows[i]);
}

/** With what manifests below an index lack that are there again. */
async function withBelow(
  place: DamagedPlace,
  { parts, repaired }: { readonly parts: RepoParts; readonly repaired: ReadonlySet<string> },
): Promise<DamagedPlace> {
  const { repository, missing } = place;
  const name = nameOf(place);
  const back = missing.filter(({ part, digest }) =>
    part === "manifest" && digest !== undefined && repaired.has(`${name}@${digest}`)
  );
  const found = await Promise.all(
    back.map(({ digest, size }) => parts.below(repository, { digest: digest!, size }, name)),
  );
  const known = new Set(missing.map(({ digest }) => digest));
  return { ...place, missing: [...missing, ...found.flat().filter(({ digest }) => !known.has(digest))] };
}

/** With what its manifest names and is no layer, as far as it can be made again here. */
async function withDocuments(place: DamagedPlace, store: Store, signal: AbortSignal): Promise<DamagedPlace> {
  const { repository, digest, image, missing } = place;
  if (digest === undefined || image === undefined || missing.every(({ part }) => part === "layer")) {
    return place;
  }
  const manifest = await repository.manifest(digest, signal);
  return manifest ? { ...place, again: await documentsAgain(manifest.bytes, store) } : place;
}

async function rowOf(
  place: DamagedPlace,
  { store, repaired, project, dimgs }: {
    readonly store: Store;
    readonly repaired: ReadonlySet<string>;
    readonly project: string;
    readonly dimgs: ReadonlySet<string>;
  },
): Promise<DamagedTag> {
  const { image, missing, again, digest, tag } = place;
  const reference = nameOf(place);
  const kind = kindOf(place);
  const documents = kind === "mark"
    ? dimgs.has(nameOfMarker(tag))
    : kind === "stage" && await recordOf(place, store, project) !== undefined;
  return {
    reference,
    kind,
    ...(digest !== undefined && { digest }),
    ...(image !== undefined && { image }),
    missing: await Promise.all(missing.map(async (part) => ({
      ...part,
      here: part.part !== "layer"
        ? documents || part.digest !== undefined && (again?.has(part.digest) ?? false)
        : part.digest !== undefined && await store.blobs.size(part.digest) === part.size,
      ...(repaired.has(`${reference}@${part.digest}`) && { repaired: true as const }),
    }))),
  };
}
