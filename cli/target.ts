/** Which words are DIMGs and which one is REPO, and which tags are asked for: known only with the engine's help. */
import { EngineError } from "../core/contract/errors.ts";
import type { TagWish } from "../mod.ts";
import type { Context, TagOption } from "./command.ts";
import { isFar } from "../lib/registry/far_host.ts";
import { usage } from "./usage.ts";

export interface Target {
  readonly patterns: readonly string[];
  /** The word that is REPO; undefined when --repo or the dappfile names it. */
  readonly repo: string | undefined;
  /** In the order of the command line. */
  readonly tags: readonly TagWish[];
}

/** What is begun as soon as the words are known to be well-formed. */
interface Ahead {
  /** git is asked what is checked out. @default false */
  readonly git?: boolean;
  /** A connection to the registry of REPO is opened, which the command asks for certain. @default true */
  readonly registry?: boolean;
}

type Wanted = Pick<Context, "command" | "options" | "loose" | "tags" | "engine" | "table">;

/**
 * Settles the words of a command that takes REPO. With `--repo` the dappfile is read only when a word looks like another
 * REPO; plugins are asked only when there are tag options that are not in the table.
 *
 * @throws USAGE
 */
export async function findTarget(
  wanted: Wanted,
  ahead: Ahead = {},
): Promise<Target> {
  const { words, tags } = await settleTags(wanted);
  return { ...await settleRepo(wanted, words, ahead), tags };
}

async function settleTags(
  { command, loose, tags, engine }: Wanted,
): Promise<{ readonly words: readonly string[]; readonly tags: readonly TagWish[] }> {
  if (tags.every(({ known }) => known)) {
    return { words: loose, tags: tags.map(({ flag, value }) => wish(flag, value)) };
  }
  const flags = await (await engine()).tagFlags();
  const taken = new Set<number>();
  const wishes: TagWish[] = [];
  for (const tag of tags) {
    const flag = flags.find(({ name }) => name === tag.flag);
    if (tag.known) wishes.push(wish(tag.flag, tag.value));
    else if (flag) wishes.push(wish(tag.flag, settleValue(tag, flag.value)));
    else {
      const names = flags.map(({ name }) => name);
      throw (await mistakes()).unknownTag(tag.flag, names, command);
    }
  }
  return { words: loose.filter((_, i) => !taken.has(i)), tags: wishes };

  function settleValue({ flag, value, next }: TagOption, takes: string | undefined): string | undefined {
    if (takes === undefined) {
      if (value === undefined) return undefined;
      throw usage(`Cannot use option "--${flag}=${value}": it takes no value`, command.path);
    }
    const found = value ?? (next === undefined ? undefined : loose[next]);
    if (!found) {
      const why = found === "" ? "the value is empty, wanted is" : "it needs a value,";
      throw usage(`Cannot use option "--${flag}": ${why} ${takes}`, command.path);
    }
    if (value === undefined && next !== undefined) taken.add(next);
    return found;
  }
}

function wish(flag: string, value: string | undefined): TagWish {
  return value === undefined ? { flag } : { flag, value };
}

async function settleRepo(
  { command, options, engine, table }: Wanted,
  words: readonly string[],
  { git = false, registry = true }: Ahead,
): Promise<Omit<Target, "tags">> {
  const dimg = command.positionals.find(({ complete }) => complete === "dimg");
  const room = dimg?.many ? Infinity : dimg ? 1 : 0;
  const last = words.at(-1);
  const byOption = options.text("repo") !== undefined;
  if (byOption && last !== undefined && words.length > room) {
    throw (await mistakes()).secondRepo(last, "--repo", command);
  }
  const extra = words[room + 1];
  if (extra !== undefined) throw (await mistakes()).extraWord(command, words, extra, table);
  const given = byOption ? options.text("repo") : last;
  const repo = registry && given !== undefined && isFar(given) ? given : undefined;
  if (git || repo !== undefined) (await engine()).prefetch({ git, ...(repo !== undefined && { repo }) });
  const split = { patterns: words.slice(0, -1), repo: last };
  if (words.length > room && !byOption) return split;
  if (byOption || await dappfileRepo(engine) !== undefined) {
    if (last !== undefined && looksLikeRepo(last) && !await isDimg(last, engine)) {
      throw (await mistakes()).secondRepo(last, byOption ? "--repo" : "the dappfile", command);
    }
    return { patterns: words, repo: undefined };
  }
  if (last === undefined) throw (await mistakes()).missingRepo(command);
  return split;
}

/** The REPO of the dappfile. That there is no dappfile is for the engine to say, once REPO is known. */
export async function dappfileRepo(engine: Context["engine"]): Promise<string | undefined> {
  const config = await unless("CONFIG_NOT_FOUND", async () => await (await engine()).config());
  return config?.project.repo;
}

/** `oci:DIR`, or a first component that can only be a host. */
function looksLikeRepo(word: string): boolean {
  return /^oci:|^([^/]*[.:][^/]*|localhost)\//.test(word);
}

async function isDimg(pattern: string, engine: Wanted["engine"]): Promise<boolean> {
  return await unless("DIMG_UNKNOWN", async () => await (await engine()).list([pattern])) !== undefined;
}

/** What `ask` gives, or undefined when it fails with `code`. */
async function unless<T>(code: EngineError["code"], ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof EngineError && error.code === code) return undefined;
    throw error;
  }
}

async function mistakes(): Promise<typeof import("./mistakes.ts")> {
  return await import("./mistakes.ts");
}
