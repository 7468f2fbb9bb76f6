import { EngineError } from "../contract/errors.ts";
import { ceilingEnv, type LocalOptions, locate, type Located, readOriginUrl } from "./discover.ts";
import { gitFailure, shellWord } from "./failure.ts";
import {
  listTree,
  parseAsked,
  recallTree,
  rememberTree,
  rememberTreeId,
  stateKey,
  treeIdOf,
} from "./listing.ts";
import type { GitFile, GitHead, GitRepository, GitTree, ObjectDatabase, Submodule } from "./model.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { observed } from "../../lib/pool.ts";
import { type GitEnv, gitEnv, misleads, runGit } from "./process.ts";
import type { EarlyAnswer } from "../settings/options.ts";
import { parseStatus, statusArgs } from "./status.ts";

export type * from "./model.ts";
export { repositoryName } from "./config_file.ts";

/**
 * Opens the repository that `projectDir` is in, which may be the repository's top, a directory below it, a worktree or
 * a submodule. Undefined when there is none. Starts no process.
 */
export async function openLocal(
  projectDir: string,
  options: LocalOptions,
): Promise<LocalRepository | undefined> {
  const located = await locate(projectDir);
  if (!located || !options.untrusted) return located && new LocalRepository(located, options);
  const { shadowRepository } = await import("./untrusted.ts");
  const shadow = await shadowRepository(
    located,
    `${await options.scratch()}/git-shadow-${crypto.randomUUID()}`,
  );
  return new LocalRepository(located, options, gitEnv(options.env, shadow));
}

/** The error for a project that names git files and is in no repository. */
export function noRepository(projectDir: string): EngineError {
  return new EngineError(
    "GIT_FAILED",
    `Cannot read the git files of "${projectDir}": neither it nor a directory above it is a git repository`,
    { fix: `Run: git -C ${shellWord(projectDir)} init, then commit the files` },
  );
}

/** Names a state by the files that it has. */
async function listedState({ files, submodules, gaps }: GitTree): Promise<string> {
  return `listed ${await sha256Hex(JSON.stringify([files, submodules, gaps]))}`;
}

/** The repository of the project, with only the project directory in sight. */
export class LocalRepository implements GitRepository {
  readonly title: string;
  readonly #projectDir: string;
  #env: GitEnv | undefined;
  #remembered: Promise<unknown> | undefined;
  #head: Promise<GitHead> | undefined;
  #tree: Promise<{ tree: GitTree; databases?: ReadonlyMap<string, ObjectDatabase> }> | undefined;

  /** @param env of git; by it git is led to another git directory than the repository's own */
  constructor(readonly located: Located, readonly options: LocalOptions, env?: GitEnv) {
    this.#env = env;
    const { root, prefix } = located;
    this.#projectDir = prefix === "" ? root : `${root}/${prefix}`;
    this.title = `"${this.#projectDir}"`;
  }

  /** The environment that git is started with; a run without changes reads none. */
  get env(): GitEnv {
    return this.#env ??= ceilingEnv(this.located.root, this.options.env);
  }

  /** What is checked out and what is not committed: the one git process of a run without changes. @throws GIT_FAILED */
  head(): Promise<GitHead> {
    return this.#head ??= this.#readHead();
  }

  async #readHead(): Promise<GitHead> {
    const known = await this.#askedBefore(this.options.status);
    if (known) return parseStatus(known, "");
    const { dev, untrusted } = this.options;
    // git looks for changes in a submodule by another git, which goes by the submodule's own configuration.
    const all = untrusted ? ["--ignore-submodules=dirty"] : dev ? ["--ignore-submodules=none"] : [];
    const run = (settings: readonly string[]) =>
      runGit([...this.#at(), ...settings, ...statusArgs, ...all, "--", "."], this.#call());
    let output = await run([]);
    // git compares files by way of their filters. One that is not installed here matters only where files are read.
    const filter = /clean filter '(.+)' failed/.exec(output.stderr)?.[1];
    if (!output.success && filter !== undefined && !dev) {
      output = await run(
        ["clean=", "process=", "required=false"].flatMap((s) => ["-c", `filter.${filter}.${s}`]),
      );
    }
    if (output.success) return parseStatus(output.stdout, this.located.prefix);
    throw await gitFailure(
      `Cannot read the git repository ${this.title}`,
      output,
      `git -C ${shellWord(this.#projectDir)} status`,
    );
  }

  /** The answer to the very same question, where somebody else has asked it. */
  async #askedBefore(asked: EarlyAnswer | undefined): Promise<Uint8Array | undefined> {
    const { dev, untrusted, env, signal } = this.options;
    if (!asked || dev || untrusted || this.located.prefix !== "" || misleads(env)) return undefined;
    const answer = await asked(signal);
    signal?.throwIfAborted();
    return answer;
  }

  /** Settles when what was found out is kept for later runs, for which no build waits. */
  async remembered(): Promise<void> {
    await this.#remembered;
  }

  async stateId(): Promise<string> {
    // In a repository of strangers, trees may hold something else than their ids say.
    if (this.options.untrusted) return await listedState(await this.tree());
    const { commit, uncommitted } = await this.head();
    const clean = commit !== undefined && !(this.options.dev && uncommitted.length > 0);
    return clean ? stateKey(commit, this.located.prefix) : (await this.tree()).treeId;
  }

  async tree(): Promise<GitTree> {
    return (await (this.#tree ??= this.#readTree())).tree;
  }

  /** The files of a commit, if git has been asked for them anyway; undefined otherwise. */
  async listed(commit: string): Promise<GitTree | undefined> {
    const tree = (await this.#tree?.catch(() => undefined))?.tree;
    return tree?.commit === commit ? tree : undefined;
  }

  async #readTree(): Promise<{ tree: GitTree; databases?: ReadonlyMap<string, ObjectDatabase> }> {
    const { commit, uncommitted } = await this.head();
    if (this.options.dev && (commit === undefined || uncommitted.length > 0)) {
      const { readWorkTree } = await import("./work_tree.ts");
      return await readWorkTree(this.located, this.options, this.env);
    }
    if (commit === undefined) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot read the git repository ${this.title}: it has no commits yet`,
        { fix: "Commit once, or use --dev" },
      );
    }
    return { tree: await this.#committed(commit) };
  }

  async #committed(commit: string): Promise<GitTree> {
    const { memo, dev } = this.options;
    const key = stateKey(commit, this.located.prefix);
    const known = await recallTree(memo, key, commit);
    if (known) return known;
    const database = this.#own();
    const request = { database, rev: commit, dir: this.located.prefix };
    const early = await this.#askedBefore(this.options.listing);
    const asked = early && parseAsked(early, commit, this.title);
    const listed = observed(asked ? Promise.resolve(asked.listing) : listTree(request, "")); // first, as it takes longest
    const naming = observed(asked ? Promise.resolve(asked.treeId) : treeIdOf(request));
    const [listing, registry] = await Promise.all([listed, this.#gitmodules(commit)]);
    if (!listing) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot read the project directory "${request.dir}": commit ${commit.slice(0, 12)} does not have it`,
        { fix: dev ? "Commit it" : "Commit it, or use --dev" },
      );
    }
    const treeId = await naming;
    let expanded = {
      files: listing.files,
      submodules: [] as readonly Submodule[],
      gaps: [] as GitTree["gaps"],
    };
    if (listing.links.length > 0) {
      const { expandSubmodules, listSubmodule, gitmodulesIn } = await import("./submodules.ts");
      const finder = await this.#submoduleFinder();
      const seen: Submodule[] = [];
      expanded = await expandSubmodules(
        { database, listing },
        async (submodule) => {
          const content = await listSubmodule(await finder(submodule, seen), submodule);
          seen.push(submodule);
          return content;
        },
        { oid: registry ?? gitmodulesIn(listing, ""), prefix: this.located.prefix },
      );
    }
    const tree: GitTree = { commit, treeId, ...expanded };
    this.#remembered = Promise.allSettled([
      rememberTree(memo, key, tree),
      this.located.prefix === "" && rememberTreeId(memo, commit, treeId),
    ]);
    return tree;
  }

  /** .gitmodules is at the top of the repository, which may be above the project. */
  async #gitmodules(commit: string): Promise<string | undefined> {
    if (this.located.prefix === "") return undefined;
    const args = ["rev-parse", "--verify", "-q", `${commit}:.gitmodules`];
    const output = await runGit([...this.#at(), ...args], this.#call());
    return output.success ? new TextDecoder().decode(output.stdout).trim() : undefined;
  }

  async #submoduleFinder() {
    const { SubmoduleFinder, chainOf } = await import("./local_submodules.ts");
    const finder = new SubmoduleFinder(this.located, this.options);
    return (submodule: Submodule, all: readonly Submodule[]) => finder.find(chainOf(submodule, all));
  }

  async database(repo: string): Promise<ObjectDatabase> {
    const { tree, databases } = await (this.#tree ??= this.#readTree());
    const scratch = databases?.get(repo);
    if (scratch) return scratch;
    if (repo === "") return this.#own();
    const submodule = tree.submodules.find((s) => s.path === repo);
    if (!submodule) throw new TypeError(`Repository ${this.title} has no submodule "${repo}"`);
    return await (await this.#submoduleFinder())(submodule, tree.submodules);
  }

  async prepare(files: readonly GitFile[]): Promise<void> {
    const { commit } = await this.tree();
    const own = files.filter((file) => file.repo === "");
    if (commit === undefined || own.length === 0 || this.options.untrusted) return;
    const { fetchPromised } = await import("./partial_clone.ts");
    await fetchPromised(`${this.located.commonDir}/config`, this.#own(), { commit, files: own });
  }

  /** `remote.origin.url`, from the repository's config file alone. */
  async originUrl(): Promise<string | undefined> {
    return await readOriginUrl(this.located);
  }

  #own(): ObjectDatabase {
    const unverified = this.options.untrusted ?? false;
    return { at: this.#at(), title: this.title, unverified, ...this.#call() };
  }

  #at(): readonly string[] {
    return ["-C", this.#projectDir];
  }

  /** git looks for the repository itself, so that its check of the owner holds, but not above the one found here. */
  #call(): { env: GitEnv; signal?: AbortSignal } {
    const { signal } = this.options;
    return { env: this.env, ...(signal && { signal }) };
  }
}
