import type { CommandTable } from "../command.ts";
import { destinations, repos, stageNames } from "../options.ts";
import {
  argumentKinds,
  type CompletedOption,
  offered,
  type Place,
  places,
  PLUGIN_OPTIONS,
  pluginPlaces,
  valueOptions,
} from "./model.ts";

/** The completion script for zsh: to be sourced, or kept as a file `_dapp` in $fpath. */
export function zshScript(table: CommandTable): string {
  const all = places(table);
  return `#compdef dapp
# zsh completion for dapp. Load it with: source <(dapp completion zsh)

# The words that lead on from a place in the command tree, with what they do.
__dapp_words() {
  reply=()
  case "$1" in
${all.filter(({ words }) => words.length > 0).map(wordsCase).join("\n")}
  esac
}

# The options at a place.
__dapp_options() {
  reply=()
  case "$1" in
${all.map(optionsCase).join("\n")}
  esac
}

# What the next argument of a command may be; "$2" counts the arguments before it.
__dapp_kinds() {
  reply=()
  case "$1/$2" in
${all.flatMap(kindCases).join("\n")}
  esac
}

__dapp_stages=(${stageNames.join(" ")})

_dapp() {
  local cur="$words[CURRENT]" place="" given="" want="" word
  local -i count=0 i
  local -a where reply names
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    if [[ -n $want ]]; then
      [[ $want == (--dir|-C) ]] && where=(--dir "$word")
      want=""
      continue
    fi
    case "$word" in
      --)
        _files
        return
        ;;
      --dir=*) where=("$word") ;;
      ${valueOptions().flatMap(({ written }) => written).join(" | ")}) want="$word" ;;
      -*) ;;
      *)
        __dapp_words "$place"
        if ((count == 0)) && [[ -n \${(M)reply:#\${word}:*} ]]; then
          place="\${place:+$place }$word"
        else
          given="\${given:+$given }$word"
          ((count++))
        fi
        ;;
    esac
  done
  if [[ -z $want && $cur == --*=* ]]; then
    want="\${cur%%=*}"
    compset -P '*='
  fi
  case "$want" in
${valueCases()}
  esac
  if [[ $cur == -* ]]; then
    __dapp_options "$place"
    [[ --tag- == "$cur"* || $cur == --tag-* ]] && case "$place" in
      ${pluginPlaces(all).map((path) => `"${path}"`).join(" | ")})
        reply+=(\${(f)"$("$words[1]" \${=place} "\${where[@]}" --help 2>/dev/null | ${PLUGIN_OPTIONS})"})
        ;;
    esac
    _describe -o option reply
    return
  fi
  __dapp_words "$place"
  ((\${#reply})) && _describe command reply
  __dapp_kinds "$place" "$count"
  for word in "\${reply[@]}"; do
    case "$word" in
      dimg)
        names=("\${(@f)$("$words[1]" dimg list -q "\${where[@]}" 2>/dev/null)}")
        compadd -a names
        ;;
      stage) compadd -a __dapp_stages ;;
      shell) compadd bash zsh fish ;;
      destination) compadd -S '' ${destinations.join(" ")} ;;
      repo) compadd -S '' ${repos.join(" ")} ;;
      command)
        __dapp_words "$given"
        _describe command reply
        ;;
    esac
  done
}

if [[ "$funcstack[1]" == _dapp ]]; then
  _dapp "$@"
else
  compdef _dapp dapp
fi
`;
}

/** `word:summary` in single quotes. */
function described(word: string, summary: string): string {
  return `'${`${word.replaceAll(":", "\\:")}:${summary}`.replaceAll("'", "'\\''")}'`;
}

function wordsCase({ path, words }: Place): string {
  return `    "${path}") reply=(${words.map(({ word, summary }) => described(word, summary)).join(" ")}) ;;`;
}

function optionsCase({ path, options }: Place): string {
  const rows = options.flatMap((option) => offered(option).map((word) => described(word, option.summary)));
  return `    "${path}") reply=(${rows.join(" ")}) ;;`;
}

function kindCases(place: Place): string[] {
  return argumentKinds(place).map(({ before, kinds }) =>
    `    "${place.path}/"${before}) reply=(${kinds.join(" ")}) ;;`
  );
}

function valueCases(): string {
  const rows = valueOptions().map(({ option, written }) =>
    `    ${written.join(" | ")}) ${valueCase(option)}; return ;;`
  );
  return [...rows, "    --json) compadd events; return ;;"].join("\n");
}

function valueCase({ value }: CompletedOption): string {
  if (value === "directory") return "_files -/";
  if (value === "file") return "_files";
  if (value === "stage") return "compadd -a __dapp_stages";
  return Array.isArray(value) ? `compadd ${value.join(" ")}` : `_message 'a value'`;
}
