import { isObject } from "../guard.ts";
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
  const kind = kindOf(response, code, text);
  const login = kind === "denied" ? loginOf(response, context) : undefined;
  // With 403 it may be anything else: a quota, a mode; then the registry says so.
  const words = login?.facts.login === "weak" && status === 403 && said !== "" ? undefined : login?.words;
  const parts = [
    `${context.method} ${url} answered ${status}`,
    ...leadsTo(response),
    ...(response.page ? ["with a page that is not the registry's"] : []),
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
    ...((isRetryableStatus(status) || response.page) && kind !== "full" && { retryable: true }),
    ...(code && { code }),
    ...(said && { said }),
    ...login?.facts,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

/** Where an answer leads that was not followed: only GET and HEAD are. */
function leadsTo({ status, url, header }: HttpResponse): readonly string[] {
  const location = status >= 300 && status < 400 ? header("location") : undefined;
  const target = location === undefined ? null : URL.parse(location, url);
  return target ? [`which leads to ${redactUrl(target)} and is not followed`] : [];
}

/** With these codes registries refuse to change what one of their rules protects: GitLab (401), Quay (409), ECR (400). */
const RULES = [
  "PROTECTED_TAG",
  "IMMUTABLE_TAG",
  "PROTECTED_MANIFEST",
  "TAG_IMMUTABLE",
  "ImageTagAlreadyExistsException",
];

/** Statuses with which registries, and token servers, say that there is no room: Artifactory 413, most others 403. */
const NO_ROOM = [400, 402, 403, 413, 500];
/**
 * In the words of Harbor, Quay, GitLab, IBM and Azure (quotas, limits of storage), ECR (images in a repository),
 * DigitalOcean (repositories), Artifactory and distribution (disks).
 */
const FULL =
  /quota|storage limit|configured upper limit|maximum allowed number|\blimit is \d|disk usage is too high|no space left/i;

/** Whether an answer says that there is no room left, which a login does not change. */
export function isFull(status: number, said: string): boolean {
  return status === 507 || (NO_ROOM.includes(status) && FULL.test(said));
}

function kindOf(response: HttpResponse, code: string, text: string): RegistryFailure {
  const { status } = response;
  if (isFull(status, `${code} ${text}`)) return "full";
  // 412 is Harbor's, for immutable tags and policies; 409 in general: the state of what is there is against it.
  if (RULES.includes(code) || status === 409 || status === 412) return "locked";
  if (status === 401 || status === 403) return "denied";
  if (status === 404 && !response.page) return "missing";
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

/** When to come back, and that it is not waited for so long. */
export function waiting(ms: number, longest = Infinity): string {
  const seconds = (value: number) => Math.ceil(value / 1000);
  const why = ms > longest ? `, which is longer than the ${seconds(longest)} s that are waited for` : "";
  return `try again in ${seconds(ms)} s${why}`;
}

/**
 * Code and text of the first error in a body (spec.md#error-codes); otherwise what token servers and other APIs say, the
 * title of a page, or the first line of plain text.
 */
export function errorWithin(body: string): { readonly code: string; readonly text: string } {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    const title = /<title>([^<]*)/i.exec(body)?.[1] ?? "";
    return { code: "", text: (/^\s*</.test(body) ? title : body).trim().split("\n")[0] ?? "" };
  }
  if (!isObject(json)) return { code: "", text: string(json) };
  const [error] = Array.isArray(json.errors) ? json.errors : [];
  if (!isObject(error)) {
    const told = json.error_description ?? json.message ?? json.details ?? json.detail ?? json.error;
    return { code: "", text: string(error ?? told) };
  }
  const [message, detail] = [string(error.message), string(error.detail)];
  return { code: string(error.code), text: [message, detail].filter(Boolean).join(": ") };
}

function string(value: unknown): string {
  if (typeof value === "string") return value;
  const json = value ? JSON.stringify(value) : "";
  return json === "{}" || json === "[]" ? "" : json;
}
