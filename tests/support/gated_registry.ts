/** A real registry behind a gate, where a test is told of every request and may let it wait. */
import { type DockerRegistry, startDockerRegistry } from "./docker_registry.ts";
import { run } from "./process.ts";

/** Told of a request before the registry is, with the port that it comes from. */
export type Gate = (request: Request, url: URL, port: number) => unknown;

/** Whether a BuildKit daemon asks. */
export function isDaemon({ headers }: Request): boolean {
  return /buildkit/.test(headers.get("user-agent") ?? "");
}

export interface GatedRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` of the gate. */
  readonly host: string;
  /** Told of all requests from now on, in place of whoever was before. */
  gate(gate: Gate): void;
  /** Takes a manifest away, as any tool does. */
  remove(path: string, digest: string): Promise<void>;
  /** Takes a blob away that manifests may name. */
  removeBlob(path: string, digest: string): Promise<void>;
  /** Takes away all that no manifest names, untagged manifests included. */
  collect(): Promise<void>;
  /** Digests by tag. */
  tags(path: string): Promise<Readonly<Record<string, string>>>;
}

/** Starts one; undefined as {@linkcode startDockerRegistry}. */
export async function startGatedRegistry(): Promise<GatedRegistry | undefined> {
  // Blobs go from its disk while it runs: one that remembers them would go on to say that it has them.
  const registry = await startDockerRegistry({ remembers: false });
  if (!registry) return undefined;
  let gate: Gate = () => {};
  const over = new AbortController();
  const server = Deno.serve({
    port: 0,
    hostname: "127.0.0.1",
    signal: over.signal,
    onListen() {},
    onError: () => new Response(null, { status: 502 }), // whoever asked was killed
  }, async (request, { remoteAddr }) => {
    const url = new URL(request.url);
    await gate(request, url, remoteAddr.port);
    return await passOn(request, url, registry.host);
  });
  return {
    host: `127.0.0.1:${server.addr.port}`,
    gate: (told) => void (gate = told),
    remove: (path, digest) => remove(registry, path, `manifests/${digest}`),
    removeBlob: (path, digest) => remove(registry, path, `blobs/${digest}`),
    async collect() {
      await run([
        "docker-registry",
        "garbage-collect",
        "--delete-untagged",
        `${registry.dir}/config.yml`,
      ]);
    },
    tags: (path) => tagsOf(registry, path),
    async [Symbol.asyncDispose]() {
      over.abort();
      await server.finished;
      await registry[Symbol.asyncDispose]();
    },
  };
}

/** What the registry says, with addresses that lead through the gate. */
async function passOn(
  request: Request,
  { pathname, search, host }: URL,
  registry: string,
): Promise<Response> {
  const headers = new Headers(request.headers);
  headers.delete("host");
  headers.set("x-forwarded-host", host);
  return await fetch(`http://${registry}${pathname}${search}`, {
    method: request.method,
    headers,
    body: request.body,
    redirect: "manual",
  });
}

async function remove({ host }: DockerRegistry, path: string, what: string): Promise<void> {
  const answer = await fetch(`http://${host}/v2/${path}/${what}`, { method: "DELETE" });
  await answer.body?.cancel();
  if (answer.status !== 202) throw new Error(`DELETE ${path}/${what}: ${answer.status}`);
}

async function tagsOf({ host }: DockerRegistry, path: string): Promise<Readonly<Record<string, string>>> {
  const { tags } = await (await fetch(`http://${host}/v2/${path}/tags/list`)).json();
  const rows = (tags ?? []).map(async (tag: string) => {
    const accept = "application/vnd.oci.image.manifest.v1+json";
    const url = `http://${host}/v2/${path}/manifests/${tag}`;
    const answer = await fetch(url, { method: "HEAD", headers: { accept } });
    await answer.body?.cancel();
    return [tag, answer.headers.get("docker-content-digest") ?? ""];
  });
  return Object.fromEntries(await Promise.all(rows));
}
