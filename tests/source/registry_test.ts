import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { EngineError } from "../../core/contract/errors.ts";
import type { Digest } from "../../core/contract/plugin.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { sourceOci } from "../../plugins/source/oci_layout.ts";
import { sourceRegistry } from "../../plugins/source/registry.ts";
import { busyboxBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { cutResponse, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withTempDir } from "../support/tmp.ts";
import { useSource } from "./sources.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

Deno.test("source-registry pulls once and asks nobody about a pinned image", async (t) => {
  await using registry = new MemoryRegistry();
  const layers = [1, 2, 3, 4, 5].map((byte) => new Uint8Array(50_000).fill(byte));
  const { manifest } = await registry.addImage("grp/app", "1", { layers: [...layers, layers[0]!] });
  await withTempDir(async (dir) => {
    const name = `${registry.host}/grp/app:1`;
    const use = (pin?: Digest) => useSource(sourceRegistry, name, { dir, ...(pin && { pin }) });
    const first = await use();
    strictEqual(first?.resolved.id, manifest.digest);
    strictEqual(first.resolved.pin, manifest.digest);
    strictEqual(first.state.layers.length, 6);
    strictEqual(registry.count("/blobs/"), 6, "five layers and the config, each once");

    await t.step("a tag is looked up by one HEAD, nothing else is asked", async () => {
      registry.seen.length = 0;
      deepStrictEqual((await use())?.state, first.state);
      deepStrictEqual(registry.seen.map(({ method, path }) => `${method} ${path}`), [
        "HEAD /v2/grp/app/manifests/1",
      ]);
    });
    await t.step("a pin needs no request at all", async () => {
      registry.seen.length = 0;
      deepStrictEqual((await use(first.resolved.pin))?.resolved, first.resolved);
      strictEqual(registry.seen.length, 0);
    });
    await t.step("a digest in the name has no pin", async () => {
      const byDigest = `${registry.host}/grp/app@${manifest.digest}`;
      deepStrictEqual((await useSource(sourceRegistry, byDigest, { dir }))?.resolved, {
        id: manifest.digest,
      });
    });
  });
});

Deno.test("source-registry chooses the platform and pins the index", async () => {
  await using registry = new MemoryRegistry();
  const arm = (await registry.addImage("app", undefined, { architecture: "arm64" })).manifest;
  const amd = (await registry.addImage("app", undefined)).manifest;
  const index = await registry.addManifest("app", {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      { ...arm, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
      { ...amd, platform: { os: "linux", architecture: "amd64" } },
    ],
  } as { mediaType: string }, "1");
  await withTempDir(async (dir) => {
    const name = `${registry.host}/app:1`;
    const found = await useSource(sourceRegistry, name, { dir });
    deepStrictEqual(found?.resolved, { id: amd.digest, pin: index.digest });
    const platform = { os: "linux", architecture: "arm64" };
    strictEqual((await useSource(sourceRegistry, name, { dir, platform }))?.resolved.id, arm.digest);
    await rejects(
      useSource(sourceRegistry, name, { dir, platform: { os: "linux", architecture: "riscv64" } }),
      {
        code: "SOURCE_INVALID",
        message: /it has linux\/arm64\/v8, linux\/amd64, wanted is linux\/riscv64/,
      },
    );
  });
});

Deno.test("source-registry leaves nothing behind when a layer stays wrong", async () => {
  await using registry = new MemoryRegistry();
  const { layers } = await registry.addImage("app", "1");
  registry.fault(
    (_, url) =>
      url.pathname.endsWith(layers[0]!.digest) ? new Response("something else altogether") : undefined,
    99,
  );
  await withTempDir(async (dir) => {
    await rejects(useSource(sourceRegistry, `${registry.host}/app:1`, { dir }), { code: "REGISTRY_FAILED" });
    const left: string[] = [];
    for await (const { name } of Deno.readDir(`${dir}/store/blobs/sha256`)) left.push(name);
    ok(!left.includes(layers[0]!.digest.slice(7)));
  });
});

Deno.test("source-registry explains failures", async (t) => {
  await using registry = new MemoryRegistry();
  await withTempDir(async (dir) => {
    const name = `${registry.host}/app:1`;
    const use = (pin?: Digest) => useSource(sourceRegistry, name, { dir, ...(pin && { pin }) });
    await t.step("no such tag", async () => {
      await rejects(use(), { code: "SOURCE_NOT_FOUND", message: /MANIFEST_UNKNOWN/ });
    });
    await t.step("a pin that is gone", async () => {
      await rejects(
        use(digestFromHex("0".repeat(64))),
        (error: EngineError) =>
          error.code === "SOURCE_NOT_FOUND" && /dapp dimg lock --update/.test(error.fix),
      );
    });
    await t.step("not logged in", async () => {
      registry.auth = { kind: "basic", user: "u", password: "p" };
      await rejects(
        use(),
        (error: EngineError) =>
          error.code === "REGISTRY_DENIED" && error.fix.includes(`docker login ${registry.host}`),
      );
    });
    await t.step("a name that is none", async () => {
      await rejects(useSource(sourceRegistry, "Bad Name", { dir }), { code: "SOURCE_INVALID" });
    });
  });
});

Deno.test("source-registry survives a cut download", async () => {
  await using registry = new MemoryRegistry();
  const bytes = new Uint8Array(200_000).fill(7);
  const { layers } = await registry.addImage("app", "1", { layers: [bytes] });
  registry.fault((_, url) =>
    url.pathname.endsWith(layers[0]!.digest) ? cutResponse(bytes, 70_000) : undefined
  );
  await withTempDir(async (dir) => {
    const found = await useSource(sourceRegistry, `${registry.host}/app:1`, { dir });
    strictEqual(found?.progress.get(layers[0]!.digest), bytes.length);
    strictEqual(registry.count(layers[0]!.digest), 2);
  });
});

Deno.test("source-registry pulls from docker-registry what skopeo put there", async (t) => {
  const skopeo = await peer("skopeo");
  await using registry = await startDockerRegistry() ?? null;
  if (!skopeo || !registry) return;
  const base = await busyboxBase();
  await withTempDir(async (dir) => {
    const layout = await useSource(sourceOci, `oci:${base}`, { dir });
    await run(["rm", "-rf", `${dir}/store`]);
    for (const format of ["oci", "v2s2"]) {
      await t.step(format, async () => {
        const name = `${registry.host}/grp/busybox:${format}`;
        await run([
          skopeo,
          "copy",
          "-q",
          "-f",
          format,
          "--dest-tls-verify=false",
          `oci:${base}:latest`,
          `docker://${name}`,
        ]);
        const found = await useSource(sourceRegistry, name, { dir });
        deepStrictEqual(found?.state.layers, layout?.state.layers);
      });
    }
  });
});
