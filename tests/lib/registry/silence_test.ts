import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { getBlob } from "../../../lib/registry/blobs.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { lookUpManifest } from "../../../lib/registry/manifests.ts";
import type { RegistryWait } from "../../../lib/registry/patience.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { uploadBlob } from "../../../lib/registry/upload.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf, clientOf, someBytes } from "../../support/registry_client.ts";

const { signal } = new AbortController();
const bytes = someBytes(300_000);

/** A client that is told of silence soon, and the first thing that it tells. */
function listen(host: string, user?: string) {
  const { promise: told, resolve } = Promise.withResolvers<RegistryWait>();
  const onWait = (wait: RegistryWait) => {
    if (wait.status === undefined) resolve(wait);
  };
  return { client: clientOf(host, { onWait, silentMs: 20, ...(user !== undefined && { user }) }), told };
}

interface Case {
  readonly what: string;
  /** The first line of the request that is not answered until somebody was told. */
  readonly held: RegExp;
  readonly user?: string;
  ask(client: RegistryClient): Promise<unknown>;
  /** For what, with HOST in place of the host. */
  readonly doing: string | RegExp;
}

const list = async (client: RegistryClient) => {
  for await (const _ of listTags(client, "a", { signal }));
};
const cases: readonly Case[] = [
  { what: "an answer", held: /GET .*tags/, ask: list, doing: "list the tags of HOST/a" },
  {
    what: "a token",
    held: /GET \/token/,
    user: "me:secret",
    ask: list,
    doing: 'log in to registry "HOST"',
  },
  {
    what: "a look-up",
    held: /HEAD/,
    ask: (client) => lookUpManifest(client, "a", { reference: "t", signal }),
    doing: 'look up "t" of HOST/a',
  },
  {
    what: "the end of an upload",
    held: /PUT/,
    ask: async (client) => await uploadBlob(client, "a", { blob: await blobOf(bytes), signal }),
    doing: /^store blob sha256:[0-9a-f]{64} in HOST\/a$/,
  },
];

Deno.test("a client tells whom it waits for, and what for, where nothing comes", async (t) => {
  for (const { what, held, user, ask, doing } of cases) {
    await t.step(what, async () => {
      await using registry = new MemoryRegistry();
      if (user !== undefined) registry.auth = { kind: "bearer" };
      const { host } = registry;
      await registry.addBlob("a", someBytes(10));
      const { client: opened, told } = listen(host, user);
      await using client = opened;
      registry.fault(async ({ method }, { pathname }) => {
        if (held.test(`${method} ${pathname}`)) await told;
        return undefined;
      }, Infinity);
      await ask(client);
      const wait = await told;
      strictEqual(wait.host, host);
      ok(wait.ms >= 20);
      const words = (wait.doing ?? "").replaceAll(host, "HOST");
      if (typeof doing === "string") strictEqual(words, doing);
      else match(words, doing);
    });
  }
});

Deno.test("a client tells of a download that pauses", async () => {
  await using registry = new MemoryRegistry();
  const blob = await registry.addBlob("a", bytes);
  const { client: opened, told } = listen(registry.host);
  await using client = opened;
  registry.fault((request, { pathname }) => {
    if (request.method !== "GET" || !pathname.includes("/blobs/")) return undefined;
    async function* halves() {
      yield bytes.slice(0, 1000);
      await told;
      yield bytes.slice(1000);
    }
    return new Response(ReadableStream.from(halves()));
  });
  deepStrictEqual(await getBlob(client, "a", { blob, signal }), bytes);
  match((await told).doing ?? "", /^download blob sha256:/);
});

Deno.test("a client tells why it tries again where it does that for long", async () => {
  await using registry = new MemoryRegistry();
  registry.fault(() => failure(503, "UNAVAILABLE"), Infinity);
  const { promise: told, resolve } = Promise.withResolvers<RegistryWait>();
  await using client = clientOf(registry.host, {
    onWait: resolve,
    silentMs: 20,
    retry: { sleep: async () => void await told },
  });
  await rejects(list(client), /503/);
  strictEqual((await told).doing, `list the tags of ${registry.host}/a; last try: it answered 503`);
});

Deno.test("a client names the proxy that it waits for", async () => {
  const { promise: told, resolve } = Promise.withResolvers<RegistryWait>();
  await using proxy = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = proxy.addr;
  const served = (async () => {
    using connection = await proxy.accept();
    await told;
    await connection.read(new Uint8Array(1000));
  })();
  await using client = clientOf("registry.invalid", {
    env: { HOME: "/nonexistent", HTTPS_PROXY: `http://127.0.0.1:${port}` },
    onWait: resolve,
    silentMs: 20,
    retry: { attempts: 1 },
  });
  await rejects(list(client));
  await served;
  const { host, proxy: through } = await told;
  deepStrictEqual([host, through], ["registry.invalid", `127.0.0.1:${port}`]);
});

Deno.test("who is told of silence and fails ends nothing", async () => {
  await using registry = new MemoryRegistry();
  const held = Promise.withResolvers<void>();
  registry.fault(async () => {
    await held.promise;
    return undefined;
  });
  const told: number[] = [];
  const onWait = ({ ms }: RegistryWait) => {
    told.push(ms);
    held.resolve();
    throw new Error("cannot say it");
  };
  await using client = clientOf(registry.host, { onWait, silentMs: 20 });
  strictEqual(await lookUpManifest(client, "a", { reference: "t", signal }), undefined);
  ok(told.length > 0 && told.every(Number.isInteger), told.join());
});
