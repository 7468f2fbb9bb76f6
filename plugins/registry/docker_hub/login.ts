import { EngineError } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/guard.ts";
import { jsonOf, type ProviderAnswer, type ProviderHttp, saidBy } from "../_provider_http.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";

/** Tokens live for 10 minutes. */
const LIFETIME_MS = 9 * 60_000;

/**
 * Logs in to Docker Hub's API with the credentials of the registry: `POST /v2/auth/token`, or the older
 * `POST /v2/users/login` where that is not known. Wrong credentials are shown once only: Docker Hub locks users out.
 */
export class HubLogin {
  readonly #http: () => ProviderHttp;
  readonly #credentials: () => Promise<Credentials | undefined>;
  #token: Promise<string | undefined> | undefined;
  #until = 0;

  constructor(http: () => ProviderHttp, credentials: () => Promise<Credentials | undefined>) {
    this.#http = http;
    this.#credentials = credentials;
  }

  /** Login headers; none without credentials. @throws {EngineError} REGISTRY_DENIED */
  async headers(signal: AbortSignal, renew: boolean): Promise<Readonly<Record<string, string>>> {
    // After a refused login the same error comes again, without a request.
    const expired = this.#until > 0 && Date.now() > this.#until;
    if (!this.#token || expired || (renew && this.#until > 0)) {
      this.#until = 0;
      this.#token = this.#login(signal);
      const pending = this.#token;
      pending.catch((error) => {
        const final = error instanceof EngineError && error.code === "REGISTRY_DENIED";
        if (!final && this.#token === pending) this.#token = undefined;
      });
    }
    const token = await this.#token;
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async #login(signal: AbortSignal): Promise<string | undefined> {
    const found = await this.#credentials();
    if (!found || found.kind === "bearer") return undefined;
    const { username } = found;
    const secret = found.kind === "basic" ? found.password : found.token;
    const first = await this.#post("/v2/auth/token", { identifier: username, secret }, signal);
    const answer = first.status === 404 || first.status === 405
      ? await this.#post("/v2/users/login", { username, password: secret }, signal)
      : first;
    const json = jsonOf(answer, "log in to Docker Hub");
    const { access_token, token, login_2fa_token } = isObject(json) ? json : {};
    if (login_2fa_token) {
      throw denied(username, "it wants a second factor; use a personal access token as the password");
    }
    if (answer.status !== 200) throw denied(username, saidBy(answer) || `it answered ${answer.status}`);
    const value = access_token || token;
    if (typeof value !== "string" || value === "") throw denied(username, "its answer holds no token");
    this.#until = Date.now() + LIFETIME_MS;
    return value;
  }

  async #post(
    path: string,
    body: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ProviderAnswer> {
    return await this.#http().request({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      anonymous: true,
      secret: body.secret ?? body.password ?? "",
      expect: [200, 401, 403, 404, 405],
      doing: "log in to Docker Hub",
      signal,
    });
  }
}

function denied(username: string, why: string): EngineError {
  return new EngineError("REGISTRY_DENIED", `Cannot log in to Docker Hub as "${username}": ${why}`, {
    fix: "Log in again, with a personal access token as the password: docker login",
  });
}
