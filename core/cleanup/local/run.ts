import { DockerEngine, DockerError } from "../../../lib/docker/engine.ts";
import { matchName } from "../../../lib/glob.ts";
import type { Digest, Signature } from "../../contract/digest.ts";
import { EngineError } from "../../contract/errors.ts";
import { labels } from "../../contract/labels.ts";
import { type LocalCleanupNeeds, registryMemo } from "../needs.ts";
import type { StageRecord, Store } from "../../contract/store.ts";
import { readInventory } from "../inventory.ts";
import { mayStandOnStages } from "../plan.ts";
import { type LocalFate, type LocalRules, planLocal } from "./plan.ts";
import { removeUnpacked } from "./unpacked.ts";

/** Decides what of this machine goes. Changes nothing. */
export async function planLocalRun(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
): Promise<LocalCleanupPlan> {
  // Leftovers are those of all projects, so no dappfile is needed for them.
  const needsProject = request.what === "stages" || request.what === "flush";
  const store = needsProject ? await session.store() : await session.storeOnly();
  const records = await Array.fromAsync(store.stages());
  const notes: string[] = [];
  const rows: LocalCleanupRow[] = [];
  let freedBytes = 0;

  const rules = await rulesOf(session, request, store, notes);
  if (rules) {
    const plan = planLocal(records, rules);
    rows.push(...plan.stages.map(stageRow));
    freedBytes += plan.freedBytes;
  }
  const going = new Set(rows.filter(({ verdict }) => verdict === "delete").map(({ name }) => name));
  const left = await leftovers(store, records.filter(({ signature }) => !going.has(signature)));
  rows.push(...left);
  freedBytes += left.reduce((sum, row) => sum + (row.bytes ?? 0), 0);
  const all = request.what === "everything" && request.only === undefined;
  if (all) rows.push(...await keptRows(store));
  if ((request.what === "flush" && request.images) || all) {
    const docker = await dockerRows(session, request, notes);
    rows.push(...docker);
    freedBytes += docker.reduce((sum, row) => sum + (row.verdict === "delete" ? row.bytes ?? 0 : 0), 0);
  }
  return { home: store.path, request, rows, freedBytes, notes };
}

/** What says which stages go; undefined when none do. */
async function rulesOf(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
  store: Store,
  notes: string[],
): Promise<LocalRules | undefined> {
  const common = { now: Date.now(), inUse: await store.claimed() };
  switch (request.what) {
    case "leftovers":
      return undefined;
    case "flush":
      return request.stages ? { ...common, project: (await session.project()).name, flush: true } : undefined;
    case "everything":
      if (request.only === undefined) return { ...common, flush: true };
      if (request.only === "dev") {
        notes.push(
          "Stages of --dev have no cache of their own: their content decides, so there is nothing improper",
        );
        return undefined;
      }
      return { ...common, improperFormat: true };
    case "stages": {
      const { name: project } = await session.project();
      const { improperRepoCache, improperCacheVersion: improperFormat } = request;
      return {
        ...common,
        project,
        ...(improperFormat && { improperFormat }),
        ...(improperRepoCache !== undefined && {
          notIn: await neededBy(session, improperRepoCache, request.force ?? false),
        }),
      };
    }
  }
}

/** Signatures of all stages that images in REPO are made of. @throws USAGE when REPO has no image of the project */
async function neededBy(
  session: LocalCleanupNeeds,
  repo: string,
  force: boolean,
): Promise<ReadonlySet<string>> {
  const { signal } = session.options;
  const { name: project } = await session.project();
  const { value: backend } = await session.registry(repo);
  const inventory = await readInventory(backend, {
    project,
    signal,
    // What images are made of is to be known for sure.
    verify: true,
    memo: registryMemo(await session.store()),
  });
  const unreadable = inventory.broken.find(mayStandOnStages);
  if (unreadable) {
    throw new EngineError(
      "REGISTRY_FAILED",
      `Cannot tell which stages are needed: ${unreadable.reference} cannot be read: ${unreadable.why}`,
    );
  }
  if (inventory.images.length === 0 && !force) {
    throw new EngineError(
      "USAGE",
      `Cannot clean up by "${inventory.repo}": it holds no image of project "${project}", so every stage would go`,
      { fix: "Check REPO and --name, publish an image first, or use --force" },
    );
  }
  return new Set(
    inventory.images.flatMap(({ chain }) =>
      chain.flatMap(({ stages }) => stages.map(({ signature }) => signature))
    ),
  );
}

function stageRow(fate: LocalFate): LocalCleanupRow {
  const { signature, project, image, stage, verdict, why, bytes } = fate;
  return {
    kind: "stage",
    name: signature,
    verdict,
    why,
    project,
    title: `${image || "(nameless)"}/${stage}`,
    bytes,
  };
}

/** Blobs and unpacked layers that no stage has, as far as they are there now. */
async function leftovers(store: Store, staying: readonly StageRecord[]): Promise<readonly LocalCleanupRow[]> {
  const rows: LocalCleanupRow[] = [];
  const { blobs, bytes } = await store.sweep({ dryRun: true });
  if (blobs > 0) {
    rows.push({
      kind: "directory",
      name: `${store.path}/blobs`,
      verdict: "delete",
      why: `${blobs} ${blobs === 1 ? "blob" : "blobs"} that no stage has`,
      bytes,
    });
  }
  const { count } = await removeUnpacked(store.path, layersOf(staying), { dryRun: true });
  if (count > 0) {
    rows.push({
      kind: "directory",
      name: `${store.path}/native`,
      verdict: "delete",
      why: `${count} unpacked ${count === 1 ? "layer" : "layers"} of no stage`,
    });
  }
  return rows;
}

function layersOf(records: readonly StageRecord[]): ReadonlySet<Digest> {
  return new Set(records.flatMap(({ image }) => image.layers.map(({ diffId }) => diffId)));
}

/** What is remembered between builds; only a reset of everything takes it. The journal of deleted tags stays. */
const KEPT = {
  builds: "kept between builds",
  history: "what was built before, for explain",
  memo: "what was found out before",
} as const;

function isKept({ kind, name }: LocalCleanupRow): boolean {
  return kind === "directory" && Object.keys(KEPT).some((each) => name.endsWith(`/${each}`));
}

async function keptRows(store: Store): Promise<readonly LocalCleanupRow[]> {
  const rows: LocalCleanupRow[] = [];
  for (const [name, why] of Object.entries(KEPT)) {
    const path = `${store.path}/${name}`;
    if (await Deno.stat(path).catch(() => undefined)) {
      rows.push({ kind: "directory", name: path, verdict: "delete", why });
    }
  }
  return rows;
}

/** Images of the local Docker engine that `dapp dimg tag` made. */
async function dockerRows(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
  notes: string[],
): Promise<readonly LocalCleanupRow[]> {
  const { env, signal } = session.options;
  const patterns = request.what === "flush" ? request.patterns ?? [] : [];
  const project = request.what === "flush" ? (await session.project()).name : undefined;
  try {
    await using engine = new DockerEngine(env);
    const own = project === undefined ? labels.project : `${labels.project}=${project}`;
    const images = await engine.images([own, `${labels.dimg}=true`], signal);
    const used = await engine.usedImages(signal);
    return images.flatMap(({ id, names, bytes, labels: says }) => {
      const dimg = says[labels.name] ?? "";
      if (patterns.length > 0 && dimg !== "" && !patterns.some((p) => matchName(p, dimg))) return [];
      const busy = used.has(id);
      return names.map((name): LocalCleanupRow => ({
        kind: "docker image",
        name,
        verdict: busy ? "keep" : "delete",
        why: busy ? "a container uses it" : `it is dimg "${dimg}" of project "${says[labels.project]}"`,
        bytes,
      }));
    });
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    notes.push(`Images of the local Docker engine are left out. ${error.message}`);
    return [];
  }
}

/** Does what a plan says; what has come into use meanwhile stays. */
export async function applyLocalRun(
  session: LocalCleanupNeeds,
  plan: LocalCleanupPlan,
): Promise<LocalCleanupReport> {
  const { env, signal, dryRun } = session.options;
  if (dryRun) throw new TypeError("Cannot apply a plan: this engine only says what it would do");
  const store = await session.storeOnly();
  const spared: { name: string; why: string }[] = [];
  let removed = 0;
  const going = plan.rows.filter(({ verdict }) => verdict === "delete");
  const claimed = await store.claimed();
  for (const { name } of going.filter(({ kind }) => kind === "stage")) {
    signal.throwIfAborted();
    const who = claimed.get(name as Signature);
    if (who !== undefined) spared.push({ name, why: `${who} relies on it` });
    else {
      await store.removeStage(name as Signature);
      removed++;
    }
  }
  const swept = await store.sweep({
    alone: async () => {
      const records = await Array.fromAsync(store.stages());
      const { kept } = await removeUnpacked(store.path, layersOf(records), { dryRun: false });
      spared.push(...kept.map((name) => ({ name, why: "another user owns what is in it" })));
      for (const { name } of going.filter(isKept)) {
        await Deno.remove(name, { recursive: true });
        removed++;
      }
    },
  });
  if (swept.busy) {
    const why = "another process uses the store; the next cleanup frees the space";
    spared.push({ name: store.path, why });
  }
  const docker = going.filter(({ kind }) => kind === "docker image");
  let bytes = swept.bytes;
  if (docker.length > 0) {
    try {
      await using engine = new DockerEngine(env);
      for (const { name, bytes: size = 0 } of docker) {
        if (await engine.removeImage(name, signal)) [removed, bytes] = [removed + 1, bytes + size];
        else spared.push({ name, why: "a container uses it" });
      }
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new EngineError("DOCKER_FAILED", error.message, { cause: error });
    }
  }
  return { removed, freedBytes: bytes, spared };
}

/** What is to be cleaned up on this machine. */
export type LocalCleanupRequest =
  /** `dimg cleanup`: leftovers of all projects: blobs nothing names, unpacked layers of stages that are gone, scratch. */
  | { readonly what: "leftovers" }
  /** `dimg stages cleanup local`: stages of the project, by the flags given. */
  | {
    readonly what: "stages";
    /** Stages that no image in this REPO needs, but young ones and those that a running build uses. */
    readonly improperRepoCache?: string;
    /** Go on although REPO holds no image of the project. @default false */
    readonly force?: boolean;
    /** Stages of another format of signatures. */
    readonly improperCacheVersion?: boolean;
  }
  /** `dimg flush local` and `dimg stages flush local`: what the project has here. */
  | {
    readonly what: "flush";
    readonly images: boolean;
    readonly stages: boolean;
    /** dimgs by glob patterns; stages that other dimgs need as well stay. @default all */
    readonly patterns?: readonly string[];
  }
  /** `dimg mrproper`: all projects. */
  | { readonly what: "everything"; readonly only?: "dev" | "cache-version" };

/** What a cleanup of this machine would do. JSON-printable. */
export interface LocalCleanupPlan {
  /** Directory of the store. */
  readonly home: string;
  /** What was asked for. */
  readonly request: LocalCleanupRequest;
  /** What was looked at, with its fate. */
  readonly rows: readonly LocalCleanupRow[];
  /** Bytes on disk that will be free. */
  readonly freedBytes: number;
  /** Remarks, one sentence each. */
  readonly notes: readonly string[];
}

/** One thing on this machine and its fate. */
export interface LocalCleanupRow {
  /** What it is. */
  readonly kind: "stage" | "docker image" | "directory";
  /** Signature, image name, path. */
  readonly name: string;
  /** Whether it goes. */
  readonly verdict: "keep" | "delete";
  /** One line. */
  readonly why: string;
  /** The project it belongs to, when it belongs to one. */
  readonly project?: string;
  /** `image/stage` of a stage. */
  readonly title?: string;
  /** Bytes on disk that would be free. */
  readonly bytes?: number;
}

/** What a cleanup of this machine did. */
export interface LocalCleanupReport {
  /** How many things went. */
  readonly removed: number;
  /** Bytes on disk that are free now. */
  readonly freedBytes: number;
  /** What was to go and stayed, with the reason. */
  readonly spared: readonly { readonly name: string; readonly why: string }[];
}
