import { EngineError } from "../../../core/contract/plugin.ts";
import type { Env } from "../../../lib/registry/http.ts";
import { Field } from "../_fields.ts";
import { type ProviderAnswer, ProviderHttp, type ProviderReach, saidBy } from "../_provider_http.ts";
import { type AwsKeys, signAws } from "./sigv4.ts";

export interface EcrRpcOptions extends ProviderReach {
  readonly domain: string;
  readonly region: string;
  readonly api: string;
}

interface Call {
  readonly doing: string;
  readonly signal: AbortSignal;
  /** An error that is an answer: `missing`. */
  readonly missing?: string;
}

const TARGET = "AmazonEC2ContainerRegistry_V20150921";
const TYPE = "application/x-amz-json-1.1";
const THROTTLED = /Throttl|TooManyRequests|LimitExceeded|RequestTimeout|ServerException|ServiceUnavailable/;
const DENIED =
  /AccessDenied|UnrecognizedClient|InvalidSignature|ExpiredToken|MissingAuthentication|InvalidClientToken/;

/** Calls operations of Amazon ECR's JSON API, signed with the AWS_* keys of the environment. */
export class EcrRpc implements AsyncDisposable {
  readonly keys: AwsKeys | undefined;
  readonly #options: EcrRpcOptions;
  readonly #http: ProviderHttp;

  constructor(options: EcrRpcOptions) {
    this.#options = options;
    this.keys = awsKeys(options.env);
    this.#http = new ProviderHttp({
      ...options,
      title: "Amazon ECR",
      base: () => Promise.resolve(options.api),
    });
  }

  /** `missing`: see {@linkcode Call}. @throws {EngineError} REGISTRY_DENIED, REGISTRY_FAILED */
  async call(
    operation: string,
    input: Readonly<Record<string, unknown>>,
    { doing, signal, missing }: Call,
  ): Promise<Field | "missing"> {
    const { domain, region, api } = this.#options;
    const { keys } = this;
    if (!keys) {
      const names = (["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] as const).filter((name) =>
        !this.#options.env[name]
      );
      throw new EngineError(
        "REGISTRY_DENIED",
        `Cannot ${doing}: ${names.join(" and ")} of the environment not set`,
        {
          fix: `Set the keys of a user or role that may use ${domain}`,
        },
      );
    }
    const body = JSON.stringify(input);
    const url = new URL(`${api.replace(/\/+$/, "")}/`);
    // A signature is good for minutes: signed anew for each try, with the clock of that moment.
    const sign = () =>
      signAws({
        method: "POST",
        url,
        headers: { "content-type": TYPE, "x-amz-target": `${TARGET}.${operation}` },
        body,
      }, { keys, region, service: "ecr", now: new Date() });
    const answer = await this.#http.request({
      method: "POST",
      path: "/",
      prepare: async () => {
        const { host: _, ...headers } = await sign();
        return headers;
      },
      body,
      expect: [200, 400, 403],
      passing: (answer) => answer.status === 400 && THROTTLED.test(errorType(answer)),
      doing,
      signal,
    });
    if (answer.status === 200) return Field.of(answer, doing);
    const type = errorType(answer);
    if (missing !== undefined && type === missing) return "missing";
    const code = answer.status === 403 || DENIED.test(type) ? "REGISTRY_DENIED" : "REGISTRY_FAILED";
    throw new EngineError(
      code,
      `Cannot ${doing}: Amazon ECR answered ${[type, saidBy(answer)].join(" ").trim()}`,
      {
        ...(code === "REGISTRY_DENIED" && { fix: "Check the rights of the AWS_* keys in the environment" }),
        ...(THROTTLED.test(type) && { limited: true }),
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }
}

function awsKeys(env: Env): AwsKeys | undefined {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) return undefined;
  return {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
  };
}

/** The type of an error without its name space; "" when there is none. */
function errorType({ text }: ProviderAnswer): string {
  try {
    const { __type } = JSON.parse(text) as { readonly __type?: unknown };
    return typeof __type === "string" ? __type.replace(/^.*#/, "") : "";
  } catch {
    return "";
  }
}
