/** `dappfile.lock`: what base images and plugins are pinned to. On the fast path: no npm imports. */
import { EngineError, type Problem } from "../contract/errors.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";

/** Pinned digests by the text after `from:`. */
export type LockEntries = ReadonlyMap<string, Digest>;

/** What a lock file says. */
export interface Lock {
  /** Base images. */
  readonly images: LockEntries;
  /** Plugins that are not of the repository, by the text after `use:`. Whoever loads one looks at what is said of it. */
  readonly plugins: Readonly<Record<string, unknown>>;
}

/** What a project without a lock file has. */
export const NO_LOCK: Lock = { images: new Map(), plugins: {} };

/**
 * Reads a lock file: `{"version":1,"images":{"debian:bookworm":{"digest":"sha256:..."}}}`.
 *
 * @throws CONFIG_LOCK_INVALID with every problem and its line
 */
export function parseLock(text: string, file: string): Lock {
  const problems: Problem[] = [];
  const fail = (offset: number, message: string, path?: string, hint?: string) => {
    const before = text.slice(0, offset).split("\n");
    const [line, column] = [before.length, before.at(-1)!.length + 1];
    problems.push({ file, line, column, message, ...(path && { path }), ...(hint && { hint }) });
  };
  const entries = new Map<string, Digest>();
  const data = parseJson(text, fail);
  if (data !== undefined) readLock(data, text, entries, fail);
  if (problems.length === 0) {
    return { images: entries, plugins: isMap(data) && isMap(data.plugins) ? data.plugins : {} };
  }
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  const { line, column, message } = problems[0]!;
  const count = problems.length === 1 ? message : `it has ${problems.length} problems`;
  const at = `${file}:${line}:${column}`;
  throw new EngineError("CONFIG_LOCK_INVALID", `Cannot use "${file}": ${count}`, { at, problems });
}

/** Writes a lock file: one line to each fact, sorted by name, so that it merges well. */
export function formatLock({ images, plugins }: Lock): string {
  const digests = [...images].map(([name, digest]) => [name, { digest }] as const);
  const rows = Object.entries(plugins);
  return `{\n  "version": 1,\n  "images": ${block(digests)}${
    rows.length === 0 ? "" : `,\n  "plugins": ${block(rows)}`
  }\n}\n`;
}

/** A text, not an object: objects move keys that look like numbers to the front. */
function block(rows: readonly (readonly [string, unknown])[]): string {
  if (rows.length === 0) return "{}";
  const lines = rows.toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([name, value]) =>
    `    ${JSON.stringify(name)}: ${JSON.stringify(value, undefined, 2).replaceAll("\n", "\n    ")}`
  );
  return `{\n${lines.join(",\n")}\n  }`;
}

type Fail = (offset: number, message: string, path?: string, hint?: string) => void;

function parseJson(text: string, fail: Fail): unknown {
  const conflict = /^(?:<{7}|={7}|>{7})(?: .*)?$/m.exec(text);
  if (conflict) {
    fail(
      conflict.index,
      "It has git conflict markers",
      undefined,
      "Resolve the conflict, or run: dapp dimg lock --update",
    );
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /at position (\d+)/.exec(message)?.[1];
    const reason = text.trim() === ""
      ? "the file is empty"
      : message.replace(/ (?:in JSON )?at position .*/, "");
    fail(position === undefined ? text.trimEnd().length : Number(position), `It is not JSON: ${reason}`);
    return undefined;
  }
}

function readLock(data: unknown, text: string, entries: Map<string, Digest>, fail: Fail): void {
  if (!isMap(data)) return fail(0, "It must be an object with `version` and `images`");
  const placeOf = (key: string) => Math.max(0, text.indexOf(JSON.stringify(key)));
  if (data.version !== 1) {
    const found = data.version === undefined ? "missing" : JSON.stringify(data.version);
    return fail(placeOf("version"), `Its version is ${found}: this release reads version 1`, "version");
  }
  for (const key of Object.keys(data)) {
    if (key !== "version" && key !== "images" && key !== "plugins") {
      fail(placeOf(key), `Unknown key "${key}"`, key);
    }
  }
  if (data.plugins !== undefined && !isMap(data.plugins)) {
    fail(placeOf("plugins"), "`plugins` must be an object", "plugins");
  }
  if (!isMap(data.images)) return fail(placeOf("images"), "`images` must be an object", "images");

  const places = new Map<string, number>();
  const [imagesText = text] = text.split(/^ {2}"plugins"/m);
  for (const match of imagesText.matchAll(/("(?:[^"\\]|\\.)*")\s*:\s*\{/g)) {
    const name = JSON.parse(match[1]!);
    if (places.has(name)) fail(match.index, `Image "${name}" is listed twice`, `images["${name}"]`);
    else places.set(name, match.index);
  }
  for (const [name, entry] of Object.entries(data.images)) {
    const [place, path] = [places.get(name) ?? placeOf(name), `images["${name}"]`];
    if (!isMap(entry)) {
      fail(place, `Image "${name}" must be an object with \`digest\``, path);
      continue;
    }
    for (const key of Object.keys(entry)) {
      if (key !== "digest") fail(place, `Unknown key "${key}" for image "${name}"`, path);
    }
    const { digest } = entry;
    if (typeof digest === "string" && isDigest(digest)) entries.set(name, digest);
    else {
      const found = digest === undefined ? "missing" : JSON.stringify(digest);
      fail(
        place,
        `Digest of image "${name}" is ${found}: "sha256:" and 64 lower-case hex digits are wanted`,
        path,
      );
    }
  }
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
