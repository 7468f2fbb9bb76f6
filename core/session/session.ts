import type { BuiltinPolicies } from "../cleanup/policies.ts";
import type { Config, ImageRule } from "../contract/config.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import type { Digest } from "../contract/digest.ts";
import { EngineError } from "../contract/errors.ts";
import { parseListing } from "../contract/signature.ts";
import { GitTrees } from "../git/trees.ts";
import { type GitImagePlan, planGit } from "../sign/git_stages.ts";
import { type BuildGraph, buildGraph, imageKey, type ImageNode } from "../sign/graph.ts";
import { createHookRunner, type From, type HookRunner } from "../hooks/runner.ts";
import { loadUses } from "../hooks/load_plugins.ts";
import { observed } from "../../lib/pool.ts";
import type { ResolvedOptions } from "./options.ts";
import type { PlanInputs } from "../plan/plan.ts";
import type { Plugin, Selection } from "../contract/plugin.ts";
import { accessTo, openRegistry } from "./repos.ts";
import type { RegistryBackend } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { type SignedGraph, signGraph } from "../sign/sign.ts";
import { matchName } from "../../lib/glob.ts";
import { suggest } from "../../lib/suggest.ts";
import type { ImageSource, ResolvedImage } from "../contract/source.ts";

/** Built-in plugins that are loaded when they are needed: 7 ms of a build that needs none. */
export type PluginGroup = "registry" | "tagging";

/** What comes with the engine; policies are loaded when something is cleaned up. */
export interface Builtins {
  readonly plugins: readonly Plugin[];
  readonly onDemand: Readonly<Record<PluginGroup, () => Promise<readonly Plugin[]>>>;
  readonly policies: () => Promise<BuiltinPolicies>;
}

/** What every command of one engine shares: configuration, plugins, store, repositories, base images. Opened on demand. */
export class Session implements AsyncDisposable {
  readonly #plugins: readonly Selection[];
  readonly #builtins: Builtins;
  readonly #groups = new Map<PluginGroup, Promise<void>>();
  readonly #named = new Set<string>();
  readonly #hooks: HookRunner;
  /** The built-in plugins alone. */
  readonly #bareHooks: HookRunner;
  readonly #sources = new Map<string, Promise<ImageSource>>();
  readonly #bases = new Map<string, Promise<ResolvedImage>>();
  readonly #gitPlans = new Map<string, Promise<GitImagePlan | undefined>>();
  readonly #registries = new Map<string, Promise<From<RegistryBackend>>>();
  #loaded?: Promise<LoadedConfig>;
  #ready?: Promise<Config>;
  #store?: Promise<Store>;
  #bareStore?: Promise<Store>;
  #trees?: GitTrees;

  /** The REPO that this command is about; credentials of the command line are for its host. */
  mainRepo: string | undefined;
  /** Whether this command says which base images are not pinned: those that build or plan do. */
  saysUnpinned = false;
  /** Whether this command does without a dappfile: an absent one counts as one that says nothing. */
  projectOptional = false;
  /** Told, maybe more than once, when commands will probably run: a dappfile or commit is seen for the first time. */
  onNews: (() => void) | undefined;

  /** Cleanup policies of the engine. */
  readonly policies: () => Promise<BuiltinPolicies>;

  constructor(
    readonly options: ResolvedOptions,
    plugins: readonly Selection[],
    builtins: Builtins,
  ) {
    this.mainRepo = options.repo;
    this.#plugins = plugins;
    this.#builtins = builtins;
    this.policies = builtins.policies;
    const { dir, env, signal, dryRun, emit } = options;
    const runner = () => createHookRunner({ projectDir: dir, env }, { signal, dryRun, emit });
    this.#hooks = runner();
    this.#bareHooks = runner();
  }

  /** The configuration after every plugin saw it. */
  config(): Promise<Config> {
    return this.#ready ??= this.#prepare();
  }

  #tellNews(rules: readonly ImageRule[]): void {
    if (rules.some(({ shell }) => Object.values(shell).some(({ commands }) => commands.length > 0))) {
      this.onNews?.();
    }
  }

  async #prepare(): Promise<Config> {
    const { config, isNew } = await this.loaded();
    if (isNew) this.#tellNews(config.images);
    for (const text of config.warnings) this.options.emit({ type: "note", level: "warn", text });
    const uses = await loadUses(config.project.plugins, this.options.dir, this.#builtins);
    for (const selection of [...this.#plugins, ...uses]) {
      this.#named.add(selection.plugin.name);
      await this.#hooks.add(selection);
    }
    await this.#addBuiltins(this.#builtins.plugins);
    return await this.#hooks.waterfall("config", config);
  }

  /** Adds built-in plugins, but those that were chosen with options. */
  async #addBuiltins(plugins: readonly Plugin[]): Promise<void> {
    for (const plugin of plugins) {
      if (!this.#named.has(plugin.name)) await this.#hooks.add({ plugin: plugin as Plugin<never> });
    }
  }

  /** The hooks with those of a group of built-in plugins. */
  async hooksWith(group: PluginGroup): Promise<HookRunner> {
    let added = this.#groups.get(group);
    if (!added) {
      const plugins = observed(this.#builtins.onDemand[group]());
      added = this.config().then(async () => await this.#addBuiltins(await plugins));
      this.#groups.set(group, added);
    }
    await added;
    return this.#hooks;
  }

  /** The dappfile and its lock file as they are written. */
  loaded(): Promise<LoadedConfig> {
    return this.#loaded ??= this.#load();
  }

  async #load(): Promise<LoadedConfig> {
    const { dir, config } = this.options;
    try {
      return await loadConfig(this.options);
    } catch (error) {
      const absent = error instanceof EngineError && error.code === "CONFIG_NOT_FOUND";
      if (!absent || !this.projectOptional || config !== undefined) throw error;
      return {
        config: { file: "dappfile.yaml", project: { plugins: [] }, images: [], warnings: [] },
        isNew: false,
        lockPath: `${dir}/dappfile.lock`,
        lock: new Map(),
      };
    }
  }

  async hooks(): Promise<HookRunner> {
    await this.config();
    return this.#hooks;
  }

  store(): Promise<Store> {
    return this.#store ??= this.hooks().then((hooks) => this.#openStore(hooks));
  }

  /** Opens the store without reading a project, for commands that need none. */
  storeOnly(): Promise<Store> {
    if (this.#ready) return this.store();
    return this.#bareStore ??= (async () => {
      for (const plugin of this.#builtins.plugins) {
        await this.#bareHooks.add({ plugin: plugin as Plugin<never> });
      }
      return await this.#openStore(this.#bareHooks);
    })();
  }

  async #openStore(hooks: HookRunner): Promise<Store> {
    const answer = await hooks.first("openStore", { home: this.options.home });
    if (answer) return answer.value;
    throw new EngineError("STORE_FAILED", "Cannot open a store: no plugin offers one");
  }

  /** The repositories of the project; made at once, they read nothing until they are asked. */
  get trees(): GitTrees {
    return this.#trees ??= new GitTrees(this.options, () => this.store());
  }

  /** The project's name and where it came from. */
  async project(): Promise<
    { readonly name: string; readonly from: "option" | "dappfile" | "git" | "directory" }
  > {
    if (this.options.name) return { name: this.options.name, from: "option" };
    const { project } = await this.config();
    if (project.name) return { name: project.name, from: "dappfile" };
    const origin = await this.trees.originName();
    if (origin) return { name: origin, from: "git" };
    return { name: this.options.dir.split("/").at(-1) || "root", from: "directory" };
  }

  async graph(): Promise<BuildGraph> {
    return buildGraph(await this.config());
  }

  /** dimgs that match any pattern, in dappfile order; all without patterns. @throws DIMG_UNKNOWN */
  async select(patterns: readonly string[]): Promise<readonly ImageNode[]> {
    const graph = await this.graph();
    const { images } = await this.config();
    const dimgs = images.filter((rule) => rule.kind === "dimg").map((rule) =>
      graph.node(imageKey("dimg", rule.name))
    );
    if (patterns.length === 0) return dimgs;
    const chosen = dimgs.filter(({ rule }) =>
      rule.name === "" || patterns.some((p) => matchName(p, rule.name))
    );
    const lost = patterns.find((p) => !dimgs.some(({ rule }) => rule.name === "" || matchName(p, rule.name)));
    if (lost === undefined) return chosen;
    const names = dimgs.map(({ rule }) => rule.name).filter((name) => name !== "");
    const artifact = images.some((rule) => rule.kind === "artifact" && rule.name === lost);
    const guess = suggest(lost, names);
    throw new EngineError(
      "DIMG_UNKNOWN",
      `Cannot select dimg "${lost}": ${
        artifact ? "that is an artifact, wanted is a dimg" : `the dappfile has ${names.join(", ")}`
      }${guess ? `. Did you mean "${guess}"?` : ""}`,
    );
  }

  /** One dimg for commands that work on one. @throws DIMG_UNKNOWN, USAGE when several match */
  async selectOne(pattern: string | undefined): Promise<ImageNode> {
    const nodes = await this.select(pattern === undefined ? [] : [pattern]);
    if (nodes.length === 1) return nodes[0]!;
    const names = nodes.map(({ rule }) => rule.name).join(", ");
    throw new EngineError("USAGE", `Cannot choose one dimg: ${pattern ?? "no name"} matches ${names}`, {
      fix: "Name one of them",
    });
  }

  /** Signs the given images and what they need. */
  async sign(keys: ReadonlySet<string>): Promise<SignedGraph> {
    const graph = await this.graph();
    const { platform, epoch } = this.options;
    return await signGraph(graph, keys, {
      platform,
      epoch: epoch.overridden ? epoch.value : undefined,
      baseDigest: async (name) => (await this.base(name)).id,
      gitFacts: async (rule) =>
        (await this.git(graph.node(imageKey(rule.kind, rule.name))))?.facts ?? new Map(),
      pluginFacts: async (image, { name: stage, work }) => {
        if (!this.#hooks.has("stageInputs")) return [];
        const commands = work.kind === "run" ? work.commands : [];
        const rows = await this.#hooks.collect("stageInputs", { image, stage, commands });
        return rows.map(({ plugin, value }) => checkFact(plugin, value));
      },
    });
  }

  /** The git plan of an image; undefined when it has no git entries. */
  git(node: ImageNode): Promise<GitImagePlan | undefined> {
    let plan = this.#gitPlans.get(node.key);
    if (!plan) {
      plan = (async () => {
        if (node.rule.git.length === 0) return undefined;
        const news = () => this.#tellNews([node.rule]);
        const made = await planGit(node.rule, await this.trees.of(node.rule.git), await this.store(), news);
        for (const text of made.warnings) this.options.emit({ type: "note", level: "warn", text });
        return made;
      })();
      this.#gitPlans.set(node.key, plan);
    }
    return plan;
  }

  /** The base image behind a name, found once per run. */
  base(name: string): Promise<ResolvedImage> {
    let base = this.#bases.get(name);
    if (!base) {
      base = (async () => {
        const pin = (await this.loaded()).lock.get(name);
        const found = await (await this.source(name)).resolve(pin, this.options.signal);
        if (found.pin && !pin && this.saysUnpinned) {
          const text = `${name} is not pinned, it is ${found.pin.slice(0, 19)}… now (pin it: dapp dimg lock)`;
          this.options.emit({ type: "note", level: "info", text });
        }
        return found;
      })();
      this.#bases.set(name, base);
    }
    return base;
  }

  source(name: string): Promise<ImageSource> {
    let source = this.#sources.get(name);
    if (!source) {
      source = (async () => {
        const [os = "linux", architecture = "amd64", variant] = this.options.platform.split("/");
        const answer = await (await this.hooks()).first("openSource", {
          name,
          platform: { os, architecture, ...(variant && { variant }) },
          store: await this.store(),
          projectDir: this.options.dir,
          env: this.options.env,
          access: accessTo(this, name),
        });
        if (!answer) {
          throw new EngineError("SOURCE_NOT_FOUND", `Cannot use base image "${name}": no plugin knows it`);
        }
        return answer.value;
      })();
      this.#sources.set(name, source);
    }
    return source;
  }

  /** @param repo where stages are looked up first, in place of the engine's own */
  async planInputs(repo = this.options.repo): Promise<PlanInputs> {
    const store = await this.store();
    const { platform, cacheFrom } = this.options;
    return {
      project: (await this.project()).name,
      platform,
      store,
      listing: (digest) => this.#listing(store, digest),
      ...((repo !== undefined || cacheFrom.length > 0) && {
        locate: async (...args) => {
          const { planShared } = await import("../share/plan_shared.ts");
          return await planShared(this, repo, ...args);
        },
      }),
    };
  }

  async #listing(store: Store, digest: string) {
    const text = await this.listingText(store, digest as Digest);
    return text === undefined ? undefined : parseListing(text);
  }

  /** The text of a listing, from the store or from git; undefined when neither has it. */
  async listingText(store: Store, digest: Digest): Promise<string | undefined> {
    if (await store.blobSize(digest) !== undefined) {
      return new TextDecoder().decode(await store.getBlob(digest));
    }
    for (const plan of this.#gitPlans.values()) {
      const text = await (await plan)?.listing(digest);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** What serves a REPO, opened once for each name. @throws REPO_INVALID */
  registry(repo: string): Promise<From<RegistryBackend>> {
    let registry = this.#registries.get(repo);
    if (!registry) {
      registry = openRegistry(this, repo);
      this.#registries.set(repo, registry);
    }
    return registry;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const source of this.#sources.values()) await (await ignore(source))?.[Symbol.asyncDispose]();
    for (const registry of this.#registries.values()) {
      await (await ignore(registry))?.value[Symbol.asyncDispose]();
    }
    for (const store of [this.#store, this.#bareStore]) {
      await (await ignore(store))?.[Symbol.asyncDispose]();
    }
    await this.#hooks[Symbol.asyncDispose]();
    await this.#bareHooks[Symbol.asyncDispose]();
  }
}

/** What a promise gave, or undefined when it failed: its failure has been reported by whoever asked for it. */
async function ignore<T>(promise: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await promise;
  } catch {
    return undefined;
  }
}

function checkFact(plugin: string, fact: unknown): { key: string; value: string } {
  const { key, value, ...rest } = (fact ?? {}) as Record<string, unknown>;
  if (typeof key === "string" && key !== "" && typeof value === "string" && Object.keys(rest).length === 0) {
    return { key: `${plugin}/${key}`, value };
  }
  throw new EngineError(
    "PLUGIN_RESULT_INVALID",
    `Plugin "${plugin}" answered hook "stageInputs" with ${
      JSON.stringify(fact)
    }: wanted is { key: string, value: string }`,
    { plugin, hook: "stageInputs" },
  );
}
