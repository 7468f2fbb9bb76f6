/** Repairs of a real registry whose files are lost, or are others. */
import assert from "node:assert/strict";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { check, withPublished } from "../support/published_project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly { readonly digest: string }[];
}

Deno.test("what docker-registry has lost of an image and its stages is sent again while it runs", async () => {
  await using registry = await startDockerRegistry();
  if (!registry) return;
  const { host, dir } = registry;
  const file = (digest: string) =>
    `${dir}/data/docker/registry/v2/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
  const read = async (path: string) => {
    const answer = await fetch(`http://${host}/v2/${path}`, { headers: { accept: MANIFEST_TYPES.join() } });
    return { digest: answer.headers.get("docker-content-digest")!, json: await answer.json() };
  };
  await withPublished(() => `${host}/group/app`, async ({ project, repo }) => {
    const image = await read("group/app/web/manifests/v1");
    const { config, layers } = image.json as Manifest;
    const { tags } = (await read("group/app/tags/list")).json as { readonly tags: readonly string[] };
    const stages = await Promise.all(
      tags.filter((tag) => tag.startsWith("dimgstage-")).map((tag) => read(`group/app/manifests/${tag}`)),
    );
    const mark = await read("group/app/manifests/dappservice-dimg-web");
    for (const { digest } of [config, layers.at(-1)!, stages[0]!, mark]) await Deno.remove(file(digest));
    assert.equal((await check(project, repo)).damaged.filter(({ kind }) => kind === "image").length, 1);
    await check(project, repo, { repair: true });
    assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
    assert.equal((await read("group/app/web/manifests/v1")).digest, image.digest);

    const first = file(layers[0]!.digest);
    const bytes = await Deno.readFile(first);
    await Deno.writeFile(first, bytes.map((byte, i) => i === 20 ? byte ^ 1 : byte));
    assert.deepEqual((await check(project, repo)).damaged, []); // its end is what it was
    const changed = await check(project, repo, { read: true, repair: true });
    assert.ok(changed.damaged.length > 3);
    const parts = changed.damaged.flatMap(({ missing }) => missing);
    assert.ok(parts.every(({ state, here, repaired }) => state === "damaged" && here && !repaired));
    await Deno.remove(first);
    await check(project, repo, { read: true, repair: true });
    assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
    for (const path of ["group/app", "group/app/web"]) await verifyRegistry(host, path);
  });
});
