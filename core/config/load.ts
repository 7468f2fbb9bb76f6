import { readSealed, writeSealed } from "../../lib/sealed.ts";
import { findDappfile, readTextFile } from "./find.ts";
import { type Lock, NO_LOCK, parseLock } from "./lock_file.ts";
import type { Config } from "../contract/config.ts";
import type { ParseOptions } from "./parse.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { EngineError } from "../contract/errors.ts";
import { sha256Hex } from "../../lib/oci/digest.ts";

/** Raise it when the meaning of a dappfile changes, so that remembered configurations are read anew. */
const MEMO_FORMAT = 8;

export interface LoadedConfig {
  readonly config: Config;
  /** This text was not seen before. */
  readonly isNew: boolean;
  /** Absolute path of the dappfile. */
  readonly path: string;
  /** Absolute paths of the files that it includes. */
  readonly included: readonly string[];
  /** Absolute path of dappfile.lock, and what it says. */
  readonly lockPath: string;
  readonly lock: Lock;
  /** There is no dappfile, which only matters to what needs a project; `config` says nothing then. */
  readonly absent?: EngineError;
}

/**
 * What is kept, sealed. It is a file of its own and not a memo of the store: which plugin opens the store is
 * only known from it.
 */
interface MemoValue {
  readonly config: Config;
  /** sha256 of each environment value that was used, "" for unset: values themselves are not kept here. */
  readonly env: Readonly<Record<string, string>>;
  /** What is included: patterns, and sha256 of each file. */
  readonly patterns: readonly string[];
  readonly files: Readonly<Record<string, string>>;
}

/** A configuration with the files that it includes. */
type Read = Pick<LoadedConfig, "config" | "isNew"> & { readonly files: Iterable<string> };

/**
 * Reads dappfile and lock file. The parsed form is remembered by the file's text, because the YAML and schema
 * libraries cost more start-up time than a whole no-change build.
 *
 * @throws CONFIG_NOT_FOUND when the file that is named is not there, CONFIG_INVALID, CONFIG_LOCK_INVALID
 */
export async function loadConfig(
  options: Pick<ResolvedOptions, "dir" | "env" | "home" | "config" | "untrusted">,
  { openNames = false }: Pick<ParseOptions, "openNames"> = {},
): Promise<LoadedConfig> {
  const { dir, env, home } = options;
  const lockPath = `${dir}/dappfile.lock`;
  if (options.untrusted) await requireOwnFiles(options, lockPath);
  const found = await findDappfile(dir, options.config).catch((error) => {
    if (error instanceof EngineError && error.code === "CONFIG_NOT_FOUND" && options.config === undefined) {
      return error;
    }
    throw error;
  });
  if (found instanceof EngineError) {
    const config = { file: "dappfile.yaml", project: { plugins: [] }, images: [], warnings: [] };
    return {
      config,
      isNew: false,
      path: `${dir}/${config.file}`,
      included: [],
      lockPath,
      lock: NO_LOCK,
      absent: found,
    };
  }
  const { file, path, text } = found;
  const [{ config, isNew, files }, lockText] = await Promise.all([
    options.untrusted
      ? strangers({ file, text, dir, openNames })
      : remembered({ file, text, dir, openNames }, env, home),
    readIfPresent(lockPath),
  ]);
  return {
    config,
    isNew,
    path,
    included: [...files].map((name) => `${dir}/${name}`),
    lockPath,
    lock: lockText === undefined ? NO_LOCK : parseLock(lockText, "dappfile.lock"),
  };
}

async function requireOwnFiles(
  { dir, config }: Pick<ResolvedOptions, "dir" | "config">,
  lockPath: string,
): Promise<void> {
  const { requireOwnFile } = await import("./untrusted.ts");
  const names = config === undefined ? ["dappfile.yaml", "dappfile.yml"] : [config];
  for (const name of names) await requireOwnFile(dir, name.startsWith("/") ? name : `${dir}/${name}`);
  await requireOwnFile(dir, lockPath);
}

/** A dappfile as it was found. */
interface Found {
  readonly file: string;
  readonly text: string;
  readonly dir: string;
  readonly openNames: boolean;
}

/** A dappfile of strangers sees no environment, is never remembered, and may not want what it could harm with. */
async function strangers(found: Found): Promise<Read> {
  const { dir, openNames } = found;
  const [{ readConfig }, { checkUntrusted, requireOwnFile }] = await Promise.all([
    import("./read_config.ts"),
    import("./untrusted.ts"),
  ]);
  const allowed = (path: string) => requireOwnFile(dir, path);
  const { config, files } = await readConfig({ ...found, allowed }, { env: {}, untrusted: true, openNames });
  return { config: await checkUntrusted(config, dir), isNew: true, files: files.keys() };
}

async function remembered(found: Found, env: ResolvedOptions["env"], home: string): Promise<Read> {
  const { file, text, dir, openNames } = found;
  const key = JSON.stringify([MEMO_FORMAT, file, text, ...(openNames ? ["open"] : [])]);
  const path = `${home}/memo/config/${await sha256Hex(key)}`;
  const known = await readMemo(path);
  if (known && await sameEnv(known.env, env) && await sameFiles(known, dir)) {
    return { config: known.config, isNew: false, files: Object.keys(known.files) };
  }
  const { readConfig } = await import("./read_config.ts");
  const { config, envUsed, patterns, files } = await readConfig(found, { env, openNames });
  const hashes: Record<string, string> = {};
  for (const name of Object.keys(envUsed)) hashes[name] = await hashOf(env[name]);
  const fileHashes: Record<string, string> = {};
  for (const [name, content] of files) fileHashes[name] = await sha256Hex(content);
  const value: MemoValue = { config, env: hashes, patterns, files: fileHashes };
  await writeSealed(path, JSON.stringify(value));
  return { config, isNew: true, files: files.keys() };
}

async function readMemo(path: string): Promise<MemoValue | undefined> {
  const text = await readSealed(path);
  return text === undefined ? undefined : JSON.parse(text);
}

async function sameEnv(hashes: MemoValue["env"], env: ResolvedOptions["env"]): Promise<boolean> {
  for (const [name, hash] of Object.entries(hashes)) if (await hashOf(env[name]) !== hash) return false;
  return true;
}

/** Whether the same files are included, with the same texts. */
async function sameFiles({ patterns, files }: MemoValue, dir: string): Promise<boolean> {
  if (patterns.length === 0) return true;
  const { filesOf } = await import("./include_files.ts");
  try {
    const names = new Set((await Promise.all(patterns.map((each) => filesOf(dir, each)))).flat());
    const known = Object.keys(files);
    if (known.some((name) => !names.has(name)) || [...names].some((name) => !known.includes(name))) {
      return false;
    }
    const texts = await Promise.all(
      known.map(async (name) => await sha256Hex(await readTextFile(`${dir}/${name}`, name))),
    );
    return texts.every((hash, i) => hash === files[known[i]!]);
  } catch {
    return false; // the dappfile is read in full, which says what is wrong
  }
}

async function hashOf(value: string | undefined): Promise<string> {
  return value === undefined ? "" : await sha256Hex(value);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
