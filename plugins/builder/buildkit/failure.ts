import { EngineError, type ErrorDetails } from "../../../core/contract/plugin.ts";
import { failureFacts } from "../../../lib/buildkit/client.ts";
import { ContainerError } from "../../../lib/buildkit/gateway.ts";
import { isRpcError } from "../../../lib/buildkit/rpc.ts";
import { explainExit } from "../_script.ts";
import type { ScriptEnd } from "./step_output.ts";

/** gRPC's code for "nobody is there". */
const UNAVAILABLE = 14;
/** Signals by which processes of builds end, by number. */
const SIGNALS: Readonly<Record<number, string>> = {
  6: "SIGABRT",
  9: "SIGKILL",
  11: "SIGSEGV",
  15: "SIGTERM",
};

/** Whether a daemon went away, as opposed to a build that failed. */
export function isLost(error: unknown): boolean {
  return isRpcError(error) &&
    (error.code === UNAVAILABLE ||
      // over TLS, whoever writes may see the end of the connection first
      /triggered by internal client error|no active session|session .*closed|error reading from server: EOF/
        .test(error.details));
}

/** Whether the daemon says that something is not where it was to be taken from. */
export function saysMissing({ details }: { readonly details: string }): boolean {
  return /not found/i.test(details);
}

/** Says that none of the daemons answers. */
export function unavailable(addresses: readonly string[], error: unknown): EngineError {
  const said = isRpcError(error) ? error.details : error instanceof Error ? error.message : String(error);
  // gRPC tells how it came to the last error, and of a look-up that has nothing to say.
  const why = said.replace(/^No connection established\. Last error: (?:Error: )?/, "")
    .replace(/\.? Resolution note: $/, "");
  return new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot run stage commands: BuildKit at "${addresses.join('", "')}" is not there: ${why}`,
    { fix: "Start buildkitd, or correct BUILDKIT_HOST or `addresses` of builder-buildkit" },
  );
}

/** Whether the daemon's owner does not let builds use the network of its machine. */
export function refusesHostNetwork(error: unknown): boolean {
  return isRpcError(error) && /network\.host is not allowed/.test(error.details);
}

/** What such a refusal means for whoever wanted that network. */
export function hostRefused(label: string, address: string, cause: unknown): EngineError {
  return new EngineError(
    "BUILDER_UNAVAILABLE",
    `Cannot run commands of ${label} with the network of the daemon's machine: BuildKit at "${address}" does not allow it`,
    {
      fix: "Start buildkitd with --allow-insecure-entitlement network.host, or leave out --network host",
      cause,
    },
  );
}

/** What it means for work that its daemon failed, rather than the work itself; undefined when it did not. */
export function daemonFailure(
  error: unknown,
  { label, daemon: { address: { text } }, signal }: {
    readonly label: string;
    readonly daemon: { readonly address: { readonly text: string } };
    readonly signal: AbortSignal;
  },
): unknown {
  if (signal.aborted) return signal.reason;
  if (isLost(error)) return unavailable([text], error);
  return refusesHostNetwork(error) ? hostRefused(label, text, error) : undefined;
}

/** Why a step failed, as something a person can act on. */
export function stepError(
  error: unknown,
  step: { readonly label: string; readonly commands: readonly string[] },
  { at, code }: ScriptEnd,
  address: string,
): unknown {
  if (!isRpcError(error)) return error;
  const fail = (why: string, details: Pick<ErrorDetails, "fix" | "command" | "missing"> = {}) =>
    new EngineError("STAGE_FAILED", `Cannot build stage "${step.label}": ${why}`, details);
  const exit = code ?? failureFacts(error).exit;
  if (exit === undefined) {
    return fail(`BuildKit at "${address}" says: ${error.details}`, {
      missing: saysMissing(error),
    });
  }
  if (at === undefined && step.commands.length > 1) {
    return fail(
      `a command ended with exit status ${exit}; BuildKit cut off the output, so which one is not known`,
      {
        fix: "Print less, or start buildkitd with BUILDKIT_STEP_LOG_MAX_SIZE=-1 and " +
          "BUILDKIT_STEP_LOG_MAX_SPEED=-1",
      },
    );
  }
  const failed = explainExit(step.commands, at ?? "0", { code: exit, signal: SIGNALS[exit - 128] ?? null });
  if (!failed) return fail(`BuildKit at "${address}" says: ${error.details}`);
  return fail(failed.why, { command: failed.command });
}

/** Why a command could not be run in an image. */
export function shellError(error: unknown, label: string): unknown {
  const why = error instanceof ContainerError ? error.message : isRpcError(error) ? error.details : undefined;
  if (why === undefined) return error;
  return new EngineError("RUN_FAILED", `Cannot run a command in "${label}": ${why}`);
}
