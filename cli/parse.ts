/** From words to a command with its options. Every mistake is an error; nothing is guessed. */
import { load } from "../lib/load.ts";
import { EngineError } from "../core/errors.ts";
import { isTagOption, type OptionName, options, type OptionSpec, optionSpec } from "./options.ts";
import { GivenOptions, type HelpWanted, type Parsed, type TagOption } from "./parsed.ts";
import { type Command, commandOptions, findCommand, groups, takesRepo, takesTags } from "./table.ts";

interface Scan {
  readonly words: string[];
  readonly given: GivenOptions;
  /** Options that are not in the table, as they were written, with the number of words before them. */
  readonly unknown: { readonly written: string; readonly next: number }[];
  readonly tags: TagOption[];
  /** What is wrong with options that exist; the first one is reported, unless help was asked for. */
  readonly wrong: string[];
  rest: readonly string[] | undefined;
}

/**
 * Parses a command line. Options may stand anywhere before `--`: `dapp --dir x dimg build` equals
 * `dapp dimg build --dir=x`.
 *
 * @throws USAGE
 */
export async function parseArgs(args: readonly string[]): Promise<Parsed | HelpWanted> {
  const found = scan(args);
  const { words, given } = found;
  const path: string[] = [];
  const joined = () => path.join(" ");
  while (path.length < words.length && (path.length === 0 || groups.some((g) => g.path === joined()))) {
    path.push(words[path.length]!);
    if (!findCommand(joined()) && !groups.some((g) => g.path === joined())) {
      throw await strayWord(found, path);
    }
  }
  const help = (helpFor: string, asked: boolean): HelpWanted => ({ helpFor, asked, options: given });
  if (given.flag("help")) return help(joined(), true);
  const command = findCommand(path.length === 0 && given.flag("version") ? "version" : joined());
  const unknown = found.unknown[0]?.written ??
    (command && takesTags(command) ? undefined : pluginFlag(found));
  if (unknown) throw await mistakes((m) => m.unknownOption(unknown, command, joined()));
  if (found.wrong[0]) throw usage(found.wrong[0], joined());
  if (!command) return help(joined(), false);
  for (const name of given.names()) {
    if (name === "version" && path.length === 0) continue;
    if (!commandOptions(command).includes(name)) {
      throw await mistakes((m) => m.misplacedOption(name, command));
    }
  }
  if (found.rest && !command.rest) {
    throw usage(`Cannot use "--": dapp ${command.path} takes no command after it`, command.path);
  }
  checkAccess(command, given);
  const own = words.slice(path.length);
  return {
    command,
    options: given,
    words: takesRepo(command) ? {} : await assign(command, own),
    loose: takesRepo(command) ? own : [],
    tags: tagOptions(found, path.length),
    rest: found.rest ?? [],
  };
}

/** A word that should have been a command. What follows an unknown option may be its value, which may be a secret. */
async function strayWord(found: Scan, path: readonly string[]): Promise<EngineError> {
  const before = path.slice(0, -1).join(" ");
  const option = found.unknown.find(({ next }) => next === path.length - 1);
  if (option) return await mistakes((m) => m.unknownOption(option.written, undefined, before));
  const tag = found.tags.find(({ next }) => next === path.length - 1);
  if (tag) {
    const written = `--${tag.flag}`;
    return usage(`Cannot use option "${written}" before a command: write ${written}=${path.at(-1)}`, before);
  }
  return await mistakes((m) => m.unknownCommand(path));
}

/** The first tag option that only a plugin can have. */
function pluginFlag({ tags }: Scan): string | undefined {
  const open = tags.find(({ known }) => !known);
  return open && `--${open.flag}`;
}

/** Tag options that are on, their next words counted without the command's own. */
function tagOptions({ tags, given }: Scan, pathLength: number): TagOption[] {
  return tags
    .filter(({ flag, value }) => !isOption(flag) || value !== undefined || given.flag(flag))
    .map(({ next, ...tag }) =>
      next === undefined || next < pathLength ? tag : { ...tag, next: next - pathLength }
    );
}

/** User and password come together, and the password from one place. */
function checkAccess({ path }: Command, given: GivenOptions): void {
  const has = (name: OptionName) => [...given.names()].includes(name);
  const fromStdin = given.flag("registry-password-stdin");
  if (fromStdin && has("registry-password")) {
    throw usage(
      'Cannot use option "--registry-password" with "--registry-password-stdin": give one of them',
      path,
    );
  }
  const password = fromStdin || has("registry-password");
  if (password && !has("registry-username")) {
    throw usage("Cannot use a registry password without user: give --registry-username as well", path);
  }
  if (!password && has("registry-username")) {
    const advice = "give --registry-password-stdin or --registry-password as well";
    throw usage(`Cannot use option "--registry-username" without a password: ${advice}`, path);
  }
}

/** A usage error that leads to the help of `path`. */
export function usage(message: string, path: string): EngineError {
  return new EngineError("USAGE", message, { fix: `Run: dapp ${path === "" ? "" : `${path} `}--help` });
}

function scan(args: readonly string[]): Scan {
  const found: Scan = {
    words: [],
    given: new GivenOptions(),
    unknown: [],
    tags: [],
    wrong: [],
    rest: undefined,
  };
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") {
      found.rest = args.slice(i + 1);
      break;
    }
    if (arg.startsWith("--")) i += long(found, arg, args[i + 1]);
    else if (arg.startsWith("-") && arg !== "-") i += short(found, arg, args[i + 1]);
    else found.words.push(arg);
  }
  return found;
}

/** Takes `--name`, `--name=value`, `--no-name`; returns how many further words it used. */
function long(found: Scan, arg: string, next: string | undefined): 0 | 1 {
  const cut = arg.indexOf("=");
  const written = cut < 0 ? arg : arg.slice(0, cut);
  const value = cut < 0 ? undefined : arg.slice(cut + 1);
  const name = written.slice(2);
  if (isOption(name)) return take(found, name, written, value, next);
  if (name.startsWith("no-") && value === undefined) {
    const positive = name.slice(3);
    if (isOption(positive)) {
      const { value: takesValue, negative } = optionSpec(positive);
      const off = negative ?? (takesValue ? undefined : "false");
      if (off !== undefined) {
        found.given.add(positive, off);
        return 0;
      }
    }
  }
  if (isTagOption(name)) {
    const word = value === undefined && next !== undefined && !isOptionLike(next);
    found.tags.push({
      flag: name,
      known: false,
      ...(value !== undefined && { value }),
      ...(word && { next: found.words.length }),
    });
  } else found.unknown.push({ written, next: found.words.length });
  return 0;
}

/** Takes `-q`, `-qv`, `-e VALUE`, `-eVALUE`, `-e=VALUE`. */
function short(found: Scan, arg: string, next: string | undefined): 0 | 1 {
  for (let i = 1; i < arg.length; i++) {
    const letter = arg[i]!;
    const name = byLetter(letter);
    if (!name) {
      // A group such as -it is one word to whoever wrote it, but -p may have a password attached.
      const written = i === 1 && letter !== "p" ? arg : `-${letter}`;
      found.unknown.push({ written, next: found.words.length });
      return 0;
    }
    if (!optionSpec(name).value) {
      found.given.add(name, "true");
      continue;
    }
    const attached = arg.slice(i + 1);
    const value = attached === "" ? undefined : attached.startsWith("=") ? attached.slice(1) : attached;
    return take(found, name, `-${letter}`, value, next);
  }
  return 0;
}

function take(
  found: Scan,
  name: OptionName,
  written: string,
  attached: string | undefined,
  next: string | undefined,
): 0 | 1 {
  const spec = optionSpec(name);
  if (!spec.value) {
    if (attached !== undefined) {
      const shown = spec.secret ? written : `${written}=${attached}`;
      found.wrong.push(`Cannot use option "${shown}": it takes no value`);
    }
    found.given.add(name, "true");
    if (isTagOption(name)) found.tags.push({ flag: name, known: true });
    return 0;
  }
  const value = attached ?? (spec.optional ? undefined : next);
  if (value === undefined && spec.optional) {
    found.given.add(name, "");
    return 0;
  }
  const used = attached === undefined && value !== undefined ? 1 : 0;
  if (value === undefined || (used && isOptionLike(value))) {
    const after = value === undefined
      ? ""
      : spec.secret
      ? `. If it begins with "-", write ${written}=${spec.value}`
      : `. If "${value}" is meant, write ${written}=${value}`;
    found.wrong.push(`Cannot use option "${written}": it needs a value, ${spec.value}${after}`);
    // A secret is not looked at again, lest it be reported as an option.
    return spec.secret ? used : 0;
  }
  const wrong = problemOf(spec, value);
  if (wrong) found.wrong.push(`Cannot use option "${written}" with "${value}": ${wrong}`);
  found.given.add(name, value);
  if (isTagOption(name)) found.tags.push({ flag: name, known: true, value });
  return used;
}

function isOptionLike(word: string): boolean {
  return word.startsWith("-") && word !== "-";
}

/** What is wrong with a value, as the end of a sentence. */
function problemOf(spec: OptionSpec, value: string): string | undefined {
  switch (spec.check) {
    case "count":
      return /^[1-9]\d{0,5}$/.test(value) ? undefined : "wanted is a whole number from 1";
    case "seconds":
      return /^\d{1,9}$/.test(value) ? undefined : "wanted is a whole number of seconds";
    case "variable":
      return /^[^=]+(=|$)/.test(value) ? undefined : "wanted is NAME=VALUE or NAME";
    case "host":
      return /^([\w.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/.test(value)
        ? undefined
        : "wanted is a host, with its port if it has one, such as localhost:5000";
    case "compression":
      return parseCompression(value)
        ? undefined
        : "wanted is gzip, gzip:2 to gzip:9, zstd, or zstd:1 to zstd:19";
  }
  if (spec.values && !spec.values.includes(value)) {
    return `wanted is ${spec.values.length > 1 ? `one of ${spec.values.join(", ")}` : spec.values[0]}`;
  }
  return value === "" && !spec.empty ? `the value is empty, wanted is ${spec.value}` : undefined;
}

/** `gzip`, `gzip:6`, `zstd:19`; undefined for anything else. */
export function parseCompression(text: string): { kind: "gzip" | "zstd"; level: number } | undefined {
  const match = /^(gzip|zstd)(?::(\d{1,2}))?$/.exec(text);
  if (!match) return undefined;
  const kind = match[1] === "zstd" ? "zstd" : "gzip";
  const level = match[2] === undefined ? (kind === "gzip" ? 4 : 3) : Number(match[2]);
  const [low, high] = kind === "gzip" ? [2, 9] : [1, 19];
  return level >= low && level <= high ? { kind, level } : undefined;
}

/** Gives words to positionals: required ones at the end first, then from the left. */
async function assign(
  command: Command,
  words: readonly string[],
): Promise<Record<string, readonly string[]>> {
  const out: Record<string, readonly string[]> = {};
  const left = [...words];
  const { positionals } = command;
  const last = positionals.at(-1);
  if (last?.required) {
    const word = left.pop();
    if (word === undefined) {
      throw usage(`Cannot run dapp ${command.path}: ${last.name} is missing`, command.path);
    }
    out[last.name] = [word];
  }
  for (const { name, many, required } of positionals) {
    if (required) continue;
    const taken = left.splice(0, many ? left.length : 1);
    if (taken.length > 0) out[name] = taken;
  }
  const extra = left.length > 0 ? words[positionals.length] : undefined;
  if (extra !== undefined) throw await mistakes((m) => m.extraWord(command, words, extra));
  return out;
}

function isOption(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

function byLetter(letter: string): OptionName | undefined {
  return (Object.keys(options) as OptionName[]).find((name) => optionSpec(name).short === letter);
}

/** Advice on mistakes is loaded only when there is one. */
async function mistakes(make: (module: typeof import("./mistakes.ts")) => EngineError): Promise<EngineError> {
  return make(await load<typeof import("./mistakes.ts")>("./mistakes.ts", import.meta.url));
}
