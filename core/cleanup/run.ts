import type { Inventory } from "../contract/cleanup.ts";
import { matchName } from "../../lib/glob.ts";
import { EngineError } from "../contract/errors.ts";
import { type CleanupNeeds, registryMemo } from "./needs.ts";
import type { RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import { applyPlan, type ApplyReport } from "./apply.ts";
import { clockBeside, earlier, PROTOCOL } from "../protocol/clock.ts";
import { localMarkOwners } from "../protocol/mark_owners.ts";
import { clockNotes } from "./clocks.ts";
import { cleanupGit } from "./git_facts.ts";
import { readInventory } from "./inventory.ts";
import { Journal, readJournal, readPending } from "./journal.ts";
import { otherRemote } from "./other_remote.ts";
import { collectKeeps, type GivenKeep } from "./policies.ts";
import { legacyStages } from "./legacy.ts";
import { leasedBy, readLeases, validLeases } from "../protocol/leases.ts";
import type { CleanupPlan } from "./plan.ts";
import { planCleanup } from "./planner.ts";
import { projectPolicies } from "./project_policies.ts";
import { removedBefore } from "./removed_before.ts";
import { restore, type RestoredTag } from "./restore.ts";
import type { ApplyEvent } from "./apply_model.ts";

/** Reads REPO, asks every policy, and decides. Changes nothing. */
export async function planRegistryCleanup(
  session: CleanupNeeds,
  request: CleanupRequest & { readonly repo: string },
): Promise<CleanupPlan> {
  const { signal, emit } = session.options;
  const { name: project } = await session.project();
  const { backend, memo } = await openRepo(session, request.repo);
  const inventory = await readInventory(backend, { project, memo, signal });
  const { images, stages, others, broken } = inventory;
  const listed = images.length + stages.length + others.length + broken.length;
  emit({ type: "detail", text: `${inventory.repo} has ${listed} tags` });
  const legacy = request.legacy && await legacyStages(session, backend, inventory, request.legacy);
  const { cleanup } = (await session.config()).project;
  const { keeps, notes } = request.flush || request.images === false
    ? { keeps: [], notes: [] }
    : await askPolicies(session, inventory, request);
  const leases = request.flush ? [] : await readLeases(backend.repository(""), signal);
  const dimgs = request.patterns?.length ? await selected(session, inventory, request.patterns) : undefined;
  const clocks = request.flush ? [] : clockNotes(inventory.repo, Date.now(), backend.capabilities);
  return planCleanup(inventory, keeps, {
    notes: [...clocks, ...notes],
    removed: await removedBefore(await journalPath(session), { repo: inventory.repo, project }),
    ...(request.flush && { flush: true }),
    images: request.images ?? true,
    stages: request.stages ?? "none",
    ...(legacy && { legacy }),
    leased: leasedBy(validLeases(leases, earlier(Date.now(), backend.capabilities), PROTOCOL.skewMs)),
    ...(dimgs && { dimgs }),
    ...(cleanup?.stageGraceMs !== undefined && !request.flush && { graceMs: cleanup.stageGraceMs }),
    ...(cleanup?.stageBudgetBytes !== undefined && { budgetBytes: cleanup.stageBudgetBytes }),
  });
}

/** Names of dimgs that match, those of images that the dappfile no longer has included. @throws DIMG_UNKNOWN */
async function selected(
  session: CleanupNeeds,
  inventory: Inventory,
  patterns: readonly string[],
): Promise<readonly string[]> {
  const { images } = await session.config();
  const names = new Set([
    ...images.filter(({ kind }) => kind === "dimg").map(({ name }) => name),
    ...inventory.images.map(({ dimg }) => dimg),
  ]);
  const chosen = [...names].filter((name) => name === "" || patterns.some((p) => matchName(p, name)));
  if (chosen.length > 0) return chosen;
  throw new EngineError(
    "DIMG_UNKNOWN",
    `Cannot select dimgs: nothing in the dappfile or in ${inventory.repo} matches ${patterns.join(", ")}`,
  );
}

async function askPolicies(
  session: CleanupNeeds,
  inventory: Inventory,
  request: CleanupRequest,
): Promise<{ readonly keeps: readonly GivenKeep[]; readonly notes: readonly string[] }> {
  const { dir, env, signal } = session.options;
  const store = await session.store();
  await using policies = await projectPolicies(session, request.withoutKube ? ["keep-kubernetes"] : []);
  const git = await cleanupGit(dir, { scratch: () => store.blobs.scratch(), env, signal });
  const other = git && await otherRemote(git, inventory);
  const asked = { inventory, git, env, projectDir: dir, signal };
  const asks = [policies.hooks, await session.hooks()];
  const answers = await Promise.all(asks.map((each) => collectKeeps(each, asked)));
  if (other === undefined) return { keeps: answers.flat(), notes: [] };
  // What it lacks says nothing: images made from git stay, as they do outside of git.
  const made = inventory.images.filter(({ scheme }) => scheme.startsWith("git_"));
  const own = made.map(({ reference }) => ({ reference, rule: "other remote", why: other, plugin: "dapp" }));
  const notes = [
    `No image made from git goes: ${other}. Run the cleanup in a clone of the project's own repository`,
  ];
  return { keeps: [...answers.flat(), ...own], notes };
}

/** Does what a plan says. */
export async function applyRegistryCleanup(
  session: CleanupNeeds,
  plan: CleanupPlan,
  options: CleanupApply,
): Promise<ApplyReport> {
  if (session.options.dryRun) {
    throw new TypeError("Cannot apply a plan: this engine only says what it would do");
  }
  const { backend, memo } = await openRepo(session, plan.repo);
  const path = await journalPath(session);
  const { housekeeping } = await session.store();
  await using journal = await Journal.open(path, () => housekeeping.makeRoom());
  return await applyPlan(plan, {
    backend,
    memo,
    journal,
    owners: localMarkOwners(`${(await session.store()).path}/cleanup/marks`),
    pending: await readPending(path, plan.repo),
    signal: session.options.signal,
    clock: clockBeside(backend),
    graceMs: backend.capabilities.settleMs ?? PROTOCOL.graceMs,
    ...(options.onEvent && { onEvent: options.onEvent }),
  });
}

/** Puts deleted tags back. */
export async function restoreTags(
  session: CleanupNeeds,
  tags: readonly string[],
  repo: string,
): Promise<RestoreReport> {
  const { signal, dryRun } = session.options;
  const { backend } = await openRepo(session, repo);
  const restored = await restore(backend, await readJournal(await journalPath(session)), {
    signal,
    dryRun,
    ...(tags.length > 0 && { tags }),
  });
  return { repo: backend.repository("").name, dryRun, tags: restored };
}

async function openRepo(
  session: CleanupNeeds,
  repo: string,
): Promise<{ readonly backend: RegistryBackend; readonly memo: RegistryMemo }> {
  const { value: backend } = await session.registry(repo);
  return { backend, memo: registryMemo(await session.store()) };
}

/** One file for all repositories: manifests of everything that was deleted from here. */
async function journalPath(session: Pick<CleanupNeeds, "store">): Promise<string> {
  return `${(await session.store()).path}/cleanup/journal`;
}

/** What is to be cleaned up in REPO. */
export interface CleanupRequest {
  /** What is cleaned up. @default `repo` of the engine, else of the dappfile */
  readonly repo?: string;
  /** dimgs whose images may go, by glob patterns, also such as the dappfile no longer has. @default all */
  readonly patterns?: readonly string[];
  /** Whether images may go. @default true */
  readonly images?: boolean;
  /** `unneeded`: stages that no image needs; `all`: every one. @default "none" */
  readonly stages?: "none" | "unneeded" | "all";
  /** Ask no policy: everything of the project goes (`flush`). @default false */
  readonly flush?: boolean;
  /** Do not ask Kubernetes what it runs. @default false */
  readonly withoutKube?: boolean;
  /** Stages that the old tool left behind: all of them, or those of commits that no longer exist. */
  readonly legacy?: "all" | "lost commits";
}

/** How a plan is applied. */
export interface CleanupApply {
  /** Told of each tag as it goes. */
  readonly onEvent?: (event: ApplyEvent) => void;
}

/** What became of deleted tags that were to come back. */
export interface RestoreReport {
  /** REPO in full. */
  readonly repo: string;
  /** Nothing was changed, only told. */
  readonly dryRun: boolean;
  /** One row for each tag. */
  readonly tags: readonly RestoredTag[];
}
