import type { CleanupGit, GitCommitFacts } from "../contract/cleanup.ts";
import { EngineError } from "../contract/errors.ts";
import { ceilingEnv, locate, type Located, shallowCommits } from "../git/discover.ts";
import { type HiddenLogin, hideLogin } from "../git/url_login.ts";
import { gitFailure, redact, shellWord } from "../git/failure.ts";
import { type GitOutput, runGit } from "../git/process.ts";

export interface GitFactsOptions {
  /** A directory of this run, for a clone of commits alone when the project's own is shallow. */
  scratch(): Promise<string>;
  /** What git processes see of the world. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/**
 * What the remote of the project's repository has, for policies. Branches and tags come from `git ls-remote`, never from
 * what was fetched once. Commits are read from the clone, after those it lacks were fetched; a shallow clone is not
 * believed: the commits, without files, are cloned beside it. No ref of the clone is changed.
 *
 * The remote is `origin`, or the only one there is. Undefined outside of git, and where there is neither a remote nor a
 * branch, as after a fetch by URL: such a repository knows nothing of what exists.
 *
 * @throws GIT_FAILED when it cannot be told which remote is the project's
 */
export async function cleanupGit(
  projectDir: string,
  options: GitFactsOptions,
): Promise<CleanupGit | undefined> {
  const located = await locate(projectDir);
  if (!located) return undefined;
  const git = (...args: string[]) =>
    runGit(["-C", located.root, ...args], {
      env: ceilingEnv(located.root, options.env),
      signal: options.signal,
    });
  const read = async (...args: string[]) => {
    const output = await git(...args);
    if (!output.success) throw await gitFailure(`Cannot read the repository "${located.root}"`, output);
    return new TextDecoder().decode(output.stdout).split("\n").filter((line) => line !== "");
  };
  const names = await read("remote");
  const name = names.includes("origin") ? "origin" : names[0];
  if (name === undefined) {
    const branches = await read("for-each-ref", "--count=1", "refs/heads");
    return branches.length === 0 ? undefined : new RemoteFacts(located, options, undefined);
  }
  if (name !== "origin" && names.length > 1) {
    throw new EngineError(
      "GIT_FAILED",
      `Cannot tell which branches exist: "${located.root}" has the remotes ${
        names.join(", ")
      }, but no "origin"`,
      { fix: "Call one of them origin: git remote rename NAME origin" },
    );
  }
  const [url = name] = await read("remote", "get-url", name);
  return new RemoteFacts(located, options, { name, url });
}

interface Refs {
  readonly branches: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
}

class RemoteFacts implements CleanupGit {
  #refs: Promise<Refs> | undefined;
  #commits: Promise<ReadonlyMap<string, GitCommitFacts>> | undefined;

  constructor(
    readonly located: Located,
    readonly options: GitFactsOptions,
    /** Undefined: the repository has no remote, so it is the truth itself. */
    readonly remote: { readonly name: string; readonly url: string } | undefined,
  ) {}

  async branches(): Promise<ReadonlyMap<string, string>> {
    return (await this.#allRefs()).branches;
  }

  async tags(): Promise<ReadonlyMap<string, string>> {
    return (await this.#allRefs()).tags;
  }

  commits(): Promise<ReadonlyMap<string, GitCommitFacts>> {
    return this.#commits ??= this.#readCommits();
  }

  async trees(): Promise<ReadonlySet<string>> {
    return new Set([...(await this.commits()).values()].map(({ tree }) => tree));
  }

  #allRefs(): Promise<Refs> {
    return this.#refs ??= this.#readRefs();
  }

  async #readRefs(): Promise<Refs> {
    const { root } = this.located;
    const { remote } = this;
    if (!remote && await this.#isShallow()) throw this.#shallowAlone();
    const args = remote ? ["ls-remote", remote.name] : ["show-ref", "--dereference"];
    const output = remote
      ? await this.#ask(remote, (place) => ["ls-remote", place])
      : await this.#git(["-C", root, ...args]);
    if (!output.success) {
      const title = remote
        ? "Cannot ask the remote for its branches and tags"
        : "Cannot read branches and tags";
      const rerun = ["git", "-C", root, ...args].map(shellWord).join(" ");
      throw await this.#failure(title, output, rerun);
    }
    const branches = new Map<string, string>();
    const tags = new Map<string, string>();
    for (const line of new TextDecoder().decode(output.stdout).split("\n")) {
      const match = /^([0-9a-f]{40,64})\s+refs\/(heads|tags)\/(.+)$/.exec(line);
      if (!match) continue;
      const [, id, kind, name] = match as unknown as [string, string, string, string];
      // "^{}" follows an annotated tag and names the commit that it tags.
      if (kind === "heads") branches.set(name, id);
      else tags.set(name.replace(/\^\{\}$/, ""), id);
    }
    if (branches.size === 0 && remote) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot believe the remote "${redact(remote.url)}": it has no branches at all`,
        { fix: "Check the URL that `git remote -v` shows: the branches of the project should be there" },
      );
    }
    return { branches, tags };
  }

  async #readCommits(): Promise<ReadonlyMap<string, GitCommitFacts>> {
    const { branches, tags } = await this.#allRefs();
    const tips = [...new Set([...branches.values(), ...tags.values()])];
    if (tips.length === 0) return new Map();
    const at = await this.#complete(tips);
    const args = [...at, "log", "--stdin", "--format=%H %T %ct"];
    const output = await this.#git(args, tips.join("\n") + "\n");
    if (!output.success) throw await this.#failure("Cannot read the commits of the project", output);
    const commits = new Map<string, GitCommitFacts>();
    for (const line of new TextDecoder().decode(output.stdout).split("\n")) {
      const [id, tree, time] = line.split(" ");
      if (id && tree) commits.set(id, { tree, time: Number(time) });
    }
    return commits;
  }

  /** Arguments that name a repository with the whole history of `tips`. */
  async #complete(tips: readonly string[]): Promise<readonly string[]> {
    const own = ["-C", this.located.root];
    const { remote } = this;
    if (!remote) return own;
    if (await this.#isShallow()) return await this.#cloneCommits(remote.url);
    const missing = await this.#missing(own, tips);
    if (missing.length === 0) return own;
    const fetch = await this.#ask(
      remote,
      (place) => ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", place, ...missing],
    );
    if (fetch.success && (await this.#missing(own, tips)).length === 0) return own;
    // Not every server gives commits by id.
    return await this.#cloneCommits(remote.url);
  }

  async #isShallow(): Promise<boolean> {
    return (await shallowCommits(this.located.commonDir)).size > 0;
  }

  #shallowAlone(): EngineError {
    return new EngineError(
      "GIT_FAILED",
      `Cannot tell what exists: the repository "${this.located.root}" is shallow and has no remote`,
      { fix: "Make a whole clone of the project: git clone without --depth" },
    );
  }

  async #missing(at: readonly string[], tips: readonly string[]): Promise<readonly string[]> {
    const output = await this.#git([...at, "cat-file", "--batch-check"], tips.join("\n") + "\n");
    if (!output.success) throw await this.#failure("Cannot read the commits of the project", output);
    return [...new TextDecoder().decode(output.stdout).matchAll(/^(\S+) missing$/gm)].map(([, id]) => id!);
  }

  async #cloneCommits(url: string): Promise<readonly string[]> {
    // One engine may be asked several times.
    const dir = `${await this.options.scratch()}/commits-${crypto.randomUUID()}.git`;
    const full = /^[a-z][a-z0-9+.-]*:|^\/|^[^/]+:/i.test(url) ? url : `${this.located.root}/${url}`;
    const output = await this.#ask(
      { name: full, url: full },
      (place) => ["clone", "--quiet", "--bare", "--filter=tree:0", "--", place, dir],
    );
    if (output.success) return ["--git-dir", dir];
    throw await this.#failure(
      "Cannot tell which commits exist: the clone is shallow or stale, and cloning the commits failed",
      output,
      `git -C ${shellWord(this.located.root)} fetch --unshallow`,
    );
  }

  /** Has git talk to another repository: by its name, or by its URL without the login. */
  #ask(
    { name, url }: { readonly name: string; readonly url: string },
    args: (place: string) => readonly string[],
  ): Promise<GitOutput> {
    const hidden = hideLogin(url);
    const place = hidden.url === url ? name : hidden.url;
    return this.#git(["-C", this.located.root, ...hidden.args, ...args(place)], undefined, hidden.env);
  }

  #git(args: readonly string[], stdin?: string, login: HiddenLogin["env"] = {}): Promise<GitOutput> {
    return runGit(args, {
      env: { ...ceilingEnv(this.located.root, this.options.env), ...login },
      signal: this.options.signal,
      stdin,
    });
  }

  #failure(what: string, output: GitOutput, rerun?: string): Promise<EngineError> {
    return gitFailure(`${what} of "${this.located.root}"`, output, rerun);
  }
}
