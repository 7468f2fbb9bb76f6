/**
 * The protocol between builds and cleanups, checked in every interleaving of two builds and two cleanups over two
 * stages, with crashes and expiry at any moment. The rules are those of core/cleanup/marks.ts, not a copy of them.
 *
 * What is assumed is what makes two steps one here: a request takes effect while its time check still holds, and the
 * grace time is longer than what lies between another cleanup's look at the mark and its own mark.
 */
import assert from "node:assert/strict";
import { type Mark, mayHaveLost, mayMark, mayRemove, mustWait } from "../../core/cleanup/marks.ts";

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
const LOWER = 0; // stage: there or not
const UPPER = 1;
const ROOT = 2; // + build: image published
const LEASE = 4; // + build: 0 none, 1 valid, 2 expired
const MARK_BY = 6; // 0 none, cleaner + 1
const MARK_ACTIVE = 7;
const EXPIRED = 8; // + cleaner: 0 no, 1 by its own clock, 2 by everybody's
const B_PC = 10; // + build
const B_MARK = 12; // + build: mark seen at the start
const B_ACTIVE = 14; // + build: whether it was active
const B_LOOK = 16; // + build: has to look at its stages again
const C_PC = 18; // + cleaner
const C_SPARE = 20; // + cleaner
const LEASED_BEFORE = 22; // + 2 * cleaner + build: the lease was there when the mark was written
const SIZE = 26;

const DEAD = 99;
const B_DONE = 8;
const C_DONE = 9;

type State = readonly number[];

/** Time as marks see it: 15 now, clocks 10 apart. */
const now = 15;
const skewMs = 10;
const UNTIL = [20, 10, 0] as const;
const stages = new Set(["lower", "upper"]);

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
  const next = (changes: Readonly<Record<number, number>>) => change(s, { [B_PC + b]: pc + 1, ...changes });
  if (s[LEASE + b] === 1) yield change(s, { [LEASE + b]: 2 });
  if (pc === DEAD || pc === B_DONE) return;
  yield change(s, { [B_PC + b]: DEAD });
  switch (pc) {
    case 0:
      return yield next({ [LEASE + b]: 1 });
    case 1:
      return yield next({ [B_MARK + b]: s[MARK_BY]!, [B_ACTIVE + b]: s[MARK_ACTIVE]! });
    case 2: // takes the stage from the registry, or builds and publishes it
      return yield next({ [LOWER]: 1 });
    case 3:
      return yield next({ [UPPER]: 1 });
    case 4:
      return yield next({ [ROOT + b]: 1 });
    case 5: {
      const mark = currentMark(s);
      if (without !== "waiting for the mark" && mustWait(mark, stages, { now, skewMs })) return;
      const before = markOf(s[B_MARK + b]!, s[B_ACTIVE + b]!, 0);
      const look = mayHaveLost(before, mark) && without !== "look after publishing";
      return yield next({ [B_LOOK + b]: look ? 1 : 0 });
    }
    case 6:
      return yield next(s[B_LOOK + b] ? { [LOWER]: 1 } : {});
    case 7:
      return yield next({ ...(s[B_LOOK + b] && { [UPPER]: 1 }), [LEASE + b]: 0 });
  }
}

function* cleanerSteps(s: State, c: number, without: Without | undefined): Generator<State> {
  const pc = s[C_PC + c]!;
  const go = (to: number, changes: Readonly<Record<number, number>> = {}) => change(s, { [C_PC + c]: to, ...changes });
  const id = String(c + 1);
  const expired = s[EXPIRED + c]!;
  const own = markOf(c + 1, 1, expired);
  // Its mark runs out by its own clock first, later by everybody's.
  if (pc > 2 && expired < 2) yield change(s, { [EXPIRED + c]: expired + 1 });
  if (pc === DEAD || pc === C_DONE) return;
  yield go(DEAD);
  const hasRoot = s[ROOT] === 1 || s[ROOT + 1] === 1;
  const inTime = without === "expiry of marks" || mayRemove(own, id, now);
  switch (pc) {
    case 0: // the inventory: nothing that is kept stands on the stages
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
      else yield go(C_DONE);
      return;
    case 4: {
      const leased = BUILDS.some((b) => s[LEASE + b] === 1) && without !== "look at leases";
      return yield go(5, { [C_SPARE + c]: leased ? 1 : 0 });
    }
    case 5: {
      const seen = hasRoot && without !== "look at roots after the mark";
      return yield go(6, seen ? { [C_SPARE + c]: 1 } : {});
    }
    case 6:
      return yield go(7, s[C_SPARE + c] || !inTime ? {} : { [UPPER]: 0 });
    case 7:
      return yield go(8, s[C_SPARE + c] || !inTime ? {} : { [LOWER]: 0 });
    case 8:
      if (inTime || without === "check before taking the mark back") {
        yield go(C_DONE, { [MARK_BY]: c + 1, [MARK_ACTIVE]: 0 });
      } else yield go(C_DONE);
  }
}

function change(s: State, changes: Readonly<Record<number, number>>): State {
  const copy = s.slice();
  for (const [at, value] of Object.entries(changes)) copy[Number(at)] = value;
  return copy;
}

/** What must hold in every state. */
function broken(s: State): string | undefined {
  for (const b of BUILDS) {
    if (s[B_PC + b] === B_DONE && !(s[LOWER] && s[UPPER] && s[ROOT + b])) return "a finished build lost a stage";
  }
  return undefined;
}

/** What must hold when `from` becomes `to`. */
function brokenStep(from: State, to: State): string | undefined {
  for (const c of CLEANERS) {
    if (from[C_PC + c] !== 6 || to[C_PC + c] !== 7 || from[UPPER] === to[UPPER]) continue;
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

/** Visits every reachable state. */
function search(without?: Without): Search {
  const start = Array<number>(SIZE).fill(0);
  start[LOWER] = 1;
  start[UPPER] = 1;
  const keyOf = (s: State) => String.fromCharCode(...s);
  const seen = new Set([keyOf(start)]);
  const violations = new Set<string>();
  let front: State[] = [start];
  let stuck = 0;
  while (front.length > 0) {
    const next: State[] = [];
    for (const s of front) {
      let moved = false;
      for (const to of steps(s, without)) {
        const alive = BUILDS.every((b) => to[B_PC + b] === s[B_PC + b] || to[B_PC + b] !== DEAD);
        moved ||= alive;
        const problem = brokenStep(s, to) ?? broken(to);
        if (problem) violations.add(problem);
        const key = keyOf(to);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(to);
      }
      if (!moved && BUILDS.some((b) => s[B_PC + b] !== DEAD && s[B_PC + b] !== B_DONE)) stuck++;
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
