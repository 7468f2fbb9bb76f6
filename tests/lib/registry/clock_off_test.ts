import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ClockOff } from "../../../lib/registry/clock_off.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf, FakeClock } from "../../support/registry_client.ts";

const { signal } = new AbortController();
const NOW = Date.parse("2026-03-01T12:00:00Z");
const DAY = 86_400_000;

/** What answers with these headers tell, of a clock that was asked at NOW and heard 3 s later. */
function off(...answers: readonly Readonly<Record<string, string>>[]): number | undefined {
  const clock = new ClockOff();
  for (const headers of answers) clock.heard({ header: (name) => headers[name] }, NOW, NOW + 3000);
  return clock.ms;
}
const at = (ms: number) => ({ date: new Date(NOW + ms).toUTCString() });

Deno.test("ClockOff tells no difference that the second of a date and the way of the answer explain", () => {
  deepStrictEqual([0, 1000, 3000, -1000].map((ms) => off(at(ms))), [0, 0, 0, 0]);
  deepStrictEqual([at(-2000), at(5000)].map((date) => off(date)), [-3000, 4000]);
  deepStrictEqual([off(at(-365 * DAY)), off(at(365 * DAY))], [-365 * DAY - 1000, 365 * DAY - 1000]);
});

Deno.test("ClockOff hears no caches, and nothing that is no date of HTTP", () => {
  strictEqual(off({ ...at(-DAY), age: "86400" }), undefined);
  const bad = [
    ...["", "1", "soon", "Invalid Date", "2026-03-01T12:00:00Z", "Mon, 01 Mar 2026 12:00:00 GMT"],
    ...["Sun, 01 Mar 2026 12:00:00 +0100", "Sun, 01 Mar 2026 12:00:00 GMT, Sun, 01 Mar 2026 12:00:00 GMT"],
  ];
  deepStrictEqual(bad.filter((date) => off({ date }) !== undefined), []);
  strictEqual(off({}), undefined);
});

Deno.test("ClockOff counts the clock that is furthest behind", () => {
  deepStrictEqual([off(at(DAY), at(0)), off(at(-DAY), at(0), at(DAY), {})], [0, -DAY - 1000]);
});

/** What a client of a registry that answers with these headers tells. */
async function heard(headers: Readonly<Record<string, string>>): Promise<number | undefined> {
  await using registry = new MemoryRegistry();
  registry.fault(() => new Response(null, { headers }), 9);
  const clock = new FakeClock();
  await using client = clientOf(registry.host, { clock });
  strictEqual(client.clockOffMs, undefined);
  const asked = { method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal } as const;
  await (await client.request(asked)).discard();
  return client.clockOffMs;
}

Deno.test("RegistryClient tells how far the clock of a registry is off", async () => {
  const date = (ms: number) => new Date(Date.now() + ms).toUTCString();
  const near = (found: number | undefined, ms: number) => Math.abs(found! - ms) < DAY;
  ok(near(await heard({ date: date(-999 * DAY) }), -999 * DAY));
  ok(near(await heard({ date: date(999 * DAY) }), 999 * DAY));
  strictEqual(await heard({ date: "yesterday" }), undefined);
  strictEqual(await heard({ date: date(-999 * DAY), age: "1" }), undefined);
});

Deno.test("RegistryClient tells nothing of the clock of a registry that says no time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const served = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
      connection.close();
      break;
    }
  })();
  await using client = clientOf(`127.0.0.1:${listener.addr.port}`);
  const asked = { method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal } as const;
  await (await client.request(asked)).discard();
  await served;
  strictEqual(client.clockOffMs, undefined);
});
