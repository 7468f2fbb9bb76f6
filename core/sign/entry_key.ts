import { compareText } from "../contract/signature.ts";

/** A git or import entry, as far as its name in facts goes. */
interface Entry {
  readonly to: string;
  readonly includePaths: readonly string[];
}

/**
 * Orders entries by what they are and not by where they stand in the dappfile: moving one, or adding one before it,
 * changes nothing.
 */
export function compareEntries(a: Entry, b: Entry): number {
  return compareText(a.to, b.to) ||
    compareText(JSON.stringify(a.includePaths), JSON.stringify(b.includePaths));
}

/** Names an entry in facts by its target; entries that share one are told apart by what they include. */
export function entryKey(kind: "git" | "import", entry: Entry, all: readonly Entry[]): string {
  const shared = all.filter(({ to }) => to === entry.to).length > 1;
  return `${kind}[${entry.to}${shared ? `: ${entry.includePaths.join(", ")}` : ""}]`;
}
