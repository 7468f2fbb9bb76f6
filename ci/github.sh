#!/usr/bin/env bash
# Runs dapp as action.yml was asked to. Inputs come as DAPP_INPUT_* and never as text of this script: nothing in them is
# a command.
set -euo pipefail

args=()
while IFS= read -r line; do
  if [ -n "$line" ]; then args+=("$line"); fi
done <<<"$DAPP_INPUT_ARGS"
read -r -a images <<<"$DAPP_INPUT_IMAGES"
read -r -a tags <<<"$DAPP_INPUT_TAGS"

case "$DAPP_INPUT_COMMAND" in
  build) words=(dimg build "${images[@]}") ;;
  bp) words=(dimg bp "${images[@]}" "${tags[@]}") ;;
  cleanup) words=(dimg cleanup repo --with-stages "${images[@]}") ;;
  *)
    echo "::error::dapp: \"$DAPP_INPUT_COMMAND\" is no command of the action: use build, bp or cleanup"
    exit 2
    ;;
esac
words+=(--dir "$DAPP_INPUT_DIR")
if [ -n "$DAPP_INPUT_REPO" ]; then words+=(--repo "$DAPP_INPUT_REPO"); fi
login=()
if [ -n "$DAPP_INPUT_USERNAME" ]; then
  login=(--registry-username "$DAPP_INPUT_USERNAME" --registry-password-stdin)
fi

# Some runners allow ordinary users no namespaces, and have sudo instead.
as=()
if [ "$(id -u)" -ne 0 ] && ! unshare --user --map-root-user true 2>/dev/null && sudo -n true 2>/dev/null; then
  as=(sudo --preserve-env env "PATH=$PATH")
  trap 'sudo chown -R "$(id -u):$(id -g)" "$DAPP_HOME" 2>/dev/null || true' EXIT
fi

printed=$(mktemp)
password=$DAPP_INPUT_PASSWORD
unset DAPP_INPUT_PASSWORD
code=0
if [ ${#login[@]} -gt 0 ]; then
  "${as[@]}" dapp "${words[@]}" "${args[@]}" "${login[@]}" >"$printed" <<<"$password" || code=$?
else
  "${as[@]}" dapp "${words[@]}" "${args[@]}" >"$printed" </dev/null || code=$?
fi
cat "$printed"
end="end-$RANDOM-$RANDOM-$RANDOM"
{
  echo "images<<$end"
  cat "$printed"
  echo "$end"
} >>"$GITHUB_OUTPUT"
rm -f "$printed"
exit "$code"
