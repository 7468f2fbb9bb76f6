import { deepStrictEqual, ok } from "node:assert/strict";
import { AtOnce } from "../../../lib/registry/at_once.ts";

/** A server as a client sees it, in time that is counted. */
interface Server {
  /** Milliseconds to it and back. */
  readonly away: number;
  /** Milliseconds that it works on one request, which may change with time. */
  busy(at: number): number;
  /** Requests that it works on at once; all others queue. */
  readonly processors: number;
  /** It refuses what comes while it has so many. @default none */
  readonly most?: number;
  /** Status of what it refuses. @default 429 */
  readonly status?: number;
}

/** What a refusal makes all requests wait for, as `lib/registry/patience.ts` has it at least. */
const PAUSE = 250;

interface Ran {
  /** Milliseconds until the last answer. */
  readonly ms: number;
  readonly refused: number;
  /** Sizes in the order in which they came. */
  readonly sizes: readonly number[];
}

/** Asks a server `count` times, always with as many requests at once as there should be. */
function ask(server: Server, count: number, fixed?: number): Ran {
  const { away, processors, most = Infinity, status = 429 } = server;
  const atOnce = new AtOnce();
  const size = () => fixed ?? atOnce.size;
  const free: number[] = Array(processors).fill(0);
  const coming: { readonly at: number; readonly end: () => void }[] = [];
  let [now, left, running, there, resume, refused] = [0, count, 0, 0, 0, 0];
  const sizes = [size()];
  const later = (at: number, end: () => void) => void coming.push({ at, end });
  const send = () => {
    running++;
    const sent = Math.max(now, resume);
    const ended = atOnce.begin(true);
    later(sent + away / 2, () => {
      if (there >= most) {
        refused++;
        return later(now + away / 2, () => {
          ended({ status, ms: now - sent });
          resume = Math.max(resume, now + PAUSE);
          running--;
          left++;
        });
      }
      there++;
      const one = free.indexOf(Math.min(...free));
      free[one] = Math.max(now, free[one]!) + server.busy(now);
      later(free[one]!, () => void there--);
      later(free[one]! + away / 2, () => {
        ended({ status: 200, ms: now - sent });
        running--;
      });
    });
  };
  for (;;) {
    for (; left > 0 && running < size(); left--) send();
    if (sizes.at(-1) !== size()) sizes.push(size());
    if (coming.length === 0) return { ms: now, refused, sizes };
    const next = coming.reduce((first, each) => each.at < first.at ? each : first);
    coming.splice(coming.indexOf(next), 1);
    now = next.at;
    next.end();
  }
}

Deno.test("AtOnce asks a server that is far away and not busy four times as often", () => {
  const far = { away: 100, busy: () => 1, processors: 64 };
  const { ms, sizes } = ask(far, 10_000);
  deepStrictEqual(sizes, [16, 32, 64]);
  ok(ms < ask(far, 10_000, 16).ms / 3.5, `${ms}`);
  ok(ask(far, 1000).ms < ask(far, 1000, 16).ms / 2.5);
});

Deno.test("AtOnce does not ask a busy server more often, but for a short try now and then", () => {
  const busy = { away: 0.1, busy: () => 1.2, processors: 2 };
  const { ms, sizes } = ask(busy, 10_000);
  ok(Math.max(...sizes) === 32 && sizes.length < 20 && sizes.at(-1) === 16, String(sizes));
  ok(ms <= 1.01 * ask(busy, 10_000, 16).ms);
});

Deno.test("AtOnce stays where a far server has all it can do", () => {
  const { sizes } = ask({ away: 20, busy: () => 1, processors: 1 }, 5000);
  ok(Math.max(...sizes) <= 64 && sizes.at(-1)! <= 32, String(sizes));
});

Deno.test("AtOnce asks less when a server becomes slow, and more when it no longer is", () => {
  const slow = (at: number) => at > 2000 && at < 20_000;
  const { sizes } = ask({ away: 50, busy: (at) => slow(at) ? 100 : 1, processors: 8 }, 20_000);
  deepStrictEqual(sizes.slice(0, 5), [16, 32, 64, 32, 16]);
  deepStrictEqual(sizes.at(-1), 64);
});

for (const status of [429, 503]) {
  Deno.test(`AtOnce does not come back to a number that a server refuses by ${status}`, () => {
    for (const most of [5, 10, 20, 40]) {
      const server = { away: 20, busy: () => 1, processors: 64, most, status };
      const ran = ask(server, 3000);
      const before = ask(server, 3000, 16);
      // What 32 at once were too many for was tried once.
      ok(ran.ms <= before.ms + PAUSE, `${most}: ${ran.ms}, ${before.ms}`);
      ok(ran.refused <= Math.max(before.refused / 2, 64), `${most}: ${ran.refused}, ${before.refused}`);
      ok(Math.min(...ran.sizes) >= 4);
    }
  });
}
