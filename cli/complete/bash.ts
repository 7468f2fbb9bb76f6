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

/** The completion script for bash; needs no bash-completion package. */
export function bashScript(table: CommandTable): string {
  const all = places(table);
  return `# bash completion for dapp. Load it with: source <(dapp completion bash)

# The words that lead on from a place in the command tree.
__dapp_words() {
  case "$1" in
${all.filter(({ words }) => words.length > 0).map(wordsCase).join("\n")}
  esac
}

# The options at a place.
__dapp_options() {
  case "$1" in
${all.map(optionsCase).join("\n")}
  esac
}

# What the next argument of a command may be; "$2" counts the arguments before it.
__dapp_kinds() {
  case "$1/$2" in
${all.flatMap(kindCases).join("\n")}
  esac
}

__dapp_stages() { echo ${stageNames.join(" ")}; }

# Adds the lines that a command prints to the candidates.
__dapp_found() {
  local candidate
  while IFS= read -r candidate; do found+=("$candidate"); done < <("$@" 2>/dev/null)
}

# The flags that plugins of the project add to a command.
__dapp_plugin_options() {
  case "$2" in
    ${
    pluginPlaces(all).map((path) => `"${path}"`).join(" | ")
  }) "$1" $2 "\${@:3}" --help | ${PLUGIN_OPTIONS} ;;
  esac
}

_dapp() {
  local line="\${COMP_LINE:0:COMP_POINT}" path="" given="" want="" prefix="" count=0 i word kind cur typed
  local -a words=() where=() found=()
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  typed="\${words[\${#words[@]}-1]}"
  cur="$typed"
  COMPREPLY=()
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word="\${words[i]}"
    if [[ -n $want ]]; then
      case "$want" in --dir | -C) where=(--dir "$word") ;; esac
      want=""
      continue
    fi
    case "$word" in
      --)
        want="--"
        break
        ;;
      --dir=*) where=("$word") ;;
      ${valueOptions().flatMap(({ written }) => written).join(" | ")}) want="$word" ;;
      -*) ;;
      *)
        if ((count == 0)) && __dapp_words "$path" | tr ' ' '\\n' | grep -Fqx -e "$word"; then
          path="\${path:+$path }$word"
        else
          given="\${given:+$given }$word"
          ((count++))
        fi
        ;;
    esac
  done
  if [[ -z $want && $cur == --*=* ]]; then
    want="\${cur%%=*}"
    prefix="$want="
    cur="\${cur#*=}"
  fi
  case "$want" in
${valueCases()}
    "")
      if [[ $cur == -* ]]; then
        found=($(__dapp_options "$path"))
        [[ --tag- == "$cur"* || $cur == --tag-* ]] && __dapp_found __dapp_plugin_options "\${words[0]}" "$path" "\${where[@]}"
      else
        found=($(__dapp_words "$path"))
        for kind in $(__dapp_kinds "$path" "$count"); do
          case "$kind" in
            dimg) __dapp_found "\${words[0]}" dimg list -q "\${where[@]}" ;;
            stage) found+=($(__dapp_stages)) ;;
            shell) found+=(bash zsh fish) ;;
            destination) found+=(${destinations.join(" ")}) ;;
            repo) found+=(${repos.join(" ")}) ;;
            command) found+=($(__dapp_words "$given")) ;;
          esac
        done
      fi
      ;;
  esac
  # Readline replaces only what follows the last of these characters.
  local break="" char
  for char in : =; do
    if [[ $COMP_WORDBREAKS == *"$char"* && $typed == *"$char"* ]]; then
      word="\${typed%"\${typed##*"$char"}"}"
      ((\${#word} > \${#break})) && break="$word"
    fi
  done
  for word in "\${found[@]}"; do
    [[ $word == "$cur"* ]] || continue
    word="$prefix$word"
    COMPREPLY+=("\${word#"$break"}")
  done
}

complete -F _dapp dapp
`;
}

function wordsCase({ path, words }: Place): string {
  return `    "${path}") echo ${words.map(({ word }) => word).join(" ")} ;;`;
}

function optionsCase({ path, options }: Place): string {
  return `    "${path}") echo ${
    options.flatMap(offered).filter((word) => word.startsWith("--")).join(" ")
  } ;;`;
}

function kindCases(place: Place): string[] {
  return argumentKinds(place).map(({ before, kinds }) =>
    `    "${place.path}/"${before}) echo ${kinds.join(" ")} ;;`
  );
}

function valueCases(): string {
  const rows = valueOptions().map(({ option, written }) =>
    `    ${written.join(" | ")}) ${valueCase(option)} ;;`
  );
  return [...rows, `    --json) found=(events) ;;`, `    --) ${paths("-f")} ;;`].join("\n");
}

function valueCase({ value }: CompletedOption): string {
  if (value === "directory") return paths("-d");
  if (value === "file") return paths("-f");
  if (value === "stage") return "found=($(__dapp_stages))";
  return Array.isArray(value) ? `found=(${value.join(" ")})` : "return";
}

/** Names of files or directories, which readline quotes as needed. */
function paths(kind: "-f" | "-d"): string {
  return `compopt -o filenames 2>/dev/null; __dapp_found compgen ${kind} -- "$cur"`;
}
