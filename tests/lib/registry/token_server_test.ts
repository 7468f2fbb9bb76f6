/** Token servers that answer nothing of use: each is asked as often as makes sense, and named with its registry. */
import { equal, match, ok, rejects } from "node:assert/strict";
import { findManifest } from "../../../lib/registry/manifests.ts";
import { RegistryError } from "../../../lib/registry/errors.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { cutResponse } from "../../../testing/memory_registry/answers.ts";
import { clientOf, FakeClock } from "../../support/registry_client.ts";

const { signal } = new AbortController();
const attempts = 3;

/** How a read fails where the token server answers so, and how often that was asked. */
async function failure(realm: string, answer?: () => Response) {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "bearer", realm };
  if (answer) registry.fault((_, url) => url.pathname === "/token" ? answer() : undefined, Infinity);
  const clock = new FakeClock();
  await using client = clientOf(registry.host, { clock, retry: { attempts } });
  const error = await findManifest(client, "a", { reference: "v1", signal }).then(
    () => undefined,
    (why) => why,
  );
  ok(error instanceof RegistryError);
  match(error.message, new RegExp(`^Cannot log in to registry "${registry.host}": `));
  ok(!error.details.retryable, "whoever asks once more waits as long again");
  return { error, asked: registry.count("/token"), waits: clock.waits.length };
}

Deno.test("a token server that cannot be reached is tried as often as the registry would be", async () => {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  listener.close();
  const { error, waits } = await failure(`http://127.0.0.1:${port}/token`);
  match(
    error.message,
    new RegExp(`Cannot reach http://127\\.0\\.0\\.1:${port}/token.*: Connection refused$`),
  );
  equal(waits, attempts - 1);
});

Deno.test("an answer of a token server that breaks off is asked for again, and not more often", async () => {
  const bytes = new TextEncoder().encode('{"token":"x"}');
  const { asked } = await failure("/token", () => cutResponse(bytes, 4));
  equal(asked, attempts);
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "bearer" };
  await registry.addImage("a", "v1");
  registry.fault((_, url) => url.pathname === "/token" ? cutResponse(bytes, 4) : undefined, 1);
  await using client = clientOf(registry.host, { clock: new FakeClock() });
  ok(await findManifest(client, "a", { reference: "v1", signal }));
});

Deno.test("a token server that an earlier run knew, and that does not answer, is not waited for twice", async () => {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "bearer" };
  const kept = new Map<string, unknown>();
  const memo = {
    get: (key: string) => Promise.resolve(kept.get(key)),
    put: (key: string, value: unknown) => Promise.resolve(void kept.set(key, value)),
  };
  const read = async () => {
    await using client = clientOf(registry.host, { clock: new FakeClock(), memo, retry: { attempts } });
    return await findManifest(client, "a", { reference: "v1", signal });
  };
  await read();
  registry.seen.length = 0;
  const bytes = new TextEncoder().encode('{"token":"x"}');
  registry.fault((_, url) => url.pathname === "/token" ? cutResponse(bytes, 4) : undefined, Infinity);
  await rejects(read(), { message: /^Cannot log in to registry .*the connection ended before/ });
  equal(registry.count("/token"), attempts);
});

Deno.test("a token that no header can carry is told as that, at once", async (t) => {
  for (const token of ["a\r\nx-evil: 1", "tök€n", "a b", "\x1b[2J"]) {
    await t.step(JSON.stringify(token), async () => {
      const { error, asked } = await failure("/token", () => Response.json({ token }));
      match(error.message, /the answer of http:\/\/.*\/token.* holds a token that no header can carry$/);
      equal(asked, 1);
    });
  }
});

Deno.test("a token server that asks for a long pause is told as that", async () => {
  const { error } = await failure(
    "/token",
    () => new Response("busy", { status: 429, headers: { "retry-after": "99999" } }),
  );
  equal(error.kind, "limited");
  equal(error.details.retryAfterMs, 99_999_000);
  match(error.message, /answered 429, busy, try again in 99999 s$/);
});

Deno.test("a token server without end is not read to its end", async () => {
  const endless = () =>
    new Response(new ReadableStream<Uint8Array>({ pull: (to) => to.enqueue(new Uint8Array(9999).fill(32)) }));
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "bearer" };
  registry.fault((_, url) => url.pathname === "/token" ? endless() : undefined, Infinity);
  await using client = clientOf(registry.host, { clock: new FakeClock() });
  await rejects(findManifest(client, "a", { reference: "v1", signal }), {
    message: /longer than 65536 bytes/,
  });
  equal(registry.count("/token"), 1);
});
