import type { GitEntry } from "../contract/config.ts";
import { ConfigurationFiles } from "./configuration.ts";
import { recallTreeId, rememberTreeId } from "./listing.ts";
import { type LocalRepository, noRepository, openLocal, repositoryName } from "./repository.ts";
import type { GitHead, GitMemo, GitRepository, TreeSource } from "./model.ts";
import type { RemoteSource } from "./remote.ts";
import { below, layerPath } from "../../lib/layer/paths.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { Store } from "../contract/store.ts";
import type { GitFacts } from "../contract/tagging.ts";

/** A repository with the identity of its state. */
export type RepositorySource = TreeSource & { readonly repository: GitRepository };

/** The repositories that a project's git entries name, each opened once. */
export class GitTrees {
  readonly #remotes = new Map<string, Promise<RepositorySource>>();
  readonly #memo: GitMemo;
  #repository?: Promise<LocalRepository | undefined>;
  #local?: Promise<RepositorySource>;
  #files?: Promise<ConfigurationFiles>;
  #head?: Promise<GitHead | undefined>;
  #outside?: Promise<readonly string[]>;
  /** Files of the configuration that the user was told of. */
  readonly #noted = new Set<string>();

  /** @param configuration absolute paths of the files that say what is built, which may be in no repository */
  constructor(
    readonly options: Pick<
      ResolvedOptions,
      "dir" | "dev" | "env" | "signal" | "lockTimeoutMs" | "emit" | "untrusted" | "gitStatus" | "gitListing"
    >,
    readonly store: () => Promise<Store>,
    readonly configuration: () => Promise<readonly string[]>,
  ) {
    this.#memo = {
      get: async (kind, key, is) => await (await store()).memo.get(kind, key, is),
      put: async (kind, key, value) => {
        // What a repository of strangers says of a commit is not kept for those who have that commit.
        if (!options.untrusted) await (await store()).memo.put(kind, key, value);
      },
    };
  }

  /** One source for each entry, in order. @throws GIT_FAILED, GIT_MISSING_OBJECT */
  async of(entries: readonly GitEntry[]): Promise<readonly RepositorySource[]> {
    return await Promise.all(entries.map((entry) => entry.remote ? this.#remote(entry.remote) : this.own()));
  }

  /** Starts git on the project's repository, which is asked for what is committed and what is not in every run. */
  prefetch(): Promise<GitHead | undefined> {
    return this.#head ??= this.#open().then((repository) => repository?.head());
  }

  /** Settles when nothing is read any more of what was begun. */
  async settled(): Promise<void> {
    const begun = [this.#repository, this.#head, this.#local, this.#files, this.#outside];
    await Promise.allSettled([...begun, ...this.#remotes.values()]);
  }

  /** Settles when what was read of the project's repository is kept for later runs. */
  async remembered(): Promise<void> {
    await (await this.#repository?.catch(() => undefined))?.remembered();
  }

  /** The commit of the project's repository, when it has one and all that is used is in it. */
  async commit(): Promise<string | undefined> {
    return (await this.facts()).commit;
  }

  /** What is checked out, for tags and for the record; no commit when what is built is in none. */
  async facts(): Promise<GitFacts> {
    const repository = await this.#open();
    const head = await repository?.head();
    if (!repository || head?.commit === undefined) return { commit: undefined, branch: head?.branch };
    const { commit, branch } = head;
    const outside = [
      ...this.options.dev ? head.uncommitted.map(({ path }) => path || "this directory") : [],
      ...await (this.#outside ??= this.#outsideOf(repository, commit)),
    ];
    if (outside.length === 0) return { commit, branch };
    return { commit: undefined, branch, uncommitted: [...new Set(outside)] };
  }

  /** Files of the configuration that the commit does not hold as they are used. */
  async #outsideOf(repository: LocalRepository, commit: string): Promise<readonly string[]> {
    const { uncommitted } = await repository.head();
    const files = await this.#configurationIn(repository);
    const missing = await files.missing(commit, uncommitted, this.#memo);
    this.#note(missing);
    return missing;
  }

  #configurationIn(repository: LocalRepository): Promise<ConfigurationFiles> {
    return this.#files ??= this.configuration().then((files) => ConfigurationFiles.of(repository, files));
  }

  /** Says once of each file that it is used although it is in no commit. */
  #note(files: readonly string[]): void {
    const news = files.filter((file) => !this.#noted.has(file));
    if (this.options.dev || news.length === 0) return;
    for (const file of news) this.#noted.add(file);
    const it = news.length > 1 ? "them" : "it";
    const text = `uncommitted configuration is included: ${
      listed(news)
    } (images carry no commit; commit ${it})`;
    this.options.emit({ type: "note", level: "warn", text });
  }

  /** The tree of the commit that {@linkcode facts} tells, for which git is asked once at most. */
  async treeOf(commit: string): Promise<string | undefined> {
    const repository = await this.#open();
    const known = await recallTreeId(this.#memo, commit);
    if (known !== undefined || !repository) return known;
    const { treeOf } = await import("./tree_of.ts");
    const tree = await treeOf(repository, commit);
    if (tree !== undefined) await rememberTreeId(this.#memo, commit, tree);
    return tree;
  }

  /** The last element of the origin's URL. */
  async originName(): Promise<string | undefined> {
    const url = await (await this.#open())?.originUrl();
    return url === undefined ? undefined : repositoryName(url);
  }

  /** For each absolute image path the commit that last changed its file in the project's repository. */
  async commits(
    entries: readonly Pick<GitEntry, "remote" | "add" | "to">[],
    paths: readonly string[],
    since: string | undefined,
  ): Promise<ReadonlyMap<string, string>> {
    const repository = await this.#open();
    if (!repository) return new Map();
    const origins = new Map<string, string>();
    for (const { remote, add, to } of entries) {
      if (remote) continue;
      for (const path of paths) {
        const name = below(to === "/" ? "" : to, path);
        if (name !== undefined) {
          origins.set(path, `${layerPath(add)}/${layerPath(name)}`.replace(/^\/|\/$/g, ""));
        }
      }
    }
    const { lastCommits } = await import("./history.ts");
    const found = await lastCommits(repository, [...new Set(origins.values())], { from: since });
    return new Map([...origins].flatMap(([path, origin]) => {
      const commit = found.get(origin);
      return commit === undefined ? [] : [[path, commit]];
    }));
  }

  #open(): Promise<LocalRepository | undefined> {
    const { dir, dev, env, signal, untrusted, gitStatus, gitListing } = this.options;
    return this.#repository ??= openLocal(dir, {
      dev,
      env,
      untrusted,
      signal,
      status: gitStatus,
      listing: gitListing,
      memo: this.#memo,
      scratch: async () => await (await this.store()).blobs.scratch(),
    });
  }

  /** The project's own repository. @throws GIT_FAILED when there is none */
  async own(): Promise<RepositorySource> {
    const repository = await this.#open();
    if (!repository) throw noRepository(this.options.dir);
    return await (this.#local ??= this.#describe(repository));
  }

  async #describe(repository: LocalRepository): Promise<RepositorySource> {
    const { commit, uncommitted } = await repository.head();
    const { dev, emit } = this.options;
    if (!dev && commit !== undefined && uncommitted.length > 0) {
      // The configuration is read as it is on disk, so it does count.
      const counted = (await this.#configurationIn(repository)).changed(uncommitted);
      const left = uncommitted.filter(({ path }) => !counted.includes(path));
      if (left.length > 0) {
        const shown = listed(left.map(({ path }) => path || "this directory"));
        const text = `uncommitted changes are not included: ${shown} (commit them, or use --dev)`;
        emit({ type: "note", level: "warn", text });
      }
      this.#note(counted);
    }
    const { root, prefix } = repository.located;
    return {
      repository,
      stateId: await repository.stateId(),
      tree: () => repository.tree(),
      ...(prefix !== "" && { within: { root, prefix } }),
    };
  }

  async #remote(remote: RemoteSource): Promise<RepositorySource> {
    const key = JSON.stringify([remote.url, remote.ref]);
    let source = this.#remotes.get(key);
    if (!source) {
      source = (async () => {
        const { openRemote } = await import("./remote.ts");
        const { env, signal, lockTimeoutMs, emit, untrusted } = this.options;
        const repository = await openRemote(remote, {
          anonymous: untrusted,
          env,
          // A commit that is there is not asked for: those that logins brought are not for strangers, who may know ids.
          directory: await (await this.store()).housekeeping.directory(untrusted ? "git-anonymous" : "git"),
          memo: this.#memo,
          signal,
          lock: async (name) =>
            await (await this.store()).locks.take(name, {
              signal,
              timeoutMs: lockTimeoutMs,
              onWait: (holder) => {
                // Two entries of one repository wait for each other; that is nobody's business.
                if (!holder.startsWith(`process ${Deno.pid} `)) {
                  emit({ type: "lock.waiting", resource: "the clone of a git repository", holder });
                }
              },
            }),
        });
        return { repository, stateId: repository.commit, tree: () => repository.tree() };
      })();
      this.#remotes.set(key, source);
    }
    return await source;
  }
}

/** The first few of the paths, and how many more there are. */
function listed(paths: readonly string[]): string {
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : "";
  return `${paths.slice(0, 3).join(", ")}${more}`;
}
