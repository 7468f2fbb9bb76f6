/** Reads a dappfile together with all that it includes. */
import { IncludedFiles, IncludeError } from "./include_files.ts";
import { type ParsedConfig, parseFiles, type ParseOptions } from "./parse.ts";
import { DappfileReader, type Include } from "./reader.ts";

/** What of the disk a dappfile is made of. */
export interface ConfigSources {
  /** The patterns under `include`, in the order they were followed. */
  readonly patterns: readonly string[];
  /** Text by path from the project directory, without the dappfile itself. */
  readonly files: ReadonlyMap<string, string>;
}

/** A dappfile as it is on disk, and what may be read beside it. */
export interface ReadConfigOptions {
  readonly dir: string;
  /** The dappfile, as the user named it. */
  readonly file: string;
  readonly text: string;
  /** Throws for files that may not be read. */
  readonly allowed?: (path: string) => Promise<void>;
}

/** The files of a configuration, taken by a reader. @throws CONFIG_INVALID */
export async function readFiles(
  { dir, file, text, allowed }: ReadConfigOptions,
): Promise<ConfigSources & { readonly reader: DappfileReader }> {
  const reader = new DappfileReader(file);
  const included = new IncludedFiles(dir, file, allowed ?? (() => Promise.resolve()));
  const patterns: string[] = [];
  const files = new Map<string, string>();
  const wanted: Include[] = [...reader.add(file, text)];
  for (let next = wanted.shift(); next; next = wanted.shift()) {
    const { pattern, place } = next;
    if (patterns.includes(pattern)) continue;
    patterns.push(pattern);
    try {
      for (const each of await included.read(pattern)) {
        files.set(each.file, each.text);
        wanted.push(...reader.add(each.file, each.text));
      }
    } catch (error) {
      if (!(error instanceof IncludeError)) throw error;
      reader.report.incomplete = true;
      reader.report.problem(place, { message: error.message, hint: error.hint, path: "include" });
    }
  }
  return { reader, patterns, files };
}

/** Reads a dappfile with what it includes. @throws CONFIG_INVALID with every problem of all files */
export async function readConfig(
  from: ReadConfigOptions,
  options: ParseOptions,
): Promise<ParsedConfig & ConfigSources> {
  const { reader, patterns, files } = await readFiles(from);
  return { ...parseFiles(reader, options), patterns, files };
}
