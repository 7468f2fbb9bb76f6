/** Which files `include` names, and reading them. On the fast path: no npm imports. */
import { GlobError } from "../../lib/glob.ts";
import { compileName, type Matcher } from "../../lib/wildcard.ts";
import { EngineError } from "../contract/errors.ts";
import { readTextFile } from "./find.ts";

/** Files that a dappfile may include, with what these include. */
const MAX_FILES = 1000;
/** Bytes of all included files. */
const MAX_BYTES = 8 << 20;

/** Why an `include` cannot be followed. */
export class IncludeError extends Error {
  constructor(message: string, readonly hint: string) {
    super(message);
  }
}

/** A file that is included. */
export interface IncludedFile {
  /** From the project directory. */
  readonly file: string;
  readonly text: string;
}

/** Reads included files of a project, each once whatever its names, and no more of them than there may be. */
export class IncludedFiles {
  readonly #seen = new Set<string>();
  readonly #dappfile: string;
  #bytes = 0;

  /**
   * @param dir the project directory
   * @param file the dappfile, which is not included once more
   * @param allowed throws for files that may not be read
   */
  constructor(readonly dir: string, file: string, readonly allowed: (path: string) => Promise<void>) {
    this.#dappfile = file.startsWith("/") ? file : `${dir}/${file}`;
  }

  /** The files of a pattern that were not read yet. @throws {IncludeError} CONFIG_INVALID */
  async read(pattern: string): Promise<readonly IncludedFile[]> {
    if (this.#seen.size === 0) this.#seen.add(await realPath(this.#dappfile));
    const names = await filesOf(this.dir, pattern, this.allowed);
    const out: IncludedFile[] = [];
    for (const file of names) {
      const real = await realPath(`${this.dir}/${file}`);
      if (this.#seen.has(real)) continue;
      this.#seen.add(real);
      if (this.#seen.size > MAX_FILES) {
        throw new IncludeError(`More than ${MAX_FILES} files are included`, "Include fewer");
      }
      const path = `${this.dir}/${file}`;
      await this.allowed(path);
      this.#bytes += (await Deno.stat(path)).size;
      if (this.#bytes > MAX_BYTES) {
        throw new IncludeError(`The included files have more than ${MAX_BYTES} bytes`, "Include fewer");
      }
      out.push({ file, text: await readTextFile(path, file) });
    }
    return out;
  }
}

/**
 * The files that a pattern names, sorted: paths from the project directory, in which `*`, `?` and `[set]` match within
 * one name. A tree is never searched, so that a run without changes stays quick in a large repository.
 *
 * @param allowed throws for directories that may not be listed
 * @throws {IncludeError} when there are none, or the pattern leads out of the project
 */
export async function filesOf(
  dir: string,
  pattern: string,
  allowed: (path: string) => Promise<void> = () => Promise.resolve(),
): Promise<readonly string[]> {
  const parts = pattern.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0) {
    throw new IncludeError("An entry of `include` is empty", "Name a file of the project");
  }
  if (pattern.startsWith("/") || parts.includes("..")) {
    throw new IncludeError(
      `"${pattern}" leads out of the project directory`,
      pattern.startsWith("/") ? `Did you mean "${parts.join("/")}"?` : "Run dapp in a directory above both",
    );
  }
  if (parts.includes("**")) {
    throw new IncludeError(
      `"${pattern}" would search a whole tree`,
      "Name each level: `services/*/dappfile.yaml`",
    );
  }
  let found = [""];
  for (const [i, part] of parts.entries()) {
    const wild = /[*?[\\]/.test(part);
    const matches = wild ? compiled(part) : undefined;
    const next: string[] = [];
    for (const base of found) {
      const at = base === "" ? dir : `${dir}/${base}`;
      if (matches) await allowed(`${at}/.`);
      for (const name of matches ? await namesIn(at, matches, part.startsWith(".")) : [part]) {
        const path = base === "" ? name : `${base}/${name}`;
        const info = await Deno.stat(`${dir}/${path}`).catch(() => undefined);
        if (i < parts.length - 1 ? info?.isDirectory : info?.isFile) next.push(path);
      }
    }
    found = next;
  }
  if (found.length > 0) return found.sort();
  const path = parts.join("/");
  if (await Deno.stat(`${dir}/${path}`).then(({ isDirectory }) => isDirectory, () => false)) {
    throw new IncludeError(`"${path}" is a directory`, `Name its files: ${path}/*.yaml`);
  }
  throw new IncludeError(
    /[*?[\\]/.test(pattern) ? `No file matches "${pattern}"` : `There is no file "${pattern}"`,
    "Paths are from the project directory",
  );
}

/** A file that has just gone keeps its name. */
function realPath(path: string): Promise<string> {
  return Deno.realPath(path).catch(() => path);
}

function compiled(part: string): Matcher {
  try {
    return compileName(part);
  } catch (error) {
    if (!(error instanceof GlobError)) throw error;
    throw new IncludeError(`Pattern "${part}" ${error.message}`, "Use `*`, `?` and `[abc]`");
  }
}

/** Hidden names count only where the pattern says so. */
async function namesIn(dir: string, matches: Matcher, hidden: boolean): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(dir)) {
      if (matches(name) && (hidden || !name.startsWith("."))) names.push(name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new EngineError("CONFIG_INVALID", `Cannot look for included files in "${dir}": it cannot be read`, {
      fix: "Make the directory readable",
      cause: error,
    });
  }
  return names;
}
