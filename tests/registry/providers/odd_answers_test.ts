/** What a list does not say, a cleanup would not know: odd answers are errors that name request and field. */
import assert from "node:assert/strict";
import { EngineError, type ListedTag, type Plugin } from "../../../core/contract/plugin.ts";
import type { ProviderOptions } from "../../../plugins/registry/_provider_plugin.ts";
import { registryAcr, registryGar, registryGhcr, registryQuay } from "../../../plugins/registry/providers.ts";
import { createHubApi } from "../../../plugins/registry/docker_hub/api.ts";
import { createEcrApi } from "../../../plugins/registry/ecr/api.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { ApiServer } from "./api_server.ts";
import { startGithub } from "./ghcr_server.ts";
import { countedWaits, credentialsOf, digestNo, listed, opened, signal } from "./support.ts";

const digest = digestNo(1);

/** The tags that a provider makes of an answer to its list. */
type TagsOf = (answer: unknown) => Promise<ListedTag[]>;

/** A registry whose own host answers with `answer` where `path` matches. */
function beside(
  plugin: Plugin<ProviderOptions>,
  path: RegExp,
  access?: { username: string; password: string },
): TagsOf {
  return async (answer) => {
    await using registry = new MemoryRegistry();
    registry.fault((_, url) => path.test(url.pathname) ? Response.json(answer) : undefined, Infinity);
    const request = registryRequest(`${registry.host}/proj/repo/app`, {
      kind: plugin.name.replace("registry-", ""),
      ...(access && { access: { ...access, insecure: [] } }),
    });
    await using backend = await opened(plugin, request);
    return await listed(backend.repository("").tags(signal));
  };
}

const hub: TagsOf = async (answer) => {
  await using api = ApiServer.start({ handle: () => Response.json(answer) });
  const hub = createHubApi({ api: api.url, env: {}, credentials: credentialsOf(undefined) });
  try {
    return await listed(hub.tags!("me/app", signal));
  } finally {
    await hub[Symbol.asyncDispose]?.();
  }
};

const ecr: TagsOf = async (answer) => {
  await using api = ApiServer.start({ handle: () => Response.json(answer) });
  const env = { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
  const domain = "1.dkr.ecr.eu-west-1.amazonaws.com";
  const { retry } = countedWaits();
  const ecr = createEcrApi({ domain, region: "eu-west-1", api: api.url, env, retry });
  try {
    return await listed(ecr.tags!("app", signal));
  } finally {
    await ecr[Symbol.asyncDispose]?.();
  }
};

const ghcr: TagsOf = async (answer) => {
  await using github = startGithub();
  github.api.faults.push(({ path }) => path.endsWith("/versions") ? Response.json(answer) : undefined);
  const access = { username: "me", password: "ghp_x", insecure: [] };
  const request = registryRequest(`${github.registry.host}/acme/app`, { kind: "ghcr", access });
  await using backend = await opened(registryGhcr, request, { api: github.api.url });
  return await listed(backend.repository("").tags(signal));
};

const acr = beside(registryAcr, /_tags$/);
const gar = beside(registryGar, /\/tags\/list$/);
const quay = beside(registryQuay, /\/tag\/$/, { username: "$oauthtoken", password: "x" });

const version = { id: 1, name: digest, metadata: { container: { tags: ["x"] } } };

const odd: readonly (readonly [provider: string, tagsOf: TagsOf, answer: unknown, field: string])[] = [
  ["Docker Hub", hub, null, "with null, wanted is an object"],
  ["Docker Hub", hub, {}, '"results" that is missing'],
  ["Docker Hub", hub, { results: "x" }, '"results" that is a text'],
  ["Docker Hub", hub, { results: [null] }, '"results[0]" that is null'],
  ["Docker Hub", hub, { results: [{ name: "a" }, { digest }] }, '"results[1].name" that is missing'],
  ["Docker Hub", hub, { results: [{ name: 7 }] }, '"results[0].name" that is a number'],
  ["Docker Hub", hub, { results: [], next: 2 }, '"next" that is a number'],
  ["Amazon ECR", ecr, [], "with a list, wanted is an object"],
  ["Amazon ECR", ecr, {}, '"imageDetails" that is missing'],
  [
    "Amazon ECR",
    ecr,
    { imageDetails: [{ imageTags: ["a", null] }] },
    '"imageDetails[0].imageTags[1]" that is null',
  ],
  ["Amazon ECR", ecr, { imageDetails: [], nextToken: true }, '"nextToken" that is a truth value'],
  ["GitHub", ghcr, {}, "with an object, wanted is a list"],
  ["GitHub", ghcr, [{ ...version, id: "1" }], '"[0].id" that is a text'],
  ["GitHub", ghcr, [{ ...version, name: "latest" }], '"[0].name" that is a text, wanted is a digest'],
  ["GitHub", ghcr, [{ ...version, metadata: null }], '"[0].metadata" that is null'],
  ["Azure", acr, { tags: {} }, '"tags" that is an object'],
  ["Azure", acr, { tags: [{ name: null }] }, '"tags[0].name" that is null'],
  [
    "Azure",
    acr,
    { tags: [{ name: "a", changeableAttributes: { deleteEnabled: "no" } }] },
    'deleteEnabled" that is a text',
  ],
  ["Google", gar, {}, '"tags" that is missing'],
  ["Google", gar, { tags: [""] }, '"tags[0]" that is an empty text'],
  ["Google", gar, { tags: [], manifest: { [digest]: null } }, `"manifest.${digest}" that is null`],
  ["Quay", quay, { tags: [{ name: ["a"] }] }, '"tags[0].name" that is a list'],
  ["Quay", quay, { tags: [], has_additional: "yes" }, '"has_additional" that is a text'],
];

const empty:
  readonly (readonly [provider: string, tagsOf: TagsOf, answer: unknown, tags: readonly string[]])[] = [
    ["Docker Hub", hub, { results: null, next: null }, []],
    ["Docker Hub", hub, { results: [{ name: "a", digest: null, tag_last_pulled: null }] }, ["a"]],
    ["Amazon ECR", ecr, { imageDetails: null, nextToken: null }, []],
    ["Amazon ECR", ecr, { imageDetails: [{ imageTags: null }, { imageTags: ["a"] }] }, ["a"]],
    ["GitHub", ghcr, [{ ...version, metadata: { container: { tags: null } } }, { ...version, id: 2 }], ["x"]],
    ["Azure", acr, { registry: "r", imageName: "i", tags: null }, []],
    ["Azure", acr, { tags: [{ name: "a", digest: null, changeableAttributes: null }] }, ["a"]],
    ["Google", gar, { tags: null, manifest: null }, []],
    ["Google", gar, { tags: ["a"], manifest: { [digest]: { tag: null, timeUploadedMs: "1" } } }, ["a"]],
    ["Quay", quay, { tags: null, has_additional: false }, []],
  ];

Deno.test("lists of providers fail by name of request and field when an answer is odd", async (t) => {
  for (const [provider, tagsOf, answer, field] of odd) {
    await t.step(`${provider}: ${JSON.stringify(answer).slice(0, 60)}`, async () => {
      await assert.rejects(tagsOf(answer), (error) => {
        assert.ok(error instanceof EngineError, String(error));
        assert.equal(error.code, "REGISTRY_FAILED");
        assert.match(
          error.message,
          /^Cannot list (?:tags|versions) of \S+: (?:GET|POST) http:\S+ answered with /,
        );
        assert.ok(error.message.includes(field), error.message);
        return true;
      });
    });
  }
});

Deno.test("lists of providers take null for what is empty or unknown", async (t) => {
  for (const [provider, tagsOf, answer, tags] of empty) {
    await t.step(`${provider}: ${JSON.stringify(answer).slice(0, 60)}`, async () => {
      assert.deepEqual((await tagsOf(answer)).map(({ tag }) => tag), tags);
    });
  }
});
