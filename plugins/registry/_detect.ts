/** Finds out what kind of registry answers at a host, with as few questions as possible. */
import { EngineError, type RegistryMemo, type RegistryRequest } from "../../core/contract/plugin.ts";
import { isObject } from "../../lib/guard.ts";
import { contentOf } from "../../lib/registry/body.ts";
import { parseChallenges } from "../../lib/registry/challenge.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { didYouMean } from "../../lib/suggest.ts";
import { explained } from "./_explain.ts";
import { type RegistryKind, registryKinds } from "../../lib/registry/kinds.ts";
import { keepClient } from "./_kept_clients.ts";

/** What is known of a host. */
export interface DetectedRegistry {
  readonly kind: RegistryKind;
  /** The URL of the token server that the registry names, where it was asked and named one. */
  readonly realm?: string;
}

/** Hosts whose kind needs no question. */
const HOSTS: readonly (readonly [RegExp, RegistryKind])[] = [
  [/^(docker\.io|index\.docker\.io|registry-1\.docker\.io|registry\.hub\.docker\.com)$/, "docker-hub"],
  [/^ghcr\.io$/, "ghcr"],
  [/^registry\.gitlab\.com$/, "gitlab"],
  [/^quay\.io$/, "quay"],
  [/^[a-z0-9-]+\.azurecr\.(io|cn|us)$/, "acr"],
  [/^\d{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9-]+\.(amazonaws\.com(\.cn)?|on\.aws)$/, "ecr"],
  [/^([a-z0-9-]+-docker\.pkg\.dev|([a-z]+\.)?gcr\.io)$/, "gar"],
  [/^demo\.goharbor\.io$/, "harbor"],
];

const MEMO = "registry-kind";
/** Probes of this process; the plugins of one run share the request's memo, so each host is asked once for all. */
const probes = new WeakMap<RegistryMemo, Map<string, Promise<DetectedRegistry>>>();

/**
 * The kind of the registry at `domain`: what the user says, else what its name says, else what was found out earlier,
 * else what it answers to `GET /v2/`. Only the last costs a request; the answer is remembered.
 *
 * @param connect makes a client to ask with; it is kept for who opens the registry for the same request
 * @throws {EngineError} USAGE when the user names an unknown kind; REGISTRY_FAILED when the registry does not answer
 */
export async function detectRegistry(
  request: RegistryRequest,
  domain: string,
  connect: () => Promise<RegistryClient>,
): Promise<DetectedRegistry> {
  if (request.kind !== undefined) return { kind: checkedKind(request.kind) };
  const kind = kindOfHost(domain);
  if (kind) return { kind };
  return await probeOnce(request, domain, async (ask) => {
    const client = await connect();
    try {
      const found = await ask(client);
      keepClient(request, client);
      return found;
    } catch (error) {
      await client[Symbol.asyncDispose]();
      throw error;
    }
  });
}

/** Like {@linkcode detectRegistry}, for who needs to know the token server although the kind is known. */
export async function askRegistry(
  request: RegistryRequest,
  client: RegistryClient,
): Promise<DetectedRegistry> {
  return await probeOnce(request, client.domain, (ask) => ask(client));
}

/** Lends a client to who asks with it. */
type Lend = (ask: (client: RegistryClient) => Promise<DetectedRegistry>) => Promise<DetectedRegistry>;

/** The kind that a host name alone tells. */
export function kindOfHost(domain: string): RegistryKind | undefined {
  const host = domain.toLowerCase().replace(/:443$/, "");
  return HOSTS.find(([pattern]) => pattern.test(host))?.[1];
}

/** @throws {EngineError} USAGE */
function checkedKind(kind: string): RegistryKind {
  const found = registryKinds.find((known) => known === kind);
  if (found) return found;
  throw new EngineError(
    "USAGE",
    `Cannot open the registry: its kind "${kind}" is unknown, wanted is one of ${registryKinds.join(", ")}` +
      didYouMean(kind, registryKinds),
    { fix: "Correct the value of --registry-kind, or leave it out" },
  );
}

function probeOnce(request: RegistryRequest, domain: string, lend: Lend): Promise<DetectedRegistry> {
  let known = probes.get(request.memo);
  if (!known) probes.set(request.memo, known = new Map());
  let pending = known.get(domain);
  if (!pending) {
    pending = rememberedOr(request, domain, lend);
    known.set(domain, pending);
    // Another try may succeed.
    pending.catch(() => known.delete(domain));
  }
  return pending;
}

async function rememberedOr(
  request: RegistryRequest,
  domain: string,
  lend: Lend,
): Promise<DetectedRegistry> {
  const remembered = readDetected(await request.memo.get(MEMO, domain, isObject));
  if (remembered) return remembered;
  const found = await explained(domain, () => lend((client) => probe(client, request.signal)));
  await request.memo.put(MEMO, domain, found);
  return found;
}

function readDetected(value: unknown): DetectedRegistry | undefined {
  if (!isObject(value)) return undefined;
  const kind = registryKinds.find((known) => known === value.kind);
  const { realm } = value;
  return kind && { kind, ...(typeof realm === "string" && { realm }) };
}

/** Bytes of the longest page that is read to find out what a registry is. */
const MAX_ANSWER = 16 << 20;

async function probe(client: RegistryClient, signal: AbortSignal): Promise<DetectedRegistry> {
  const response = await client.request({
    method: "GET",
    path: "",
    scopes: [],
    // 401 is an answer here: it names the token server.
    expect: [200, 401, 403, 404],
    probe: true,
    small: true,
    reads: MAX_ANSWER,
    doing: `find out what registry ${client.domain} is`,
    signal,
  });
  const challenges = parseChallenges(response.header("www-authenticate") ?? "");
  const text = await firstText(contentOf(response));
  const realm = challenges.find(({ scheme, params }) => scheme === "bearer" && params.realm)?.params.realm;
  const full = realm !== undefined && URL.canParse(realm, response.url)
    ? new URL(realm, response.url)
    : undefined;
  const kind = kindOfAnswer({
    realm: full,
    service: challenges.find(({ scheme }) => scheme === "bearer")?.params.service,
    basicRealm: challenges.find(({ scheme }) => scheme === "basic")?.params.realm,
    header: (name) => response.header(name),
    text,
  }) ?? (await isZot(client, signal) ? "zot" : "oci");
  return { kind, ...(full && { realm: full.origin + full.pathname }) };
}

/** What shows in an answer to `GET /v2/`. */
export interface ProbeAnswer {
  readonly realm: URL | undefined;
  readonly service: string | undefined;
  readonly basicRealm: string | undefined;
  header(name: string): string | undefined;
  /** The beginning of the body. */
  readonly text: string;
}

/** The kind that an answer to `GET /v2/` shows; undefined when it could be any. */
export function kindOfAnswer(answer: ProbeAnswer): RegistryKind | undefined {
  const { realm, service, basicRealm, header, text } = answer;
  const path = realm?.pathname ?? "";
  if (header("gitlab-container-registry-version") !== undefined) return "gitlab";
  if (path.endsWith("/jwt/auth") && service === "container_registry") return "gitlab";
  if (service === "harbor-registry" || basicRealm === "harbor") return "harbor";
  if (realm && kindOfHost(realm.host) === "acr" && path.startsWith("/oauth2/token")) return "acr";
  if (path.endsWith("/v2/auth") || text.trim() === "true") return "quay";
  if (realm?.hostname === "ghcr.io") return "ghcr";
  return basicRealm === "zot" ? "zot" : undefined;
}

/** zot answers like any other registry, but can be asked for its extensions. */
async function isZot(client: RegistryClient, signal: AbortSignal): Promise<boolean> {
  const response = await client.request({
    method: "GET",
    path: "_zot/ext/mgmt",
    scopes: [],
    expect: [200, 400, 401, 403, 404, 405],
    probe: true,
    small: true,
    reads: MAX_ANSWER,
    doing: `find out what registry ${client.domain} is`,
    signal,
  });
  const type = response.header("content-type") ?? "";
  const text = await firstText(contentOf(response));
  return response.status === 200 && type.includes("json") && text.includes('"distSpecVersion"');
}

/** The first 64 KiB of a body as text; the rest is thrown away. */
async function firstText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    if (text.length < 64 * 1024) text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
