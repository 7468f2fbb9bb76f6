import { EngineError } from "../contract/errors.ts";
import type { GitEntry } from "../contract/config.ts";
import { Clone } from "./clone.ts";
import { redact } from "./failure.ts";
import { listTree, recallTree, rememberTree, stateKey, treeIdOf } from "./listing.ts";
import { chainOf } from "./local_submodules.ts";
import type { GitMemo, GitRepository, GitTree, ObjectDatabase, Submodule } from "./model.ts";
import { gitEnv } from "./process.ts";
import { expandSubmodules, gitmodulesIn, listSubmodule } from "./submodules.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";
import { withoutEnd } from "../../lib/without_end.ts";

/** A repository elsewhere and the state of it that is wanted. */
export type RemoteSource = NonNullable<GitEntry["remote"]>;

/** How repositories elsewhere are read. */
export interface RemoteOptions {
  /** A directory kept between runs, for this URL alone or for several; created when missing. */
  readonly directory: string;
  readonly memo: GitMemo;
  /** What git processes see of the world. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ask no server: branches, tags and the default branch are where the last run found them. @default false */
  readonly offline?: boolean;
  /** Without any login, key or configuration of this user or machine. @default false */
  readonly anonymous?: boolean;
  /** Exclusive between processes; held while something is fetched. */
  lock(name: string): Promise<AsyncDisposable>;
  readonly signal?: AbortSignal;
}

/** A state of a repository elsewhere, held in a local clone. */
export interface RemoteRepository extends GitRepository {
  readonly commit: string;
}

/**
 * Finds out which commit is meant and makes sure its files are in the local clone.
 *
 * A commit that is there already needs no network. A branch, a tag and the default branch cost one question to the
 * server; only a commit that is new is then fetched, without its history where the server can do that.
 *
 * @throws GIT_FAILED with URL, ref and reason
 */
export async function openRemote(source: RemoteSource, options: RemoteOptions): Promise<RemoteRepository> {
  if (!options.anonymous) return await open(source, options, {});
  const { UNTRUSTED_ENV } = await import("./untrusted.ts");
  // A certificate of this user is a login as well.
  const { GIT_SSL_CERT: _, GIT_SSL_KEY: _key, ...env } = options.env;
  return await open(source, { ...options, env }, UNTRUSTED_ENV);
}

async function open(
  source: RemoteSource,
  options: RemoteOptions,
  env: Readonly<Record<string, string>>,
): Promise<OpenedRemote> {
  const { url, ref } = source;
  const name = ref.kind === "head" ? "the default branch" : `${ref.kind} "${ref.value}"`;
  const what = `Cannot read ${name} of "${redact(url)}"`;
  if (!/^([a-z][a-z0-9+.-]*:|\/|[^/]+:)/i.test(url) || url.startsWith("-")) {
    throw new EngineError("GIT_FAILED", `${what}: expected a URL or an absolute path`, {
      fix: "Write it as git clone takes it: https://HOST/PATH, ssh://git@HOST/PATH, git@HOST:PATH or /PATH",
    });
  }
  const key = (await sha256Hex(redact(url))).slice(0, 16);
  const clone = new Clone({ ...options, url, key, what, env: gitEnv(options.env, env) });
  const commit = ref.kind === "commit" ? await clone.commit(ref.value) : await clone.named(ref);
  return new OpenedRemote(url, commit, clone, { ...options, extra: env });
}

class OpenedRemote implements RemoteRepository {
  readonly title: string;
  #tree: Promise<GitTree> | undefined;
  readonly #submodules = new Map<string, Promise<OpenedRemote>>();

  constructor(
    readonly url: string,
    readonly commit: string,
    readonly clone: Clone,
    /** `extra` is what git gets beside the environment, for submodules as well. */
    readonly options: RemoteOptions & { readonly extra: Readonly<Record<string, string>> },
  ) {
    this.title = `"${redact(url)}"`;
  }

  stateId(): Promise<string> {
    return Promise.resolve(stateKey(this.commit, ""));
  }

  tree(): Promise<GitTree> {
    return this.#tree ??= this.#read();
  }

  async #read(): Promise<GitTree> {
    const { commit, options: { memo } } = this;
    const known = await recallTree(memo, stateKey(commit, ""), commit);
    if (known) return known;
    const database = this.#own();
    const request = { database, rev: commit, dir: "" };
    const [listing, treeId] = await Promise.all([listTree(request, ""), treeIdOf(request)]);
    const top = { database, listing: listing! };
    const seen: Submodule[] = [];
    const expanded = await expandSubmodules(top, async (submodule) => {
      const content = await listSubmodule(await this.#open(submodule, seen), submodule);
      seen.push(submodule);
      return content;
    }, { oid: gitmodulesIn(top.listing, ""), prefix: "" });
    const tree: GitTree = { commit, treeId, ...expanded };
    await rememberTree(memo, stateKey(commit, ""), tree);
    return tree;
  }

  async database(repo: string): Promise<ObjectDatabase> {
    if (repo === "") return this.#own();
    const { submodules } = await this.tree();
    const submodule = submodules.find((s) => s.path === repo);
    if (!submodule) throw new TypeError(`Repository ${this.title} has no submodule "${repo}"`);
    return await this.#open(submodule, submodules);
  }

  /** Opens a submodule from the URL in .gitmodules, which may be relative to that of the repository around it. */
  async #open(submodule: Submodule, all: readonly Submodule[]): Promise<ObjectDatabase> {
    const { path, commit } = submodule;
    let url = this.url;
    for (const each of chainOf(submodule, all)) url = resolveUrl(url, each.url);
    const id = `${commit} ${url}`;
    let opened = this.#submodules.get(id);
    if (!opened) {
      if (submodule.url === "") {
        throw new EngineError(
          "GIT_MISSING_OBJECT",
          `Cannot read the submodule "${path}" of ${this.title}: .gitmodules has no URL for it`,
          {
            fix: "Add it to .gitmodules, or exclude its path",
          },
        );
      }
      // As `git submodule` does: a repository may not send this machine to its own files or run programs.
      const env = { ...this.options.extra, GIT_PROTOCOL_FROM_USER: "0" };
      opened = open({ url, ref: { kind: "commit", value: commit } }, this.options, env);
      this.#submodules.set(id, opened);
    }
    return { ...(await opened).#own(), title: `submodule "${path}" of ${this.title}` };
  }

  #own(): ObjectDatabase {
    const { signal } = this.options;
    return {
      at: ["--git-dir", this.clone.dirFor(this.commit)],
      env: gitEnv(this.options.env, this.options.extra),
      title: this.title,
      ...(signal && { signal }),
    };
  }
}

/** A submodule's URL as git-submodule(1) reads it: "./" and "../" start from the URL of the repository around it. */
export function resolveUrl(base: string, url: string): string {
  if (!/^\.\.?(\/|$)/.test(url)) return url;
  let around = withoutEnd(base, "/");
  let rest = url;
  for (;;) {
    if (rest === "." || rest.startsWith("./")) rest = rest.slice(2);
    else if (rest === ".." || rest.startsWith("../")) {
      rest = rest.slice(3);
      const slash = around.lastIndexOf("/");
      const cut = slash >= 0 ? slash : around.lastIndexOf(":");
      if (cut < 0) return url;
      // `host:repo` keeps its colon.
      around = slash >= 0 ? around.slice(0, cut) : around.slice(0, cut + 1);
    } else return around.endsWith(":") ? around + rest : `${around}/${rest}`;
  }
}
