/** Finding and reading the dappfile of a directory. On the fast path: no npm imports. */
import { whyFailed } from "../../lib/file_failure.ts";
import { EngineError, messageOf } from "../contract/errors.ts";

/** A dappfile as it is on disk. */
export interface FoundDappfile {
  /** Name within the project directory. */
  readonly file: string;
  readonly path: string;
  readonly text: string;
}

/** The names a dappfile may have. */
const DAPPFILES = ["dappfile.yaml", "dappfile.yml"] as const;

/**
 * Reads the dappfile of the project directory `dir`: the one called `name`, by default dappfile.yaml or dappfile.yml.
 *
 * @throws CONFIG_NOT_FOUND when there is none, CONFIG_INVALID when there are two, or one that is no readable UTF-8 text
 */
export async function findDappfile(dir: string, name?: string): Promise<FoundDappfile> {
  const base = dir.endsWith("/") ? dir : `${dir}/`;
  if (name !== undefined) {
    const path = name.startsWith("/") ? name : base + name;
    const bytes = await read(path);
    if (bytes) return { file: name, path, text: decode(bytes, name) };
    throw new EngineError("CONFIG_NOT_FOUND", `Cannot find the dappfile "${name}": there is no "${path}"`, {
      fix: "Name a file below the project directory with --config",
    });
  }
  const found = await Promise.all(DAPPFILES.map(async (file) => ({ file, bytes: await read(base + file) })));
  const present = found.flatMap(({ file, bytes }) => bytes ? [{ file, bytes }] : []);
  if (present.length === 0) throw await notFound(dir);
  if (present.length > 1) {
    throw invalid(
      DAPPFILES[1],
      `Cannot choose a dappfile in "${dir}": both dappfile.yaml and dappfile.yml are there`,
      {
        fix: "Remove one of them",
      },
    );
  }
  const { file, bytes } = present[0]!;
  return { file, path: base + file, text: decode(bytes, file) };
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    const file = path.slice(path.lastIndexOf("/") + 1);
    const isDirectory = error instanceof Deno.errors.IsADirectory ||
      (await Deno.stat(path).catch(() => undefined))?.isDirectory;
    if (isDirectory) {
      throw invalid(file, `Cannot read "${path}": it is a directory, not a file`, {
        fix: "Put the dappfile there as a file",
      });
    }
    throw invalid(file, `Cannot read "${path}": ${whyFailed(error)}`, {
      fix: "Make the file readable",
      cause: error,
    });
  }
}

/** The text of a file that is there. @throws CONFIG_INVALID when it is no readable UTF-8 text */
export async function readTextFile(path: string, name: string): Promise<string> {
  const bytes = await read(path);
  if (bytes) return decode(bytes, name);
  throw invalid(name, `Cannot read "${path}": it is gone`, { fix: "Try again" });
}

async function notFound(dir: string): Promise<EngineError> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(dir)) names.push(entry.name);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such directory"
      : error instanceof Deno.errors.NotADirectory || /not a directory/i.test(messageOf(error))
      ? "it is not a directory"
      : messageOf(error);
    return new EngineError("CONFIG_NOT_FOUND", `Cannot look for a dappfile in "${dir}": ${why}`, {
      fix: "Name the project directory with --dir",
      cause: error,
    });
  }
  const message = `Cannot find a dappfile in "${dir}": looked for ${DAPPFILES.join(" and ")}`;
  const like = names.find((name) => /^\.?dapp[-_ ]?file(?:\.ya?ml)?(?:\.txt)?$/i.test(name));
  const near = names.includes("Dappfile")
    ? foreign(["Dappfile"])
    : like === undefined
    ? await nearby(dir, names) ?? foreign(names)
    : { there: `there is "${like}"`, fix: `Rename "${like}" to dappfile.yaml` };
  if (!near) return new EngineError("CONFIG_NOT_FOUND", message);
  return new EngineError("CONFIG_NOT_FOUND", `${message}; ${near.there}`, { fix: near.fix });
}

interface Near {
  readonly there: string;
  readonly fix: string;
}

/** What may have been meant in a directory without a dappfile, and what to do then. */
async function nearby(dir: string, names: readonly string[]): Promise<Near | undefined> {
  const above = await dappfileAbove(dir);
  if (above) return { there: `there is one above: ${above}`, fix: `Run it there: --dir ${parentOf(above)}` };
  const below = await dappfileBelow(dir, names);
  if (below) {
    const fix =
      `Run it there: --dir ${
        parentOf(below)
      }; or --config ${below}, for which all of this directory is the ` +
      "project";
    return { there: `there is one below: ${below}`, fix };
  }
  return undefined;
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** Files of other tools, with the kind of `dapp migrate`. */
const FOREIGN = [
  { pattern: /^Dappfile$/, what: "of the old dapp", kind: "dapp" },
  { pattern: /^werf\.ya?ml$/, what: "of werf", kind: "werf" },
  {
    pattern: /^(?:Dockerfile|Containerfile)$/,
    what: "which a dappfile may name or replace",
    kind: "dockerfile",
  },
] as const;

function foreign(names: readonly string[]): Near | undefined {
  for (const { pattern, what, kind } of FOREIGN) {
    const name = names.find((each) => pattern.test(each));
    if (name === undefined) continue;
    return {
      there: `there is "${name}", ${what}`,
      fix: `Make a dappfile of it with: dapp migrate ${kind} --write`,
    };
  }
  return undefined;
}

/** The nearest dappfile above a directory. */
async function dappfileAbove(dir: string): Promise<string | undefined> {
  for (let at = dir.replace(/\/+$/, ""); at !== "";) {
    at = at.slice(0, at.lastIndexOf("/"));
    for (const file of DAPPFILES) {
      const path = `${at}/${file}`;
      if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
    }
  }
  return undefined;
}

/** Directories that are looked into for a dappfile. */
const LOOKED_INTO = 200;

/** A dappfile one or two levels below. */
async function dappfileBelow(dir: string, names: readonly string[]): Promise<string | undefined> {
  const open = names.filter((name) => !name.startsWith(".") && name !== "node_modules").sort();
  for (let looked = 0; looked < Math.min(open.length, LOOKED_INTO); looked++) {
    const at = open[looked]!;
    try {
      for await (const { name, isDirectory } of Deno.readDir(`${dir}/${at}`)) {
        if (DAPPFILES.some((file) => file === name)) return `${at}/${name}`;
        if (isDirectory && !at.includes("/") && !name.startsWith(".")) open.push(`${at}/${name}`);
      }
    } catch {
      // A file, or one that may not be read: there is nothing to be found in it.
    }
  }
  return undefined;
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
    const { line, column } = utf16 ? { line: 1, column: 1 } : firstBadByte(bytes);
    const message = utf16 ? "The file is UTF-16 text" : "The file is not UTF-8 text";
    const hint = "Save it as UTF-8";
    throw new EngineError(
      "CONFIG_INVALID",
      `Cannot use "${file}": ${message.toLowerCase().replace("utf", "UTF")}`,
      {
        at: `${file}:${line}:${column}`,
        problems: [{ file, line, column, message, hint }],
      },
    );
  }
}

/** The line is exact; the column counts bytes. */
function firstBadByte(bytes: Uint8Array): { line: number; column: number } {
  for (let line = 1, start = 0;; line++) {
    const end = bytes.indexOf(10, start);
    const row = bytes.subarray(start, end < 0 ? undefined : end);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(row);
    } catch {
      const good = new TextDecoder().decode(row).indexOf("\uFFFD");
      return { line, column: good + 1 };
    }
    if (end < 0) return { line, column: 1 };
    start = end + 1;
  }
}

function invalid(file: string, message: string, details: { fix: string; cause?: unknown }): EngineError {
  const reason = message.slice(message.indexOf('": ') + 3);
  return new EngineError("CONFIG_INVALID", message, {
    ...details,
    at: file,
    problems: [{
      file,
      line: 0,
      column: 0,
      message: reason.charAt(0).toUpperCase() + reason.slice(1),
      hint: details.fix,
    }],
  });
}
