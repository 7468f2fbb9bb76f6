/**
 * What plugins may answer, as strict schemas: a misspelt key is as much of a mistake as it is in a dappfile. Each names
 * every key of its type in the contract, or does not compile. Loaded when a plugin that is not built in answers.
 */
import * as z from "../../lib/zod.ts";
import type { Keep } from "../contract/cleanup.ts";
import {
  type BaseRule,
  type CleanupSection,
  type Config,
  type DockerInstructions,
  type GitEntry,
  type HealthcheckRule,
  type ImageRule,
  type ImportRule,
  type MountRule,
  type PluginUse,
  type ProjectSection,
  type SecretRule,
  type SecretSource,
  type ShellStage,
  userStages,
} from "../contract/config.ts";
import type { StepPlace } from "../contract/place.ts";
import { EngineError } from "../contract/errors.ts";
import type { HookName } from "../contract/plugin.ts";
import type { Plan, PlannedImage, PlannedStage } from "../contract/results.ts";
import type { CiFacts, CiValue, Tag, TagFlag } from "../contract/tagging.ts";
import { isFact } from "../contract/guards.ts";
import { type Fact, isSignature } from "../contract/signature.ts";
import { builderShape, isRole, registryShape, sourceShape, storeShape } from "./apart/roles/shapes.ts";
import { requiredOf, type Shape } from "./apart/wire.ts";
import { byPlaces } from "../../lib/by_places.ts";
import { shownKind } from "../../lib/shown_kind.ts";
import { didYouMean } from "../../lib/suggest.ts";

type ShapeOf<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> };

/** The keys of a type of the contract and no others. */
export function strict<T>(shape: ShapeOf<T>): z.ZodType<T> {
  return z.strictObject(shape) as z.ZodType as z.ZodType<T>;
}

/** A type of which only these keys are looked at. */
function loose<T>(shape: z.ZodRawShape = {}): z.ZodType<T> {
  return z.looseObject(shape) as z.ZodType as z.ZodType<T>;
}

const method = z.custom<unknown>((value) => typeof value === "function", { error: "function" });

/** Something with methods, such as a store: each must be there, and what else it has is its own business. */
function object(shape: Shape, facts: z.ZodRawShape = {}): z.ZodType {
  return z.looseObject({
    ...facts,
    ...Object.fromEntries(requiredOf(shape).map((name) => [name, method])),
    ...Object.fromEntries(Object.entries(shape.parts ?? {}).map(([name, part]) => [name, object(part)])),
  });
}

export const text = z.string().min(1);
const maybe = text.optional();
const texts = z.array(z.string());
const named = z.record(z.string(), z.string());
const number = z.number();
const kind = z.enum(["dimg", "artifact"]);
const position = { line: number, file: z.string().optional() };
export const signature = z.string().refine(isSignature, "signature");

const use = strict<PluginUse>({
  use: text,
  options: z.unknown().optional(),
  trusted: z.literal(true).optional(),
  timeoutMs: number.optional(),
  line: number,
  places: z.record(z.string(), z.tuple([number, number])).optional(),
});

const git = strict<GitEntry>({
  remote: loose<Required<GitEntry>["remote"]>({ url: text, ref: z.looseObject({ kind: text }) }).optional(),
  add: text,
  to: text,
  includePaths: texts,
  excludePaths: texts,
  owner: maybe,
  group: maybe,
  stageDependencies: z.partialRecord(z.enum(userStages), texts),
  visibleAll: z.boolean(),
  ...position,
});

const shell = strict<ShellStage>({
  commands: texts,
  lines: z.array(strict<{ readonly line: number; readonly file?: string }>(position)).optional(),
  cacheVersion: z.string().optional(),
  stageCacheVersion: z.string().optional(),
});

const docker = strict<DockerInstructions>({
  CMD: z.union([z.string(), texts]).optional(),
  ENTRYPOINT: z.union([z.string(), texts]).optional(),
  ENV: named.optional(),
  LABEL: named.optional(),
  EXPOSE: texts.optional(),
  VOLUME: texts.optional(),
  ONBUILD: texts.optional(),
  WORKDIR: z.string().optional(),
  USER: z.string().optional(),
  STOPSIGNAL: z.string().optional(),
  HEALTHCHECK: strict<HealthcheckRule>({
    Test: texts,
    Interval: number.optional(),
    Timeout: number.optional(),
    StartPeriod: number.optional(),
    StartInterval: number.optional(),
    Retries: number.optional(),
  }).optional(),
});

const imports = strict<ImportRule>({
  artifact: text,
  add: text,
  to: text,
  before: z.enum(["install", "setup"]).optional(),
  after: z.enum(["install", "setup"]).optional(),
  includePaths: texts,
  excludePaths: texts,
  owner: maybe,
  group: maybe,
  ...position,
});

const mount = strict<Partial<Record<keyof MountRule | "path" | "size" | "sharing", unknown>>>({
  to: text,
  ...position,
  from: z.enum(["tmp_dir", "build_dir", "memory", "path"]),
  path: maybe,
  size: z.number().optional(),
  sharing: z.literal("locked").optional(),
}).refine((rule): rule is MountRule => (rule.from === "path") === (rule.path !== undefined), {
  path: ["path"],
  error: "text where `from` is `path`, and nothing elsewhere",
}).refine((rule) => (rule.from === "memory") === ("size" in rule), {
  path: ["size"],
  error: "a number where `from` is `memory`, and nothing elsewhere",
});

const secret = strict<SecretRule>({
  id: text,
  source: loose<SecretSource>(),
  target: maybe,
  as: maybe,
  version: maybe,
  ...position,
});

const image = strict<ImageRule>({
  kind,
  name: z.string(),
  document: number,
  ...position,
  base: loose<BaseRule>({ kind: z.enum(["scratch", "image", "dimg", "artifact", "dockerfile"]) }),
  fromCacheVersion: z.string().optional(),
  git: z.array(git),
  gitPatches: z.literal(false).optional(),
  shell: z.partialRecord(z.enum(userStages), shell),
  docker: docker.optional(),
  mounts: z.array(mount),
  secrets: z.array(secret),
  ssh: z.array(z.literal("default")),
  imports: z.array(imports),
  network: z.enum(["private", "host", "none"]).optional(),
  asLayers: z.boolean(),
});

const cleanup = strict<CleanupSection>({
  keep: z.array(use),
  defaults: z.boolean(),
  stageGraceMs: number.optional(),
  stageBudgetBytes: number.optional(),
});

const config = strict<Config>({
  file: text,
  project: strict<ProjectSection>({
    name: maybe,
    repo: maybe,
    plugins: z.array(use),
    cleanup: cleanup.optional(),
  }),
  images: z.array(image),
  warnings: texts,
});

export const place = strict<StepPlace>({ builder: text, address: maybe, platform: maybe });

const plan = strict<Plan>({
  project: z.string(),
  platform: text,
  images: z.array(strict<PlannedImage>({
    name: z.string(),
    kind,
    signature,
    stages: z.array(strict<PlannedStage>({
      stage: text,
      signature,
      state: z.enum(["cached", "covered", "build", "unneeded"]),
      reason: z.string(),
      hermetic: z.boolean(),
      runsAt: place.optional(),
    })),
  })),
});

const ciValue = strict<CiValue>({ value: maybe, variables: texts });

/** One answer of each hook; of those that collect, one row. */
const schemas: Readonly<Record<HookName, z.ZodType>> = {
  config,
  plan,
  openStore: object(storeShape, { path: text }),
  openSource: object(sourceShape),
  openBuilder: object(builderShape, { name: text, shell: method }),
  openRegistry: object(registryShape, { kind: text, capabilities: z.looseObject({}) }),
  stageInputs: strict<Record<keyof Fact, unknown>>({
    key: text,
    value: z.string(),
    listing: z.literal(true).optional(),
  }).refine(isFact, { path: ["value"], error: "digest" }),
  detectCi: strict<CiFacts>({ name: text, tag: ciValue, branch: ciValue, buildId: ciValue }),
  tagFlags: strict<TagFlag>({ name: text, value: maybe, summary: text }),
  tags: strict<Tag>({ tag: text, scheme: text, value: text, image: z.string().optional() }),
  keep: strict<Keep>({
    reference: z.string(),
    rule: text,
    why: z.string(),
    nearly: z.literal(true).optional(),
  }),
  built: z.unknown(),
  published: z.unknown(),
};

/**
 * What a plugin answered, or one row of it. Data is a copy: whatever the plugin does with its own later changes nothing.
 *
 * @throws PLUGIN_RESULT_INVALID with plugin, hook, field and what is wrong with it
 */
export function checkAnswer(hook: HookName, plugin: string, answer: unknown): unknown {
  const copy = shaped(answer, schemas[hook], { plugin, hook });
  return isRole(hook) ? answer : copy;
}

/** A list that a plugin answered. @throws PLUGIN_RESULT_INVALID */
export function checkRows(hook: HookName, plugin: string, answer: unknown): unknown[] {
  if (!Array.isArray(answer)) {
    throw wrongAnswer(`it is ${shownKind(answer)}, wanted is a list`, { plugin, hook });
  }
  return byPlaces(answer, (row) => checkAnswer(hook, plugin, row));
}

/** Whose answer it is. */
export interface Answered {
  readonly plugin: string;
  readonly hook: string;
  /** What was called of an object that the hook answered with. */
  readonly method?: string;
}

/** @throws PLUGIN_RESULT_INVALID with plugin, hook, field and what is wrong with it */
export function requireShape<T>(
  answer: unknown,
  schema: z.ZodType<T>,
  answered: Answered,
): asserts answer is T {
  shaped(answer, schema, answered);
}

function shaped<T>(answer: unknown, schema: z.ZodType<T>, answered: Answered): T {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  // It is an object to zod, of which every key is missing.
  const why = answer instanceof Promise ? `it is ${shownKind(answer)}` : problemOf(issue!, answer, schema);
  throw wrongAnswer(why, answered);
}

/** An answer that is not what was asked for; `why` is the end of a sentence. */
export function wrongAnswer(why: string, { plugin, hook, method }: Answered): EngineError {
  const asked = method === undefined ? "" : `"${method}" of `;
  return new EngineError(
    "PLUGIN_RESULT_INVALID",
    `Plugin "${plugin}" answered ${asked}hook "${hook}" with something else than wanted: ${why}`,
    { plugin, hook },
  );
}

/** What is wrong, as the end of a sentence: `its key "tag" is a number, wanted is a text`. */
function problemOf(issue: z.core.$ZodIssue, answer: unknown, schema: z.ZodType): string {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") {
    const named = (key: string) => [...path, key].join(".");
    const keys = keysAt(schema, path);
    const known = keys.map((key) => `"${named(key)}"`).join(", ");
    const [key] = issue.keys as [string];
    return `its key "${named(key)}" is unknown, known are ${known}${didYouMean(key, keys)}`;
  }
  const value = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], answer);
  const found = value === undefined ? "missing" : shownKind(value);
  return `${path.length === 0 ? "it" : `its key "${path.join(".")}"`} is ${found}, wanted is ${
    wanted(issue)
  }`;
}

function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return {
        string: "a text",
        array: "a list of texts or entries",
        object: "an object",
        record: "an object",
      }[
        issue.expected as string
      ] ?? `a ${issue.expected}`;
    case "invalid_value":
      return issue.values.map((value) => JSON.stringify(value)).join(" or ");
    case "too_small":
      return "a text";
    case "custom":
      return `a ${issue.message}`;
    default:
      return issue.message;
  }
}

/** The keys of the object that a path leads to. */
function keysAt(schema: z.ZodType, path: readonly string[]): readonly string[] {
  let at: z.ZodType = schema;
  for (const key of path) {
    if (at instanceof z.ZodOptional) at = at.unwrap() as z.ZodType;
    if (at instanceof z.ZodArray) at = at.element as z.ZodType;
    else if (at instanceof z.ZodObject) at = at.shape[key] as z.ZodType;
    else return [];
  }
  if (at instanceof z.ZodOptional) at = at.unwrap() as z.ZodType;
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}
