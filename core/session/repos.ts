import { EngineError } from "../contract/errors.ts";
import type { From } from "../hooks/runner.ts";
import type { RegistryAccess, RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import type { Session } from "./session.ts";

/** The REPO of a command: what it was given, else the engine's, else the dappfile's. @throws REPO_INVALID */
export async function repoOf(session: Session, given: string | undefined): Promise<string> {
  const { images, project } = await session.config();
  const repo = given ?? session.options.repo ?? project.repo;
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
  return session.mainRepo = repo === MINIKUBE ? `localhost:5000/${(await session.project()).name}` : repo;
}

/** A REPO that stands for the registry inside of a minikube, as in the old tool. */
const MINIKUBE = ":minikube";

/** Asks the plugins for a REPO. @throws REPO_INVALID when none serves it */
export async function openRegistry(session: Session, repo: string): Promise<From<RegistryBackend>> {
  const { env, dir, signal, registry } = session.options;
  const { kind } = registry;
  const store = await session.store();
  const answer = await (await session.hooksWith("registry")).first("openRegistry", {
    repo,
    env,
    projectDir: dir,
    signal,
    ...(kind !== undefined && isOwnHost(session, repo) && { kind }),
    access: accessTo(session, repo),
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

/** What is remembered of registries, beside all else that the store remembers. */
export function registryMemo(store: Store): RegistryMemo {
  return {
    get: (kind, key) => store.memo(`registry-${kind}`, key),
    put: (kind, key, value) => store.putMemo(`registry-${kind}`, key, value),
  };
}

/** How an image or repository is reached: the login that was given is for the host of REPO alone. */
export function accessTo(session: Session, name: string): RegistryAccess {
  const { username, password, insecure = [] } = session.options.registry;
  const own = username !== undefined && isOwnHost(session, name);
  return { insecure, ...(own && { username, password: password! }) };
}

/** Whether a name is of the registry of REPO. */
function isOwnHost({ mainRepo }: Session, name: string): boolean {
  return mainRepo !== undefined && hostOf(name) === hostOf(mainRepo);
}

/** Everything before the first "/". */
function hostOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf("/")));
}
