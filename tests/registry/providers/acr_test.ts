import assert from "node:assert/strict";
import { registryAcr } from "../../../plugins/registry/providers.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { startAcr } from "./acr_server.ts";
import { listed, opened, signal } from "./support.ts";

const PATH = "team/app";

Deno.test("registry-acr lists pages of tags with times and locks", async () => {
  await using azure = await startAcr();
  for (const tag of ["a", "b", "c"]) await azure.registry.addImage(PATH, tag);
  azure.locked.add("b");
  const request = registryRequest(`${azure.registry.host}/${PATH}`, { kind: "acr" });
  await using backend = await opened(registryAcr, request);
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c"]);
  assert.equal(rows[0]!.pushedAt, "2026-11-21T10:00:00.1Z");
  assert.equal(rows[0]!.locked, undefined);
  assert.match(rows[1]!.locked ?? "", /locked in Azure/);
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

Deno.test("registry-acr deletes one tag; a locked one stays with its reason", async () => {
  await using azure = await startAcr();
  const { manifest } = await azure.registry.addImage(PATH, "v1");
  for (const tag of ["v2", "v3"]) await azure.registry.addImage(PATH, tag);
  azure.locked.add("v2");
  const request = registryRequest(`${azure.registry.host}/${PATH}`, { kind: "acr" });
  await using backend = await opened(registryAcr, request);
  const repository = backend.repository("");
  const digest = manifest.digest;
  const remove = (tag: string) => repository.remove({ tag, digest, alone: false }, signal);
  assert.deepEqual(await remove("v1"), { outcome: "removed", by: "tag" });
  assert.deepEqual(await remove("v1"), { outcome: "absent" });
  assert.deepEqual(await remove("v2"), {
    outcome: "refused",
    why: "Azure does not delete it: UNSUPPORTED unsupported",
  });
  assert.deepEqual(Object.keys(azure.registry.tagsOf(PATH)), ["v2", "v3"]);
});
