import { GlobError } from "./wildcard.ts";

/** Brace alternatives that one pattern may stand for, and how long they may be together. */
const MAX_ALTERNATIVES = 1000;
const MAX_LENGTH = 1 << 16;

/**
 * Replaces `{a,b}` by its alternatives, inner ones included. Braces without a comma or an end are ordinary.
 *
 * @throws {GlobError} when there are too many
 */
export function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  let open = [pattern];
  while (open.length > 0) {
    const next: string[] = [];
    for (const text of open) {
      const brace = findBrace(text);
      if (!brace) done.push(text);
      else for (const choice of brace.choices) next.push(brace.before + choice + brace.after);
    }
    const all = [done, next].flat();
    if (all.length > MAX_ALTERNATIVES) {
      throw new GlobError(`its braces stand for more than ${MAX_ALTERNATIVES} patterns`);
    }
    if (all.reduce((sum, text) => sum + text.length, 0) > MAX_LENGTH) {
      throw new GlobError(`its braces stand for more than ${MAX_LENGTH} characters`);
    }
    open = next;
  }
  return done;
}

interface Open {
  readonly start: number;
  /** Where its commas are. */
  readonly cuts: number[];
}

/** The first brace group that has a comma at its own level, in one pass. */
function findBrace(text: string): { before: string; choices: string[]; after: string } | undefined {
  const open: Open[] = [];
  let first: (Open & { readonly end: number }) | undefined;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "{") open.push({ start: i, cuts: [] });
    else if (text[i] === ",") open.at(-1)?.cuts.push(i);
    else if (text[i] === "}") {
      const group = open.pop();
      if (group && group.cuts.length > 0 && (!first || group.start < first.start)) {
        first = { ...group, end: i };
      }
      if (first && open.length === 0) break; // no group that is still open can begin before it
    }
  }
  if (!first) return undefined;
  const { start, cuts, end } = first;
  const choices = [...cuts, end].map((cut, n) => text.slice((n === 0 ? start : cuts[n - 1]!) + 1, cut));
  return { before: text.slice(0, start), choices, after: text.slice(end + 1) };
}
