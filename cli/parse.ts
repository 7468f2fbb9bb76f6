/** From what was written to a command with its options. Every mistake is an error; nothing is guessed. */
import type { EngineError } from "../core/contract/errors.ts";
import { isOption, type OptionName } from "./options.ts";
import { type Scan, scan } from "./scan.ts";
import {
  commandOptions,
  type CommandSpec,
  type CommandTable,
  findCommand,
  type GivenOptions,
  type HelpWanted,
  type Parsed,
  type TagOption,
  takesRepo,
  takesTags,
} from "./command.ts";
import { usage } from "./usage.ts";

/**
 * Parses a command line. Options may stand anywhere before `--`: `dapp --dir x dimg build` equals
 * `dapp dimg build --dir=x`.
 *
 * @throws USAGE
 */
export async function parseArgs(args: readonly string[], table: CommandTable): Promise<Parsed | HelpWanted> {
  const { groups } = table;
  const found = scan(args);
  const { words, given } = found;
  const path: string[] = [];
  const joined = () => path.join(" ");
  while (path.length < words.length && (path.length === 0 || groups.some((g) => g.path === joined()))) {
    path.push(words[path.length]!);
    if (!findCommand(table, joined()) && !groups.some((g) => g.path === joined())) {
      throw await strayWord(found, path, table);
    }
  }
  // Some commands lead on to others: dimg cleanup, dimg cleanup repo.
  while (path.length < words.length && findCommand(table, `${joined()} ${words[path.length]}`)) {
    path.push(words[path.length]!);
  }
  const help = (helpFor: string, asked: boolean): HelpWanted => ({ helpFor, asked, options: given });
  if (given.flag("help")) return help(joined(), true);
  const command = findCommand(table, path.length === 0 && given.flag("version") ? "version" : joined());
  const unknown = found.unknown[0]?.written ??
    (command && takesTags(command) ? undefined : pluginFlag(found));
  if (unknown) throw await mistakes((m) => m.unknownOption(unknown, command, joined()));
  if (found.wrong[0]) throw usage(found.wrong[0], joined());
  if (!command) return help(joined(), false);
  for (const name of given.names()) {
    if (name === "version" && path.length === 0) continue;
    if (!commandOptions(command).includes(name)) {
      throw await mistakes((m) => m.misplacedOption(name, command, table));
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
    words: takesRepo(command) ? {} : await assign(command, own, table),
    loose: takesRepo(command) ? own : [],
    tags: tagOptions(found, path.length),
    rest: found.rest ?? [],
  };
}

/** A word that should have been a command. What follows an unknown option may be its value, which may be a secret. */
async function strayWord(
  found: Scan,
  path: readonly string[],
  table: CommandTable,
): Promise<EngineError> {
  const before = path.slice(0, -1).join(" ");
  const option = found.unknown.find(({ next }) => next === path.length - 1);
  if (option) return await mistakes((m) => m.unknownOption(option.written, undefined, before));
  const tag = found.tags.find(({ next }) => next === path.length - 1);
  if (tag) {
    const written = `--${tag.flag}`;
    return usage(`Cannot use option "${written}" before a command: write ${written}=${path.at(-1)}`, before);
  }
  return await mistakes((m) => m.unknownCommand(path, table));
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

/** No password without its user, and from one place; what is only read is named. */
function checkAccess(command: CommandSpec, given: GivenOptions): void {
  const { path } = command;
  const has = (name: OptionName) => [...given.names()].includes(name);
  if (given.flag("repo-read-only") && !has("repo") && !takesRepo(command)) {
    throw usage('Cannot use option "--repo-read-only" without REPO: give --repo as well', path);
  }
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
}

/** Gives words to positionals: required ones first, wherever they stand, then the others from the left. */
async function assign(
  command: CommandSpec,
  words: readonly string[],
  table: CommandTable,
): Promise<Record<string, readonly string[]>> {
  const out: Record<string, readonly string[]> = {};
  const { positionals } = command;
  let spare = words.length - positionals.filter(({ required }) => required).length;
  let at = 0;
  for (const { name, many, required } of positionals) {
    const count = required ? 1 : many ? Math.max(0, spare) : Math.min(1, Math.max(0, spare));
    const taken = words.slice(at, at + count);
    if (required && taken.length === 0) {
      throw usage(`Cannot run dapp ${command.path}: ${name} is missing`, command.path);
    }
    if (!required) spare -= count;
    at += count;
    if (taken.length > 0) out[name] = taken;
  }
  const extra = at < words.length ? words[positionals.length] : undefined;
  if (extra !== undefined) throw await mistakes((m) => m.extraWord(command, words, extra, table));
  return out;
}

/** Advice on mistakes is loaded only when there is one. */
async function mistakes(make: (module: typeof import("./mistakes.ts")) => EngineError): Promise<EngineError> {
  return make(await import("./mistakes.ts"));
}
