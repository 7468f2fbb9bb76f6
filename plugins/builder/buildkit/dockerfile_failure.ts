import { type DockerfileStep, EngineError } from "../../../core/contract/plugin.ts";
import { failureFacts } from "../../../lib/buildkit/client.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import { flagOf, parseDockerfile } from "../../../lib/dockerfile/instructions.ts";
import { refusesHostNetwork } from "./failure.ts";

/** Why a Dockerfile failed, with its line, as something a person can act on. `failed`: the name of the step. */
export function dockerfileError(
  error: unknown,
  { label, file, text }: Pick<DockerfileStep, "label" | "file" | "text">,
  failed: string | undefined,
): unknown {
  if (!isRpcError(error)) return error;
  const { line, exit } = failureFacts(error);
  const at = line === undefined ? undefined : `${file}:${line}`;
  const where = at === undefined ? "" : `${at}: `;
  const denied = /docker-image:\/\/([^\s"]+)/.exec(error.details)?.[1];
  const fail = (why: string, fix: string) =>
    new EngineError("STAGE_FAILED", `Cannot build stage "${label}": ${where}${why}`, {
      ...(at !== undefined && { at }),
      fix,
    });
  const correct = line === undefined ? `Correct ${file}` : `Correct line ${line} of ${file}`;
  if (denied !== undefined && /denied by policy/.test(error.details)) {
    return fail(
      `it uses image "${denied}", which dapp did not see in the Dockerfile and so did not pin`,
      "Name the image in a FROM of its own, and refer to that stage",
    );
  }
  const download = /\b(?:https?|git):\/\/[^\s"]+/.exec(error.details)?.[0];
  if (download !== undefined && /denied by policy/.test(error.details)) {
    return fail(
      `with --untrusted and --network none, nothing is read from "${download}"`,
      "Commit the file, or leave --network none out",
    );
  }
  if (refusesHostNetwork(error)) {
    return fail(
      "a command wants the network of the daemon's machine, which it may not have",
      "Write `network: host` for the image in the dappfile; buildkitd needs --allow-insecure-entitlement network.host",
    );
  }
  if (exit !== undefined) {
    const command = failed?.replace(/^\[[^\]]*\] /, "").replace(/\s+/g, " ");
    const what = command === undefined ? "a command" : `"${command}"`;
    return fail(`${what} ended with exit status ${exit}`, `Read the output above. ${correct}`);
  }
  const why = reasonOf(error.details);
  if (!/: not found$/.test(why)) return fail(why, correct);
  const from = sourceAt(text, line);
  return fail(
    why,
    from === undefined
      ? `${correct}, or commit the file: what is not committed, or in .dockerignore, is not there`
      : `${correct}: "${from}", which it copies from, has no such path`,
  );
}

/** The stage or image that an instruction copies from, when that is not the context. */
function sourceAt(text: string, line: number | undefined): string | undefined {
  const found = parseDockerfile(text).instructions.find((each) => each.line === line);
  return found && flagOf(found, "from");
}

/** The end of BuildKit's chain of reasons, without what it wraps them in. */
function reasonOf(details: string): string {
  return details
    .replace(/^(?:failed to solve: |rpc error: code = \w+ desc = )+/, "")
    .replace(/^dockerfile parse error on line \d+: /, "")
    .replace(/failed to (?:compute cache key|calculate checksum of ref [^:]+(?:::\w+)?): /g, "");
}
