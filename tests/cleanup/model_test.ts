/**
 * The protocol between builds and cleanups, checked in every interleaving of two builds and two cleanups, with expiry
 * at any moment. The rules are those of core/protocol/marks.ts, not a copy of them. One stage is enough, as nothing in
 * the protocol looks at two. A crash is a process that takes no further step, which is every prefix of an interleaving.
 *
 * What is assumed is what makes two steps one here: a request takes effect while its time check still holds, and the
 * grace time is longer than what lies between another cleanup's look at the mark and its own mark.
 */
import assert from "node:assert/strict";
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
  | "other cleanup's mark";

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
const SIZE = 23;

const B_DONE = 6;
const C_DONE = 8;

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

function* steps(s: State, without: Without | undefined): Generator<State> {
  for (const b of BUILDS) yield* buildSteps(s, b, without);
  for (const c of CLEANERS) yield* cleanerSteps(s, c, without);
}

function* buildSteps(s: State, b: number, without: Without | undefined): Generator<State> {
  const pc = s[B_PC + b]!;
  const next = (changes: Readonly<Record<number, number>> = {}) =>
    change(s, { [B_PC + b]: pc + 1, ...changes });
  if (s[LEASE + b] === 1) yield change(s, { [LEASE + b]: 2 });
  switch (pc) {
    case 0:
      return yield next({ [LEASE + b]: 1 });
    case 1:
      return yield next({ [B_MARK + b]: s[MARK_BY]!, [B_ACTIVE + b]: s[MARK_ACTIVE]! });
    case 2: // finds the stage in the registry, or builds and publishes it
      return yield next({ [STAGE]: 1 });
    case 3:
      return yield next({ [ROOT + b]: 1 });
    case 4: {
      const mark = currentMark(s);
      if (without !== "waiting for the mark" && mustWait(mark, stages, { now, skewMs })) return;
      const before = markOf(s[B_MARK + b]!, s[B_ACTIVE + b]!, 0);
      const look = mayHaveLost(before, mark) && without !== "look after publishing";
      return yield next({ [B_LOOK + b]: look ? 1 : 0, [B_MARK + b]: 0, [B_ACTIVE + b]: 0 });
    }
    case 5:
      return yield next({ ...(s[B_LOOK + b] && { [STAGE]: 1 }), [LEASE + b]: 0, [B_LOOK + b]: 0 });
  }
}

function* cleanerSteps(s: State, c: number, without: Without | undefined): Generator<State> {
  const pc = s[C_PC + c]!;
  const none = { [LEASED_BEFORE + 2 * c]: 0, [LEASED_BEFORE + 2 * c + 1]: 0 };
  const go = (to: number, changes: Readonly<Record<number, number>> = {}) =>
    change(s, { [C_PC + c]: to, ...changes });
  const id = String(c + 1);
  const expired = s[EXPIRED + c]!;
  // Its mark runs out by its own clock first, later by everybody's.
  const matters = (pc > 2 && pc < C_DONE) || (s[MARK_BY] === c + 1 && s[MARK_ACTIVE] === 1);
  if (matters && expired < 2) yield change(s, { [EXPIRED + c]: expired + 1 });
  const hasRoot = s[ROOT] === 1 || s[ROOT + 1] === 1;
  const inTime = without === "expiry of marks" || mayRemove(markOf(c + 1, 1, expired), id, now);
  switch (pc) {
    case 0: // the inventory: nothing that is kept stands on the stage
      return yield hasRoot ? go(C_DONE) : go(1);
    case 1:
      if (without === "other cleanup's mark" || mayMark(currentMark(s), now, skewMs)) yield go(2);
      return;
    case 2: {
      const leased = BUILDS.map((b) => [LEASED_BEFORE + 2 * c + b, s[LEASE + b] === 1 ? 1 : 0] as const);
      return yield go(3, { [MARK_BY]: c + 1, [MARK_ACTIVE]: 1, ...Object.fromEntries(leased) });
    }
    case 3:
      if (without !== "grace" && s[C_PC + 1 - c] === 2) return;
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
  let key = String.fromCharCode(s[STAGE]!, s[MARK_ACTIVE]!, cleaner(s[MARK_BY]!));
  for (const b of builds) {
    for (const at of OF_BUILDS) key += String.fromCharCode(s[at + b]!);
    key += String.fromCharCode(cleaner(s[B_MARK + b]!));
    for (const c of cleaners) key += String.fromCharCode(s[LEASED_BEFORE + 2 * c + b]!);
  }
  for (const c of cleaners) for (const at of OF_CLEANERS) key += String.fromCharCode(s[at + c]!);
  return key;
}

/** Visits every reachable state; stops at the first violation when one is looked for. */
function search(without?: Without): Search {
  const start = Array<number>(SIZE).fill(0);
  start[STAGE] = 1;
  const seen = new Set([canonicalKey(start)]);
  // Most states are come to more than once; to tell that of the state as it is costs least.
  const met = new Set<string>();
  const violations = new Set<string>();
  let front: State[] = [start];
  let stuck = 0;
  while (front.length > 0) {
    const next: State[] = [];
    for (const s of front) {
      for (const to of steps(s, without)) {
        const problem = brokenStep(s, to) ?? broken(to);
        if (problem) {
          violations.add(problem);
          if (without !== undefined) return { states: seen.size, violations, stuck };
        }
        const literal = String.fromCharCode(...to);
        if (met.has(literal)) continue;
        met.add(literal);
        const key = canonicalKey(to);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(to);
      }
      // Even if every cleanup has crashed, time lets a build go on.
      const later = change(s, { [EXPIRED]: 2, [EXPIRED + 1]: 2 });
      for (const b of BUILDS) {
        const moves = [...buildSteps(later, b, without)].some((to) => to[B_PC + b] !== s[B_PC + b]);
        if (s[B_PC + b] !== B_DONE && !moves) stuck++;
      }
    }
    front = next;
  }
  return { states: seen.size, violations, stuck };
}

Deno.test("protocol: no finished build loses a stage, no valid lease is overrun, no build waits for ever", () => {
  const { states, violations, stuck } = search();
  assert.ok(states > 10_000, `${states}`);
  assert.deepEqual([...violations], []);
  assert.equal(stuck, 0);
});

const needed: readonly (readonly [Without, string])[] = [
  ["grace", "a finished build lost a stage"],
  ["confirm", "a finished build lost a stage"],
  ["look at roots after the mark", "a finished build lost a stage"],
  ["look at leases", "a stage went under a valid lease"],
  ["waiting for the mark", "a finished build lost a stage"],
  ["look after publishing", "a finished build lost a stage"],
  ["expiry of marks", "a finished build lost a stage"],
  ["check before taking the mark back", "a finished build lost a stage"],
  ["other cleanup's mark", "a finished build lost a stage"],
];

for (const [without, problem] of needed) {
  Deno.test(`protocol: without "${without}" ${problem}`, () => {
    assert.ok(search(without).violations.has(problem));
  });
}
