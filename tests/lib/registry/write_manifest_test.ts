import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { deleteManifest } from "../../../lib/registry/delete_manifest.ts";
import { isBlobUnknown } from "../../../lib/registry/errors.ts";
import { putManifest } from "../../../lib/registry/put_manifest.ts";
import { failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();

async function image(registry: MemoryRegistry) {
  const config = await registry.addBlob("a", new TextEncoder().encode("{}"));
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...config },
    layers: [],
  };
  return {
    bytes: new TextEncoder().encode(JSON.stringify(document)),
    mediaType: mediaTypes.manifest,
    config,
  };
}

Deno.test("putManifest() stores bytes as they are", async (t) => {
  await using registry = new MemoryRegistry();
  await using client = clientOf(registry.host);
  const manifest = await image(registry);
  const put = (reference: string) => putManifest(client, "a", { manifest, reference, signal });
  await t.step("by tag and by digest, as often as one likes", async () => {
    const digest = await put("1");
    strictEqual(await put(digest), digest);
    strictEqual(await put("1"), digest);
    deepStrictEqual(registry.tagsOf("a"), { "1": digest });
  });
  await t.step("not under another digest", async () => {
    await rejects(put(`sha256:${"0".repeat(64)}`), { kind: "corrupt" });
  });
  await t.step("and does not believe another digest", async () => {
    const headers = { "docker-content-digest": `sha256:${"0".repeat(64)}` };
    registry.fault((request) =>
      request.method === "PUT" ? new Response(null, { status: 201, headers }) : undefined
    );
    await rejects(put("1"), { kind: "corrupt", message: /the registry says its digest is sha256:000/ });
  });
  await t.step("and looks for it where the answer tells none", async () => {
    const digest = await put("1");
    registry.fault((request) => request.method === "PUT" ? new Response(null, { status: 201 }) : undefined);
    strictEqual(await put("1"), digest);
    await registry.addImage("b", "1");
    registry.fault(({ method }) => method === "PUT" ? new Response("<html>Sign in</html>") : undefined);
    const absent = putManifest(client, "b", { manifest, reference: "1", signal });
    await rejects(absent, /store manifest "1" in .*\/b: the registry took it, but does not have it/);
  });
  await t.step("and says where it is led instead", async () => {
    const elsewhere = { location: "https://me:secret@login.example/sign_in?token=abc" };
    registry.fault(({ method }) =>
      method === "PUT" ? new Response(null, { status: 302, headers: elsewhere }) : undefined
    );
    const led = /answered 302, which leads to https:\/\/login\.example\/sign_in\?… and is not followed$/;
    await rejects(put("1"), led);
  });
  await t.step("a missing blob can be told from other failures", async () => {
    registry.dropBlob("a", manifest.config.digest);
    await rejects(put("2"), isBlobUnknown);
    ok(!isBlobUnknown(new Error("other")));
    strictEqual(registry.tagsOf("a")["2"], undefined);
  });
});

Deno.test("deleteManifest() tells what became of it", async (t) => {
  await using registry = new MemoryRegistry();
  await using client = clientOf(registry.host);
  const remove = async (reference: string) =>
    (await deleteManifest(client, "a", { reference, signal })).outcome;
  await t.step("a registry that deletes by digest", async () => {
    const { manifest } = await registry.addImage("a", "1");
    strictEqual(await remove("1"), "unsupported");
    strictEqual(await remove(manifest.digest), "deleted");
    strictEqual(await remove(manifest.digest), "absent");
  });
  await t.step("a registry that deletes tags", async () => {
    registry.deletion = "tags";
    await registry.addImage("a", "1");
    strictEqual(await remove("1"), "deleted");
    strictEqual(await remove("1"), "absent");
  });
  await t.step("a registry that deletes nothing", async () => {
    registry.deletion = "off";
    strictEqual(await remove("1"), "unsupported");
    strictEqual(await remove(`sha256:${"0".repeat(64)}`), "unsupported");
  });
  await t.step("a rule of the registry", async () => {
    for (const status of [409, 412]) {
      registry.fault(() => failure(status, "PRECONDITION"));
      const done = await deleteManifest(client, "a", { reference: "1", signal });
      deepStrictEqual(done, { outcome: "refused", status, why: "PRECONDITION precondition" });
    }
  });
  await t.step("a rule that is told with 401, without asking for credentials", async () => {
    registry.fault(() => failure(401, "PROTECTED_TAG"));
    const done = await deleteManifest(client, "a", { reference: "1", signal });
    deepStrictEqual(done, { outcome: "refused", status: 401, why: "PROTECTED_TAG protected tag" });
  });
  await t.step("anything but 202 is no deletion", async () => {
    registry.fault(() => new Response(null, { status: 200 }));
    await rejects(remove("1"), { kind: "failed" });
  });
  await t.step("with a token for deleting", async () => {
    registry.auth = { kind: "bearer", user: "me", password: "word" };
    await using known = clientOf(registry.host, { user: "me:word" });
    registry.deletion = "tags";
    await registry.addImage("a", "1");
    strictEqual((await deleteManifest(known, "a", { reference: "1", signal })).outcome, "deleted");
    strictEqual(registry.count(encodeURIComponent("repository:a:delete")), 1);
    registry.auth = { ...registry.auth, withheld: ["delete"] };
    registry.expireTokens();
    await rejects(deleteManifest(known, "a", { reference: "1", signal }), { kind: "denied" });
  });
});
