import type { CleanupApply, CleanupRequest, RestoreReport } from "../api.ts";
import type { Inventory } from "../contract/cleanup.ts";
import { matchName } from "../../lib/glob.ts";
import { EngineError } from "../contract/errors.ts";
import { registryMemo, repoOf } from "../session/repos.ts";
import type { RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import type { Session } from "../session/session.ts";
import { applyPlan, type ApplyReport } from "./apply.ts";
import { PROTOCOL, systemClock } from "../protocol/clock.ts";
import { cleanupGit } from "./git_facts.ts";
import { readInventory } from "./inventory.ts";
import { Journal, readJournal, readPending } from "./journal.ts";
import { collectKeeps, type GivenKeep } from "./keeps.ts";
import { legacyStages } from "./legacy.ts";
import { leasedBy, readLeases, validLeases } from "../protocol/leases.ts";
import { type CleanupPlan, planCleanup } from "./plan.ts";
import { openPolicies } from "./policies.ts";
import { restore } from "./restore.ts";

/** Reads REPO, asks every policy, and decides. Changes nothing. */
export async function planRegistryCleanup(session: Session, request: CleanupRequest): Promise<CleanupPlan> {
  const { signal, emit } = session.options;
  const { name: project } = await session.project();
  const { backend, memo } = await openRepo(session, request.repo);
  const inventory = await readInventory(backend, { project, memo, signal });
  const { images, stages, others, broken } = inventory;
  const listed = images.length + stages.length + others.length + broken.length;
  emit({ type: "detail", text: `${inventory.repo} has ${listed} tags` });
  const legacy = request.legacy && await legacyStages(session, backend, inventory, request.legacy);
  const { cleanup } = (await session.config()).project;
  const keeps = request.flush || request.images === false
    ? []
    : await askPolicies(session, inventory, request);
  const leases = request.flush ? [] : await readLeases(backend.repository(""), signal);
  const dimgs = request.patterns?.length ? await selected(session, inventory, request.patterns) : undefined;
  return planCleanup(inventory, keeps, {
    images: request.images ?? true,
    stages: request.stages ?? "none",
    ...(legacy && { legacy }),
    leased: leasedBy(validLeases(leases, Date.now(), PROTOCOL.skewMs)),
    ...(dimgs && { dimgs }),
    ...(cleanup?.stageGraceMs !== undefined && !request.flush && { graceMs: cleanup.stageGraceMs }),
    ...(cleanup?.stageBudgetBytes !== undefined && { budgetBytes: cleanup.stageBudgetBytes }),
  });
}

/** Names of dimgs that match, those of images that the dappfile no longer has included. @throws DIMG_UNKNOWN */
async function selected(
  session: Session,
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
  session: Session,
  inventory: Inventory,
  request: CleanupRequest,
): Promise<readonly GivenKeep[]> {
  const { dir, env, signal, dryRun, emit } = session.options;
  const store = await session.store();
  const hooks = await session.hooks();
  const { policies, defaultPolicies } = await session.policies();
  await using runner = await openPolicies({
    config: (await session.config()).project.cleanup,
    builtins: policies,
    defaults: defaultPolicies,
    without: request.withoutKube ? ["keep-kubernetes"] : [],
    host: { projectDir: dir, env },
    context: { signal, dryRun, emit },
  });
  const git = await cleanupGit(dir, { scratch: () => store.scratch(), signal });
  const asked = { inventory, git, env, projectDir: dir, signal };
  const answers = await Promise.all([runner, hooks].map((each) => collectKeeps(each, asked)));
  return answers.flat();
}

/** Does what a plan says. */
export async function applyRegistryCleanup(
  session: Session,
  plan: CleanupPlan,
  options: CleanupApply,
): Promise<ApplyReport> {
  if (session.options.dryRun) {
    throw new TypeError("Cannot apply a plan: this engine only says what it would do");
  }
  const { backend, memo } = await openRepo(session, plan.repo);
  const path = await journalPath(session);
  await using journal = await Journal.open(path);
  return await applyPlan(plan, {
    backend,
    memo,
    journal,
    pending: await readPending(path, plan.repo),
    signal: session.options.signal,
    clock: systemClock,
    graceMs: backend.capabilities.settleMs ?? PROTOCOL.graceMs,
    ...(options.onEvent && { onEvent: options.onEvent }),
  });
}

/** Puts deleted tags back. */
export async function restoreTags(
  session: Session,
  tags: readonly string[],
  given: string | undefined,
): Promise<RestoreReport> {
  const { signal, dryRun } = session.options;
  const { backend } = await openRepo(session, given);
  const restored = await restore(backend, await readJournal(await journalPath(session)), {
    signal,
    dryRun,
    ...(tags.length > 0 && { tags }),
  });
  return { repo: backend.repository("").name, dryRun, tags: restored };
}

async function openRepo(
  session: Session,
  given: string | undefined,
): Promise<{ readonly backend: RegistryBackend; readonly memo: RegistryMemo }> {
  const { value: backend } = await session.registry(await repoOf(session, given));
  return { backend, memo: registryMemo(await session.store()) };
}

/** One file for all repositories: manifests of everything that was deleted from here. */
async function journalPath(session: Session): Promise<string> {
  return `${(await session.store()).path}/cleanup/journal`;
}
