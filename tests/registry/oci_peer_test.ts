import { ok, strictEqual } from "node:assert/strict";
import { isBlobUnknown } from "../../lib/registry/errors.ts";
import type { TransferIo } from "../../core/plugin.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { openOci, registryRequest } from "../support/registry_request.ts";
import { storeImage } from "./conformance.ts";

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
    ok(isBlobUnknown(failure));
  });
  await t.step("and its tags are gone after removal, those of siblings not", async () => {
    await repository.putManifest(image, "v2", signal);
    const { digest } = image;
    strictEqual((await repository.remove({ tag: "v1", digest, alone: false }, signal)).outcome, "removed");
    const { stdout } = await run([skopeo, "list-tags", "--tls-verify=false", `docker://${repository.name}`]);
    strictEqual(JSON.parse(stdout).Tags.join(), "v2");
  });
});
