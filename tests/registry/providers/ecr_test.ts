import assert from "node:assert/strict";
import type { Digest } from "../../../lib/oci/digest.ts";
import type { RegistryRequest } from "../../../core/contract/registry.ts";
import { createEcrApi } from "../../../plugins/registry/ecr/api.ts";
import { registryEcr } from "../../../plugins/registry/providers.ts";
import { signAws } from "../../../plugins/registry/ecr/sigv4.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { ApiServer } from "./api_server.ts";
import { countedWaits, digestNo, listed, opened, openWith, signal } from "./support.ts";

const keys = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
const env = {
  HOME: "/nonexistent",
  AWS_ACCESS_KEY_ID: keys.accessKeyId,
  AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
  AWS_REGION: "eu-west-1",
};

interface Image {
  readonly digest: Digest;
  tags: string[];
}

/** Amazon ECR's JSON API: every request must be signed with the keys above. */
function startEcr() {
  const images: Image[] = [];
  const calls: string[] = [];
  const type = (name: string, message: string) =>
    Response.json({ __type: `com.amazonaws.ecr#${name}`, message }, { status: 400 });
  const api = ApiServer.start({
    async handle({ method, url, headers, body }) {
      const stamp = headers.get("x-amz-date") ?? "";
      const target = headers.get("x-amz-target") ?? "";
      const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z");
      const { authorization } = await signAws({
        method,
        url,
        headers: { "content-type": headers.get("content-type") ?? "", "x-amz-target": target },
        body,
      }, { keys, region: "eu-west-1", service: "ecr", now: new Date(iso) });
      if (headers.get("authorization") !== authorization) {
        return type("InvalidSignatureException", "bad signature");
      }
      const operation = target.replace("AmazonEC2ContainerRegistry_V20150921.", "");
      calls.push(operation);
      const input = JSON.parse(body);
      if (operation === "GetAuthorizationToken") {
        return Response.json({
          authorizationData: [{ authorizationToken: btoa("AWS:pass:word"), expiresAt: 1 }],
        });
      }
      if (input.repositoryName !== "team/app") {
        return type("RepositoryNotFoundException", "no such repository");
      }
      if (operation === "DescribeImages") {
        const from = Number(input.nextToken ?? 0);
        const rows = images.slice(from, from + 2).map(({ digest, tags }) => ({
          imageDigest: digest,
          imageTags: tags,
          imagePushedAt: 1763632800.5,
        }));
        return Response.json({
          imageDetails: rows,
          ...(images.length > from + 2 && { nextToken: String(from + 2) }),
        });
      }
      const { imageTag } = input.imageIds[0];
      const at = images.findIndex(({ tags }) => tags.includes(imageTag));
      const fail = (failureCode: string, failureReason: string) =>
        Response.json({ imageIds: [], failures: [{ imageId: { imageTag }, failureCode, failureReason }] });
      if (at < 0) return fail("ImageNotFound", "Requested image not found");
      if (imageTag === "child") {
        return fail("ImageReferencedByManifestList", "Requested image referenced by manifest list");
      }
      images[at]!.tags = images[at]!.tags.filter((tag) => tag !== imageTag);
      if (images[at]!.tags.length === 0) images.splice(at, 1);
      return Response.json({ imageIds: [{ imageTag }], failures: [] });
    },
  });
  return { api, images, calls, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

const open = (ecr: { readonly api: ApiServer }, options = {}) =>
  createEcrApi({ api: ecr.api.url, domain: "ecr.example.com", region: "eu-west-1", env, ...options });

// The first three are from Amazon's own test suite, the last from the documentation of IAM.
const vectors: readonly (readonly [string, string, string, Record<string, string>, string])[] = [
  [
    "GET",
    "https://example.amazonaws.com/",
    "service",
    {},
    "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  ],
  [
    "POST",
    "https://example.amazonaws.com/",
    "service",
    {},
    "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  ],
  [
    "GET",
    "https://example.amazonaws.com/?Param2=value2&Param1=value1",
    "service",
    {},
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
  [
    "GET",
    "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
    "iam",
    { "Content-Type": "application/x-www-form-urlencoded; charset=utf-8" },
    "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
  ],
];
for (const [method, url, service, headers, signature] of vectors) {
  Deno.test(`signAws() agrees with Amazon on ${method} ${url}`, async () => {
    const signed = await signAws({ method, url: new URL(url), headers, body: "" }, {
      keys,
      region: "us-east-1",
      service,
      now: new Date("2015-08-30T12:36:00Z"),
    });
    assert.equal(signed.authorization?.split("Signature=")[1], signature);
  });
}

Deno.test("registry-ecr lists pages of images, a row for each tag", async () => {
  await using ecr = startEcr();
  ecr.images.push(
    { digest: digestNo(1), tags: ["a", "b"] },
    { digest: digestNo(2), tags: ["c"] },
    { digest: digestNo(3), tags: ["d"] },
  );
  const api = open(ecr);
  const rows = await listed(api.tags!("team/app", signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c", "d"]);
  assert.deepEqual(rows[1], { tag: "b", digest: digestNo(1), pushedAt: "2025-11-20T10:00:00.500Z" });
  assert.deepEqual(ecr.calls, ["DescribeImages", "DescribeImages"]);
  assert.deepEqual(await listed(api.tags!("team/none", signal)), []);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-ecr deletes by tag, which leaves siblings, and gives reasons", async () => {
  await using ecr = startEcr();
  ecr.images.push({ digest: digestNo(1), tags: ["v1", "v2"] }, { digest: digestNo(2), tags: ["child"] });
  const api = open(ecr);
  const remove = (tag: string, path = "team/app") =>
    api.remove!(path, { tag, digest: digestNo(1), alone: false }, signal);
  assert.deepEqual(await remove("v1"), { outcome: "removed", by: "tag" });
  assert.deepEqual(ecr.images[0]!.tags, ["v2"]);
  assert.deepEqual(await remove("v1"), { outcome: "absent" });
  assert.deepEqual(await remove("v1", "team/none"), { outcome: "absent" });
  assert.deepEqual(await remove("child"), {
    outcome: "refused",
    why: "Amazon ECR does not delete it: Requested image referenced by manifest list",
  });
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-ecr repeats what was throttled", async () => {
  await using ecr = startEcr();
  ecr.images.push({ digest: digestNo(1), tags: ["a"] });
  const { waits, retry } = countedWaits();
  const api = open(ecr, { retry });
  ecr.api.faults.push(() =>
    Response.json({ __type: "ThrottlingException", message: "Rate exceeded" }, { status: 400 })
  );
  assert.equal((await listed(api.tags!("team/app", signal))).length, 1);
  assert.equal(waits.length, 1);
  await api[Symbol.asyncDispose]?.();
});

Deno.test("registry-ecr names the variables that are not set, and says when keys are refused", async () => {
  await using ecr = startEcr();
  const without = open(ecr, { env: { AWS_ACCESS_KEY_ID: "x" } });
  await assert.rejects(listed(without.tags!("team/app", signal)), {
    code: "REGISTRY_DENIED",
    message: "Cannot list tags of ecr.example.com/team/app: AWS_SECRET_ACCESS_KEY of the environment not set",
  });
  const wrong = open(ecr, { env: { ...env, AWS_SECRET_ACCESS_KEY: "wrong" } });
  await assert.rejects(listed(wrong.tags!("team/app", signal)), {
    code: "REGISTRY_DENIED",
    message: /InvalidSignatureException bad signature/,
  });
  await wrong[Symbol.asyncDispose]?.();
});

Deno.test("registry-ecr logs in to the registry with the AWS keys when docker knows no login", async () => {
  await using ecr = startEcr();
  await using registry = new MemoryRegistry();
  registry.auth = { kind: "basic", user: "AWS", password: "pass:word" };
  const { manifest } = await registry.addImage("team/app", "v1");
  const request = (changes: Partial<RegistryRequest>) =>
    registryRequest(`${registry.host}/team/app`, { kind: "ecr", env, ...changes });
  await using backend = await opened(registryEcr, request({}), { api: ecr.api.url });
  assert.equal(await backend.repository("").head("v1", signal), manifest.digest);
  const access = { username: "AWS", password: "pass:word", insecure: [] };
  await using known = await opened(registryEcr, request({ access }), { api: ecr.api.url });
  assert.equal(await known.repository("").head("v1", signal), manifest.digest);
  assert.deepEqual(ecr.calls, ["GetAuthorizationToken"]);
});

Deno.test("registry-ecr rejects a REPO whose region cannot be told", async () => {
  const request = registryRequest("ecr.example.com/app", { kind: "ecr" });
  await assert.rejects(openWith(registryEcr, request), { code: "REPO_INVALID", message: /AWS_REGION/ });
});
