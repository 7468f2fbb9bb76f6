/** Words and options of a command line, by what the table of options says; the command is not looked at. */
import {
  isOption,
  isTagOption,
  type OptionName,
  optionNames,
  type OptionSpec,
  optionSpec,
} from "./options.ts";
import { GivenOptions, type TagOption } from "./command.ts";
import { didYouMean } from "../lib/suggest.ts";
import { unreachable } from "../lib/unreachable.ts";

/** What a command line says before it is known which command it is. */
export interface Scan {
  readonly words: string[];
  readonly given: GivenOptions;
  /** Options that are not in the table, as they were written, with the number of words before them. */
  readonly unknown: { readonly written: string; readonly next: number }[];
  readonly tags: TagOption[];
  /** What is wrong with options that exist; the first one is reported, unless help was asked for. */
  readonly wrong: string[];
  rest: readonly string[] | undefined;
}

/** Tells words and options apart. Options may stand anywhere before `--`; nothing is thrown, what is wrong is kept. */
export function scan(args: readonly string[]): Scan {
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
      const apart = spec.word
        ? `, ${spec.word} is a word of its own: ${written} ${attached || spec.word}`
        : "";
      found.wrong.push(`Cannot use option "${shown}": it takes no value${apart}`);
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
        : `wanted is gzip, gzip:2 to gzip:9, zstd, or zstd:1 to zstd:19${
          didYouMean(value, ["gzip", "zstd"])
        }`;
    case undefined:
      break;
    default:
      return unreachable(spec.check);
  }
  if (spec.values && !spec.values.includes(value)) {
    const wanted = spec.values.length > 1 ? `one of ${spec.values.join(", ")}` : spec.values[0];
    return `wanted is ${wanted}${didYouMean(value, spec.values)}`;
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

function byLetter(letter: string): OptionName | undefined {
  return optionNames.find((name) => optionSpec(name).short === letter);
}
