import type { CleanupGit } from "../core/contract/plugin.ts";

/** What a repository has. */
export interface GitFactsOptions {
  /** Branch -> commit. */
  readonly branches?: Readonly<Record<string, string>>;
  /** Git tag -> commit. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Commit -> its tree and committer's time (RFC 3339). */
  readonly commits?: Readonly<Record<string, { readonly tree: string; readonly time: string }>>;
}

/** A repository for cleanup policies that has just this. */
export function gitFacts({ branches = {}, tags = {}, commits = {} }: GitFactsOptions): CleanupGit {
  const facts = Object.entries(commits).map(([id, { tree, time }]) =>
    [id, { tree, time: Date.parse(time) / 1000 }] as const
  );
  return {
    branches: () => Promise.resolve(new Map(Object.entries(branches))),
    tags: () => Promise.resolve(new Map(Object.entries(tags))),
    commits: () => Promise.resolve(new Map(facts)),
    trees: () => Promise.resolve(new Set(facts.map(([, { tree }]) => tree))),
  };
}
