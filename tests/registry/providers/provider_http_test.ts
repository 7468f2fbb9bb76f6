import assert from "node:assert/strict";
import { EngineError } from "../../../core/contract/errors.ts";
import { waitMs } from "../../../plugins/registry/_rate_limit.ts";
import { jsonOf, pagePath, ProviderHttp, saidBy } from "../../../plugins/registry/_provider_http.ts";
import type { RegistryWait } from "../../../lib/registry/patience.ts";
import { type ApiHandler, ApiServer } from "./api_server.ts";
import { countedWaits, signal } from "./support.ts";

type Options = Partial<ConstructorParameters<typeof ProviderHttp>[0]>;

/** A client of a server that answers once each in order, then 204. */
function withAnswers(answers: readonly ApiHandler[], options: Options = {}) {
  const left = [...answers];
  const api = ApiServer.start({
    handle: (request) => left.shift()?.(request) ?? new Response(null, { status: 204 }),
  });
  const { waits, retry } = countedWaits();
  const http = new ProviderHttp({
    title: "Test",
    env: {},
    base: () => Promise.resolve(api.url + "/base/"),
    retry,
    ...options,
  });
  return {
    api,
    http,
    waits,
    get: (path = "/x") =>
      http.request({ method: "GET", path, expect: [200, 204, 404], doing: "try it", signal }),
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

const status = (status: number, headers: Record<string, string> = {}, text = "") => () =>
  new Response(text, { status, headers });

Deno.test("ProviderHttp repeats what may pass and gives back what is expected", async () => {
  await using server = withAnswers([status(500), status(503), status(404)]);
  assert.equal((await server.get()).status, 404);
  assert.equal(server.waits.length, 2);
  assert.deepEqual(server.api.seen.map(({ path }) => path), ["/base/x", "/base/x", "/base/x"]);
});

Deno.test("ProviderHttp gives up after five tries, and at once when nothing will change", async () => {
  await using server = withAnswers(Array.from({ length: 9 }, () => status(502)));
  await assert.rejects(server.get(), {
    code: "REGISTRY_FAILED",
    message: "Cannot try it: Test answered 502",
  });
  assert.equal(server.api.seen.length, 5);
  await using other = withAnswers([status(409, {}, "conflict")]);
  await assert.rejects(other.get(), { message: "Cannot try it: Test answered 409, conflict" });
  assert.equal(other.api.seen.length, 1);
});

Deno.test("ProviderHttp does not believe a page that says 404", async () => {
  const page = status(404, { "content-type": "text/html" }, "<html><title>404 Not Found</title></html>");
  await using server = withAnswers([page, page, status(404, {}, '{"message":"404 Tag Not Found"}')]);
  assert.equal((await server.get()).text, '{"message":"404 Tag Not Found"}');
  await using other = withAnswers(Array.from({ length: 9 }, () => page));
  await assert.rejects(other.get(), {
    message: "Cannot try it: Test answered 404 with a page that is not its own",
  });
  assert.equal(other.api.seen.length, 5);
});

Deno.test("ProviderHttp tells whom it waits for, and what for, where nothing comes", async () => {
  const told = Promise.withResolvers<RegistryWait>();
  const held = async () => {
    await told.promise;
    return new Response("{}");
  };
  await using server = withAnswers([status(502), held], {
    silentMs: 20,
    onWait: (wait) => wait.status === undefined && told.resolve(wait),
  });
  assert.equal((await server.get()).status, 200);
  const { ms, ...rest } = await told.promise;
  assert.ok(ms >= 20);
  const { host } = new URL(server.api.url);
  assert.deepEqual(rest, { host, doing: "try it; last try: it answered 502" });
});

Deno.test("ProviderHttp makes all requests wait when one of them is limited", async () => {
  await using server = withAnswers([status(429, { "retry-after": "30" })]);
  await server.get();
  await server.get();
  assert.deepEqual(server.waits, [30_000]);
});

Deno.test("ProviderHttp takes GitHub's 403 with a limit for a limit, and other 403 for a refusal", async () => {
  const spent = {
    "x-ratelimit-remaining": "0",
    "x-ratelimit-reset": "1763925660",
    date: "Sun, 23 Nov 2025 19:20:00 GMT",
  };
  await using server = withAnswers([status(403, spent), status(403, {}, '{"message":"no right"}')], {
    denied: "wanted is a key",
  });
  await assert.rejects(server.get(), {
    code: "REGISTRY_DENIED",
    message: "Cannot try it: Test answered 403, no right, wanted is a key",
  });
  assert.deepEqual(server.waits, [60_000]);
});

Deno.test("ProviderHttp says of a pause that is too long that it is one, so that deletions slow down", async () => {
  await using server = withAnswers([
    status(429, { "retry-after": "3600" }),
    status(403, { "retry-after": "3600" }),
  ]);
  for (const _ of ["429", "403 as GitHub has it"]) {
    await assert.rejects(server.get(), (error) => {
      assert.ok(error instanceof EngineError);
      assert.equal(error.code, "REGISTRY_FAILED");
      assert.deepEqual([error.details.limited, error.details.retryAfterMs], [true, 3_600_000]);
      return true;
    });
  }
  assert.deepEqual(server.waits, []);
});

Deno.test("ProviderHttp logs in anew once after 401", async () => {
  const renewals: boolean[] = [];
  await using server = withAnswers([status(401), status(200), status(401), status(401)], {
    login: (_, renew) => {
      renewals.push(renew);
      return Promise.resolve({ authorization: `Bearer ${renewals.length}` });
    },
  });
  assert.equal((await server.get()).status, 200);
  assert.deepEqual(renewals, [false, true]);
  assert.deepEqual(server.api.seen.map(({ headers }) => headers.get("authorization")), [
    "Bearer 1",
    "Bearer 2",
  ]);
  await assert.rejects(server.get(), { code: "REGISTRY_DENIED" });
  assert.equal(server.api.seen.length, 4);
});

Deno.test("ProviderHttp keeps no cookies and keeps secrets out of messages", async () => {
  await using server = withAnswers([
    status(200, { "set-cookie": "sid=1" }),
    ({ headers }) => new Response(`you sent ${headers.get("authorization")}`, { status: 400 }),
  ], { login: () => Promise.resolve({ authorization: "Bearer very-secret" }) });
  await server.get();
  await assert.rejects(server.get(), { message: "Cannot try it: Test answered 400, you sent Bearer …" });
  assert.equal(server.api.seen[1]!.headers.get("cookie"), null);
});

Deno.test("ProviderHttp says when nobody answers, and ends with the signal's reason", async () => {
  const { api, http } = withAnswers([]);
  const request = { method: "GET", path: "/x", expect: [204], doing: "try it" } as const;
  const reason = new Error("stopped");
  await assert.rejects(http.request({ ...request, signal: AbortSignal.abort(reason) }), reason);
  await http.base(signal);
  await api[Symbol.asyncDispose]();
  await assert.rejects(http.request({ ...request, signal }), {
    code: "REGISTRY_FAILED",
    message: /^Cannot try it: Cannot reach http:\/\/127/,
  });
  await http[Symbol.asyncDispose]();
});

const NOW = "Sun, 23 Nov 2025 19:20:00 GMT";
const unix = (seconds: number) => String(Date.parse(NOW) / 1000 + seconds);
const limits: readonly (readonly [string, Record<string, string>, number | undefined])[] = [
  ["nothing", {}, undefined],
  ["seconds", { "retry-after": "300" }, 300_000],
  ["a date", { "retry-after": "Sun, 23 Nov 2025 19:21:00 GMT" }, 60_000],
  ["Docker Hub's former header", { "x-retry-after": unix(20) }, 20_000],
  ["the end of a spent window", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": unix(40) }, 40_000],
  ["GitLab's names", { "ratelimit-remaining": "0", "ratelimit-reset": unix(50) }, 50_000],
  ["a window that is not spent", { "x-ratelimit-remaining": "7", "x-ratelimit-reset": unix(40) }, undefined],
  ["a reset in the past", { "x-ratelimit-remaining": "0", "x-ratelimit-reset": unix(-5) }, 0],
  ["a pull limit with a window", { "ratelimit-remaining": "0;w=21600" }, undefined],
  [
    "nonsense",
    { "retry-after": "soon", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1e99" },
    undefined,
  ],
];
for (const [name, headers, wanted] of limits) {
  Deno.test(`waitMs() reads ${name}`, () => {
    const answer = { header: (key: string) => ({ date: NOW, ...headers } as Record<string, string>)[key] };
    assert.equal(waitMs(answer), wanted);
  });
}

const texts: readonly (readonly [string, string, string])[] = [
  ["the envelope of registries", '{"errors":[{"code":"DENIED","message":"no"}]}', "DENIED no"],
  ["GitLab and GitHub", '{"message":"404 Tag Not Found"}', "404 Tag Not Found"],
  ["Docker Hub", '{"detail":"Incorrect"}', "Incorrect"],
  ["an error alone", '{"error":"broken"}', "broken"],
  ["text on one line", "Retry\n  later", "Retry later"],
  ["no page", "<html>Bad gateway</html>", ""],
  ["nothing", "", ""],
  ["a list", "[]", ""],
  ["other fields", '{"errors":{},"message":7}', ""],
];
for (const [name, text, said] of texts) {
  Deno.test(`saidBy() reads ${name}`, () => assert.equal(saidBy({ text }), said));
}

const pages: readonly (readonly [string, string, string])[] = [
  ["https://hub.docker.com/v2/x?page=2", "http://127.0.0.1:80", "/v2/x?page=2"],
  ["/v2/x?page=2", "https://hub.docker.com", "/v2/x?page=2"],
  ["https://git.example.com/base/api/x?a=1", "https://git.example.com/base", "/api/x?a=1"],
  ["https://evil.example.com/x", "https://hub.docker.com", "/x"],
];
for (const [url, base, path] of pages) {
  Deno.test(`pagePath() keeps the host of ${base} for ${url}`, () => assert.equal(pagePath(url, base), path));
}

Deno.test("jsonOf() says what was being done when an answer is not JSON", () => {
  assert.throws(() => jsonOf({ text: "<html>" }, "list tags of me/app"), {
    code: "REGISTRY_FAILED",
    message: "Cannot list tags of me/app: the answer is not JSON",
  });
});
