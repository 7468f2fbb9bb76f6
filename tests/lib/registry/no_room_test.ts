/** No room is no lack of a right: answers as people have quoted them of the real registries. */
import assert from "node:assert/strict";
import { adviceFor } from "../../../lib/registry/advice.ts";
import { RegistryError } from "../../../lib/registry/errors.ts";
import { findManifest } from "../../../lib/registry/manifests.ts";
import { uploadBlob } from "../../../lib/registry/upload.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { blobOf, clientOf, FakeClock, someBytes } from "../../support/registry_client.ts";

const { signal } = new AbortController();
const words = { name: "REPO", login: "--registry-username", insecure: "--insecure-registry" };

/** What a push says of an answer to what it sends. */
async function refusal(
  status: number,
  body: unknown,
  { at = /\/uploads\//, method = "PUT" }: { readonly at?: RegExp; readonly method?: string } = {},
) {
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "bearer", user: "me", password: "secret-word" };
  let asked = 0;
  registry.fault(async (request, url) => {
    if (request.method !== method || !at.test(url.pathname)) return undefined;
    asked++;
    await request.body?.cancel();
    return typeof body === "string" ? new Response(body, { status }) : Response.json(body, { status });
  }, Infinity);
  await using client = clientOf(registry.host, { user: "me:secret-word", clock: new FakeClock() });
  const failure = await uploadBlob(client, "a", { blob: await blobOf(someBytes(5000)), isNew: true, signal })
    .then(() => undefined, (error) => error);
  assert.ok(failure instanceof RegistryError);
  const advice = adviceFor(failure, { ...words, domain: "r.io" }) ?? "";
  return {
    kind: failure.kind,
    message: failure.message,
    retryable: failure.details.retryable,
    advice,
    asked,
  };
}

const oci = (code: string, message: string) => ({ errors: [{ code, message }] });

const full: readonly (readonly [name: string, status: number, body: unknown, said: RegExp])[] = [
  [
    "Harbor",
    403,
    oci(
      "DENIED",
      "adding 151.7 MiB of storage resource, which when updated to current usage of 100.0 GiB will exceed the " +
        "configured upper limit of 100.0 GiB.",
    ),
    /configured upper limit of 100\.0 GiB/,
  ],
  [
    "Quay",
    403,
    oci("DENIED", "Quota has been exceeded on namespace"),
    /Quota has been exceeded on namespace/,
  ],
  [
    "ECR",
    403,
    oci(
      "DENIED",
      "The repository with name 'app' in registry with id '1' already has the maximum allowed number of images " +
        "which is '100000'",
    ),
    /maximum allowed number of images which is '100000'/,
  ],
  [
    "Artifactory",
    413,
    {
      errors: [{
        status: 413,
        message:
          "Datastore disk usage is too high. Contact your Artifactory administrator to add additional " +
          "storage space or change the disk quota limits.",
      }],
    },
    /Datastore disk usage is too high/,
  ],
  [
    "IBM",
    403,
    oci("DENIED", "Your account has exceeded its image storage quota for the current month."),
    /image storage quota/,
  ],
  [
    "a storage account of Azure",
    403,
    "The account permission has been restricted as account storage usage is over quota.",
    /over quota/,
  ],
  ["507", 507, "", /answered 507/],
];

Deno.test("an answer that says that there is no room is not told as a login", async (t) => {
  for (const [name, status, body, said] of full) {
    await t.step(name, async () => {
      const { kind, message, retryable, advice } = await refusal(status, body);
      assert.equal(kind, "full");
      assert.match(message, said);
      assert.doesNotMatch(message, /credentials/);
      assert.match(advice, /^Make room in the registry: dapp dimg cleanup repo/);
      assert.equal(retryable, undefined);
    });
  }
});

Deno.test("a token server that says so is quoted", async (t) => {
  for (
    const [name, body, said] of [
      [
        "GitLab",
        oci("DENIED", "Your action has been rejected because the namespace storage limit has been reached."),
        /\/token\?… answered 403, DENIED Your action has been rejected because the namespace storage limit/,
      ],
      [
        "DigitalOcean",
        oci("DENIED", "registry contains 1 repositories, limit is 1"),
        /registry contains 1 repositories, limit is 1/,
      ],
    ] as const
  ) {
    await t.step(name, async () => {
      const { kind, message, advice } = await refusal(403, body, { at: /\/token$/, method: "GET" });
      assert.equal(kind, "full");
      assert.match(message, said);
      assert.match(advice, /^Make room/);
    });
  }
  await t.step("and who only reads is let in", async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind: "bearer" };
    await registry.addImage("a", "v1");
    registry.fault(
      (_, url) =>
        url.pathname === "/token" && url.search.includes("push")
          ? Response.json(oci("DENIED", "the namespace storage limit has been reached"), { status: 403 })
          : undefined,
      Infinity,
    );
    await using client = clientOf(registry.host, { writes: true });
    assert.ok(await findManifest(client, "a", { reference: "v1", signal }));
  });
});

Deno.test("what else an answer says is told as well", async (t) => {
  const denied: readonly (readonly [name: string, status: number, body: unknown, said: RegExp])[] = [
    [
      "a right",
      403,
      oci("DENIED", "requested access to the resource is denied"),
      /requested access .* denied/,
    ],
    ["a message alone", 403, { message: "403 Forbidden for this IP" }, /403 Forbidden for this IP/],
    [
      "OAuth",
      403,
      { error: "invalid_scope", error_description: "no push for robots" },
      /answered 403, no push for robots/,
    ],
    ["an error", 403, { error: "nope" }, /answered 403, nope/],
    ["a list of texts", 403, { errors: ["nobody may"] }, /answered 403, nobody may/],
    ["a page", 403, "<html><head><title>Blocked by firewall</title>", /answered 403, Blocked by firewall/],
    ["a page without title", 403, "<p>no</p>", /answered 403, the credentials/],
    ["a text", 403, "policy says no\nmore", /answered 403, policy says no$/],
    ["null", 403, null, /answered 403, the credentials/],
  ];
  for (const [name, status, body, said] of denied) {
    await t.step(name, async () => {
      const { kind, message } = await refusal(status, body);
      assert.equal(kind, "denied");
      assert.match(message, said);
    });
  }
  await t.step("of a token server, without what was shown to it", async () => {
    const { kind, message, advice } = await refusal(401, { details: "password secret-word has expired" }, {
      at: /\/token$/,
      method: "GET",
    });
    assert.equal(kind, "denied");
    assert.match(
      message,
      /does not accept the credentials known for it \(status 401\), password … has expired/,
    );
    assert.match(advice, /^Log in with/);
  });
  await t.step("a limit on requests is no lack of room", async () => {
    const { kind } = await refusal(429, oci("TOOMANYREQUESTS", "Quota exceeded for quota metric 'Requests'"));
    assert.equal(kind, "limited");
  });
  await t.step("a limit on layers neither", async () => {
    const { kind } = await refusal(
      405,
      oci("UNSUPPORTED", "failed to satisfy constraint: 'Limit on number of layers per image exceeded'"),
    );
    assert.equal(kind, "failed");
  });
});
