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
echo 'Fix: Install again with optional dependencies; on systems without glibc (Alpine) put a deno of theirs in PATH' >&2
exit 1
