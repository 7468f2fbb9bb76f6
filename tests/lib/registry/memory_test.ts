import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { type ClientMemo, HostMemory } from "../../../lib/registry/host_memory.ts";
import { lookUpManifest } from "../../../lib/registry/manifests.ts";
import { MemoryRegistry, type RegistryAuth } from "../../../testing/memory_registry/registry.ts";
import { clientOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();

class Memo implements ClientMemo {
  readonly values = new Map<string, unknown>();
  get(key: string): Promise<unknown> {
    return Promise.resolve(this.values.get(key));
  }
  put(key: string, value: unknown): Promise<void> {
    return Promise.resolve(void this.values.set(key, value));
  }
}

/** Looks up a:1 as a process of its own; gives the requests, without query. */
async function run(registry: MemoryRegistry, memo: ClientMemo): Promise<string[]> {
  registry.seen.length = 0;
  await using client = clientOf(registry.host, { memo, user: "me:secret-word" });
  ok(await lookUpManifest(client, "a", { reference: "1", signal }));
  return registry.seen.map(({ method, path }) => `${method} ${path.split("?")[0]}`);
}

const HEAD = "HEAD /v2/a/manifests/1";
const TOKEN = "GET /token";
const cases: readonly (readonly [string, RegistryAuth, readonly string[], readonly string[]])[] = [
  ["no login", { kind: "none" }, [HEAD], [HEAD]],
  ["Basic", { kind: "basic", user: "me", password: "secret-word" }, [HEAD, HEAD], [HEAD]],
  ["tokens", { kind: "bearer", user: "me", password: "secret-word" }, [HEAD, TOKEN, HEAD], [TOKEN, HEAD]],
];

Deno.test("RegistryClient makes only the requests it needs when it remembers the host", async (t) => {
  for (const [title, auth, cold, warm] of cases) {
    await t.step(title, async () => {
      await using registry = new MemoryRegistry();
      await registry.addImage("a", "1");
      registry.auth = auth;
      const memo = new Memo();
      deepStrictEqual(await run(registry, memo), cold);
      deepStrictEqual(await run(registry, memo), warm);
      ok(!JSON.stringify([...memo.values]).includes("secret-word"), "no secret is remembered");
    });
  }
  await t.step("and several requests at once find the scheme once", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a", "1");
    await using client = clientOf(registry.host);
    await Promise.all([1, 2, 3].map(() => lookUpManifest(client, "a", { reference: "1", signal })));
    strictEqual(registry.seen.length, 3);
  });
});

Deno.test("HostMemory keeps what is noted at the same time", async () => {
  const memo = new Memo();
  const memory = new HostMemory(memo, "host");
  await Promise.all([memory.note({ scheme: "https:" }), memory.note({ heads: true })]);
  await memory.settled();
  deepStrictEqual(memo.values.get("host"), { scheme: "https:", heads: true });
});

Deno.test("RegistryClient gets over memories that are wrong", async (t) => {
  const challenge = (realm: string) => ({
    scheme: "http:",
    challenge: { scheme: "bearer", params: { realm, service: "other" } },
  });
  const values: readonly (readonly [string, (host: string) => unknown])[] = [
    ["another scheme", () => ({ scheme: "https:" })],
    ["no scheme", () => ({ scheme: "ftp:" })],
    ["no object", () => 7],
    ["a token server that is gone", (host) => ({ ...challenge("/gone"), asked: `http://${host}` })],
    ["a challenge of another host", () => ({ ...challenge("/token"), asked: "http://127.0.0.1:1" })],
    [
      "a challenge without parameters",
      (host) => ({ challenge: { scheme: "bearer" }, asked: `http://${host}` }),
    ],
  ];
  for (const [title, value] of values) {
    await t.step(title, async () => {
      await using registry = new MemoryRegistry();
      await registry.addImage("a", "1");
      const memo = new Memo();
      memo.values.set(registry.host, value(registry.host));
      ok((await run(registry, memo)).includes(HEAD));
      deepStrictEqual(await run(registry, memo), [HEAD]);
    });
  }
  await t.step("a memo that fails", async () => {
    await using registry = new MemoryRegistry();
    await registry.addImage("a", "1");
    const fails = () => Promise.reject(new Error("no memo"));
    deepStrictEqual(await run(registry, { get: fails, put: fails }), [HEAD]);
  });
});
