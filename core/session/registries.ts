import type { Config } from "../contract/config.ts";
import { MINIKUBE } from "../config/own_registry.ts";
import { registryMemo } from "../cleanup/needs.ts";
import { EngineError } from "../contract/errors.ts";
import type { RegistryAccess, RegistryBackend } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { disposeAll } from "../hooks/dispose.ts";
import type { From, HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { Reach } from "./workspace.ts";

/** The REPO of a command: what it was given, else the engine's, else the dappfile's. @throws REPO_INVALID */
export async function repoOf(
  given: string | undefined,
  { images, project }: Config,
  name: () => Promise<string>,
): Promise<string> {
  const repo = given ?? project.repo;
  if (repo === undefined) {
    throw new EngineError("REPO_INVALID", "Cannot tell where images go: no REPO is given", {
      fix: "Name it as the last word, with --repo, or as `repo:` in the dappfile",
    });
  }
  // `dapp dimg push app` without REPO: the name of a dimg is read as a repository of Docker Hub.
  if (images.some(({ kind, name }) => kind === "dimg" && name === repo) && !/[/:.]/.test(repo)) {
    throw new EngineError("REPO_INVALID", `Cannot use REPO "${repo}": that is the name of a dimg`, {
      fix: `Name the repository after it: ${repo} registry.example.com/group/project`,
    });
  }
  return repo === MINIKUBE ? `localhost:5000/${await name()}` : repo;
}

/** What opening registries takes. */
export interface RegistryOpener {
  readonly options: Pick<ResolvedOptions, "env" | "dir" | "signal" | "registry">;
  /** The hooks with those of the registry plugins. */
  hooks(): Promise<HookRunner>;
  store(): Promise<Store>;
}

/** A host that is reached before anybody knows who serves it. */
interface Begun {
  readonly access: RegistryAccess;
  /** What nobody took over. */
  readonly rest: AsyncDisposable | undefined;
}

/** How this command reaches registries: the login that was given is for the host of its REPO alone. */
export class Registries implements AsyncDisposable {
  readonly #open = new Map<string, Promise<From<RegistryBackend>>>();
  readonly #begun = new Map<string, Begun>();

  /** @param repo what the command is about; undefined when it is about none */
  constructor(readonly opener: RegistryOpener, readonly repo: string | undefined) {}

  /** What serves a REPO, opened once for each name, as the first one `writes` or not. @throws REPO_INVALID */
  open(repo: string, { writes = false }: { readonly writes?: boolean } = {}): Promise<From<RegistryBackend>> {
    let registry = this.#open.get(repo);
    if (!registry) {
      registry = this.#ask(repo, writes);
      this.#open.set(repo, registry);
    }
    return registry;
  }

  /** Begins to reach the host of a REPO, beside what has to be known to `open` it. Nothing is sent. Never throws. */
  reach(repo: string, reach: Reach): void {
    const { env, registry } = this.opener.options;
    // A kind may be one that nobody serves.
    if (registry.kind !== undefined || this.#begun.has(repo)) return;
    const access = this.accessTo(repo);
    this.#begun.set(repo, { access, rest: reach({ repo, env, access }) });
  }

  async #ask(repo: string, writes: boolean): Promise<From<RegistryBackend>> {
    const { env, dir, signal, registry } = this.opener.options;
    const { kind } = registry;
    const [hooks, store] = [await this.opener.hooks(), await this.opener.store()];
    const begun = this.#begun.get(repo) ?? { access: this.accessTo(repo), rest: undefined };
    this.#begun.set(repo, begun); // from now on it would be too late
    const answer = await hooks.first("openRegistry", {
      repo,
      env,
      projectDir: dir,
      signal,
      ...(writes && { writes }),
      ...(kind !== undefined && this.#isOwnHost(repo) && { kind }),
      access: begun.access,
      memo: registryMemo(store),
    });
    if (answer) return answer;
    if (kind === undefined) {
      throw new EngineError("REPO_INVALID", `Cannot use REPO "${repo}": no plugin serves it`);
    }
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use REPO "${repo}": no plugin serves it as a registry of kind "${kind}"`,
      { fix: "Correct the value of --registry-kind, or leave it out" },
    );
  }

  /** How an image or repository is reached. */
  accessTo(name: string): RegistryAccess {
    const { username, password, insecure = [] } = this.opener.options.registry;
    const own = username !== undefined && this.#isOwnHost(name);
    return { insecure, ...(own && { username, password: password! }) };
  }

  /** Whether a name is of the registry of REPO. */
  #isOwnHost(name: string): boolean {
    return this.repo !== undefined && hostOf(name) === hostOf(this.repo);
  }

  /** Everything that was opened. */
  [Symbol.asyncDispose](): Promise<void> {
    return disposeAll([
      ...[...this.#open.values()].map((each) => each.then(({ value }) => value)),
      ...[...this.#begun.values()].map(({ rest }) => rest),
    ]);
  }
}

/** Everything before the first "/". */
function hostOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf("/")));
}
