/** Cleaning up in tests: policies, plan and removal with a clock that costs no time. */
import { type ApplyOptions, applyPlan, type ApplyReport } from "../../../core/cleanup/apply.ts";
import type { Clock } from "../../../core/protocol/clock.ts";
import { readInventory } from "../../../core/cleanup/inventory.ts";
import { Journal } from "../../../core/cleanup/journal.ts";
import { collectKeeps } from "../../../core/cleanup/policies.ts";
import type { CleanupPlan } from "../../../core/cleanup/plan.ts";
import { planCleanup, type PlanOptions } from "../../../core/cleanup/planner.ts";
import { openPolicies } from "../../../core/cleanup/policies.ts";
import type { CleanupGit, RegistryMemo, Selection } from "../../../core/contract/plugin.ts";
import { defaultPolicies, policies } from "../../../plugins/builtin/policies.ts";
import { withTempDir } from "../../support/tmp.ts";
import { memoryMemo, type MemoryRegistry } from "./memory_registry.ts";
import { never, NOW } from "./publish.ts";

/** A clock that only moves when somebody sleeps. */
export function fakeClock(start = NOW): Clock & { at: number; readonly slept: number[] } {
  const clock = {
    at: start,
    slept: [] as number[],
    now: () => clock.at,
    sleep: (ms: number, signal: AbortSignal) => {
      signal.throwIfAborted();
      clock.slept.push(ms);
      clock.at += ms;
      return Promise.resolve();
    },
  };
  return clock;
}

export interface GitFixture {
  readonly branches?: readonly string[];
  readonly tags?: readonly string[];
  /** Commit -> tree. */
  readonly commits?: Readonly<Record<string, string>>;
}

/** A repository that has just this. */
export function fakeGit({ branches = [], tags = [], commits = {} }: GitFixture): CleanupGit {
  const map = new Map(Object.entries(commits).map(([id, tree]) => [id, { tree, time: NOW / 1000 }]));
  return {
    branches: () => Promise.resolve(new Map(branches.map((b) => [b, "c"]))),
    tags: () => Promise.resolve(new Map(tags.map((t) => [t, "c"]))),
    commits: () => Promise.resolve(map),
    trees: () => Promise.resolve(new Set(Object.values(commits))),
  };
}

export interface CleanupRun {
  readonly git?: GitFixture | "none";
  /** What this machine's clock says. @default NOW */
  readonly now?: number;
  readonly plan?: PlanOptions;
  readonly memo?: RegistryMemo;
  /** Instead of the defaults. */
  readonly policies?: readonly Selection[];
  readonly env?: Readonly<Record<string, string>>;
  readonly projectDir?: string;
}

/** Inventory, reasons and plan. */
export async function planFor(registry: MemoryRegistry, run: CleanupRun = {}): Promise<CleanupPlan> {
  const inventory = await readInventory(registry, {
    project: "shop",
    memo: run.memo ?? memoryMemo(),
    signal: never,
    now: run.now ?? NOW,
  });
  const { env = {}, projectDir = "/nowhere" } = run;
  await using hooks = await openPolicies({
    config: undefined,
    file: "dappfile.yaml",
    builtins: policies,
    defaults: run.policies ?? defaultPolicies,
    host: { projectDir, env },
    context: { signal: never, dryRun: false, emit: () => {} },
  });
  const git = run.git === "none" ? undefined : fakeGit(run.git ?? {});
  const keeps = await collectKeeps(hooks, { inventory, git, env, projectDir, signal: never });
  return planCleanup(inventory, keeps, run.plan ?? { stages: "unneeded" });
}

/** Applies a plan with a journal of its own. */
export async function applyFor(
  registry: MemoryRegistry,
  plan: CleanupPlan,
  options: Partial<ApplyOptions> & { readonly journalPath?: string } = {},
): Promise<ApplyReport> {
  const work = async (path: string) => {
    await using journal = await Journal.open(path);
    const { journalPath: _, ...rest } = options;
    return await applyPlan(plan, {
      backend: registry,
      memo: memoryMemo(),
      journal,
      signal: never,
      clock: fakeClock(),
      ...rest,
    });
  };
  return options.journalPath
    ? await work(options.journalPath)
    : await withTempDir((dir) => work(`${dir}/journal`));
}

/** Tags that stay. */
export async function keptTags(registry: MemoryRegistry, run?: CleanupRun): Promise<string[]> {
  const plan = await planFor(registry, run);
  return plan.tags.filter(({ verdict }) => verdict === "keep").map(({ tag }) => tag);
}

/** References that a plan deletes, without the name of REPO. */
export function deletedBy(plan: CleanupPlan): string[] {
  return plan.tags.filter(({ verdict }) => verdict === "delete").map(({ repository, tag }) =>
    `${repository}:${tag}`
  );
}
