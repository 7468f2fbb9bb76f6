import {
  definePlugin,
  type Digest,
  type ImageSource,
  isDigest,
  type ResolvedImage,
  type SourceRequest,
} from "../../core/contract/plugin.ts";
import { isObject } from "../../lib/guard.ts";
import { formatPlatform } from "../../lib/oci/platform.ts";
import { parseReference, type Reference } from "../../lib/oci/reference.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { explained } from "./_explain.ts";

/**
 * Base images in registries: every name that no other source claims, read as Docker reads it (`debian:12`,
 * `ghcr.io/org/app@sha256:…`). Credentials come from where docker and podman keep them. `DAPP_INSECURE_REGISTRY` lists
 * hosts (comma-separated) that may be asked without verified TLS.
 */
export const sourceRegistry = definePlugin({
  name: "source-registry",
  api: 1,
  setup: () => {
    const clients = new Map<string, Promise<RegistryClient>>();
    const clientOf = (domain: string, { env, access, store }: SourceRequest) => {
      const { insecure = [], username, password } = access ?? {};
      const login = username !== undefined && password !== undefined ? { username, password } : undefined;
      const memo = {
        get: (key: string) => store.memo.get(HOST_MEMO, key, isObject),
        put: (key: string, value: unknown) => store.memo.put(HOST_MEMO, key, value),
      };
      let client = clients.get(domain);
      if (!client) {
        client = import("../../lib/registry/client.ts").then((m) =>
          new m.RegistryClient(domain, { env, insecure, memo, ...(login && { login }) })
        );
        clients.set(domain, client);
      }
      return client;
    };
    return {
      openSource: (request) =>
        explained(request.name, () => {
          const reference = parseReference(request.name);
          return Promise.resolve(
            openImage(request, reference, () => clientOf(reference.domain, request)),
          );
        }),
      async [Symbol.asyncDispose]() {
        for (const client of clients.values()) await (await client)[Symbol.asyncDispose]();
      },
    };
  },
});

const PLATFORM_MEMO = "registry-platform";
const HOST_MEMO = "registry-host";

/** What is known of a digest never changes: resolving a pinned image that was seen before asks nobody. */
function openImage(
  request: SourceRequest,
  reference: Reference,
  client: () => Promise<RegistryClient>,
): ImageSource {
  const { store, platform, name } = request;
  const remote = async () => {
    const { RegistryImage } = await import("./_registry_image.ts");
    return new RegistryImage(await client(), reference, request);
  };
  const head = async (signal: AbortSignal) => {
    const { headDigest } = await import("./_registry_head.ts");
    return await headDigest(await client(), reference, { name, signal });
  };
  const resolved = (id: Digest, root: Digest): ResolvedImage => reference.digest ? { id } : { id, pin: root };
  return {
    resolve: (pin, signal) =>
      explained(name, async () => {
        const known = pin ?? reference.digest;
        const root = known ?? await head(signal);
        const key = `${root.slice(7)}-${formatPlatform(platform).replaceAll("/", "-")}`;
        const memo = await store.memo.get(PLATFORM_MEMO, key, isDigest);
        if (memo) return resolved(memo, root);
        const id = await (await remote()).find(root, { pinned: pin !== undefined, signal });
        await store.memo.put(PLATFORM_MEMO, key, id);
        return resolved(id, root);
      }),
    fetch: (image, io) => explained(name, async () => await (await remote()).fetch(image.id, io)),
    describe: (image, signal) =>
      explained(name, async () => await (await remote()).describe(image.id, signal)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
