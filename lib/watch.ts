/**
 * What this process has to do with the world beside files and variables, told to whoever wants to know what a result
 * stood on. Nobody listens as a rule, and telling costs nothing then.
 */

/** One HTTP request that was answered. */
export interface Exchange {
  readonly method: string;
  readonly status: number;
  /** It fetched a token for another one. */
  readonly login: boolean;
  /** Milliseconds from sending to the head of the answer. */
  readonly ms: number;
}

/** Who is told. Nothing that it does may throw. */
export interface Watcher {
  /** Something is used that cannot be looked at again, such as a plugin of the user. */
  beyond(what: string): void;
  exchange(exchange: Exchange): void;
  /** What stands under a tag or digest of a repository. */
  found(domain: string, path: string, reference: string, digest: string): void;
  /** What is known of a registry by now, as it is remembered. */
  host(domain: string, facts: unknown): void;
}

let watcher: Watcher | undefined;

/** Tells this one from now on, and no other; nobody when undefined. */
export function watch(next: Watcher | undefined): void {
  watcher = next;
}

/** Who watches now. */
export function watching(): Watcher | undefined {
  return watcher;
}
