/** A plugin as the engine uses it: its options and answers are checked as strictly, and mistakes are the same errors. */
import { collectKeeps } from "../core/cleanup/policies.ts";
import {
  type Builder,
  type BuilderRequest,
  type BuildResult,
  type CiFacts,
  type CleanupGit,
  definePlugin,
  type EngineEvent,
  type Fact,
  type GitFacts,
  type ImageSource,
  type Inventory,
  type Keep,
  type OciPlatform,
  type Plugin,
  type PublishReport,
  type RegistryAccess,
  type RegistryBackend,
  type RegistryMemo,
  type StageNode,
  type Store,
  type Tag,
  type TagFlag,
  use,
} from "../core/contract/plugin.ts";
import { createHookRunner } from "../core/hooks/runner.ts";
import { collectTagFlags } from "../core/publish/tag_flags.ts";
import { collectTags } from "../core/publish/tags.ts";
import type { TestHost } from "./host.ts";

/** What a plugin is opened with. */
export interface OpenPluginOptions<Input> {
  /** As a dappfile writes them. */
  readonly options?: Input;
  /**
   * URL of the plugin's module, `import.meta.resolve("./mod.ts")`: the plugin runs as dapp runs it, in a process of its
   * own with the rights that it declares and no others. A right that is missing fails the hook; where the plugin goes on
   * without, `events` has a warning. @default it runs in the test's process, with all that this may
   */
  readonly apart?: string;
  /** With `apart`: how long an answer may take. @default 120000 */
  readonly timeoutMs?: number;
  /** Whether nothing may be changed. @default false */
  readonly dryRun?: boolean;
  /** Aborts the plugin's work. */
  readonly signal?: AbortSignal;
}

/** What tags are made from, beside the wish. */
export interface TagFactsOptions {
  /** Names of the dimgs. @default ["app"] */
  readonly images?: readonly string[];
  /** What is checked out. @default branch "main" at a commit */
  readonly git?: GitFacts;
  /** What the CI system says. @default there is none */
  readonly ci?: CiFacts;
}

/** What a builder is asked for, beside the store. */
export interface BuilderOptions extends Partial<Omit<BuilderRequest, "store" | "tidy">> {}

/** An opened plugin. Dispose of it. */
export interface OpenedPlugin extends AsyncDisposable {
  /** What the plugin told the user. */
  readonly events: readonly EngineEvent[];
  /** Flags that it adds to the commands that publish. */
  tagFlags(): Promise<readonly TagFlag[]>;
  /** Tags for a wish: `tag-calver`, or `tag-release=1.0` for a flag with a value. @throws as `dapp dimg push` would */
  tags(wish: string, facts?: TagFactsOptions): Promise<readonly Tag[]>;
  /** Reasons to keep tags of an inventory. @throws as `dapp dimg cleanup repo` would */
  keep(inventory: Inventory, git?: CleanupGit): Promise<readonly Keep[]>;
  /** What it says of the CI system whose variables these are. */
  detectCi(env: Readonly<Record<string, string>>): Promise<CiFacts | undefined>;
  /** REPO as it opens it, with a memory of its own; undefined when it is not for this plugin. */
  openRegistry(repo: string, access?: RegistryAccess): Promise<RegistryBackend | undefined>;
  /** The source that it claims the text after `from:` with; undefined when it is not for this plugin. */
  openSource(name: string, store: Store, platform?: OciPlatform): Promise<ImageSource | undefined>;
  /** The store that it keeps in a directory of dapp's. */
  openStore(home: string): Promise<Store | undefined>;
  /** The builder that it claims stages with; undefined when the run is not for it. */
  openBuilder(store: Store, request?: BuilderOptions): Promise<Builder | undefined>;
  /** Facts that it adds to the signature of a stage. */
  stageInputs(stage: StageNode): Promise<readonly Fact[]>;
  /** Tells it that images are built. */
  built(result: BuildResult): Promise<void>;
  /** Tells it that images are published. */
  published(report: PublishReport): Promise<void>;
}

/** That of this machine. */
const PLATFORM = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

/** A commit that is checked out when a test does not say otherwise. */
const MAIN: GitFacts = { commit: "0123456789abcdef0123456789abcdef01234567", branch: "main" };

/**
 * Sets a plugin up on a host of the test's making, and asks it as the engine does.
 *
 * @throws {EngineError} PLUGIN_OPTIONS_INVALID and whatever else the plugin fails with
 *
 * @example
 * ```ts
 * import { definePlugin } from "@dapp/dapp/plugin";
 * import { createTestHost, openPlugin } from "@dapp/dapp/testing";
 *
 * const team = definePlugin({
 *   name: "inputs-team",
 *   api: 1,
 *   setup: () => ({ stageInputs: () => [{ key: "team", value: "core" }] }),
 * });
 * await using host = await createTestHost();
 * await using opened = await openPlugin(team, host);
 * console.assert((await opened.tagFlags()).length === 0);
 * ```
 */
export async function openPlugin<Input>(
  plugin: Plugin<Input>,
  host: TestHost,
  options: OpenPluginOptions<Input> = {},
): Promise<OpenedPlugin> {
  const { dryRun = false, signal = new AbortController().signal } = options;
  const events: EngineEvent[] = [];
  const context = { signal, dryRun, emit: (event: EngineEvent) => void events.push(event) };
  const hooks = createHookRunner(host, context);
  const remembered = new Map<string, unknown>();
  const memo: RegistryMemo = {
    get(kind, key, is) {
      const value = remembered.get(`${kind} ${key}`);
      return Promise.resolve(is(value) ? value : undefined);
    },
    put: (kind, key, value) => Promise.resolve(void remembered.set(`${kind} ${key}`, value)),
  };
  let system: CiFacts | undefined;
  const ciOfTest = definePlugin({
    name: "ci-of-test",
    api: 1,
    setup: () => ({ detectCi: { order: "pre", handler: () => system } }),
  });
  try {
    await hooks.add(use(ciOfTest));
    if (options.apart === undefined) {
      await hooks.add({ plugin: plugin, options: options.options });
    } else {
      const { openApart } = await import("../core/hooks/apart/open.ts");
      const module = { use: plugin.name, url: options.apart, options: options.options };
      const { timeoutMs } = options;
      const opened = await openApart({ ...module, host, context, pinned: false, timeoutMs });
      hooks.own(opened);
      await hooks.add({ plugin: opened.plugin, options: options.options });
    }
  } catch (error) {
    await hooks[Symbol.asyncDispose]();
    throw error;
  }
  return {
    events,
    tagFlags: async () => (await collectTagFlags(hooks)).map(({ plugin: _, ...flag }) => flag),
    async tags(wish, { images = ["app"], git = MAIN, ci } = {}) {
      const [flag, ...rest] = wish.split("=");
      const value = rest.length === 0 ? {} : { value: rest.join("=") };
      system = ci;
      const found = await collectTags(hooks, {
        wishes: [{ flag: flag!, ...value }],
        images,
        git,
        now: host.now,
        env: host.env,
      });
      return found.map(({ plugin: _, ...tag }) => tag);
    },
    async keep(inventory, git) {
      const { env, projectDir } = host;
      const keeps = await collectKeeps(hooks, { inventory, git, env, projectDir, signal });
      return keeps.map(({ plugin: _, ...reason }) => reason);
    },
    async detectCi(env) {
      system = undefined;
      return (await hooks.first("detectCi", { env }))?.value;
    },
    async openRegistry(repo, access = { insecure: [] }) {
      const { env, projectDir } = host;
      const request = { repo, access, env, projectDir, memo, signal };
      return (await hooks.first("openRegistry", request))?.value;
    },
    async openSource(name, store, platform = { os: "linux", architecture: "amd64" }) {
      const { env, projectDir } = host;
      return (await hooks.first("openSource", { name, platform, store, projectDir, env }))?.value;
    },
    openStore: async (home) => (await hooks.first("openStore", { home }))?.value,
    async openBuilder(store, more) {
      const request = { platform: PLATFORM, parallel: 1, ...more, store };
      return (await hooks.first("openBuilder", request))?.value;
    },
    stageInputs: async (stage) => (await hooks.collect("stageInputs", stage)).map(({ value }) => value),
    built: (result) => hooks.parallel("built", result),
    published: (report) => hooks.parallel("published", report),
    [Symbol.asyncDispose]: () => hooks[Symbol.asyncDispose](),
  };
}
