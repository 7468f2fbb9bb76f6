/** What the methods of an engine take, for programs that no compiler has looked at. */
import {
  callable,
  type Check,
  flag,
  isA,
  listOf,
  needed,
  oneOf,
  options,
  text,
  texts,
} from "../lib/arguments.ts";
import { isObject } from "../lib/guard.ts";
import type { CleanupPlan, Engine, Prefetch } from "./api.ts";
import type { BuildOptions, Introspection } from "./build/introspect.ts";
import type { RunOptions } from "./build/run_image.ts";
import type { LocalCleanupPlan, LocalCleanupRequest } from "./cleanup/local/model.ts";
import type { CleanupApply, CleanupRequest } from "./cleanup/run.ts";
import type { TagWish } from "./contract/tagging.ts";
import type { RepoCheckOptions } from "./publish/check_repo.ts";
import type { PushOptions } from "./publish/outgoing.ts";

type Methods = { [M in keyof Engine as M extends string ? M : never]: Engine[M] };

/** The arguments of a method, in order. */
type ChecksOf<P extends readonly unknown[]> = { readonly [I in keyof P]-?: Named };
type Named = readonly [name: string, check: Check];

const patterns: Named = ["patterns", texts];

const building: { readonly [K in keyof BuildOptions]-?: Check } = {
  introspect: options<Introspection>({
    error: flag,
    beforeError: flag,
    stage: text,
    before: text,
    artifactStage: text,
    artifactBefore: text,
  }),
  failFast: flag,
  stages: flag,
};

const pushing: Named = [
  "options",
  options<PushOptions>({
    ...building,
    repo: text,
    tags: listOf(options<TagWish>({ flag: needed(text), value: text }), "a list of { flag, value }"),
    withStages: flag,
    single: flag,
    build: flag,
  }),
];

const repo: Named = ["options", options<{ repo?: string }>({ repo: text })];
const update: Named = ["options", options<{ update?: boolean }>({ update: flag })];

type Local<W extends LocalCleanupRequest["what"]> = Extract<LocalCleanupRequest, { readonly what: W }>;
const what = needed(text);
const localRequests: { readonly [W in LocalCleanupRequest["what"]]: Check } = {
  leftovers: options<Local<"leftovers">>({ what }),
  stages: options<Local<"stages">>({
    what,
    improperRepoCache: text,
    force: flag,
    improperCacheVersion: flag,
  }),
  flush: options<Local<"flush">>({ what, images: needed(flag), stages: needed(flag), patterns: texts }),
  everything: options<Local<"everything">>({ what, only: oneOf("dev", "cache-version") }),
};
const localKinds = oneOf("leftovers", "stages", "flush", "everything");
const localRequest: Check = {
  wanted: "an object",
  problem(value, at) {
    if (!isObject(value)) return isA(this.wanted, isObject).problem(value, at);
    return needed(localKinds).problem(value.what, `${at}.what`) ??
      localRequests[value.what as LocalCleanupRequest["what"]].problem(value, at);
  },
};

const methods: { readonly [M in keyof Methods]: ChecksOf<Parameters<Methods[M]>> } = {
  prefetch: [["ahead", options<Prefetch>({ git: flag, repo: text })]],
  config: [],
  renderConfig: [],
  project: [],
  list: [patterns],
  plan: [patterns],
  build: [patterns, ["options", options<BuildOptions>(building)]],
  explain: [["pattern", text], ["stage", text]],
  stageImage: [["pattern", text], ["stage", text]],
  files: [["image", text]],
  diff: [["image", text], ["other", text]],
  run: [[
    "options",
    needed(options<RunOptions>({
      pattern: text,
      stage: text,
      command: needed(texts),
      entrypoint: text,
      env: texts,
      volumes: texts,
      workdir: text,
      user: text,
    })),
  ]],
  export: [["patterns", needed(texts)], ["destination", needed(text)]],
  push: [["patterns", needed(texts)], pushing],
  tag: [["patterns", needed(texts)], pushing],
  pushStages: [patterns, repo],
  pullStages: [patterns, ["options", options<{ repo?: string; all?: boolean }>({ repo: text, all: flag })]],
  published: [patterns, repo],
  checkRepo: [patterns, [
    "options",
    options<RepoCheckOptions & { repo?: string }>({ repo: text, read: flag, repair: flag }),
  ]],
  checkRegistry: [repo],
  checkMachine: [],
  planCleanup: [[
    "request",
    options<CleanupRequest>({
      repo: text,
      patterns: texts,
      images: flag,
      stages: oneOf("none", "unneeded", "all"),
      flush: flag,
      withoutKube: flag,
      legacy: oneOf("all", "lost commits"),
    }),
  ]],
  applyCleanup: [
    ["plan", needed(planOf<CleanupPlan>({ repo: "string", now: "string", tags: "list", groups: "list" }))],
    ["options", options<CleanupApply>({ onEvent: callable })],
  ],
  restore: [["tags", texts], repo],
  planLocalCleanup: [["request", needed(localRequest)]],
  applyLocalCleanup: [["plan", needed(planOf<LocalCleanupPlan>({ home: "string", rows: "list" }))]],
  tagFlags: [],
  plugins: [],
  lock: [update],
  lockPlugins: [update],
  checkStore: [["options", options<{ repair?: boolean }>({ repair: flag })]],
};

/** What a method of the engine has planned: text that was read with `JSON.parse` alone is looked at by others. */
function planOf<T>(has: { readonly [K in keyof T]?: "string" | "list" }): Check {
  const names = Object.entries<"string" | "list">(has as Record<string, "string" | "list">);
  return isA(
    "a plan as an engine gives it",
    (value) =>
      isObject(value) &&
      names.every(([name, kind]) =>
        kind === "list" ? Array.isArray(value[name]) : typeof value[name] === kind
      ),
  );
}

/** @throws {TypeError} on arguments that a method does not take */
export function requireArguments(method: string | symbol, args: readonly unknown[]): void {
  if (!Object.hasOwn(methods, method)) return;
  const checks: readonly Named[] = methods[method as keyof Methods];
  for (const [index, [name, check]] of checks.entries()) {
    const problem = check.problem(args[index], name);
    if (problem !== undefined) throw new TypeError(`Cannot do ${String(method)}(): ${problem}`);
  }
}
