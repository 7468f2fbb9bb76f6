/** What a result stood on: looks of files, names of links, variables. Each can be asked for again. */
import { lookOf } from "../../lib/file_look.ts";

/**
 * How a path was looked at: its content or what `stat` says, `lstat`, what it lists, where it leads in the end, a link, and
 * a file that was opened so that it can be written to, as one that is locked.
 */
export type Kind = "content" | "status" | "list" | "real" | "link" | "writable";

/** Longest tick of a clock that file systems take times from, and something more. */
const TICK_MS = 12;

/** Paths of one answer. */
const MOST = 50_000;

/** A path, and what was there; null when there was nothing. */
export type Fact = readonly [kind: Kind, path: string, value: string | null];

/** What looks at paths. */
type Looks = Pick<typeof Deno, "statSync" | "lstatSync" | "realPathSync" | "readLinkSync" | "openSync">;

/**
 * What is there now: whoever changes a file, or puts another in its place, changes that. Of a directory that is not listed
 * only that it is one.
 *
 * @param before nothing of it may be younger, in milliseconds since 1970: what changes in the same second may not show
 * @throws Error where that cannot be told
 */
export function valueOf(kind: Kind, path: string, before = Infinity, looks: Looks = Deno): string | null {
  try {
    switch (kind) {
      case "content":
        return seenOf(looks.statSync(path), before);
      case "status":
        return seenOf(looks.lstatSync(path), before);
      case "list":
        return seenOf(looks.statSync(path), before, true);
      case "real":
        return looks.realPathSync(path);
      case "link":
        return looks.readLinkSync(path);
      case "writable": {
        const value = seenOf(looks.statSync(path), before);
        looks.openSync(path, { write: true }).close(); // its file system may be read-only by now
        return value;
      }
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

function seenOf(info: Deno.FileInfo, before: number, listed = false): string {
  if (info.isDirectory && !listed) return "directory";
  const look = lookOf(info);
  if (!look) throw new Error("the file system does not tell enough");
  if (look.changed + 1000 > before) throw new Error("it has changed just now");
  return [info.dev, info.mode, ...Object.values(look)].join(" ");
}

/** Whether all of it is as it was. */
export function areSame(facts: readonly Fact[]): boolean {
  try {
    return facts.every(([kind, path, value]) => valueOf(kind, path) === value);
  } catch {
    return false;
  }
}

/** Looks at paths as they were when they were first looked at. */
export class Facts {
  readonly #facts = new Map<string, Fact>();
  /** As they are before somebody watches: what is looked at here is no input of a command. */
  readonly #looks: Looks = {
    statSync: Deno.statSync,
    lstatSync: Deno.lstatSync,
    realPathSync: Deno.realPathSync,
    readLinkSync: Deno.readLinkSync,
    openSync: Deno.openSync,
  };

  /**
   * @param start in milliseconds since 1970: what changed then may change again without a trace
   * @param doubt told why what was seen does not suffice
   */
  constructor(readonly start: number, readonly doubt: (why: string) => void) {}

  /** Takes a path into account, and says what is there. */
  see(kind: Kind, path: string): string | null {
    const key = `${kind} ${path}`;
    const known = this.#facts.get(key);
    if (known) return known[2];
    let value: string | null = null;
    try {
      value = valueOf(kind, path, this.start - TICK_MS, this.#looks);
    } catch (error) {
      this.doubt(`"${path}": ${(error as Error).message}`);
    }
    if (this.#facts.size === MOST) this.doubt("too much was looked at");
    this.#facts.set(key, [kind, path, value]);
    return value;
  }

  all(): readonly Fact[] {
    return [...this.#facts.values()];
  }
}

/** An environment: names and values. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The values of these variables as one text; "*" stands for the names of all. */
export function valuesOf(names: readonly string[], env: Variables): string {
  return JSON.stringify(names.map((name) => name === "*" ? Object.keys(env).sort() : env[name] ?? null));
}
