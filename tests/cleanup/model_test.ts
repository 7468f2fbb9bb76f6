/**
 * The protocol between builds and cleanups, checked in every interleaving of two builds and two cleanups, with expiry
 * at any moment. The rules are those of core/protocol, not a copy of them. One stage is enough, as nothing in the protocol
 * looks at two. A crash is a process that takes no further step, which is every prefix of an interleaving.
 *
 * What is assumed is what makes two steps one here: a request takes effect while its time check still holds, and the
 * grace time is longer than what lies between another cleanup's look at the mark and its own mark. Where there is no room,
 * it comes back with what a cleanup removes, and one cleanup at a time goes without a mark.
 */
import assert from "node:assert/strict";
import { endOf } from "../../core/protocol/mark_watch.ts";
import { type Mark, mayHaveLost, mayMark, mayRemove, mustWait } from "../../core/protocol/marks.ts";

/** A step of the protocol that is left out, to see that it is needed. */
type Without =
  | "grace"
  | "confirm"
  | "look at roots after the mark"
  | "look at leases"
  | "waiting for the mark"
  | "look after publishing"
  | "expiry of marks"
  | "check before taking the mark back"
  | "other cleanup's mark"
  | "a bound from when a mark was first seen"
  | "first sight of each mark"
  | "look at leases without a mark"
  | "look at roots without a mark"
  | "look at the mark after a removal without one"
  | "look after a lease ran out";

/** What differs from the usual: `ahead`, cleanups whose clocks are far ahead; `full`, a registry that runs out of room. */
type World = "usual" | "ahead" | "full";

interface Setting {
  readonly world: World;
  readonly without?: Without;
}

// Places in a state, all small numbers.
const BUILDS = [0, 1] as const;
const CLEANERS = [0, 1] as const;
const STAGE = 0; // there or not
const MARK_BY = 1; // 0 none, cleaner + 1
const MARK_ACTIVE = 2;
const ROOT = 3; // + build: image published
const LEASE = 5; // + build: 0 none, 1 valid, 2 expired
const B_PC = 7; // + build
const B_MARK = 9; // + build: mark seen at the start
const B_ACTIVE = 11; // + build: whether it was active
const B_LOOK = 13; // + build: has to look at its stage again
const EXPIRED = 15; // + cleaner: 0 no, 1 by its own clock, 2 by everybody's
const C_PC = 17; // + cleaner
const LEASED_BEFORE = 19; // + 2 * cleaner + build: the lease was there when the mark was written
const ROOM = 23; // 0 there is some, 1 none, 2 some again
const SEEN = 24; // + who waits, builds first: whose mark was seen, as MARK_BY
const LONG = 28; // + who waits: whether that was as long ago as its mark lasts
const SIZE = 32;

const B_DONE = 6;
const B_ABSENT = 7;
const C_DONE = 8;
const C_UNMARKED = 9; // and four more

type State = readonly number[];

/** Time as marks see it: 15 now, clocks 10 apart. */
const now = 15;
const skewMs = 10;
const UNTIL = [20, 10, 0] as const;
const stages = new Set(["stage"]);

function markOf(by: number, active: number, expired: number): Mark | undefined {
  if (by === 0) return undefined;
  return { id: String(by), active: active === 1, at: 0, until: UNTIL[expired]!, condemned: [...stages] };
}

const currentMark = (s: State) => {
  const by = s[MARK_BY]!;
  return markOf(by, s[MARK_ACTIVE]!, by === 0 ? 0 : s[EXPIRED + by - 1]!);
};

/** Times of a mark whose clock is far ahead: it lasts as long as any. */
const ahead = { at: 1000, until: 1000 + UNTIL[0] };
/** How long ago a mark was first seen when it may or may not count any more, given how long marks last and the skew. */
const SEEN_AGO = [UNTIL[0] + skewMs - 1, UNTIL[0] + skewMs + 1] as const;

/** The mark as somebody who waits for it judges it; undefined when it is seen for the first time. */
function judged(
  s: State,
  who: number,
  { world, without }: Setting,
): { readonly mark: Mark | undefined } | State {
  const mark = currentMark(s);
  if (world !== "ahead" || !mark?.active) return { mark };
  if (s[SEEN + who] !== s[MARK_BY]) {
    const anew = without !== "first sight of each mark" || s[SEEN + who] === 0;
    return change(s, { [SEEN + who]: s[MARK_BY]!, ...(anew && { [LONG + who]: 0 }) });
  }
  if (without === "a bound from when a mark was first seen") return { mark: { ...mark, ...ahead } };
  return { mark: { ...mark, until: endOf(ahead, now - SEEN_AGO[s[LONG + who]!]!) } };
}

/** Time passes for somebody who has seen a mark: by then its cleanup has come to its end. */
function* waits(s: State, who: number): Generator<State> {
  const by = s[SEEN + who]!;
  if (by > 0 && !s[LONG + who] && s[EXPIRED + by - 1] === 2) yield change(s, { [LONG + who]: 1 });
}

function* steps(s: State, setting: Setting): Generator<State> {
  if (setting.world === "full" && s[ROOM] === 0) yield change(s, { [ROOM]: 1 });
  for (const b of BUILDS) yield* buildSteps(s, b, setting);
  for (const c of CLEANERS) yield* cleanerSteps(s, c, setting);
}

function* buildSteps(s: State, b: number, setting: Setting): Generator<State> {
  const { without } = setting;
  const pc = s[B_PC + b]!;
  const full = s[ROOM] === 1;
  const next = (changes: Readonly<Record<number, number>> = {}) =>
    change(s, { [B_PC + b]: pc + 1, ...changes });
  if (s[LEASE + b] === 1) yield change(s, { [LEASE + b]: 2 });
  yield* waits(s, b);
  switch (pc) {
    case 0:
      if (full) return;
      return yield next({ [LEASE + b]: 1 });
    case 1: {
      const seen = setting.world === "ahead" && s[MARK_ACTIVE] === 1 ? s[MARK_BY]! : 0;
      return yield next({ [B_MARK + b]: s[MARK_BY]!, [B_ACTIVE + b]: s[MARK_ACTIVE]!, [SEEN + b]: seen });
    }
    case 2: // finds the stage in the registry, or builds and publishes it
      if (full && !s[STAGE]) return;
      return yield next({ [STAGE]: 1 });
    case 3:
      if (full) return;
      return yield next({ [ROOT + b]: 1 });
    case 4: {
      const seen = judged(s, b, setting);
      if (!("mark" in seen)) return yield seen;
      const { mark } = seen;
      if (without !== "waiting for the mark" && mustWait(mark, stages, { now, skewMs })) return;
      const before = markOf(s[B_MARK + b]!, s[B_ACTIVE + b]!, 0);
      const lapsed = s[LEASE + b] === 2 && without !== "look after a lease ran out";
      const look = (lapsed || mayHaveLost(before, mark)) && without !== "look after publishing";
      const forgotten = { [B_MARK + b]: 0, [B_ACTIVE + b]: 0, [SEEN + b]: 0, [LONG + b]: 0 };
      return yield next({ [B_LOOK + b]: look ? 1 : 0, ...forgotten });
    }
    case 5:
      if (full && s[B_LOOK + b] && !s[STAGE]) return;
      return yield next({ ...(s[B_LOOK + b] && { [STAGE]: 1 }), [LEASE + b]: 0, [B_LOOK + b]: 0 });
  }
}

function* cleanerSteps(s: State, c: number, setting: Setting): Generator<State> {
  const { without } = setting;
  const pc = s[C_PC + c]!;
  const none = { [LEASED_BEFORE + 2 * c]: 0, [LEASED_BEFORE + 2 * c + 1]: 0 };
  const go = (to: number, changes: Readonly<Record<number, number>> = {}) =>
    change(s, { [C_PC + c]: to, ...changes });
  const id = String(c + 1);
  const expired = s[EXPIRED + c]!;
  // Its mark runs out by its own clock first, later by everybody's.
  if (pc === 1) yield* waits(s, 2 + c);
  const matters = (pc > 2 && pc < C_DONE) || (s[MARK_BY] === c + 1 && s[MARK_ACTIVE] === 1);
  if (matters && expired < 2) yield change(s, { [EXPIRED + c]: expired + 1 });
  const hasRoot = s[ROOT] === 1 || s[ROOT + 1] === 1;
  const inTime = without === "expiry of marks" || mayRemove(markOf(c + 1, 1, expired), id, now);
  switch (pc) {
    case 0: // the inventory: nothing that is kept stands on the stage
      return yield hasRoot ? go(C_DONE) : go(1);
    case 1: {
      const seen = judged(s, 2 + c, setting);
      if (!("mark" in seen)) return yield seen;
      const may = without === "other cleanup's mark" || mayMark(seen.mark, now, skewMs);
      return may ? yield go(2, { [SEEN + 2 + c]: 0, [LONG + 2 + c]: 0 }) : undefined;
    }
    case 2: {
      if (s[ROOM] === 1) {
        const other = s[C_PC + 1 - c]!;
        return other >= C_UNMARKED ? undefined : yield go(C_UNMARKED);
      }
      const leased = BUILDS.map((b) => [LEASED_BEFORE + 2 * c + b, s[LEASE + b] === 1 ? 1 : 0] as const);
      return yield go(3, { [MARK_BY]: c + 1, [MARK_ACTIVE]: 1, ...Object.fromEntries(leased) });
    }
    case 3:
      if (without !== "grace" && [2, C_UNMARKED + 4].includes(s[C_PC + 1 - c]!)) return;
      if (without === "confirm" || mayRemove(currentMark(s), id, now)) yield go(4);
      else yield go(C_DONE, none);
      return;
    case 4: {
      const leased = BUILDS.some((b) => s[LEASE + b] === 1) && without !== "look at leases";
      return yield leased ? go(7, none) : go(5);
    }
    case 5: {
      const seen = hasRoot && without !== "look at roots after the mark";
      return yield seen ? go(7, none) : go(6);
    }
    case 6:
      return yield go(7, { ...none, ...(inTime && { [STAGE]: 0 }) });
    case 7:
      if (inTime || without === "check before taking the mark back") {
        yield go(C_DONE, { [MARK_BY]: c + 1, [MARK_ACTIVE]: 0 });
      } else yield go(C_DONE);
      return;
    case C_UNMARKED: {
      const leased = BUILDS.some((b) => s[LEASE + b] === 1) && without !== "look at leases without a mark";
      return yield leased ? go(C_DONE) : go(C_UNMARKED + 1);
    }
    case C_UNMARKED + 1: {
      const seen = hasRoot && without !== "look at roots without a mark";
      return yield seen ? go(C_DONE) : go(C_UNMARKED + 2);
    }
    case C_UNMARKED + 2:
      return yield go(C_UNMARKED + 3, { [STAGE]: 0, [ROOM]: 2 });
    case C_UNMARKED + 3: {
      const anyway = without === "look at the mark after a removal without one";
      return yield anyway || mayMark(currentMark(s), now, skewMs) ? go(C_UNMARKED + 4) : go(C_DONE);
    }
    case C_UNMARKED + 4:
      return yield go(C_DONE, { [MARK_BY]: c + 1, [MARK_ACTIVE]: 0 });
  }
}

function change(s: State, changes: Readonly<Record<number, number>>): State {
  const copy = s.slice();
  for (const at in changes) copy[Number(at)] = changes[at]!;
  return copy;
}

/** What must hold in every state. */
function broken(s: State): string | undefined {
  for (const b of BUILDS) {
    if (s[B_PC + b] === B_DONE && !s[STAGE]) return "a finished build lost a stage";
  }
  return undefined;
}

/** What must hold when `from` becomes `to`. */
function brokenStep(from: State, to: State): string | undefined {
  for (const c of CLEANERS) {
    if (from[C_PC + c] !== 6 || to[C_PC + c] !== 7 || from[STAGE] === to[STAGE]) continue;
    for (const b of BUILDS) {
      if (from[LEASED_BEFORE + 2 * c + b] && from[LEASE + b] === 1) return "a stage went under a valid lease";
    }
  }
  return undefined;
}

interface Search {
  readonly states: number;
  readonly violations: ReadonlySet<string>;
  /** States that end with a build waiting for ever. */
  readonly stuck: number;
}

/** Builds are alike, and so are cleanups: of states that differ in their order alone, one is looked at. */
const SWAPS: readonly (readonly number[])[] = [[0, 1], [1, 0]];

function canonicalKey(s: State): string {
  let least: string | undefined;
  for (const builds of SWAPS) {
    for (const cleaners of SWAPS) {
      const key = keyOf(s, builds, cleaners);
      if (least === undefined || key < least) least = key;
    }
  }
  return least!;
}

const OF_BUILDS = [ROOT, LEASE, B_PC, B_ACTIVE, B_LOOK];
const OF_CLEANERS = [EXPIRED, C_PC];

function keyOf(s: State, builds: readonly number[], cleaners: readonly number[]): string {
  const cleaner = (mark: number) => mark === 0 ? 0 : cleaners.indexOf(mark - 1) + 1;
  let key = String.fromCharCode(s[STAGE]!, s[MARK_ACTIVE]!, s[ROOM]!, cleaner(s[MARK_BY]!));
  for (const b of builds) {
    for (const at of OF_BUILDS) key += String.fromCharCode(s[at + b]!);
    key += String.fromCharCode(cleaner(s[B_MARK + b]!), cleaner(s[SEEN + b]!), s[LONG + b]!);
    for (const c of cleaners) key += String.fromCharCode(s[LEASED_BEFORE + 2 * c + b]!);
  }
  for (const c of cleaners) {
    for (const at of OF_CLEANERS) key += String.fromCharCode(s[at + c]!);
    key += String.fromCharCode(cleaner(s[SEEN + 2 + c]!), s[LONG + 2 + c]!);
  }
  return key;
}

/** Visits every reachable state, or as many as it takes to see what is `wanted`. One build will do for what is rare. */
function search(setting: Setting, wanted?: string): Search {
  const { world } = setting;
  const start = Array<number>(SIZE).fill(0);
  start[STAGE] = 1;
  if (world !== "usual") start[B_PC + 1] = B_ABSENT;
  const seen = new Set([canonicalKey(start)]);
  // Most states are come to more than once; to tell that of the state as it is costs least.
  const met = new Set<string>();
  const violations = new Set<string>();
  // One way to its end before the next, and builds before cleanups: what goes wrong is at the end of a way.
  const left: State[] = [start];
  let stuck = 0;
  for (let s = left.pop(); s; s = left.pop()) {
    for (const to of [...steps(s, setting)].reverse()) {
      const problem = brokenStep(s, to) ?? broken(to);
      if (problem) violations.add(problem);
      if (problem && problem === wanted) return { states: seen.size, violations, stuck };
      const literal = String.fromCharCode(...to);
      if (met.has(literal)) continue;
      met.add(literal);
      const key = canonicalKey(to);
      if (seen.has(key)) continue;
      seen.add(key);
      left.push(to);
    }
    // Even if every cleanup has crashed, time lets a build go on.
    for (const b of BUILDS) {
      if (s[B_PC + b]! >= B_DONE || s[ROOM] === 1) continue;
      const seen = world === "ahead" && { [SEEN + b]: s[MARK_BY]!, [LONG + b]: 1 };
      const later = change(s, { [EXPIRED]: 2, [EXPIRED + 1]: 2, ...seen });
      if (![...buildSteps(later, b, setting)].some((to) => to[B_PC + b] !== s[B_PC + b])) stuck++;
    }
  }
  return { states: seen.size, violations, stuck };
}

const worlds: readonly (readonly [World, number, string])[] = [
  ["usual", 10_000, ""],
  ["ahead", 1000, " with clocks far ahead"],
  ["full", 1000, " where room runs out"],
];

for (const [world, least, where] of worlds) {
  Deno.test(`protocol: no finished build loses a stage, no valid lease is overrun, no build waits for ever${where}`, () => {
    const { states, violations, stuck } = search({ world });
    assert.ok(states > least, `${states}`);
    assert.deepEqual([...violations], []);
    assert.equal(stuck, 0);
  });
}

const LOST = "a finished build lost a stage";
const needed: readonly (readonly [Without, string, World])[] = [
  ["grace", LOST, "usual"],
  ["confirm", LOST, "usual"],
  ["look at roots after the mark", LOST, "usual"],
  ["look at leases", "a stage went under a valid lease", "usual"],
  ["waiting for the mark", LOST, "usual"],
  ["look after publishing", LOST, "usual"],
  ["expiry of marks", LOST, "usual"],
  ["check before taking the mark back", LOST, "usual"],
  ["other cleanup's mark", LOST, "usual"],
  ["first sight of each mark", LOST, "ahead"],
  ["look at leases without a mark", LOST, "full"],
  ["look at roots without a mark", LOST, "full"],
  ["look at the mark after a removal without one", LOST, "full"],
  ["look after a lease ran out", LOST, "full"],
];

for (const [without, problem, world] of needed) {
  Deno.test(`protocol: without "${without}" ${problem}`, () => {
    assert.ok(search({ world, without }, problem).violations.has(problem));
  });
}

Deno.test("protocol: without a bound from when a mark was first seen a build waits for ever", () => {
  const setting = { world: "ahead", without: "a bound from when a mark was first seen" } as const;
  assert.ok(search(setting).stuck > 0);
});
