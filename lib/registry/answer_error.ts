import { readExcerpt } from "./body.ts";
import { challengeOf } from "./challenge.ts";
import { redactUrl, RegistryError, type RegistryErrorDetails, type RegistryFailure } from "./errors.ts";
import { isRetryableStatus, parseRetryAfter } from "./retry.ts";
import type { HttpResponse } from "./http.ts";

export interface AnswerContext {
  /** What was being done: `read manifest "1.2" of grp/app`. */
  readonly doing: string;
  readonly method: string;
  readonly domain: string;
  /** What was shown last: the scheme of its `Authorization`, "" when that was none; undefined when nothing is known to show. */
  readonly shown: string | undefined;
  /** Token scopes of the request. */
  readonly scopes: readonly string[];
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
  const said = [code, context.redact(text).slice(0, 300)].filter((part) => part !== "").join(" ");
  const kind = kindOf(response, code);
  const login = kind === "denied" ? loginOf(response, context) : undefined;
  // With 403 it may be anything else: a quota, a mode; then the registry says so.
  const words = login?.facts.login === "weak" && status === 403 && said !== "" ? undefined : login?.words;
  const parts = [
    `${context.method} ${url} answered ${status}`,
    ...(said === "" ? [] : [said]),
    ...(status === 429 && context.domain === "docker.io" ? [HUB_LIMIT] : []),
    ...(retryAfterMs ? [waiting(retryAfterMs, context.longestWaitMs)] : []),
    ...(words === undefined ? [] : [words]),
  ];
  return new RegistryError(`Cannot ${context.doing}: ${parts.join(", ")}`, {
    kind,
    status,
    method: context.method,
    url,
    ...(isRetryableStatus(status) && { retryable: true }),
    ...(code && { code }),
    ...(said && { said }),
    ...login?.facts,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** With these codes registries refuse to change what one of their rules protects: GitLab (401), Quay (409), ECR (400). */
const RULES = [
  "PROTECTED_TAG",
  "IMMUTABLE_TAG",
  "PROTECTED_MANIFEST",
  "TAG_IMMUTABLE",
  "ImageTagAlreadyExistsException",
];

function kindOf(response: HttpResponse, code: string): RegistryFailure {
  const { status } = response;
  // 412 is Harbor's, for immutable tags and policies; 409 in general: the state of what is there is against it.
  if (RULES.includes(code) || status === 409 || status === 412) return "locked";
  if (status === 401 || status === 403) return "denied";
  if (status === 404) return "missing";
  return status === 429 ? "limited" : "failed";
}

/** What an answer that denies says of the credentials, which it may have asked for, or not accepted, or found too weak. */
function loginOf(
  response: HttpResponse,
  { shown, scopes }: AnswerContext,
): { readonly words: string; readonly facts: Pick<RegistryErrorDetails, "login" | "lacking" | "challenge"> } {
  if (response.status === 401 && !challengeOf(response)) {
    const words = "it asks for no credentials that could be given, or the repository does not exist";
    return { words, facts: { login: shown === undefined ? "none" : "weak", challenge: false } };
  }
  if (shown === undefined) {
    return { words: "no credentials are known for it", facts: { login: "none" } };
  }
  if (response.status === 401 && shown === "Basic") {
    return { words: "the credentials known for it are not accepted", facts: { login: "wrong" } };
  }
  const lacking = /:([^:]*)$/.exec(scopes[0] ?? "")?.[1] ?? "";
  const words = `the credentials known for it are not good for this${lacking && ` (${lacking})`}`;
  return { words, facts: { login: "weak", ...(lacking && { lacking }) } };
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
    const string = (value: unknown) => {
      if (typeof value === "string") return value;
      const json = value ? JSON.stringify(value) : "";
      return json === "{}" || json === "[]" ? "" : json;
    };
    const [message, detail] = [string(error.message), string(error.detail)];
    return { code: string(error.code), text: [message, detail].filter(Boolean).join(": ") };
  } catch {
    // Proxies answer with a page; its first line of plain text may help.
    return { code: "", text: /^\s*</.test(body) ? "" : body.trim().split("\n")[0] ?? "" };
  }
}
