/**
 * A kubectl of a test: `exec --stdin POD [--container C] -- COMMAND...` runs the command on this machine, for pods that it
 * is told of. Its failures are worded as kubectl 1.3x and containerd document them; none of that was seen from a cluster
 * here, and neither was how a real kubectl carries bytes (SPDY or WebSocket) and ends when the API server goes away.
 */
export async function fakeKubectl(
  dir: string,
  pods: Readonly<Record<string, { readonly socket?: string }>>,
): Promise<{ readonly path: string; readonly log: string }> {
  const log = `${dir}/kubectl.log`;
  const cases = Object.entries(pods).map(([pod, { socket }]) =>
    socket === undefined
      ? `${pod}) echo 'error: Internal error occurred: Internal error occurred: error executing command in container: failed ` +
        `to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: ` +
        `exec: "buildctl": executable file not found in $PATH: unknown' >&2; exit 126;;`
      : `${pod}) export BUILDKIT_HOST=unix://${socket}; exec "$@";;`
  );
  await Deno.writeTextFile(
    `${dir}/kubectl`,
    `#!/bin/sh
echo "$*" >>${log}
while [ $# -gt 0 ]; do
  case $1 in
    --context | --namespace | --container) shift ;;
    exec | --stdin) ;;
    --) shift; break ;;
    *) pod=$1 ;;
  esac
  shift
done
case $pod in
${cases.join("\n")}
*) echo "Error from server (NotFound): pods \\"$pod\\" not found" >&2; exit 1;;
esac
`,
  );
  await Deno.chmod(`${dir}/kubectl`, 0o755);
  return { path: `${dir}:${Deno.env.get("PATH")}`, log };
}
