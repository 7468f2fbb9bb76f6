/**
 * A Kubernetes API server as far as reading lists goes: TLS, h2 offered, client certificates, tokens, pages, compression,
 * and the answers that kube-apiserver 1.36 was seen to give to what it does not know, does not allow or cannot do now.
 *
 * Never seen of the real one, and made up by tests: connections that are cut, 503, redirects, and pages that are no list.
 */
import http2 from "node:http2";
import { gzipSync } from "node:zlib";
import type { TestCertificates } from "../../support/certificates.ts";

export interface KubeRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly httpVersion: string;
  /** Common name of the client's certificate. */
  readonly client: string | undefined;
}

/** An answer in place of the server's own. `cut` ends the connection without one. */
export type KubeAnswer =
  | { readonly status: number; readonly body: unknown; readonly headers?: Readonly<Record<string, string>> }
  | "cut";

export interface KubeServerOptions {
  readonly certificates: TestCertificates;
  /** Objects by path of their list; workloads that are left out are there and empty. */
  readonly lists: Readonly<Record<string, readonly unknown[]>>;
  /** Namespaces that exist. */
  readonly namespaces?: readonly string[];
  /** Who may ask; everybody when left out. */
  readonly tokens?: readonly string[];
  readonly answer?: (request: KubeRequest) => KubeAnswer | undefined | Promise<KubeAnswer | undefined>;
}

export interface KubeServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly asked: readonly KubeRequest[];
}

const WORKLOADS = [
  "/api/v1/pods",
  "/api/v1/replicationcontrollers",
  ...["deployments", "replicasets", "statefulsets", "daemonsets", "controllerrevisions"].map((kind) =>
    `/apis/apps/v1/${kind}`
  ),
  "/apis/batch/v1/jobs",
  "/apis/batch/v1/cronjobs",
];
const COMPRESSED_FROM = 128 * 1024;

/** A failure in the words of the API. */
export function status(code: number, reason: string, message: string, metadata: unknown = {}): KubeAnswer {
  return {
    status: code,
    body: { kind: "Status", apiVersion: "v1", metadata, status: "Failure", message, reason, code },
  };
}

export async function startKube(options: KubeServerOptions): Promise<KubeServer> {
  const { certificates: { ca, server: { cert, key } }, lists, namespaces = [], tokens } = options;
  const asked: KubeRequest[] = [];
  const all: Record<string, readonly unknown[]> = {
    ...Object.fromEntries(WORKLOADS.map((path) => [path, []])),
    ...lists,
  };
  const answerTo = async (request: KubeRequest): Promise<KubeAnswer> => {
    const own = await options.answer?.(request);
    if (own) return own;
    const token = String(request.headers.authorization ?? "").replace(/^Bearer /, "");
    if (tokens && !tokens.includes(token)) return status(401, "Unauthorized", "Unauthorized");
    const one = /^\/api\/v1\/namespaces\/([^/]+)$/.exec(request.path)?.[1];
    if (one !== undefined) {
      return namespaces.includes(one)
        ? { status: 200, body: { kind: "Namespace", apiVersion: "v1", metadata: { name: one } } }
        : status(404, "NotFound", `namespaces "${one}" not found`);
    }
    const [, namespace] = /\/namespaces\/([^/]+)\//.exec(request.path) ?? [];
    const objects = all[request.path.replace(/\/namespaces\/[^/]+/, "")]
      ?.filter((object) => namespace === undefined || namespaceOf(object) === namespace);
    if (!objects) return { status: 404, body: "404 page not found\n" };
    return { status: 200, body: page(objects, request.query) };
  };
  const server = http2.createSecureServer(
    { cert, key, ca, allowHTTP1: true, requestCert: true, rejectUnauthorized: false },
    async (request, response) => {
      const url = new URL(request.url, "https://api.test");
      const { socket } = request as unknown as {
        socket: { getPeerCertificate?(): { subject?: { CN?: string } } };
      };
      const seen = {
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        httpVersion: request.httpVersion,
        client: socket.getPeerCertificate?.().subject?.CN,
      };
      asked.push(seen);
      const answer = await answerTo(seen);
      if (answer === "cut") return request.socket.destroy();
      const plain = typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
      const compress = plain.length > COMPRESSED_FROM && request.headers["accept-encoding"] === "gzip";
      response.writeHead(answer.status, {
        "content-type": typeof answer.body === "string" ? "text/plain" : "application/json",
        ...(compress && { "content-encoding": "gzip" }),
        ...answer.headers,
      });
      response.end(compress ? gzipSync(plain) : plain);
    },
  );
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  const { port } = server.address() as { port: number };
  return {
    url: `https://127.0.0.1:${port}`,
    port,
    asked,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed())),
  };
}

function namespaceOf(object: unknown): unknown {
  return (object as { metadata?: { namespace?: unknown } }).metadata?.namespace;
}

function page(objects: readonly unknown[], query: URLSearchParams): unknown {
  const from = Number(query.get("continue") ?? 0);
  const to = from + Number(query.get("limit") ?? objects.length);
  const left = objects.length - to;
  return {
    kind: "List",
    apiVersion: "v1",
    metadata: { resourceVersion: "1", ...(left > 0 && { continue: String(to), remainingItemCount: left }) },
    items: objects.slice(from, to),
  };
}
