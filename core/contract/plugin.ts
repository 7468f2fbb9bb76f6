/**
 * The plugin contract: everything a plugin may import, beside `lib/`.
 *
 * One table states every hook with its kind and its types; built-in and outside plugins use the same one.
 */
import type * as Zod from "../../lib/zod.ts";
import type { Schema } from "./option_schemas.ts";
import type { Keep, KeepRequest } from "./cleanup.ts";
import type { Config, ImageRule } from "./config.ts";
import type { PluginEvent } from "./events.ts";
import { EngineError, type ErrorCode, isCode, messageOf, wholeMessageOf } from "./errors.ts";
import { plain } from "../../lib/plain.ts";
import type { BuildResult, Plan, PublishReport } from "./results.ts";
import type { RegistryBackend, RegistryRequest } from "./registry.ts";
import type { Store, StoreRequest } from "./store.ts";
import type { CiFacts, CiRequest, Tag, TagFlag, TagRequest } from "./tagging.ts";
import type { Builder, BuilderRequest } from "./builder.ts";
import type { ImageSource, SourceRequest } from "./source.ts";
import type { Fact } from "./signature.ts";
import { type PluginRights, wrongRights } from "./rights.ts";
import { requireSpec } from "./plugin_spec.ts";

export {
  EngineError,
  type ErrorCode,
  type ErrorDetails,
  explained,
  fileFix,
  fullFact,
  messageOf,
  type Problem,
} from "./errors.ts";
export {
  type Fact,
  isSignature,
  type ListingFact,
  type Signature,
  signatureOf,
  type TextFact,
} from "./signature.ts";
export {
  type Digest,
  digestFromHex,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
  sha256Hex,
} from "../../lib/oci/digest.ts";
export { isFact, isImageState, isLayer, isStageRecord } from "./guards.ts";
export {
  labels,
  ociLabels,
  SERVICE_TAG_PREFIX,
  STAGE_TAG_PREFIX,
  type StageChain,
  stageTag,
} from "./labels.ts";
export type { Schema } from "./option_schemas.ts";
export type { PluginRights } from "./rights.ts";
export type * from "./cleanup.ts";
export type * from "./place.ts";
export type * from "./registry.ts";
export type * from "./builder.ts";
export type * from "./source.ts";
export type * from "./store.ts";
export type { FileFailure, FileFailureKind } from "../../lib/file_failure.ts";
export type { Guard } from "../../lib/guard.ts";
export type * from "./tagging.ts";
export type * from "./results.ts";
export type * from "./config.ts";
export type {
  ContainerConfig,
  Descriptor,
  HistoryEntry,
  ImageConfig,
  OciPlatform,
} from "../../lib/oci/types.ts";
export type { LayerIndex, LayerIndexEntry } from "../../lib/layer/index.ts";
export type { TarType } from "../../lib/tar/types.ts";
export type { RegistryFeatures } from "../../lib/registry/inspect.ts";
export type { EngineEvent, EventSink, PluginEvent, StageRef, TimedEvent } from "./events.ts";

/** A value now or later. */
export type Awaitable<T> = T | Promise<T>;
/** Asked one after another until one answers. */
export interface First<I, O> {
  /** How the hook is called. */
  readonly kind: "first";
  /** What the plugin is handed. */
  readonly input: I;
  /** What it answers; undefined leaves it to the next one. */
  readonly output: O | undefined;
}
/** Each sees the former's value; `undefined` leaves it unchanged. */
export interface Waterfall<V> {
  /** How the hook is called. */
  readonly kind: "waterfall";
  /** What the plugin is handed. */
  readonly input: V;
  /** What takes its place; undefined changes nothing. */
  readonly output: V | undefined;
}
/** All are asked together; answers keep the plugin order. */
export interface Collect<I, O> {
  /** How the hook is called. */
  readonly kind: "collect";
  /** What the plugin is handed. */
  readonly input: I;
  /** Rows, none if there is nothing to say. */
  readonly output: readonly O[];
}
/** All are told together; every failure is reported. */
export interface Parallel<I> {
  /** How the hook is called. */
  readonly kind: "parallel";
  /** What the plugin is told. */
  readonly input: I;
  /** Nothing is awaited but the end. */
  readonly output: void;
}

/** A stage that is being signed. */
export interface StageNode {
  /** The image it belongs to. */
  readonly image: ImageRule;
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Shell text of the stage, empty for stages that run nothing. */
  readonly commands: readonly string[];
}

/** Every hook with its kind and its types. */
export interface Hooks {
  /** Rewrite the validated configuration before the graph is built. */
  config: Waterfall<Config>;
  /** Open the local store. */
  openStore: First<StoreRequest, Store>;
  /** Claim the text after `from:`. */
  openSource: First<SourceRequest, ImageSource>;
  /** Claim the command stages of this run. */
  openBuilder: First<BuilderRequest, Builder>;
  /** Add facts that must change the signature of a stage. Keys are prefixed with the plugin's name. */
  stageInputs: Collect<StageNode, Fact>;
  /** Last look at what will run; return a new plan. A cached stage marked "build" is built again, and all after it. */
  plan: Waterfall<Plan>;
  /** Told once every image of the run is built. Skipped on --dry-run. */
  built: Parallel<BuildResult>;
  /** Open REPO. */
  openRegistry: First<RegistryRequest, RegistryBackend>;
  /** Recognise the CI system that dapp runs in. */
  detectCi: First<CiRequest, CiFacts>;
  /** Flags that tag schemes add to the commands that publish. */
  tagFlags: Collect<undefined, TagFlag>;
  /** Tags for the images of this run; each scheme answers its own flags. */
  tags: Collect<TagRequest, Tag>;
  /** Told once every tag is live. Skipped on --dry-run. */
  published: Parallel<PublishReport>;
  /** Give reasons to keep tags; only what nobody keeps may go. If one fails, nothing is deleted. */
  keep: Collect<KeepRequest, Keep>;
}
/** Name of a hook. */
export type HookName = keyof Hooks;
/** What a hook hands to plugins. */
export type HookInput<N extends HookName> = Hooks[N]["input"];
/** What plugins answer to a hook. */
export type HookOutput<N extends HookName> = Hooks[N]["output"];

/** Runtime twin of {@linkcode Hooks}; a missing row or a wrong kind does not compile. `effects` rows are skipped on --dry-run. */
export const hookTable: {
  readonly [N in HookName]: { readonly kind: Hooks[N]["kind"]; readonly effects: boolean };
} = {
  config: { kind: "waterfall", effects: false },
  openStore: { kind: "first", effects: false },
  openSource: { kind: "first", effects: false },
  openBuilder: { kind: "first", effects: false },
  stageInputs: { kind: "collect", effects: false },
  plan: { kind: "waterfall", effects: false },
  built: { kind: "parallel", effects: true },
  openRegistry: { kind: "first", effects: false },
  detectCi: { kind: "first", effects: false },
  tagFlags: { kind: "collect", effects: false },
  tags: { kind: "collect", effects: false },
  published: { kind: "parallel", effects: true },
  keep: { kind: "collect", effects: false },
};

/** Handed to every hook. */
export interface HookContext {
  /** Aborts the work. */
  readonly signal: AbortSignal;
  /** Nothing may be changed. */
  readonly dryRun: boolean;
  /**
   * Tells the user something: `{ type: "note", level: "info" or "warn", text }`, `{ type: "detail", text }` for `--verbose`,
   * or `{ type: "registry.waiting", host, ms, reason }`.
   */
  emit(event: PluginEvent): void;
}

/** What a plugin may know of its surroundings at set-up. */
export interface Host {
  /** Absolute project directory. */
  readonly projectDir: string;
  /** Environment of the run. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Answers a hook. */
export type HookHandler<N extends HookName> = (
  input: HookInput<N>,
  ctx: HookContext,
) => Awaitable<HookOutput<N>>;
/** The hooks that a plugin answers. */
export type HookMap = {
  readonly [N in HookName]?: HookHandler<N> | {
    /** Before or after all handlers without an order. */
    readonly order: "pre" | "post";
    readonly handler: HookHandler<N>;
  };
};
/** What `setup` returns: hooks, and optionally how to let go of what the plugin holds. */
export type PluginHooks = HookMap & Partial<AsyncDisposable>;

/** Options as users write them; a plugin without `options` takes none. */
export type OptionsInput<S> = S extends { readonly _zod: { readonly input: infer I } } ? I : undefined;
/** Options after defaults. */
export type OptionsOutput<S> = S extends { readonly _zod: { readonly output: infer O } } ? O : undefined;

/** What declares a plugin. */
export interface PluginSpec<S extends Schema | undefined> {
  /** `role-subject`, unique per engine: "source-registry". */
  readonly name: string;
  /** The contract version this plugin was written for. */
  readonly api: typeof PLUGIN_API;
  /**
   * The schema of the options, made with the engine's own zod: `(z) => z.strictObject({ ... })`. Use strict objects, so
   * that a misspelt key is an error. It must accept `{}`, which is what no options means.
   */
  readonly options?: (z: typeof Zod) => S;
  /**
   * What it needs beside what it is handed; by its options where they decide. What is not declared cannot be used, where
   * the plugin is named in a dappfile and is not built in. @default nothing
   */
  readonly rights?: PluginRights | ((options: OptionsOutput<S>) => PluginRights);
  /** Called once for each engine; what it answers is called from then on. */
  setup(options: OptionsOutput<S>, host: Host): Awaitable<PluginHooks>;
}

/** A plugin as the engine sees it. */
export interface Plugin<Input = unknown> {
  /** `role-subject`, unique per engine. */
  readonly name: string;
  /** The contract version it was written for. */
  readonly api?: number;
  /**
   * The zod schema of its options, for documentation. Its type does not say zod: plugins with a `node_modules` of their
   * own have another copy of it, and are plugins for a program all the same.
   */
  optionsSchema(): Promise<object | undefined>;
  /** Checks the options and sets the plugin up. @throws PLUGIN_API_MISMATCH, PLUGIN_OPTIONS_INVALID */
  load(raw: Input | undefined, host: Host): Promise<PluginHooks>;
  /** What it declares with these options. @throws PLUGIN_OPTIONS_INVALID, PLUGIN_RESULT_INVALID */
  rights?(raw: Input | undefined): Promise<PluginRights>;
}

/** Version of this contract. New optional hooks keep it; a changed or removed hook raises it. */
export const PLUGIN_API = 1;

/**
 * Declares a plugin.
 *
 * @example
 * ```ts
 * import { definePlugin } from "@dapp/dapp/plugin";
 *
 * const stamp = definePlugin({
 *   name: "inputs-team",
 *   api: 1,
 *   options: (z) => z.strictObject({ team: z.string().default("core") }),
 *   setup: ({ team }) => ({
 *     stageInputs: ({ stage }) => stage === "install" ? [{ key: "team", value: team }] : [],
 *   }),
 * });
 * console.assert(stamp.name === "inputs-team");
 * ```
 *
 * @throws {TypeError} on keys that there are not, or that are something else
 */
export function definePlugin<S extends Schema | undefined = undefined>(
  spec: PluginSpec<S>,
): Plugin<OptionsInput<S>> {
  requireSpec(spec, PLUGIN_API);
  const { name, api, setup } = spec;
  const optionsSchema = async () => spec.options?.(await import("../../lib/zod.ts"));
  const fail = (code: ErrorCode, why: string) =>
    new EngineError(code, `Cannot load plugin "${name}": ${why}`, { plugin: name });
  const parse = async (raw: unknown): Promise<OptionsOutput<S>> => {
    const schema = await optionsSchema();
    if (!schema && raw !== undefined) throw fail("PLUGIN_OPTIONS_INVALID", "it takes no options");
    const parsed = schema?.safeParse(raw ?? {});
    if (parsed && !parsed.success) {
      const { optionProblems } = await import("./option_problems.ts");
      const problems = optionProblems(parsed.error.issues, schema!);
      const whys = problems.map(({ path, message }) => `${path ? `options.${path}` : "options"}: ${message}`);
      throw fail("PLUGIN_OPTIONS_INVALID", whys.join("; ")).withDetails({ problems });
    }
    return parsed?.data as OptionsOutput<S>;
  };
  return {
    name,
    api,
    optionsSchema,
    async load(raw, host) {
      requireApi(name, api);
      return await setup(await parse(raw), host);
    },
    async rights(raw) {
      const { rights = {} } = spec;
      const declared = typeof rights === "function" ? rights(await parse(raw)) : rights;
      const wrong = wrongRights(declared);
      if (wrong !== undefined) throw fail("PLUGIN_RESULT_INVALID", wrong);
      return declared;
    },
  };
}

/** Makes sure that a plugin was written for this contract. @throws PLUGIN_API_MISMATCH */
export function requireApi(plugin: string, api: number): void {
  if (api === PLUGIN_API) return;
  throw new EngineError(
    "PLUGIN_API_MISMATCH",
    `Cannot load plugin "${plugin}": it targets plugin API ${api}, this engine provides ${PLUGIN_API}`,
    { plugin },
  );
}

/** A plugin chosen with its options. */
export interface Selection {
  /** The plugin. */
  readonly plugin: Plugin<never>;
  /** Its options; the plugin checks them. */
  readonly options?: unknown;
  /** Where they are written. */
  readonly written?: OptionPlaces;
}

/** Where the options of a plugin are written. */
export interface OptionPlaces {
  /** As messages call it. */
  readonly file: string;
  /** Line of the plugin's entry, 1-based. */
  readonly line: number;
  /** Line and column by path below the options. */
  readonly places: Readonly<Record<string, readonly [number, number]>>;
}

/** Typed selection for embedders; the YAML loader builds the same pair from `plugins:`. */
export function use<Input>(plugin: Plugin<Input>, options?: Input): Selection {
  if (typeof plugin?.load !== "function") {
    throw new TypeError("Cannot use a plugin: it is none, wanted is what definePlugin gives");
  }
  return { plugin: plugin, options };
}

/** Wraps what a plugin threw, once. What ends a run as if the user had ended it is for dapp alone to say. */
export function wrapPluginError(error: unknown, plugin: string, hook: string): EngineError {
  const facts = { plugin, hook };
  const { own, cause } = lookAt(error);
  if (own) return new EngineError(own.code, plain(own.message), { ...facts, ...own.details });
  return new EngineError(
    "PLUGIN_FAILED",
    `Plugin "${plugin}" failed in hook "${hook}": ${plain(wholeMessageOf(error))}`,
    {
      ...facts,
      ...(isChange(error) && { fix: "Answer a changed copy: what a plugin is handed stays as it is" }),
      cause,
    },
  );
}

/** Whether it tried to change what was handed to it; V8 has no other name for that. */
function isChange(error: unknown): boolean {
  return /^Cannot (?:assign to read only|add|delete|redefine) property\b|is not extensible$/.test(
    messageOf(error),
  );
}

/** Whoever is handed an error looks at these, and at what caused it. @throws whatever a getter throws */
function requireReadable(error: unknown): void {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    void [at.name, at.message, at.stack].map(String);
  }
}

/** What was thrown, if it can be looked at, and whether it is for people as it is. */
function lookAt(cause: unknown): { readonly own?: EngineError; readonly cause?: unknown } {
  try {
    requireReadable(cause);
    const isOwn = cause instanceof EngineError && isCode(cause.code) && cause.code !== "INTERRUPTED";
    return isOwn ? { own: cause } : { cause };
  } catch {
    return {};
  }
}
