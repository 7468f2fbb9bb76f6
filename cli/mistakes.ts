/** Usage errors that know what was probably meant. */
import { EngineError } from "../core/contract/errors.ts";
import { suggest } from "../lib/suggest.ts";
import { type OptionName, optionNames, optionSpec } from "./options.ts";
import { commandOptions, type CommandSpec, type CommandTable } from "./command.ts";
import { dockerBuildOptions, formerCommands, formerOptions, formerPlaces } from "./former.ts";
import { usage } from "./usage.ts";

/** What options of `docker run` are called here, which the old tool passed on. */
const dockerOptions: readonly { readonly written: RegExp; readonly advice: string }[] = [
  { written: /^-[it]+$|^--(rm|tty|interactive)$/, advice: "leave it out, it is always so" },
  { written: /^(-p|--publish)$/, advice: "the command uses this machine's network with --network host" },
  { written: /^--mount$/, advice: "use --volume SOURCE:TARGET" },
];

/** What docker calls options that have longer names here. */
const dockerNames: Readonly<Record<string, OptionName>> = {
  "-t": "tag",
  "-f": "config",
  "-j": "parallel",
  "-p": "registry-password",
  "--password": "registry-password",
  "--password-stdin": "registry-password-stdin",
  "--username": "registry-username",
};

/** No command has the words `path`, whose last word is the first unknown one. */
export function unknownCommand(path: readonly string[], table: CommandTable): EngineError {
  const { groups, commands } = table;
  const word = path.at(-1)!;
  const parent = path.slice(0, -1).join(" ");
  const former = Object.hasOwn(formerCommands, path.join(" ")) ? formerCommands[path.join(" ")] : undefined;
  if (former !== undefined) {
    return new EngineError("USAGE", `Cannot find command "dapp ${path.join(" ")}"`, { fix: former });
  }
  const inside = [...groups, ...commands].map(({ path }) => path).filter((p) => parentOf(p) === parent);
  const meant = guess(word, parent, inside, table);
  const there = inside.map((p) => p.split(" ").at(-1)).join(", ");
  const advice = meant.length > 0
    ? `Did you mean: ${meant.map((p) => `dapp ${p}`).join(" or ")}?`
    : `The commands here are ${there}`;
  return usage(`Cannot find command "dapp ${path.join(" ")}". ${advice}`, parent);
}

/** The command or commands that were probably meant: the same word elsewhere, then a similar word here, then anywhere. */
function guess(
  word: string,
  parent: string,
  inside: readonly string[],
  table: CommandTable,
): readonly string[] {
  const { groups, commands } = table;
  const paths = [...commands, ...groups].map(({ path }) => path);
  const same = paths.filter((path) => `-${path.replaceAll(" ", "-")}`.endsWith(`-${word}`));
  if (same.length > 1) return same.flatMap((path) => commandsAt(path, table));
  if (same.length > 0) return same;
  if (word.includes("/") && inside.includes(`${parent} repo`)) return [`${parent} repo ${word}`];
  const near = suggest(word, inside.map(lastWord));
  if (near !== undefined) return [onlyCommandAt(parent === "" ? near : `${parent} ${near}`, table)];
  const far = suggest(word, paths.map(lastWord));
  return paths.filter((path) => lastWord(path) === far).map((path) => onlyCommandAt(path, table));
}

/** The command of this path and those below it. */
function commandsAt(path: string, { commands }: CommandTable): readonly string[] {
  return commands.map((command) => command.path).filter((each) => `${each} `.startsWith(`${path} `));
}

/** The command that is meant by words that lead to no other; else these words. */
function onlyCommandAt(path: string, table: CommandTable): string {
  const [only, ...others] = commandsAt(path, table);
  return only !== undefined && others.length === 0 ? only : path;
}

function parentOf(path: string): string {
  return path.split(" ").slice(0, -1).join(" ");
}

function lastWord(path: string): string {
  return path.split(" ").at(-1)!;
}

/** An option that is not in the table. */
export function unknownOption(written: string, command: CommandSpec | undefined, path: string): EngineError {
  const where = path === "" ? "dapp" : `dapp ${path}`;
  const name = written.replace(/^--/, "").replace(/=.*$/s, "");
  if (Object.hasOwn(formerOptions, name) || Object.hasOwn(dockerBuildOptions, name)) {
    const fix = formerOptions[name] ?? dockerBuildOptions[name]!;
    const message = `Cannot use option "${written.replace(/=.*$/s, "")}": ${where} has no such option`;
    return new EngineError("USAGE", `${message}${Object.hasOwn(formerOptions, name) ? " any more" : ""}`, {
      fix,
    });
  }
  const known = command ? commandOptions(command) : optionNames;
  const docker = command?.path === "dimg run" && dockerOptions.find((row) => row.written.test(written));
  const named = dockerNames[written];
  const near = named && known.includes(named)
    ? named
    : written.startsWith("--")
    ? suggest(written.slice(2), known)
    : undefined;
  const advice = docker
    ? `: ${docker.advice}`
    : near
    ? `. Did you mean "--${near}"?`
    : named && command?.path === "dimg build"
    ? `. Did you mean: dapp dimg bp --${named}?`
    : command?.rest
    ? `, and those of ${command.rest} come after "--"`
    : "";
  return usage(`Cannot use option "${written}": ${where} has no such option${advice}`, path);
}

/** An option that exists, but not for this command. */
export function misplacedOption(
  name: OptionName,
  command: CommandSpec,
  { commands }: CommandTable,
): EngineError {
  const former = formerPlaces[`${command.path} --${name}`];
  if (former !== undefined) {
    const message = `Cannot use option "--${name}": dapp ${command.path} has no such option any more`;
    return new EngineError("USAGE", message, { fix: former });
  }
  const owners = commands.filter((c) => commandOptions(c).includes(name)).map(({ path }) => `dapp ${path}`);
  const near = suggest(name, commandOptions(command));
  const below = owners.find((owner) => owner.startsWith(`dapp ${command.path} `)) ??
    (command.path === "dimg build" ? owners.find((owner) => owner === "dapp dimg bp") : undefined);
  const advice = below
    ? `. Did you mean: ${below}?`
    : near
    ? `. Did you mean "--${near}"?`
    : `, it belongs to ${listed(owners)}`;
  const { short } = optionSpec(name);
  const written = short ? `--${name}" (-${short})` : `--${name}"`;
  return usage(
    `Cannot use option "${written}: dapp ${command.path} has no such option${
      owners.length > 0 ? advice : ""
    }`,
    command.path,
  );
}

/** More words than the command takes. */
export function extraWord(
  command: CommandSpec,
  words: readonly string[],
  extra: string,
  table: CommandTable,
): EngineError {
  if (command.rest) {
    const start = words.slice(0, words.indexOf(extra)).join(" ");
    const rest = words.slice(words.indexOf(extra)).join(" ");
    const volume = /^\/[^:]*:\//.test(extra) ? `, or --volume ${extra}` : "";
    return usage(
      `Cannot use argument "${extra}": a command comes after "--". ` +
        `Did you mean: dapp ${command.path} ${start} -- ${rest}${volume}?`,
      command.path,
    );
  }
  const taken = command.positionals.map(({ name }) => name);
  const takes = taken.length === 0 ? "takes no arguments" : `takes no more than ${taken.join(" and ")}`;
  const deeper = commandsAt(command.path, table).filter((path) => path !== command.path);
  const near = suggest(extra, deeper.map(lastWord));
  const meant = near === undefined ? deeper[0] : deeper.find((path) => lastWord(path) === near);
  const rest = near === undefined ? words : words.filter((word) => word !== extra);
  const advice = meant ? `. Did you mean: dapp ${[meant, ...rest].join(" ")}?` : "";
  return usage(`Cannot use argument "${extra}": dapp ${command.path} ${takes}${advice}`, command.path);
}

/** A tag option that is in no table and that no plugin has. `flags` are all there are. */
export function unknownTag(flag: string, flags: readonly string[], command: CommandSpec): EngineError {
  const near = suggest(flag, flags);
  const advice = near
    ? `Did you mean "--${near}"?`
    : `The tag options are ${flags.map((name) => `--${name}`).join(", ")}`;
  return usage(
    `Cannot use option "--${flag}": dapp ${command.path} has no such option, and no plugin adds it. ${advice}`,
    command.path,
  );
}

/** No word is REPO, and neither --repo nor the dappfile names one. */
export function missingRepo(
  { path, examples: [{ command }] }: CommandSpec,
  place: "first" | "last" = "last",
): EngineError {
  return usage(
    `Cannot run dapp ${path}: REPO is missing. Give it as the ${place} word, with --repo, or as \`repo:\` in the ` +
      `dappfile, such as: ${command}`,
    path,
  );
}

/** A word that looks like a REPO, while REPO is known already and no dimg is called so. */
export function secondRepo(word: string, from: string, { path }: CommandSpec): EngineError {
  const advice = from === "--repo" ? "leave one of them out" : `use --repo ${word} for another one`;
  return usage(`Cannot use argument "${word}": REPO is given by ${from} already, ${advice}`, path);
}

function listed(names: readonly string[]): string {
  return names.length <= 3 ? names.join(", ") : `${names.slice(0, 3).join(", ")} and others`;
}
