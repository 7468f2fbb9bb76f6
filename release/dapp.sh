#!/bin/sh
# Starts dapp with the Deno that was installed with it. Node.js takes no part: its start would take longer than dapp's.
self=$0
# The links that npm makes, in node_modules/.bin and in PREFIX/bin, are followed without starting readlink.
for to in "${self%/*}/../@dapp/dapp/bin/dapp" "${self%/*}/../lib/node_modules/@dapp/dapp/bin/dapp"; do
  [ -h "$self" ] && [ "$self" -ef "$to" ] && self=$to
done
while [ -h "$self" ]; do
  to=$(readlink "$self")
  case $to in
    /*) self=$to ;;
    *) self=${self%/*}/$to ;;
  esac
done
case $self in
  */*) package=${self%/*}/.. ;;
  *) package=.. ;;
esac
export DENO_NO_UPDATE_CHECK=1
# Commands without change end before 8 MB are full, so that V8 collects no garbage. What dapp starts of Deno has the same
# flags from its environment, as what V8 compiled is kept for one set of them.
export DENO_V8_FLAGS="--min-semi-space-size=8${DENO_V8_FLAGS:+,$DENO_V8_FLAGS}"

# git says what is checked out and what is not committed while Deno starts: cli/git_asked.ts takes the answer. It is
# nobody's child, as nobody would wait for it, and it is asked again where this fails, or another project is meant.
case "${1-} ${2-}" in
  'dimg build' | 'dimg bp' | 'dimg push' | 'dimg spush' | 'dimg run' | 'dimg stages')
    dir=. before= other=
    for word; do
      [ "$word" = -- ] && break
      case $before in --dir | -C) dir=$word ;; esac
      case $word in
        --dir=*) dir=${word#*=} ;;
        # Another question; and what strangers configure is never asked.
        --untrusted* | --dev* | --help | -h) other=1 ;;
      esac
      before=$word
    done
    case $dir in
      /*) above=$dir/.. ;;
      *) above=$PWD/$dir/.. ;;
    esac
    asked=${TMPDIR:-/tmp}/dapp-$$-git
    # Nothing of somebody else's is opened, of which noclobber keeps files alone; and it is opened once.
    [ -z "$other" ] && [ -e "$dir/.git" ] && [ ! -e "$asked" ] && [ ! -h "$asked" ] && (
      mask=$(umask) # a filter that git runs may write files
      umask 077
      set -C
      exec >"$asked" </dev/null || exit # bash that is not called sh goes on
      umask "$mask"
      printf '%s\0' "$dir" || {
        rm -f "$asked"
        exit 1
      }
      ask() {
        GIT_CEILING_DIRECTORIES=$above GIT_ENVIRONMENT command git GIT_SETTINGS -C "$dir" "$@"
      }
      cut=
      say() {
        printf "$@" || cut=1
      }
      {
        # Whose end is the end of waiting; where there is no /proc, nobody's.
        writer=
        read -r writer others </proc/self/stat
        say '%s\0' "$writer"
        # A store that takes what others have built has not seen the commit, as a rule: its files come first.
        case "${2-} ${3-}" in
          'stages pull')
            tree=$(ask GIT_NAMING) && {
              say 'tree %s\0' "$tree"
              ask GIT_LISTING "${tree#* }"
              say 'listed %s\0' "$?"
            }
            ;;
        esac
        ask GIT_STATUS
        code=$?
        [ -z "$cut" ] && say 'exit %s\0' "$code"
        [ -z "$cut" ] || : >|/dev/stdout # the disk is full, or was for a moment: it says nothing
        # What a dapp that was killed has not taken, this one or one before.
        for left in "${asked%/*}"/dapp-*-git; do
          pid=${left##*/dapp-}
          pid=${pid%-git}
          case $pid in '' | *[!0-9]*) continue ;; esac
          kill -0 "$pid" || rm -f "$left"
        done
      } &
    ) 2>/dev/null && set -- "--git-asked=$asked" "$@"
    ;;
esac

# In a node_modules above the package (npm), or below a link in one (pnpm).
above=$package
until [ "$above" -ef / ]; do
  for deno in "$above"/node_modules/deno/deno "$above"/node_modules/@deno/*/deno \
    "$above"/node_modules/deno/../@deno/*/deno; do
    [ -x "$deno" ] && exec "$deno" run -A "$package/dist/cli.js" "$@"
  done
  above=$above/..
done

if deno=$(command -v deno); then exec "$deno" run -A "$package/dist/cli.js" "$@"; fi
echo 'Error: Cannot start dapp: Deno, which its package depends on, is not there' >&2
case ${1-} in --git-asked=*) rm -f "$asked" ;; esac
echo 'Fix: Install again with optional dependencies; on systems without glibc (Alpine) put a deno of theirs in PATH' >&2
exit 1
