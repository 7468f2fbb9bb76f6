import { DockerEngine, DockerError } from "../../../lib/docker/engine.ts";
import { matchName } from "../../../lib/glob.ts";
import type { BuilderLeftovers } from "../../contract/builder.ts";
import { EngineError } from "../../contract/errors.ts";
import { labels } from "../../contract/labels.ts";
import { type LocalCleanupNeeds, registryMemo } from "../needs.ts";
import type { StageRecord, Store } from "../../contract/store.ts";
import { readInventory } from "../inventory.ts";
import { mayStandOnStages } from "../planner.ts";
import { type LocalFate, type LocalRules, planLocal } from "./plan.ts";
import type { Signature } from "../../contract/signature.ts";
import type { Digest } from "../../../lib/oci/digest.ts";
import { unreachable } from "../../../lib/unreachable.ts";

/** Decides what of this machine goes. Changes nothing. */
export async function planLocalRun(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
): Promise<LocalCleanupPlan> {
  // Leftovers are those of all projects, so no dappfile is needed for them.
  const needsProject = request.what === "stages" || request.what === "flush";
  const store = needsProject ? await session.store() : await session.storeOnly();
  const records = await Array.fromAsync(store.stages.all());
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
  const all = isReset(request);
  const sections = all ? await sectionRows(store) : [];
  const left = await leftovers(session, store, records.filter(({ signature }) => !going.has(signature)));
  // Of a reset the sections are rows of their own.
  rows.push(...left.filter(({ name }) => !sections.some((row) => row.name === name)), ...sections);
  freedBytes += left.reduce((sum, row) => sum + (row.bytes ?? 0), 0);
  if ((request.what === "flush" && request.images) || all) {
    const docker = await dockerRows(session, request, notes);
    rows.push(...docker);
    freedBytes += docker.reduce((sum, row) => sum + (row.verdict === "delete" ? row.bytes ?? 0 : 0), 0);
  }
  return { home: store.path, request, rows, freedBytes, notes };
}

/** Whether what is remembered between builds goes as well, used or not. */
function isReset(request: LocalCleanupRequest): boolean {
  return request.what === "everything" && request.only === undefined;
}

/** What says which stages go; undefined when none do. */
async function rulesOf(
  session: LocalCleanupNeeds,
  request: LocalCleanupRequest,
  store: Store,
  notes: string[],
): Promise<LocalRules | undefined> {
  const common = { now: Date.now(), inUse: await store.locks.claimed() };
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
    default:
      return unreachable(request);
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

/** Blobs and unpacked layers that no stage has, and memos that nobody has used for long, as far as they are there now. */
async function leftovers(
  session: LocalCleanupNeeds,
  store: Store,
  staying: readonly StageRecord[],
): Promise<readonly LocalCleanupRow[]> {
  const rows: LocalCleanupRow[] = [];
  const { path, blobs, bytes, memos } = await store.housekeeping.sweep({ dryRun: true });
  if (blobs > 0) {
    rows.push({
      kind: "directory",
      name: path,
      verdict: "delete",
      why: `${blobs} ${blobs === 1 ? "blob" : "blobs"} that no stage has`,
      bytes,
    });
  }
  if (memos) {
    rows.push({
      kind: "directory",
      name: memos.path,
      verdict: "delete",
      why: `${memos.count} ${memos.count === 1 ? "answer" : "answers"} found before and not used for long`,
      bytes: memos.bytes,
    });
  }
  await using builder = await session.tidyBuilder();
  const { path: unpacked, count } = await builder?.leftovers?.(layersOf(staying), { dryRun: true }) ??
    NOTHING;
  if (count > 0) {
    rows.push({
      kind: "directory",
      name: unpacked,
      verdict: "delete",
      why: `${count} unpacked ${count === 1 ? "layer" : "layers"} of no stage`,
    });
  }
  return rows;
}

function layersOf(records: readonly StageRecord[]): ReadonlySet<Digest> {
  return new Set(records.flatMap(({ image }) => image.layers.map(({ diffId }) => diffId)));
}

const NOTHING: BuilderLeftovers = { path: "", count: 0, kept: [] };

/** What is remembered between builds; only a reset of everything takes it. */
async function sectionRows(store: Store): Promise<readonly LocalCleanupRow[]> {
  const sections = await store.housekeeping.sections();
  return sections.map(({ path, what }) => ({ kind: "directory", name: path, verdict: "delete", why: what }));
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
  const removed = new Set<LocalCleanupRow>();
  const going = plan.rows.filter(({ verdict }) => verdict === "delete");
  const claimed = await store.locks.claimed();
  for (const row of going.filter(({ kind }) => kind === "stage")) {
    const { name } = row;
    signal.throwIfAborted();
    const who = claimed.get(name as Signature);
    if (who !== undefined) spared.push({ name, why: `${who} relies on it` });
    else {
      await store.housekeeping.forget(name as Signature);
      removed.add(row);
    }
  }
  const directories = going.filter(({ kind }) => kind === "directory");
  const swept = await store.housekeeping.sweep({
    alone: async () => {
      const records = await Array.fromAsync(store.stages.all());
      await using builder = await session.tidyBuilder();
      const { kept } = await builder?.leftovers?.(layersOf(records), { dryRun: false }) ?? NOTHING;
      spared.push(...kept.map((name) => ({ name, why: "another user owns what is in it" })));
      const resets = new Set(directories.map(({ name }) => name));
      for (const { path, remove } of await store.housekeeping.sections()) {
        if (isReset(plan.request) && resets.has(path)) await remove();
      }
    },
  });
  if (swept.busy) {
    const why = "another process uses the store; the next cleanup frees the space";
    spared.push({ name: store.path, why });
  } else directories.forEach((row) => removed.add(row));
  const docker = going.filter(({ kind }) => kind === "docker image");
  let bytes = swept.bytes + (swept.memos?.bytes ?? 0);
  if (docker.length > 0) {
    try {
      await using engine = new DockerEngine(env);
      for (const row of docker) {
        const { name, bytes: size = 0 } = row;
        if (await engine.removeImage(name, signal)) {
          removed.add(row);
          bytes += size;
        } else spared.push({ name, why: "a container uses it" });
      }
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new EngineError("DOCKER_FAILED", error.message, { cause: error });
    }
  }
  return { removed: going.filter((row) => removed.has(row)), freedBytes: bytes, spared };
}

/** What is to be cleaned up on this machine. */
export type LocalCleanupRequest =
  /** `dimg cleanup`: leftovers of all projects: blobs nothing names, unpacked layers of stages that are gone, memos not used for long. */
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
  /** What went, in the order of the plan. */
  readonly removed: readonly LocalCleanupRow[];
  /** Bytes on disk that are free now. */
  readonly freedBytes: number;
  /** What was to go and stayed, with the reason. */
  readonly spared: readonly { readonly name: string; readonly why: string }[];
}
