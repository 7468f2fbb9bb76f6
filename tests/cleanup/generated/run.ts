/** Cleans up generated worlds by the engine, in registries on this machine. */
import type { Engine, EngineOptions } from "../../../mod.ts";
import { createEngine, definePlugin, use } from "../../../mod.ts";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/plugin.ts";
import { PROTOCOL, systemClock } from "../../../core/protocol/clock.ts";
import { takeLease } from "../../../core/protocol/leases.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryGitlab, registryHarbor } from "../../../plugins/registry/providers.ts";
import { GitlabServer } from "../../registry/providers/gitlab_server.ts";
import { HarborServer } from "../../registry/providers/harbor_server.ts";
import { openWith } from "../../registry/providers/support.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { openOci, registryRequest } from "../../support/registry_request.ts";
import { withTempDir } from "../../support/tmp.ts";
import { type KubeServer, startKube } from "../support/kube_server.ts";
import { type Commits, putGit, type PutWorld, putWorld } from "./put_world.ts";
import type { Policy, World } from "./world.ts";

/** A registry for worlds. */
export interface Target extends AsyncDisposable {
  readonly registry: MemoryRegistry;
  /** REPO without its host. */
  readonly base: string;
  /** Whether it says when tags were pushed. */
  readonly tells: boolean;
  readonly options: EngineOptions;
  pushed?(path: string, tag: string, time: string): void;
  /** Opens it without an engine. */
  open(): Promise<RegistryBackend>;
}

/** A cleanup tells builds for a moment only, since there are none. */
function quick(
  name: string,
  open: (request: RegistryRequest) => Promise<RegistryBackend | undefined>,
) {
  return use(definePlugin({
    name,
    api: 1,
    setup: () => ({
      openRegistry: async (request) => {
        const backend = await open(request);
        // What it learns of the registry's clock comes later.
        return backend && {
          ...backend,
          capabilities: Object.defineProperties(
            { settleMs: 20 },
            Object.getOwnPropertyDescriptors(backend.capabilities),
          ) as RegistryBackend["capabilities"],
        };
      },
    }),
  }));
}

/** distribution as tests have it: see `deletion` of the registry. */
export function plainTarget(deletion: MemoryRegistry["deletion"]): Target {
  const registry = new MemoryRegistry();
  registry.deletion = deletion;
  return {
    registry,
    base: "shop",
    tells: false,
    options: { plugins: [quick("registry-quick", openOci)] },
    open: async () => (await openOci(registryRequest(`${registry.host}/shop`)))!,
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}

/** A world that is there, and engines to clean it up with. */
export interface Standing extends PutWorld {
  readonly target: Target;
  readonly repo: string;
  readonly commits: Commits;
  /** @param home which machine */
  engine(options?: EngineOptions, home?: string): Engine;
  /** Every tag of the project's repositories, `repository:tag` -> digest, but those of the protocol. */
  state(): Record<string, string>;
}

/** Puts a world into a target, with the clone that it is cleaned up from. */
export async function withWorld(
  world: World,
  target: Target,
  body: (standing: Standing) => Promise<void>,
): Promise<void> {
  await withTempDir(async (root) => {
    const commits = await putGit(world, root);
    const put = await putWorld(world, target, commits);
    const { registry, base } = target;
    const repo = `${registry.host}/${base}`;
    const dir = `${root}/project`;
    const keep: object[] = [];
    for (const policy of world.settings.keep) {
      keep.push(await entryOf(policy, { put, repo, dir }));
    }
    const { defaults, grace } = world.settings;
    const cleanup = { defaults, keep, ...(grace !== undefined && { stages: { grace: `${grace}h` } }) };
    await Deno.writeTextFile(
      `${dir}/dappfile.yaml`,
      `${JSON.stringify({ project: "shop", cleanup })}\n---\ndimg: app\nfrom: scratch\n`,
    );
    if (world.leased.length > 0) {
      await using backend = await target.open();
      const { signal } = new AbortController();
      await takeLease(backend.repository(""), {
        builder: "somebody",
        signatures: world.leased.map((n) => put.signatures[n]!),
      }, { clock: systemClock, leaseMs: PROTOCOL.leaseMs, skewMs: PROTOCOL.skewMs, signal });
    }
    const paths = new Set(world.tags.map((tag) => tag.repo));
    await body({
      ...put,
      target,
      repo,
      commits,
      engine: (options, home = "home") =>
        createEngine({
          dir,
          home: `${root}/${home}`,
          env: {
            HOME: root,
            PATH: Deno.env.get("PATH"),
            GIT_CONFIG_GLOBAL: "/dev/null",
            GIT_CONFIG_SYSTEM: "/dev/null",
          },
          ...target.options,
          ...options,
        }),
      state: () =>
        Object.fromEntries(
          [...paths].flatMap((name) =>
            Object.entries(registry.tagsOf(name === "" ? base : `${base}/${name}`))
              .map(([tag, digest]) => [`${name}:${tag}`, digest] as const)
          ).filter(([name]) => !name.startsWith(":dappservice-")).sort(([a], [b]) => a < b ? -1 : 1),
        ),
    });
  });
}

const days = (hours: number | undefined) => hours === undefined ? undefined : `${hours}h`;

async function entryOf(
  policy: Policy,
  { put: { names, digests, world, children }, repo, dir }: {
    readonly put: PutWorld;
    readonly repo: string;
    readonly dir: string;
  },
): Promise<object> {
  const reference = (n: number) => repo + (names[n]!.startsWith(":") ? "" : "/") + names[n];
  switch (policy.use) {
    case "keep-listed": {
      const own = policy.own.map((n) => {
        const facts = world.manifests[world.tags[n]!.at]!;
        const tag = names[n]!.split(":")[1]!;
        const published = facts.kind === "image" && facts.place.name === world.tags[n]!.name &&
          facts.place.repo === world.tags[n]!.repo;
        return published && facts.place.repo === "" && world.naming === "flat" && facts.dimg !== "" &&
            tag.startsWith(`${facts.dimg}-`) && facts.place.name !== facts.own
          ? tag.slice(facts.dimg.length + 1)
          : tag;
      });
      const lines = [...own, ...policy.references.map(reference), ...policy.digests.map((n) => digests[n]!)];
      await Deno.writeTextFile(`${dir}/keep.txt`, `# kept\n${lines.join("\n")}\n`);
      return { use: policy.use };
    }
    case "keep-kubernetes": {
      const used = policy.digests.map((n) =>
        `elsewhere/x@${children.get(world.tags[n]!.at)?.[0] ?? digests[n]}`
      );
      const kubeconfig = await addCluster(dir, [...policy.references.map(reference), ...used]);
      return { use: policy.use, options: { kubeconfig } };
    }
    case "plugin": {
      const plugin = new URL("../../../plugin.ts", import.meta.url).href;
      await Deno.writeTextFile(
        `${dir}/keep_some.ts`,
        `const there = "${plugin}";
const { definePlugin, keep } = await import(there);
export default definePlugin({ name: "keep-some", api: 1, setup: () => ({
  keep: ({ inventory }) => inventory.images.filter(({ ownTag }) => ownTag.includes("ly-1"))
    .map((image) => keep(image, "some", "it is some")),
}) });
`,
      );
      return { use: "./keep_some.ts", trusted: true };
    }
    default: {
      const { use, ...options } = policy;
      for (const key of ["maxAge", "within"]) {
        if (key in options) Object.assign(options, { [key]: days((options as Record<string, number>)[key]) });
      }
      return Object.keys(options).length === 0 ? { use } : { use, options };
    }
  }
}

/** What the one cluster runs, by token: every world has its own. */
const running = new Map<string, readonly string[]>();
let cluster: Promise<{ readonly kube: KubeServer; readonly ca: string }> | undefined;

/** A kubeconfig, in a directory, of a cluster with a pod of these images. */
async function addCluster(dir: string, images: readonly string[]): Promise<string> {
  const { kube, ca } = await (cluster ??= start());
  const token = crypto.randomUUID();
  running.set(token, images);
  const data = btoa(ca);
  const config = `
clusters: [{ name: c, cluster: { server: "${kube.url}", certificate-authority-data: ${data} } }]
users: [{ name: u, user: { token: ${token} } }]
contexts: [{ name: c, context: { cluster: c, user: u } }]
`;
  await Deno.writeTextFile(`${dir}/kubeconfig`, config);
  return "kubeconfig";
}

/** Ends the cluster, if there is one. */
export async function endCluster(): Promise<void> {
  await (await cluster)?.kube[Symbol.asyncDispose]();
  cluster = undefined;
}

async function start() {
  const certificates = await withTempDir((dir) => makeCertificates(dir));
  if (!certificates) throw new Error("openssl is missing");
  const kube = await startKube({
    certificates,
    lists: {},
    answer: ({ path, headers }) => {
      const token = String(headers.authorization).replace(/^Bearer /, "");
      if (path !== "/api/v1/pods") return undefined;
      const containers = (running.get(token) ?? []).map((image) => ({ image }));
      const items = [{ spec: { containers } }];
      return {
        status: 200,
        body: { kind: "List", apiVersion: "v1", metadata: { resourceVersion: "1" }, items },
      };
    },
  });
  return { kube, ca: certificates.ca };
}

/** References without REPO, as a world names tags. */
export function short(repo: string, reference: string): string {
  return reference.slice(repo.length).replace(/^\//, "");
}

/** What cannot be pulled as it was pushed, of all that has a tag; empty when nothing is lost. */
export function lostOf({ target: { registry, base }, state }: Standing): string[] {
  const lost: string[] = [];
  for (const [name, digest] of Object.entries(state())) {
    const [repo, tag] = splitName(name);
    const path = repo === "" ? base : `${base}/${repo}`;
    const look = (at: string) => {
      const document = registry.documentOf(path, at);
      if (!document) return void lost.push(`${name}: ${at}`);
      for (const blob of [document.config, ...document.layers ?? []]) {
        if (blob && !registry.blobOf(path, blob.digest)) lost.push(`${name}: blob ${blob.digest}`);
      }
      for (const child of document.manifests ?? []) look(child.digest);
    };
    look(digest);
    if (tag === "") lost.push(name);
  }
  return lost;
}

/** All manifests by repository, or those that a tag leads to. */
export function manifestsOf(
  { target: { registry, base }, world }: Standing,
  which: "all" | "tagged",
): ReadonlySet<string> {
  const found = new Set<string>();
  for (const repo of new Set(["", ...world.tags.map((tag) => tag.repo)])) {
    const path = repo === "" ? base : `${base}/${repo}`;
    const add = (digest: string) => {
      found.add(`${repo}@${digest}`);
      for (const child of registry.documentOf(path, digest)?.manifests ?? []) add(child.digest);
    };
    (which === "all" ? registry.digestsOf(path) : Object.values(registry.tagsOf(path))).forEach(add);
  }
  return found;
}

/** `repository:tag` in its parts. */
export function splitName(name: string): readonly [repo: string, tag: string] {
  const at = name.lastIndexOf(":");
  return [name.slice(0, at), name.slice(at + 1)];
}

/** Does something before each request that the registry gets, those of a server to itself aside. */
export function onRequest(target: Target, before: () => Response | undefined): void {
  target.registry.fault((request) => request.headers.has("x-inside") ? undefined : before(), Infinity);
}

/** GitLab and Harbor as tests have them. */
export async function harborTarget(): Promise<Target> {
  const harbor = await HarborServer.start();
  const access = { username: "robot$lib+ci", password: "secret" };
  const open = (request: RegistryRequest) => openWith(registryHarbor, request);
  harbor.now = new Date().toISOString();
  return {
    registry: harbor.registry,
    base: "lib/shop",
    tells: true,
    options: { plugins: [quick("registry-harbor-quick", open)], registry: access },
    pushed: (path, tag, pushed) => void harbor.tags.set(`${path}:${tag}`, { pushed }),
    open: async () =>
      (await open(registryRequest(`${harbor.host}/lib/shop`, { access: { ...access, insecure: [] } })))!,
    [Symbol.asyncDispose]: () => harbor[Symbol.asyncDispose](),
  };
}

export async function gitlabTarget(): Promise<Target> {
  const gitlab = await GitlabServer.start();
  const access = { username: "me", password: "glpat-x" };
  const open = (request: RegistryRequest) => openWith(registryGitlab, request);
  gitlab.now = new Date().toISOString();
  return {
    registry: gitlab.registry,
    base: "group/project",
    tells: true,
    options: { plugins: [quick("registry-gitlab-quick", open)], registry: access },
    pushed: (path, tag, created) => void gitlab.times.set(`${path}:${tag}`, { created }),
    open: async () =>
      (await open(registryRequest(`${gitlab.host}/group/project`, { access: { ...access, insecure: [] } })))!,
    [Symbol.asyncDispose]: () => gitlab[Symbol.asyncDispose](),
  };
}
