/** What a pattern wants of one character. */
export interface PatternStep {
  accepts(character: string): boolean;
  /** Any number of such characters, none included. */
  readonly many?: true;
  /** It may go on, without any character, so many steps from here. */
  readonly skips?: readonly number[];
}

/**
 * How many characters from the start a pattern matches; undefined: it does not. All states are followed at once, so that
 * no pattern takes more time than its length times that of the text.
 */
export function matchedLength(
  pattern: readonly PatternStep[],
  characters: readonly string[],
  longest: boolean,
): number | undefined {
  let states = reachable(pattern, new Set([0]));
  let found: number | undefined;
  for (let length = 0; states.size > 0; length++) {
    if (states.has(pattern.length)) {
      found = length;
      if (!longest) return found;
    }
    const character = characters[length];
    if (character === undefined) break;
    const next = new Set<number>();
    for (const state of states) {
      const step = pattern[state];
      if (step?.accepts(character)) next.add(step.many ? state : state + 1);
    }
    states = reachable(pattern, next);
  }
  return found;
}

/** Adds the states that need no character; a set hands on what is added while it is read. */
function reachable(pattern: readonly PatternStep[], states: Set<number>): ReadonlySet<number> {
  for (const state of states) {
    const step = pattern[state];
    if (step?.many) states.add(state + 1);
    for (const skip of step?.skips ?? []) states.add(state + skip);
  }
  return states;
}
