import type { GitEntry } from "../contract/config.ts";
import { type LocalRepository, noRepository, openLocal, repositoryName } from "./repository.ts";
import type { GitMemo, GitRepository, TreeSource } from "./model.ts";
import type { RemoteSource } from "./remote.ts";
import { isText } from "../../lib/guard.ts";
import { observed } from "../../lib/pool.ts";
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

  constructor(
    readonly options: Pick<
      ResolvedOptions,
      "dir" | "dev" | "config" | "signal" | "lockTimeoutMs" | "emit" | "untrusted"
    >,
    readonly store: () => Promise<Store>,
  ) {
    this.#memo = {
      get: async (kind, key, is) => await (await store()).memo.get(kind, key, is),
      put: async (kind, key, value) => await (await store()).memo.put(kind, key, value),
    };
  }

  /** One source for each entry, in order. @throws GIT_FAILED, GIT_MISSING_OBJECT */
  async of(entries: readonly GitEntry[]): Promise<readonly RepositorySource[]> {
    return await Promise.all(entries.map((entry) => entry.remote ? this.#remote(entry.remote) : this.#own()));
  }

  /** Starts git on the project's repository, which is asked for what is committed and what is not in every run. */
  prefetch(): void {
    observed(this.#open().then((repository) => repository?.head()));
  }

  /** The commit of the project's repository, when it has one and all that is used is in it. */
  async commit(): Promise<string | undefined> {
    const repository = await this.#open();
    return repository && (await repository.head()).commit;
  }

  /** What is checked out, for tags and for the record; no commit when what is built is in none. */
  async facts(): Promise<GitFacts & { readonly tree: string | undefined }> {
    const repository = await this.#open();
    const head = await repository?.head();
    const clean = !(this.options.dev && head && head.uncommitted.length > 0);
    const commit = clean ? head?.commit : undefined;
    return {
      commit,
      branch: head?.branch,
      tree: repository && commit ? await this.#treeOf(repository, commit) : undefined,
    };
  }

  /** The tree of a commit, for which git is asked once. */
  async #treeOf(repository: LocalRepository, commit: string): Promise<string | undefined> {
    const known = await this.#memo.get("git-commit-tree", commit, isText);
    if (known !== undefined && /^[0-9a-f]{40,64}$/.test(known)) return known;
    const { treeOf } = await import("./tree_of.ts");
    const tree = await treeOf(repository, commit);
    if (tree !== undefined) await this.#memo.put("git-commit-tree", commit, tree);
    return tree;
  }

  /** The last element of the origin's URL. */
  async originName(): Promise<string | undefined> {
    const url = await (await this.#open())?.originUrl();
    return url === undefined ? undefined : repositoryName(url);
  }

  /** For each absolute image path the commit that last changed its file in the project's repository. */
  async commits(
    entries: readonly GitEntry[],
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
    const { dir, dev, signal, untrusted } = this.options;
    return this.#repository ??= openLocal(dir, {
      dev,
      untrusted,
      signal,
      memo: this.#memo,
      scratch: async () => await (await this.store()).blobs.scratch(),
    });
  }

  async #own(): Promise<RepositorySource> {
    const repository = await this.#open();
    if (!repository) throw noRepository(this.options.dir);
    return await (this.#local ??= this.#describe(repository));
  }

  async #describe(repository: LocalRepository): Promise<RepositorySource> {
    const { commit, uncommitted } = await repository.head();
    const { dev, emit, config = "" } = this.options;
    // The dappfile and its lock file are read as they are on disk, so they do count.
    const left = uncommitted.filter(({ path }) =>
      ![config, "dappfile.yaml", "dappfile.yml", "dappfile.lock"].includes(path)
    );
    if (!dev && commit !== undefined && left.length > 0) {
      const shown = left.slice(0, 3).map(({ path }) => path || "this directory").join(", ");
      const more = left.length > 3 ? ` and ${left.length - 3} more` : "";
      const text = `uncommitted changes are not included: ${shown}${more} (commit them, or use --dev)`;
      emit({ type: "note", level: "info", text });
    }
    return { repository, stateId: await repository.stateId(), tree: () => repository.tree() };
  }

  async #remote(remote: RemoteSource): Promise<RepositorySource> {
    const key = JSON.stringify([remote.url, remote.ref]);
    let source = this.#remotes.get(key);
    if (!source) {
      source = (async () => {
        const { openRemote } = await import("./remote.ts");
        const { signal, lockTimeoutMs, emit, untrusted } = this.options;
        const repository = await openRemote(remote, {
          anonymous: untrusted,
          directory: await (await this.store()).housekeeping.directory("git"),
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
