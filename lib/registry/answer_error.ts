import { readExcerpt } from "./body.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { isRetryableStatus, parseRetryAfter } from "./retry.ts";
import type { HttpResponse } from "./transport.ts";

export interface AnswerContext {
  /** What was being done: `read manifest "1.2" of grp/app`. */
  readonly doing: string;
  readonly method: string;
  readonly domain: string;
  /** Whether no credentials are known. */
  readonly anonymous: boolean;
  /** Longest wait that would have been kept, in milliseconds. */
  readonly longestWaitMs: number;
  redact(text: string): string;
}

const HUB_LIMIT = "Docker Hub allows only so many pulls in an hour, fewer without a login";

/**
 * Whether an answer is Docker Hub's limit on pulls, which lasts for hours. Its limit on abuse is plain text and names a
 * short pause, which is kept.
 */
export function isPullLimit(domain: string, answer: Pick<HttpResponse, "status" | "header">): boolean {
  return domain === "docker.io" && answer.status === 429 &&
    answer.header("content-type")?.includes("json") === true;
}

/** Turns an answer nobody wanted into an error, with the code and detail the registry gives (spec.md#error-codes). */
export async function answerError(response: HttpResponse, context: AnswerContext): Promise<RegistryError> {
  const { status } = response;
  const url = redactUrl(response.url);
  const { code, text } = errorWithin(await readExcerpt(response));
  const retryAfterMs = parseRetryAfter(response.header("retry-after"), Date.now());
  const said = context.redact(text).slice(0, 300);
  const parts = [
    `${context.method} ${url} answered ${status}`,
    ...(code || said ? [[code, said].filter(Boolean).join(" ")] : []),
    ...(status === 429 && context.domain === "docker.io" ? [HUB_LIMIT] : []),
    ...(retryAfterMs ? [waiting(retryAfterMs, context.longestWaitMs)] : []),
    ...((status === 401 || status === 403) && context.anonymous ? ["no credentials are known for it"] : []),
  ];
  const kind = status === 401 || status === 403
    ? "denied"
    : status === 404
    ? "missing"
    : status === 429
    ? "limited"
    : "failed";
  return new RegistryError(`Cannot ${context.doing}: ${parts.join(", ")}`, {
    kind,
    status,
    method: context.method,
    url,
    ...(isRetryableStatus(status) && { retryable: true }),
    ...(code && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function waiting(ms: number, longest: number): string {
  const seconds = (value: number) => Math.ceil(value / 1000);
  const why = ms > longest ? `, which is longer than the ${seconds(longest)} s that are waited for` : "";
  return `try again in ${seconds(ms)} s${why}`;
}

/** Code and text of the first error in a body (spec.md#error-codes); the first line of plain text otherwise. */
export function errorWithin(body: string): { readonly code: string; readonly text: string } {
  try {
    const { errors } = JSON.parse(body) as {
      errors?: { code?: unknown; message?: unknown; detail?: unknown }[];
    };
    const [error] = Array.isArray(errors) ? errors : [];
    if (!error) return { code: "", text: "" };
    const string = (value: unknown) => typeof value === "string" ? value : value ? JSON.stringify(value) : "";
    const [message, detail] = [string(error.message), string(error.detail)];
    return { code: string(error.code), text: [message, detail].filter(Boolean).join(": ") };
  } catch {
    // Proxies answer with a page; its first line of plain text may help.
    return { code: "", text: /^\s*</.test(body) ? "" : body.trim().split("\n")[0] ?? "" };
  }
}
