import { EngineError } from "../contract/errors.ts";
import type { Store } from "../contract/store.ts";
import type { Fact } from "../contract/signature.ts";
import { disposeAll } from "../hooks/dispose.ts";
import type { From } from "../hooks/runner.ts";
import type { PlanInputs } from "../plan/plan.ts";
import { imageKey, type ImageNode } from "../sign/graph.ts";
import { type SignedGraph, signGraph } from "../sign/sign.ts";
import { matchName } from "../../lib/glob.ts";
import { memoize } from "../../lib/memoize.ts";
import { suggest } from "../../lib/suggest.ts";
import { type BaseImage, Bases } from "./bases.ts";
import { Registries, repoOf } from "./registries.ts";
import type { PluginGroup, Reach, Workspace } from "./workspace.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Signed images, with the base images that were found for them. */
interface Signed {
  readonly graph: SignedGraph;
  readonly bases: readonly (readonly [string, BaseImage])[];
}

/**
 * A workspace as the commands about one REPO see it: they share all that was read, and differ in how registries are
 * reached. Phases name the members that they need; nothing but the engine knows a session as a whole.
 */
export class Session implements AsyncDisposable {
  readonly #registries: Registries;
  readonly #bases: Bases;
  readonly #about = new Map<string, Session>();
  readonly #signed = new Map<string, Promise<Signed>>();

  /** @param repo what the commands are about; undefined when they are about none */
  constructor(readonly workspace: Workspace, readonly repo: string | undefined) {
    const { options } = workspace;
    this.#registries = new Registries({
      options,
      hooks: () => workspace.hooksWith("registry"),
      store: () => workspace.store(),
    }, repo);
    this.#bases = new Bases({
      options,
      hooks: () => workspace.hooks(),
      store: () => workspace.store(),
      pin: async (name) => (await workspace.loaded()).lock.images.get(name),
      accessTo: (name) => this.#registries.accessTo(name),
    });
  }

  /** The session of a command: about the REPO it was given, else the engine's, else the dappfile's. @throws REPO_INVALID */
  async about(given: string | undefined): Promise<{ readonly session: Session; readonly repo: string }> {
    const { workspace } = this;
    const name = async () => (await workspace.project()).name;
    const repo = await repoOf(given ?? workspace.options.repo, await workspace.prepared(), name);
    return { session: this.at(repo), repo };
  }

  /** The session about one REPO. */
  at(repo: string): Session {
    if (this.repo === repo) return this;
    const session = this.#about.get(repo) ?? new Session(this.workspace, repo);
    this.#about.set(repo, session);
    return session;
  }

  get options() {
    return this.workspace.options;
  }

  get trees() {
    return this.workspace.trees;
  }

  get news() {
    return this.workspace.news;
  }

  get policies() {
    return this.workspace.policies;
  }

  config() {
    return this.workspace.config();
  }

  loaded() {
    return this.workspace.loaded();
  }

  hooks() {
    return this.workspace.hooks();
  }

  hooksWith(group: PluginGroup) {
    return this.workspace.hooksWith(group);
  }

  store(): Promise<Store> {
    return this.workspace.store();
  }

  storeOnly(): Promise<Store> {
    return this.workspace.storeOnly();
  }

  whatIsThere() {
    return this.workspace.whatIsThere();
  }

  tidyBuilder() {
    return this.workspace.tidyBuilder();
  }

  project() {
    return this.workspace.project();
  }

  git(node: ImageNode) {
    return this.workspace.git(node);
  }

  dockerfile(node: ImageNode) {
    return this.workspace.dockerfile(node);
  }

  listingText(store: Store, digest: Digest) {
    return this.workspace.listingText(store, digest);
  }

  /** How an image or repository is reached. */
  accessTo(name: string) {
    return this.#registries.accessTo(name);
  }

  /** Begins to reach the host of a REPO that is opened for certain; nothing is sent before. Never throws. */
  reach(repo: string, reach: Reach): void {
    this.#registries.reach(repo, reach);
  }

  /** What serves a REPO. @throws REPO_INVALID */
  registry(repo: string, options?: { readonly writes?: boolean }) {
    return this.#registries.open(repo, options);
  }

  /** Names of all base images of the project, those of Dockerfiles included. */
  async baseNames(): Promise<readonly string[]> {
    const { images } = await this.workspace.graph();
    const names = images.map(async (node) => {
      const { base } = node.rule;
      if (base.kind === "image") return [base.name];
      if (base.kind !== "dockerfile") return [];
      return (await this.dockerfile(node)).images.map(({ name }) => name);
    });
    return (await Promise.all(names)).flat();
  }

  /** The base image behind a name. */
  base(name: string, platform?: string): Promise<BaseImage> {
    return this.#bases.image(name, platform);
  }

  /** What provides a base image. */
  source(name: string, platform?: string) {
    return this.#bases.source(name, platform);
  }

  /** dimgs that match any pattern, in dappfile order; all without patterns. @throws DIMG_UNKNOWN */
  async select(patterns: readonly string[]): Promise<readonly ImageNode[]> {
    const graph = await this.workspace.graph();
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
  async selectOne(pattern: string | undefined, { single = false } = {}): Promise<ImageNode> {
    const nodes = await this.select(pattern === undefined ? [] : [pattern]);
    if (nodes.length === 1) return nodes[0]!;
    const names = nodes.map(({ rule }) => rule.name);
    const why = pattern === undefined
      ? `none is named, and the dappfile has ${names.join(", ")}`
      : `"${pattern}" matches ${names.join(", ")}`;
    throw new EngineError("USAGE", `Cannot choose one dimg: ${why}`, {
      fix: `Name one, as the first word after the command: ${names[0]!}${
        single ? `; dapp dimg push publishes all` : ""
      }`,
    });
  }

  /** Signs the given images and what they need, once. `onBase` is told of every base image that is used. */
  async sign(
    keys: ReadonlySet<string>,
    onBase?: (name: string, image: BaseImage) => void,
  ): Promise<SignedGraph> {
    const { graph, bases } = await memoize(this.#signed, [...keys].sort().join("\n"), () => this.#sign(keys));
    for (const [name, image] of bases) onBase?.(name, image);
    return graph;
  }

  async #sign(keys: ReadonlySet<string>): Promise<Signed> {
    const { workspace } = this;
    const graph = await workspace.graph();
    const { platform, epoch } = this.options;
    const bases: [string, BaseImage][] = [];
    const signed = await signGraph(graph, keys, {
      platform,
      epoch,
      file: (await this.config()).file,
      dockerfile: (node) => this.dockerfile(node),
      baseDigest: async (name, platform) => {
        const image = await this.base(name, platform);
        bases.push([name, image]);
        return image.id;
      },
      gitFacts: async (rule) =>
        (await this.git(graph.node(imageKey(rule.kind, rule.name))))?.facts ?? new Map(),
      pluginFacts: async (image, { name: stage, work }) => {
        const hooks = await this.hooks();
        if (!hooks.has("stageInputs")) return [];
        const commands = work.kind === "run" ? work.commands : [];
        const rows = await hooks.collect("stageInputs", { image, stage, commands });
        return factsOfPlugins(rows);
      },
    });
    return { graph: signed, bases };
  }

  /** @param repo where stages are looked up first */
  async planInputs(repo: string | undefined): Promise<PlanInputs> {
    const store = await this.store();
    const { platform, cacheFrom } = this.options;
    return {
      project: (await this.project()).name,
      platform,
      store,
      listing: (digest) => this.listingText(store, digest),
      ...((repo !== undefined || cacheFrom.length > 0) && {
        locate: async (...args) => {
          const { planShared } = await import("../share/plan_shared.ts");
          return await planShared(this, repo, ...args);
        },
      }),
    };
  }

  /** Lets go of what this session opened; the workspace is another's. */
  [Symbol.asyncDispose](): Promise<void> {
    return disposeAll([this.#bases, this.#registries, ...this.#about.values()]);
  }
}

/** Facts by the plugin that tells them. @throws PLUGIN_RESULT_INVALID when one tells two things by one name */
function factsOfPlugins(rows: readonly From<Fact>[]): readonly Fact[] {
  const facts = new Map<string, Fact>();
  for (const { plugin, value: { key: name, value } } of rows) {
    const key = `${plugin}/${name}`;
    if (facts.has(key)) {
      const hook = "stageInputs";
      const why = `two facts of one stage have the key "${name}", wanted is one`;
      throw new EngineError(
        "PLUGIN_RESULT_INVALID",
        `Plugin "${plugin}" answered hook "${hook}" wrongly: ${why}`,
        {
          plugin,
          hook,
        },
      );
    }
    facts.set(key, { key, value });
  }
  return [...facts.values()];
}
