import { ok, strictEqual } from "node:assert/strict";
import type { TransferIo } from "../../core/contract/plugin.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { someBytes } from "../support/registry_client.ts";
import { openOci, registryRequest } from "../support/registry_request.ts";
import { Wire, type WireFault } from "../support/registry_wire.ts";
import { storeImage } from "../../testing/registry_conformance.ts";
import { EngineError } from "../../core/contract/errors.ts";

const { signal } = new AbortController();
const io: TransferIo = { signal, report() {} };

Deno.test("registry-oci pushes to docker-registry what skopeo reads", async (t) => {
  const skopeo = await peer("skopeo");
  await using registry = await startDockerRegistry();
  if (!registry || !skopeo) return;
  await using backend = await openOci(registryRequest(`${registry.host}/grp/shop`));
  const repository = backend!.repository("");
  const image = await storeImage(repository, "v1");

  await t.step("by tag, with the same digest", async () => {
    const name = `docker://${repository.name}:v1`;
    const { stdout } = await run([skopeo, "inspect", "--tls-verify=false", "--format", "{{.Digest}}", name]);
    strictEqual(stdout.trim(), image.digest);
  });
  await t.step("and mounts blobs between repositories", async () => {
    const below = backend!.repository("app");
    const outcome = await below.upload(
      { ...image.layer, from: ["elsewhere.invalid/x", repository.name] },
      io,
    );
    strictEqual(outcome, "mounted");
  });
  await t.step("and knows the answer when a blob is missing", async () => {
    const { bytes, mediaType } = image;
    const failure = await backend!.repository("other").putManifest({ bytes, mediaType }, "v1", signal)
      .then(() => undefined, (error: unknown) => error);
    ok(failure instanceof EngineError && failure.details.missing);
  });
  await t.step("and its tags are gone after removal, those of siblings not", async () => {
    await repository.putManifest(image, "v2", signal);
    const { digest } = image;
    strictEqual((await repository.remove({ tag: "v1", digest, alone: false }, signal)).outcome, "removed");
    const { stdout } = await run([skopeo, "list-tags", "--tls-verify=false", `docker://${repository.name}`]);
    strictEqual(JSON.parse(stdout).Tags.join(), "v2");
  });
});

Deno.test("registry-oci pushes to docker-registry over a wire that breaks", async (t) => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  await using wire = new Wire(registry.host);
  await using backend = await openOci(registryRequest(`${wire.host}/grp/shop`));
  const repository = backend!.repository("");
  const faults: readonly WireFault[] = [
    { request: /^PUT .*\/uploads\//, cut: 1_500_000 },
    { request: /^PUT .*\/uploads\//, cut: "answer" },
    { request: /^POST /, cut: "answer" },
    { request: /^PUT .*\/manifests\//, cut: "answer" },
  ];
  for (const [at, fault] of faults.entries()) {
    await t.step(`${fault.request} ${fault.cut}`, async () => {
      wire.faults.push(fault);
      const tag = `cut-${at}`;
      const layer = someBytes(3_000_000).map((byte) => byte ^ at);
      const image = await storeImage(repository, tag, layer);
      strictEqual(wire.faults.length, 0, "the wire was cut");
      strictEqual(await repository.head(tag, signal), image.digest);
      strictEqual((await repository.blob(image.layer, signal)).length, layer.length);
    });
  }
});
