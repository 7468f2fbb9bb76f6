import type { Config } from "../contract/config.ts";
import { registryMemo } from "../cleanup/needs.ts";
import { EngineError } from "../contract/errors.ts";
import type { RegistryAccess, RegistryBackend } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import { disposeAll } from "../hooks/dispose.ts";
import type { From, HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";

/** A REPO that stands for the registry inside of a minikube, as in the old tool. */
const MINIKUBE = ":minikube";

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

/** How this command reaches registries: the login that was given is for the host of its REPO alone. */
export class Registries implements AsyncDisposable {
  readonly #open = new Map<string, Promise<From<RegistryBackend>>>();

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

  async #ask(repo: string, writes: boolean): Promise<From<RegistryBackend>> {
    const { env, dir, signal, registry } = this.opener.options;
    const { kind } = registry;
    const answer = await (await this.opener.hooks()).first("openRegistry", {
      repo,
      env,
      projectDir: dir,
      signal,
      ...(writes && { writes }),
      ...(kind !== undefined && this.#isOwnHost(repo) && { kind }),
      access: this.accessTo(repo),
      memo: registryMemo(await this.opener.store()),
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
    return disposeAll([...this.#open.values()].map((each) => each.then(({ value }) => value)));
  }
}

/** Everything before the first "/". */
function hostOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf("/")));
}
