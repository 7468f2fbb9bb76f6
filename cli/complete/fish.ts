import type { CommandTable } from "../command.ts";
import { destinations, repos, stageNames } from "../options.ts";
import {
  argumentKinds,
  type CompletedOption,
  type Place,
  places,
  PLUGIN_OPTIONS,
  pluginPlaces,
  valueOptions,
  type WordKind,
} from "./model.ts";

/** The completion script for fish. */
export function fishScript(table: CommandTable): string {
  const all = places(table);
  return `# fish completion for dapp. Load it with: dapp completion fish | source

# Sets __dapp_place and __dapp_given from the words before the cursor; fails after "--".
function __dapp_scan
    set -g __dapp_place ''
    set -g __dapp_given
    set -g __dapp_where
    set -l want ''
    for word in (commandline -opc)[2..-1]
        if test -n "$want"
            contains -- $want --dir -C; and set -g __dapp_where --dir $word
            set want ''
            continue
        end
        switch $word
            case --
                return 1
            case '--dir=*'
                set -g __dapp_where $word
            case ${valueOptions().flatMap(({ written }) => written).join(" ")}
                set want $word
            case '-*'
            case '*'
                set -l next (string trim "$__dapp_place $word")
                if test (count $__dapp_given) -eq 0; and contains -- $next ${
    all.filter(({ path }) => path !== "").map(({ path }) => quote(path)).join(" ")
  }
                    set -g __dapp_place $next
                else
                    set -a __dapp_given $word
                end
        end
    end
    return 0
end

# Whether the cursor is at a place in the command tree.
function __dapp_at
    __dapp_scan; and test "$__dapp_place" = "$argv[1]"
end

# The same, with a word that starts like an option.
function __dapp_option_at
    string match -q -- '-*' (commandline -ct); and __dapp_at $argv[1]
end

# The same, with so many arguments before the cursor.
function __dapp_argument
    __dapp_at $argv[1]; and test (count $__dapp_given) -eq $argv[2]
end

# Whether the arguments of "dapp help" lead to a place.
function __dapp_help
    __dapp_at help; and test "$__dapp_given" = "$argv[1]"
end

function __dapp_dimgs
    __dapp_scan; and command dapp dimg list -q $__dapp_where 2>/dev/null
end

# The flags that plugins of the project add to a command.
function __dapp_plugin_options
    __dapp_scan; and command dapp $argv $__dapp_where --help 2>/dev/null | ${PLUGIN_OPTIONS}
end

complete -c dapp -f
complete -c dapp -n 'not __dapp_scan' -F
${all.flatMap(placeLines).join("\n")}
${pluginPlaces(all).map(pluginLine).join("\n")}
`;
}

function placeLines(place: Place): string[] {
  const { path, words, options } = place;
  const at = `-n ${quote(`__dapp_at '${path}'`)}`;
  return [
    ...words.flatMap(({ word, summary }) => [
      `complete -c dapp ${at} -a ${word} -d ${quote(summary)}`,
      `complete -c dapp -n ${quote(`__dapp_help '${path}'`)} -a ${word} -d ${quote(summary)}`,
    ]),
    ...options.flatMap((option) => optionLines(option, path)),
    ...argumentLines(place),
  ];
}

function pluginLine(path: string): string {
  return `complete -c dapp -n ${quote(`__dapp_option_at '${path}'`)} -a '(__dapp_plugin_options ${path})'`;
}

function optionLines({ name, short, summary, value, attached }: CompletedOption, path: string): string[] {
  const at = `-n ${quote(`__dapp_at '${path}'`)}`;
  const attachedAt = `-n ${quote(`__dapp_option_at '${path}'`)}`;
  const names = `-l ${name}${short ? ` -s ${short}` : ""}`;
  const description = `-d ${quote(summary)}`;
  const line = (rest: string) => `complete -c dapp ${at} ${names}${rest} ${description}`;
  if (attached && Array.isArray(value)) {
    return [line(""), ...value.map((v) => `complete -c dapp ${attachedAt} -a ${quote(`--${name}=${v}`)}`)];
  }
  if (value === "none") return [line("")];
  if (value === "file") return [line(" -r -F")];
  if (value === "directory") return [line(" -x -a '(__fish_complete_directories)'")];
  if (value === "stage") return [line(` -x -a ${quote(stageNames.join(" "))}`)];
  return [line(Array.isArray(value) ? ` -x -a ${quote(value.join(" "))}` : " -x")];
}

function argumentLines(place: Place): string[] {
  const { path } = place;
  return argumentKinds(place).flatMap(({ before, kinds }) => {
    const when = before === "*" ? `__dapp_at '${path}'` : `__dapp_argument '${path}' ${before}`;
    return kinds.flatMap((kind) => {
      const what = candidates[kind];
      return what === undefined ? [] : [`complete -c dapp -n ${quote(when)} -a ${what}`];
    });
  });
}

const candidates: Readonly<Record<WordKind, string | undefined>> = {
  dimg: "'(__dapp_dimgs)'",
  stage: quote(stageNames.join(" ")),
  shell: "'bash zsh fish'",
  destination: quote(destinations.join(" ")),
  repo: quote(repos.join(" ")),
  command: undefined,
  text: undefined,
};

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
