import { type DockerfileStep, EngineError } from "../../../core/contract/plugin.ts";
import { failureFacts } from "../../../lib/buildkit/client.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";

/** Why a Dockerfile failed, with its line, as something a person can act on. `failed`: the name of the step. */
export function dockerfileError(
  error: unknown,
  { label, file }: Pick<DockerfileStep, "label" | "file">,
  failed: string | undefined,
): unknown {
  if (!isRpcError(error)) return error;
  const { line, exit } = failureFacts(error);
  const at = line === undefined ? undefined : `${file}:${line}`;
  const where = at === undefined ? "" : `${at}: `;
  const denied = /docker-image:\/\/(\S+?)"?(?: \S*)? not allowed by policy/.exec(error.details)?.[1];
  const fail = (why: string, fix?: string) =>
    new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${where}${why}`, {
      ...(at !== undefined && { at }),
      ...(fix !== undefined && { fix }),
      cause: error,
    });
  if (denied !== undefined) {
    return fail(
      `it uses image "${denied}", of which dapp saw nothing in the Dockerfile, so that it is not pinned`,
      "Name the image in a FROM of its own, and refer to that stage",
    );
  }
  if (exit !== undefined) {
    const command = failed?.replace(/^\[[^\]]*\] /, "");
    return fail(`${command === undefined ? "a command" : `"${command}"`} ended with exit status ${exit}`);
  }
  return fail(reasonOf(error.details));
}

/** The end of BuildKit's chain of reasons, without what it wraps them in. */
function reasonOf(details: string): string {
  return details
    .replace(/^(?:failed to solve: |rpc error: code = \w+ desc = )+/, "")
    .replace(/^dockerfile parse error on line \d+: /, "")
    .replace(/failed to (?:compute cache key|calculate checksum of ref [^:]+(?:::\w+)?): /g, "");
}
