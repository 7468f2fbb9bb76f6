import { manifestsOf, parseManifest } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import {
  labels,
  ociLabels,
  REPOSITORY_TAG_PREFIX,
  SERVICE_TAG_PREFIX,
  STAGE_TAG_PREFIX,
} from "../contract/labels.ts";
import { EngineError } from "../contract/errors.ts";
import { askingPool } from "../protocol/asking_pool.ts";
import { type FactSources, readFacts } from "../protocol/read_facts.ts";
import type { ListedTag, RegistryBackend, RemoteManifest, Repository } from "../contract/registry.ts";
import type { Config } from "../contract/config.ts";
import { matchName } from "../../lib/glob.ts";
import { annotationsOf } from "./image_document.ts";
import { nameOfMarker } from "./names.ts";
import type { Digest } from "../../lib/oci/digest.ts";

type Row = PublishedTags["images"][number]["tags"][number];

type Unreadable = NonNullable<PublishedTags["unreadable"]>[number];

/** Tags that may fail to be read before the registry counts as unreadable. */
const MAX_UNREADABLE = 100;

/** What listing takes. */
export interface ListNeeds {
  readonly options: { readonly signal: AbortSignal };
  config(): Promise<Config>;
  project(): Promise<{ readonly name: string }>;
  registry(repo: string): Promise<{ readonly value: RegistryBackend }>;
}

/** Lists what the project has published in REPO, in the order of the dappfile; dimgs that it no longer has come last. */
export async function listPublished(
  session: ListNeeds,
  patterns: readonly string[],
  repo: string,
): Promise<PublishedTags> {
  const { signal } = session.options;
  const backend = (await session.registry(repo)).value;
  const main = backend.repository("");
  const { name: project } = await session.project();
  const dimgs = (await session.config()).images.filter(({ kind }) => kind === "dimg").map(({ name }) => name);

  const listed: { readonly repository: Repository; readonly tag: ListedTag }[] = [];
  const below = new Set(dimgs.filter((name) => name !== ""));
  const unreadable: Unreadable[] = [];
  const read = async <T>(reference: string, body: () => Promise<T | undefined>): Promise<T | undefined> => {
    try {
      return await body();
    } catch (error) {
      // A tag that cannot be read says nothing of the others, unless nobody may read here.
      const one = error instanceof EngineError && error.code === "REGISTRY_FAILED" && !signal.aborted;
      if (!one || unreadable.length >= MAX_UNREADABLE) throw error;
      unreadable.push({ reference, why: error.message });
      return undefined;
    }
  };
  const pool = askingPool(backend);
  const markers: ListedTag[] = [];
  for await (const tag of main.tags(signal)) {
    if (tag.tag.startsWith(REPOSITORY_TAG_PREFIX)) markers.push(tag);
    else if (!tag.tag.startsWith(STAGE_TAG_PREFIX) && !tag.tag.startsWith(SERVICE_TAG_PREFIX)) {
      listed.push({ repository: main, tag });
    }
  }
  const nameIn = async ({ tag, manifest }: ListedTag): Promise<string> => {
    const marker = manifest ? undefined : await read(`${main.name}:${tag}`, () => main.manifest(tag, signal));
    return (manifest?.annotations ?? (marker && annotationsOf(marker.bytes)))?.[labels.name] ??
      nameOfMarker(tag);
  };
  for (const name of await Promise.all(markers.map((tag) => pool.run(() => nameIn(tag))))) {
    if (name !== "") below.add(name);
  }
  if (backend.capabilities.nested) {
    const tagsIn = async (name: string) => {
      const repository = backend.repository(name);
      return (await Array.fromAsync(repository.tags(signal))).map((tag) => ({ repository, tag }));
    };
    const lists = await Promise.all([...below].map((name) => pool.run(() => tagsIn(name))));
    for (const row of lists.flat()) listed.push(row);
  }
  const rows = await Promise.all(
    listed.map(({ repository, tag }) =>
      pool.run(() =>
        read(`${repository.name}:${tag.tag}`, () => readTag(repository, tag, { project, root: main, signal }))
      )
    ),
  );
  const byName = new Map<string, Row[]>();
  for (const found of rows) {
    if (
      !found || (patterns.length > 0 && !patterns.some((p) => found.name === "" || matchName(p, found.name)))
    ) {
      continue;
    }
    byName.set(found.name, [...byName.get(found.name) ?? [], found.row]);
  }
  const names = [...byName.keys()].sort((a, b) => place(dimgs, a) - place(dimgs, b) || (a < b ? -1 : 1));
  return {
    project,
    repo: main.name,
    ...(unreadable.length > 0 && { unreadable }),
    images: names.map((name) => ({
      name,
      tags: byName.get(name)!.sort((a, b) =>
        a.publishedAt < b.publishedAt ? 1 : a.publishedAt > b.publishedAt ? -1 : a.tag < b.tag ? -1 : 1
      ),
    })),
  };
}

function place(dimgs: readonly string[], name: string): number {
  const at = dimgs.indexOf(name);
  return at < 0 ? dimgs.length : at;
}

/** One tag, if it is an image of the project. What the list tells is not asked for: reading might count as a pull. */
async function readTag(
  repository: Repository,
  listed: ListedTag,
  { project, root, signal }: {
    readonly project: string;
    readonly root: Repository;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly name: string; readonly row: Row } | undefined> {
  const { tag } = listed;
  const told = listed.digest && listed.manifest && { digest: listed.digest, ...listed.manifest };
  const known = told?.annotations[labels.project] === undefined ? undefined : told;
  const manifest = known ? undefined : await repository.manifest(tag, signal);
  const digest = known?.digest ?? manifest?.digest;
  if (digest === undefined) return undefined;
  const notes = known?.annotations ?? await notesOf(manifest!, tag, { repository, root, signal });
  const name = notes[labels.name];
  if (notes[labels.project] !== project || notes[labels.dimg] !== "true" || name === undefined) {
    return undefined;
  }
  const commit = notes[labels.commit];
  return {
    name,
    row: {
      reference: `${repository.name}:${tag}`,
      tag,
      digest,
      scheme: notes[labels.scheme] ?? "",
      value: notes[labels.value] ?? "",
      ...(commit && { commit }),
      publishedAt: notes[ociLabels.created] ?? "",
      size: known?.bytes ?? await sizeOf(repository, manifest!.bytes, signal),
      signature: notes[labels.signature] ?? "",
    },
  };
}

/** What a manifest says of dapp: in annotations, or in the labels of its configuration, where a copy lost those. */
async function notesOf(
  manifest: RemoteManifest,
  title: string,
  { repository, root, signal }: Pick<FactSources, "repository" | "root" | "signal">,
): Promise<Readonly<Record<string, string>>> {
  const notes = annotationsOf(manifest.bytes);
  if (notes[labels.project] !== undefined) return notes;
  try {
    const facts = await readFacts(manifest, title, {
      repository,
      root,
      signal,
      manifest: async (digest) => {
        const child = await repository.manifest(digest, signal);
        return child && await readFacts(child, title, {
          repository,
          root,
          signal,
          manifest: () => Promise.resolve(undefined),
        });
      },
    });
    return { ...facts.annotations, ...notes };
  } catch (error) {
    if (error instanceof OciError) return notes; // no image
    throw error;
  }
}

/** Compressed bytes of an image's layers; of an index, of all its images together. */
async function sizeOf(repository: Repository, bytes: Uint8Array, signal: AbortSignal): Promise<number> {
  try {
    const document = parseManifest(bytes, "a published image");
    if (document.kind === "manifest") {
      return document.manifest.layers.reduce((sum, { size }) => sum + size, 0);
    }
    const sizes = await Promise.all(
      manifestsOf(document.index).map(async ({ digest }) => {
        const manifest = await repository.manifest(digest, signal);
        return manifest ? await sizeOf(repository, manifest.bytes, signal) : 0;
      }),
    );
    return sizes.reduce((a, b) => a + b, 0);
  } catch (error) {
    if (error instanceof OciError) return 0;
    throw error;
  }
}

/** What the project has published in REPO. */
export interface PublishedTags {
  /** Name of the project. */
  readonly project: string;
  /** REPO in full. */
  readonly repo: string;
  /** Tags that could not be read, whosever they are. */
  readonly unreadable?: readonly { readonly reference: string; readonly why: string }[];
  /** One row for each image. */
  readonly images: readonly {
    readonly name: string;
    readonly tags: readonly {
      readonly reference: string;
      readonly tag: string;
      readonly digest: Digest;
      readonly scheme: string;
      readonly value: string;
      readonly commit?: string;
      /** RFC 3339, when it was published. */
      readonly publishedAt: string;
      /** Compressed bytes of all layers. */
      readonly size: number;
      readonly signature: string;
    }[];
  }[];
}
