import type { BuiltinPolicies } from "../cleanup/policies.ts";
import { loadConfig, type LoadedConfig } from "../config/load.ts";
import type { Config, ImageRule, PluginUse } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { Plugin, Selection } from "../contract/plugin.ts";
import type { Builder } from "../contract/builder.ts";
import type { RegistryRequest } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import { soundStore } from "../layers/sound_stages.ts";
import { GitTrees } from "../git/trees.ts";
import { disposeAll } from "../hooks/dispose.ts";
import { loadUses } from "../hooks/load_plugins.ts";
import { createHookRunner, type HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { DockerfilePlan } from "../sign/dockerfile_facts.ts";
import { type GitImagePlan, planGit } from "../sign/git_stages.ts";
import { type BuildGraph, buildGraph, type ImageNode } from "../sign/graph.ts";
import { observed } from "../../lib/pool.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Built-in plugins that are loaded when they are needed: 7 ms of a build that needs none. */
export type PluginGroup = "registry" | "tagging";

/** What comes with the engine; policies are loaded when something is cleaned up, `reach` when a registry is. */
export interface Builtins {
  readonly plugins: readonly Plugin[];
  readonly onDemand: Readonly<Record<PluginGroup, () => Promise<readonly Plugin[]>>>;
  readonly policies: () => Promise<BuiltinPolicies>;
  readonly reach: () => Promise<Reach>;
}

/** Begins to reach the host of a REPO, for the request that has the same `access`; gives what lets go of what nobody took. */
export type Reach = (
  request: Pick<RegistryRequest, "repo" | "env" | "access">,
) => AsyncDisposable | undefined;

/** The project's name and where it came from. */
export interface ProjectName {
  readonly name: string;
  readonly from: "option" | "dappfile" | "git" | "directory";
}

/** One project as it was found: configuration, plugins, store, repositories. Each is opened when it is first asked for. */
export class Workspace implements AsyncDisposable {
  readonly #plugins: readonly Selection[];
  readonly #builtins: Builtins;
  readonly #groups = new Map<PluginGroup, Promise<void>>();
  readonly #chosen = new Set<string>();
  readonly #uses = new Map<string, PluginUse>();
  readonly #pluginFiles = new Set<string>();
  readonly #hooks: HookRunner;
  /** The built-in plugins alone. */
  readonly #bareHooks: HookRunner;
  readonly #gitPlans = new Map<string, Promise<GitImagePlan | undefined>>();
  readonly #dockerfiles = new Map<string, Promise<DockerfilePlan>>();
  readonly #news = Promise.withResolvers<void>();
  #loaded?: Promise<LoadedConfig>;
  #ready?: Promise<Config>;
  #named?: Promise<void>;
  #project?: Promise<ProjectName>;
  #store?: Promise<Store>;
  #bareStore?: Promise<Store>;

  /** Settles when commands will probably run: a dappfile or commit is seen for the first time. */
  readonly news: Promise<void> = this.#news.promise;
  /** Cleanup policies of the engine. */
  readonly policies: () => Promise<BuiltinPolicies>;
  /** Absent where other plugins may open registries in their own way. */
  readonly reach: Builtins["reach"] | undefined;
  /** The repositories of the project; they read nothing until they are asked. */
  readonly trees: GitTrees;

  constructor(readonly options: ResolvedOptions, plugins: readonly Selection[], builtins: Builtins) {
    this.#plugins = plugins;
    this.#builtins = builtins;
    this.policies = builtins.policies;
    this.reach = plugins.length === 0 ? builtins.reach : undefined;
    this.trees = new GitTrees(options, () => this.store(), () => this.#configurationFiles());
    const { dir, env, signal, dryRun, emit } = options;
    const runner = () => createHookRunner({ projectDir: dir, env }, { signal, dryRun, emit });
    this.#hooks = runner();
    this.#bareHooks = runner();
  }

  /** The configuration after every plugin saw it. @throws CONFIG_NOT_FOUND, CONFIG_INVALID */
  async config(): Promise<Config> {
    const { absent } = await this.loaded();
    if (absent) throw absent;
    return await this.prepared();
  }

  /** The same, where a project without a dappfile is one that says nothing. */
  prepared(): Promise<Config> {
    return this.#ready ??= this.#prepare();
  }

  /** The dappfile and its lock file as they are written. */
  loaded(): Promise<LoadedConfig> {
    return this.#loaded ??= loadConfig(this.options, { openNames: this.#plugins.length > 0 });
  }

  /** Files that say what is built, with all that plugins of the project are made of. */
  async #configurationFiles(): Promise<readonly string[]> {
    const { path, included, lockPath } = await this.loaded();
    await this.prepared();
    return [path, ...included, lockPath, ...this.#pluginFiles];
  }

  #tellNews(rules: readonly ImageRule[]): void {
    if (rules.some(({ shell }) => Object.values(shell).some(({ commands }) => commands.length > 0))) {
      this.#news.resolve();
    }
  }

  async #prepare(): Promise<Config> {
    const { config, isNew, lock } = await this.loaded();
    if (isNew) this.#tellNews(config.images);
    for (const text of config.warnings) this.options.emit({ type: "note", level: "warn", text });
    const { dir, env, home, signal, dryRun, emit } = this.options;
    const place = {
      home,
      host: { projectDir: dir, env },
      context: { signal, dryRun, emit },
      pins: lock.plugins,
      own: (resource: AsyncDisposable) => this.#hooks.own(resource),
      loads: (files: readonly string[]) => files.forEach((file) => this.#pluginFiles.add(file)),
    };
    const uses = await loadUses(config.project.plugins, place, {
      ...this.#builtins,
      file: config.file,
      elsewhere: {
        where: "`cleanup.keep`",
        names: async () => (await this.policies()).policies.map(({ name }) => name),
      },
    });
    for (const selection of [...this.#plugins, ...uses]) {
      this.#chosen.add(selection.plugin.name);
      await this.#hooks.add(selection);
    }
    uses.forEach(({ plugin }, i) => this.#uses.set(plugin.name, config.project.plugins[i]!));
    await this.#addBuiltins(this.#builtins.plugins);
    return await this.#hooks.waterfall("config", config);
  }

  /** Adds built-in plugins, but those that were chosen with options. */
  async #addBuiltins(plugins: readonly Plugin[]): Promise<void> {
    for (const plugin of plugins) {
      if (!this.#chosen.has(plugin.name)) {
        await this.#hooks.add({ plugin: plugin }, { builtin: true });
      }
    }
  }

  async hooks(): Promise<HookRunner> {
    await this.prepared();
    return this.#hooks;
  }

  /** How the dappfile names the plugins that it names, by their own names. @throws CONFIG_INVALID */
  async uses(): Promise<ReadonlyMap<string, PluginUse>> {
    await this.prepared();
    return this.#uses;
  }

  /** The hooks with those of a group of built-in plugins. */
  async hooksWith(group: PluginGroup): Promise<HookRunner> {
    let added = this.#groups.get(group);
    if (!added) {
      const plugins = observed(this.#builtins.onDemand[group]());
      added = this.prepared().then(async () => await this.#addBuiltins(await plugins));
      this.#groups.set(group, added);
    }
    await added;
    return this.#hooks;
  }

  store(): Promise<Store> {
    return this.#store ??= this.hooks().then((hooks) => this.#openStore(hooks));
  }

  /** Opens the store without reading a project, for commands that need none. */
  storeOnly(): Promise<Store> {
    return this.#ready ? this.store() : this.#openBare();
  }

  /** Plugins and store of the project; where it cannot be read, those of dapp alone, with the reason. */
  async whatIsThere() {
    try {
      const { path, absent, config } = await this.loaded();
      const hooks = await this.hooks();
      const dockerfiles = config.images.filter(({ base }) => base.kind === "dockerfile");
      return { hooks, store: () => this.store(), dockerfiles, ...(!absent && { dappfile: path }) };
    } catch (failure) {
      return { hooks: this.#bareHooks, store: () => this.#openBare(), dockerfiles: [], failure };
    }
  }

  #openBare(): Promise<Store> {
    return this.#bareStore ??= (async () => {
      for (const plugin of this.#builtins.plugins) {
        await this.#bareHooks.add({ plugin: plugin }, { builtin: true });
      }
      return await this.#openStore(this.#bareHooks);
    })();
  }

  /** A builder to tidy up with, undefined when none runs here. Like {@linkcode storeOnly} it needs no project. */
  async tidyBuilder(): Promise<Builder | undefined> {
    const store = await this.storeOnly();
    const hooks = this.#ready ? await this.hooks() : this.#bareHooks;
    const platform = platformOf(this.options.platform);
    const request = { platform, store, parallel: 1, network: "host", tidy: true } as const;
    return (await hooks.first("openBuilder", request))?.value;
  }

  async #openStore(hooks: HookRunner): Promise<Store> {
    const answer = await hooks.first("openStore", { home: this.options.home });
    if (answer) return soundStore(answer.value, this.options);
    throw new EngineError("STORE_FAILED", "Cannot open a store: no plugin offers one");
  }

  project(): Promise<ProjectName> {
    return this.#project ??= this.#nameProject();
  }

  async #nameProject(): Promise<ProjectName> {
    if (this.options.name) return { name: this.options.name, from: "option" };
    const { project } = await this.config();
    if (project.name) return { name: project.name, from: "dappfile" };
    const origin = await this.trees.originName();
    if (origin) return { name: origin, from: "git" };
    return { name: this.options.dir.split("/").at(-1) || "root", from: "directory" };
  }

  async graph(): Promise<BuildGraph> {
    const config = await this.config();
    await (this.#named ??= this.#checkNamed());
    return buildGraph(config);
  }

  /** Holds what options name against what there is. */
  async #checkNamed(): Promise<void> {
    const { builder, repo, cacheFrom, registry: { kind } } = this.options;
    if ([builder, repo, kind, ...cacheFrom].every((name) => name === undefined)) return;
    const { checkNamed } = await import("./named_options.ts");
    await checkNamed(this);
  }

  /** The git plan of an image; undefined when it has no git entries. */
  git(node: ImageNode): Promise<GitImagePlan | undefined> {
    let plan = this.#gitPlans.get(node.key);
    if (!plan) {
      plan = (async () => {
        if (node.rule.git.length === 0) return undefined;
        const news = () => this.#tellNews([node.rule]);
        const made = await planGit(
          node.rule,
          await this.trees.of(node.rule.git),
          (await this.store()).memo,
          news,
        );
        for (const text of made.warnings) this.options.emit({ type: "note", level: "warn", text });
        return made;
      })();
      this.#gitPlans.set(node.key, plan);
    }
    return plan;
  }

  /** What the Dockerfile of an image says. @throws {TypeError} when it has none; CONFIG_INVALID, GIT_FAILED */
  dockerfile({ key, rule }: ImageNode): Promise<DockerfilePlan> {
    let plan = this.#dockerfiles.get(key);
    if (!plan) {
      plan = (async () => {
        const { base } = rule;
        if (base.kind !== "dockerfile") throw new TypeError(`Image "${key}" has no Dockerfile`);
        const { planDockerfile } = await import("../sign/dockerfile_facts.ts");
        const made = await planDockerfile(base, {
          source: await this.trees.own(),
          memo: (await this.store()).memo,
          platform: this.options.platform,
          image: rule,
        });
        for (const text of made.warnings) this.options.emit({ type: "note", level: "warn", text });
        return made;
      })();
      this.#dockerfiles.set(key, plan);
    }
    return plan;
  }

  /** The text of a listing, from the store or from git; undefined when neither has it. */
  async listingText(store: Store, digest: Digest): Promise<string | undefined> {
    if (await store.blobs.size(digest) !== undefined) {
      return new TextDecoder().decode(await store.blobs.get(digest));
    }
    for (const plan of this.#gitPlans.values()) {
      const text = await (await plan)?.listing(digest);
      if (text !== undefined) return text;
    }
    for (const plan of this.#dockerfiles.values()) {
      const { facts, listing } = await plan;
      if (facts.some((fact) => fact.listing && fact.value === digest)) return await listing();
    }
    return undefined;
  }

  /** Lets go of all that was opened, once nothing is read any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([
      this.#ready,
      this.#project,
      this.trees.settled(),
      ...this.#groups.values(),
      ...this.#gitPlans.values(),
      ...this.#dockerfiles.values(),
    ]);
    await this.trees.remembered();
    await disposeAll([this.#store, this.#bareStore, this.#hooks, this.#bareHooks]);
  }
}
