import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { isPullLimit } from "../../../lib/registry/answer_error.ts";
import type { RegistryWait } from "../../../lib/registry/patience.ts";
import { Pool } from "../../../lib/pool.ts";
import { getManifest } from "../../../lib/registry/manifests.ts";
import { isRetryableStatus, parseRetryAfter } from "../../../lib/registry/retry.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf, FakeClock } from "../../support/registry_client.ts";
import { until } from "../../support/until.ts";

const { signal } = new AbortController();

/** A registry with image a:1 that answers the next requests for it as told. */
async function limited(answer: () => Response, times = 1) {
  const registry = new MemoryRegistry();
  await registry.addImage("a", "1");
  registry.fault((_, url) => url.pathname.includes("/manifests/") ? answer() : undefined, times);
  return registry;
}

const tooMany = (after: string) => failure(429, "TOOMANYREQUESTS", { "retry-after": after });

Deno.test("RegistryClient waits as long as a registry asks, and says so", async () => {
  await using registry = await limited(() => tooMany("300"));
  const clock = new FakeClock();
  const told: RegistryWait[] = [];
  await using client = clientOf(registry.host, { clock, onWait: (wait) => void told.push(wait) });
  await getManifest(client, "a", { reference: "1", signal });
  deepStrictEqual(clock.waits, [300_000]);
  deepStrictEqual(told, [{ host: registry.host, ms: 300_000, status: 429 }]);
});

Deno.test("RegistryClient takes a date for a pause", async () => {
  const clock = new FakeClock();
  await using registry = await limited(() => tooMany(new Date(clock.time + 90_000).toUTCString()));
  await using client = clientOf(registry.host, { clock });
  await getManifest(client, "a", { reference: "1", signal });
  ok(clock.waits.length === 1 && Math.abs(clock.waits[0]! - 90_000) <= 1_000, String(clock.waits));
});

Deno.test("RegistryClient fails at once when the pause is longer than 15 minutes, and names it", async () => {
  await using registry = await limited(() => tooMany("901"), 9);
  const clock = new FakeClock();
  await using client = clientOf(registry.host, { clock });
  await rejects(getManifest(client, "a", { reference: "1", signal }), {
    kind: "limited",
    message: /try again in 901 s, which is longer than the 900 s that are waited for/,
  });
  deepStrictEqual(clock.waits, []);
});

Deno.test("RegistryClient stops waiting when aborted", async () => {
  await using registry = await limited(() => tooMany("300"), 9);
  const stop = new AbortController();
  await using client = clientOf(registry.host, {
    onWait: () => stop.abort(new Error("stopped")),
  });
  await rejects(getManifest(client, "a", { reference: "1", signal: stop.signal }), { message: "stopped" });
  strictEqual(registry.count("/manifests/"), 1);
});

Deno.test("RegistryClient keeps one pause for all requests to a host", async () => {
  await using registry = await limited(() => tooMany("60"));
  const clock = new FakeClock();
  const { promise, resolve: wake } = Promise.withResolvers<void>();
  const asleep: number[] = [];
  await using client = clientOf(registry.host, {
    clock,
    retry: {
      sleep: async (ms) => {
        asleep.push(ms);
        await promise;
      },
    },
  });
  const first = getManifest(client, "a", { reference: "1", signal });
  await until(() => asleep.length === 1);
  const before = registry.seen.length;
  const others = [1, 2, 3].map(() => getManifest(client, "a", { reference: "1", signal }));
  await until(() => asleep.length === 4);
  strictEqual(registry.seen.length, before, "nobody asks during the pause");
  ok(asleep.slice(1).every((ms) => ms >= 60_000), "the others wait a little longer");
  wake();
  await Promise.all([first, ...others]);
  strictEqual(registry.seen.length, before + 4);
});

Deno.test("isRetryableStatus() knows what passes", () => {
  const passing = [408, 425, 429, 499, 500, 502, 503, 504, 522, 524];
  const staying = [200, 400, 401, 403, 404, 405, 409, 412, 413, 416, 501, 505];
  deepStrictEqual(passing.filter((status) => !isRetryableStatus(status)), []);
  deepStrictEqual(staying.filter(isRetryableStatus), []);
});

Deno.test("parseRetryAfter() reads seconds and dates", () => {
  const now = Date.UTC(2026, 0, 1);
  strictEqual(parseRetryAfter("0", now), 0);
  strictEqual(parseRetryAfter(" 12 ", now), 12_000);
  strictEqual(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now), 60_000);
  strictEqual(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now), 0);
  for (const bad of [undefined, "", "soon", "-1x"]) strictEqual(parseRetryAfter(bad, now), undefined);
});

Deno.test("isPullLimit() tells Docker Hub's limit on pulls from its limit on abuse", () => {
  const answer = (status: number, type: string) => ({ status, header: () => type });
  const json = "application/json; charset=utf-8";
  ok(isPullLimit("docker.io", answer(429, json)));
  ok(!isPullLimit("docker.io", answer(429, "text/plain")));
  ok(!isPullLimit("docker.io", answer(503, json)));
  ok(!isPullLimit("reg.example", answer(429, json)));
});

Deno.test("RegistryClient wants more requests at once while answers take no longer, and fewer when some are refused", async () => {
  await using registry = new MemoryRegistry();
  await registry.addImage("a", "1");
  await using client = clientOf(registry.host);
  const ask = async (count: number) => {
    const pool = new Pool(() => client.atOnce);
    const get = () => pool.run(() => getManifest(client, "a", { reference: "1", signal }));
    await Promise.all(Array.from({ length: count }, get));
    return client.atOnce;
  };
  // The clock stands still, so that no answer takes longer than another.
  deepStrictEqual([await ask(1), await ask(400)], [16, 64]);
  registry.fault((_, url) => url.pathname.includes("/manifests/") ? tooMany("1") : undefined, 1);
  deepStrictEqual([await ask(1), await ask(400)], [32, 32]);
});
