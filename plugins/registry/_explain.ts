import { whyFailed } from "../../lib/file_failure.ts";
import { EngineError, type ErrorCode } from "../../core/contract/errors.ts";
import { adviceFor, type AdviceWords } from "../../lib/registry/advice.ts";
import { isBlobUnknown, RegistryError } from "../../lib/registry/errors.ts";

const WORDS: Omit<AdviceWords, "domain"> = {
  name: "REPO",
  login: "--registry-username and the password",
  insecure: "--insecure-registry",
};

/** What somebody who knows the registry better says of a failure. */
export interface Advice {
  /** What to do. */
  readonly fix: string;
  /** In place of the usual one. */
  readonly code?: ErrorCode;
}

/** Statuses by which registries say that a tag keeps what it names, or that this user may not change it. */
const REFUSALS = [400, 401, 403, 409, 412, 422];

/** Undefined: what is said of any other registry. */
export type Advise = (error: RegistryError) => Advice | undefined;

/**
 * Runs `action`; what a registry refuses becomes an error of the engine, with advice. The only place where that is
 * done.
 *
 * @param domain the registry as the user calls it
 * @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED, REGISTRY_UNSUPPORTED; STORE_CORRUPT and STORE_FAILED for files
 *   of this machine
 */
export async function explained<T>(
  domain: string,
  action: () => Promise<T>,
  advise?: Advise,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw explain(domain, error, advise);
  }
}

/** Like {@linkcode explained} for what comes piece by piece. */
export async function* explainedEach<T>(
  domain: string,
  items: AsyncIterable<T>,
  advise?: Advise,
): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw explain(domain, error, advise);
  }
}

function explain(domain: string, error: unknown, advise?: Advise): unknown {
  if (!(error instanceof RegistryError)) return explainFile(error);
  if (error.kind === "source") return new EngineError("STORE_CORRUPT", error.message, { cause: error });
  const { kind, status, code, method, retryAfterMs } = error.details;
  const advice = advise?.(error);
  const fix = advice?.fix ?? lossAdvice(error) ?? adviceFor(error, { ...WORDS, domain });
  const reads = method === "GET" || method === "HEAD";
  const limited = kind === "limited" || (status === 503 && retryAfterMs !== undefined);
  const details = {
    cause: error,
    ...(fix && { fix }),
    ...((kind === "missing" || isLoss(error) || isBlobUnknown(error)) && { missing: true }),
    ...(REFUSALS.includes(status ?? 0) && { refused: true }),
    ...(status !== undefined && (kind === "failed" || kind === "corrupt") && { unusable: true }),
    ...(kind === "locked" && (reads ? { withheld: true } : { locked: true })),
    ...(kind === "full" && !reads && { full: true }),
    ...(limited && { limited: true, ...(retryAfterMs !== undefined && { retryAfterMs }) }),
  };
  if (advice?.code) return new EngineError(advice.code, error.message, details);
  if (kind === "denied") return new EngineError("REGISTRY_DENIED", error.message, details);
  const unsupported = status === 405 || (code === "UNSUPPORTED" && status !== undefined && status < 500);
  return new EngineError(unsupported ? "REGISTRY_UNSUPPORTED" : "REGISTRY_FAILED", error.message, details);
}

/** Whether a registry has not got what it says that it has. */
function isLoss({ kind, details }: RegistryError): boolean {
  return kind === "lost" || details.damaged === true;
}

function lossAdvice(error: RegistryError): string | undefined {
  if (!isLoss(error)) return undefined;
  const how = error.details.damaged
    ? "Have the damaged file removed from the registry's storage, and the registry restarted"
    : "Restart the registry, so that it forgets what it has lost";
  return `${how}; then see what is missing, and mend it: dapp dimg check repo REPO --repair`;
}

function explainFile(error: unknown): unknown {
  const fromFiles = Object.values(Deno.errors).some((type) => error instanceof type);
  if (!fromFiles || error instanceof Deno.errors.Interrupted) return error;
  const why = whyFailed(error);
  return new EngineError("STORE_FAILED", `Cannot write a downloaded file: ${why}`, { cause: error });
}
