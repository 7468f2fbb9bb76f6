import { unreachable } from "../../../lib/unreachable.ts";
import { EngineError } from "../../contract/errors.ts";
import type { Store } from "../../contract/store.ts";
import { readInventory } from "../inventory.ts";
import { type LocalCleanupNeeds, registryMemo } from "../needs.ts";
import { mayStandOnStages } from "../planner.ts";
import { dockerRows } from "./docker_rows.ts";
import { leftovers, sectionRows } from "./leftovers.ts";
import { isReset, type LocalCleanupPlan, type LocalCleanupRequest, type LocalCleanupRow } from "./model.ts";
import { type LocalFate, type LocalRules, planLocal } from "./plan.ts";

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
    for (const stage of plan.stages) rows.push(stageRow(stage));
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
