/** What `checkRepo()` finds of what an operator meets, and how much of it it can repair. */
import assert from "node:assert/strict";
import {
  anotherMachine,
  check,
  engineOf,
  inRegistry,
  type PublishedProject,
  push,
  withPublished,
} from "../support/published_project.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

const both = { platform: "linux/amd64,linux/arm64" };

/** What stands under a tag. */
function at({ registry }: PublishedProject, path: string, tag: string) {
  const digest = registry.tagsOf(path)[tag]!;
  return { digest, document: registry.documentOf(path, digest)! };
}

function parts({ damaged }: Awaited<ReturnType<typeof check>>) {
  return damaged.flatMap(({ reference, missing }) =>
    missing.map(({ part, here, repaired }) =>
      `${reference.split("/").at(-1)} ${part}${here ? " here" : ""}${repaired ? " repaired" : ""}`
    )
  );
}

Deno.test("a configuration of an image is made again as it was, and its digest stays", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const { digest, document } = at(published, "group/app/web", "v1");
    registry.loseBlob(document.config!.digest);
    assert.deepEqual(parts(await check(project, repo)), ["web:v1 configuration here"]);
    assert.deepEqual(parts(await check(project, repo, { repair: true })), [
      "web:v1 configuration here repaired",
    ]);
    assert.equal(at(published, "group/app/web", "v1").digest, digest);
    await verifyRegistry(registry.host, "group/app/web");
  });
});

Deno.test("an image for several platforms gets back what is below its index", async (t) => {
  const lose: Record<string, (published: PublishedProject, child: string) => void> = {
    "a manifest": ({ registry }, child) => registry.dropManifest("group/app/web", child),
    "a manifest, its configuration and a layer": ({ registry }, child) => {
      const { config, layers } = registry.documentOf("group/app/web", child)!;
      registry.loseBlob(config!.digest);
      registry.loseBlob(layers!.at(-1)!.digest);
      registry.dropManifest("group/app/web", child);
    },
    "a configuration": ({ registry }, child) =>
      registry.loseBlob(registry.documentOf("group/app/web", child)!.config!.digest),
  };
  for (const [what, losing] of Object.entries(lose)) {
    await t.step(what, async () => {
      await withPublished(inRegistry, async (published) => {
        const { project, registry, repo } = published;
        const { digest, document } = at(published, "group/app/web", "v1");
        assert.equal(document.manifests!.length, 2);
        losing(published, document.manifests![1]!.digest);
        const found = (await check(project, repo)).damaged.filter(({ image }) => image !== undefined);
        assert.deepEqual(found.map(({ reference }) => reference), [`${repo}/web:v1`]);
        const { damaged } = await check(project, repo, { repair: true });
        assert.ok(damaged.every(({ missing }) => missing.every(({ repaired }) => repaired)));
        assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
        assert.equal(at(published, "group/app/web", "v1").digest, digest);
        await verifyRegistry(registry.host, "group/app/web");
      }, both);
    });
  }
});

Deno.test("what comes back below an index is looked at before it counts as repaired", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const { document } = at(published, "group/app/web", "v1");
    const child = document.manifests![0]!.digest;
    const layer = registry.documentOf("group/app/web", child)!.layers!.at(-1)!.digest;
    registry.dropManifest("group/app/web", child);
    registry.loseBlob(layer);
    await Deno.remove(`${project.home}/blobs/sha256/${layer.slice(7)}`);
    const { damaged } = await check(project, repo, { repair: true }, ["web"]);
    const missing = damaged.flatMap(({ missing }) => missing);
    assert.deepEqual(missing.map(({ part, repaired }) => [part, repaired]), [
      ["manifest", true],
      ["layer", undefined],
    ]);
  }, both);
});

Deno.test("what no machine can repair is published anew by the next push", async () => {
  await withPublished(inRegistry, async (published) => {
    const { registry, repo } = published;
    const { digest, document } = at(published, "group/app/web", "v1");
    registry.loseBlob(document.config!.digest);
    const other = await anotherMachine(published);
    await check(other, repo);
    await push(other, repo, { build: true });
    assert.notEqual(at(published, "group/app/web", "v1").digest, digest);
    assert.deepEqual((await check(other, repo)).damaged, []);
    await verifyRegistry(registry.host, "group/app/web");
  });
});

Deno.test("an image is looked at although nothing notes its repository any more", async (t) => {
  const mark = "dappservice-dimg-web";
  for (const how of ["lost", "deleted"] as const) {
    await t.step(how, async () => {
      await withPublished(inRegistry, async (published) => {
        const { project, registry, repo } = published;
        const { digest } = at(published, "group/app", mark);
        if (how === "lost") registry.loseBlob(digest);
        else await fetch(`http://${registry.host}/v2/group/app/manifests/${mark}`, { method: "DELETE" });
        const { document } = at(published, "group/app/web", "v1");
        registry.loseBlob(document.config!.digest);
        const found = how === "lost" ? [`app:${mark} manifest here`] : [];
        assert.deepEqual(parts(await check(project, repo)), ["web:v1 configuration here", ...found]);
        await check(project, repo, { repair: true });
        assert.deepEqual((await check(project, repo)).damaged, []);
        if (how === "lost") assert.notEqual(at(published, "group/app", mark).digest, digest);
      });
    });
  }
});

Deno.test("what is no manifest, and a mark that says nothing, is damage, and repaired", async (t) => {
  const mark = "dappservice-dimg-web";
  const type = "application/vnd.oci.image.manifest.v1+json";
  for (const what of ["{}", "an image of others"] as const) {
    for (const kind of ["mark", "stage"] as const) {
      if (what !== "{}" && kind === "stage") continue;
      await t.step(`${what} in place of a ${kind}`, async () => {
        await withPublished(inRegistry, async (published) => {
          const { project, registry, repo } = published;
          await using engine = engineOf(project);
          const { images } = await engine.plan(["web"]);
          const tag = kind === "mark" ? mark : `dimgstage-${images.at(-1)!.stages.at(-1)!.signature}`;
          if (what === "{}") await registry.addManifest("group/app", { mediaType: type }, tag);
          else await registry.addImage("group/app", tag);
          const found = await check(project, repo);
          assert.deepEqual(found.unknown, []);
          assert.deepEqual(parts(found), [`app:${tag} manifest here`]);
          assert.equal(found.damaged[0]!.missing[0]!.state, "damaged");
          const other = await anotherMachine(published);
          // Anybody who has the project can write its marks.
          assert.equal((await check(other, repo)).damaged[0]!.missing[0]!.here, kind === "mark");
          await check(project, repo, { repair: true });
          assert.deepEqual((await check(project, repo)).damaged, []);
        });
      });
    }
  }
});

Deno.test("a blob that one repository alone has lost is sent there again", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const { document } = at(published, "group/app/web", "v1");
    registry.dropBlob("group/app/web", document.layers!.at(-1)!.digest);
    assert.deepEqual(parts(await check(project, repo)), ["web:v1 layer here"]);
    assert.deepEqual(parts(await check(project, repo, { repair: true })), ["web:v1 layer here repaired"]);
    await verifyRegistry(registry.host, "group/app/web");
  });
});

Deno.test("signatures of images are looked at, whatever repository they are in", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const config = await registry.addBlob("group/app", new TextEncoder().encode("{}"));
    const payload = await registry.addBlob("group/app", new TextEncoder().encode("signed"));
    const image = "application/vnd.oci.image.manifest.v1+json";
    const signature = {
      schemaVersion: 2,
      mediaType: image,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
      layers: [{ mediaType: "application/vnd.dev.cosign.simplesigning.v1+json", ...payload }],
    };
    const hex = (digest: string) => digest.replace(":", "-");
    const stage = Object.entries(registry.tagsOf("group/app")).find(([tag]) => tag.startsWith("dimgstage-"))!;
    await registry.addManifest("group/app", signature, `${hex(stage[1])}.sig`);
    const foreign: typeof signature = { ...signature, layers: [] };
    await registry.addManifest("group/app", foreign, `sha256-${"a".repeat(64)}.sig`);
    const before = await check(project, repo);
    assert.deepEqual(before.damaged, []);
    assert.equal(before.tags, 3);
    registry.dropBlob("group/app", payload.digest);
    assert.deepEqual(parts(await check(project, repo)), [`app:${hex(stage[1])}.sig layer`]);
  });
});

Deno.test("a stage whose manifest is lost is published again, also where the registry remembers it", async (t) => {
  const last = async (published: PublishedProject) => {
    await using engine = engineOf(published.project);
    const { images } = await engine.plan(["web"]);
    return `dimgstage-${images.at(-1)!.stages.at(-1)!.signature}`;
  };
  for (const by of ["a build", "a push", "a repair"] as const) {
    await t.step(by, async () => {
      await withPublished(inRegistry, async (published) => {
        const { project, registry, repo } = published;
        const tag = await last(published);
        const { digest } = at(published, "group/app", tag);
        registry.loseBlob(digest);
        if (by === "a repair") await check(project, repo, { repair: true });
        else {
          await using engine = engineOf(project, { repo });
          await (by === "a build" ? engine.build() : engine.pushStages());
        }
        assert.notEqual(at(published, "group/app", tag).digest, digest);
        assert.deepEqual((await check(project, repo)).damaged, []);
        const other = await anotherMachine(published);
        await using engine = engineOf(other, { repo });
        assert.equal((await engine.build()).stagesBuilt, 0);
      });
    });
  }
});

Deno.test("a stage without its configuration spoils no other: they are taken, and it is built again", async () => {
  await withPublished(inRegistry, async (published) => {
    const { registry, repo } = published;
    await using here = engineOf(published.project);
    const { images } = await here.plan(["web"]);
    const { signature } = images.at(-1)!.stages.at(-1)!;
    registry.dropBlob(
      "group/app",
      at(published, "group/app", `dimgstage-${signature}`).document.config!.digest,
    );
    for (const way of ["pull", "build"] as const) {
      const other = await anotherMachine(published);
      await using engine = engineOf(other, { repo });
      if (way === "pull") {
        const { stages } = await engine.pullStages(["web"]);
        assert.deepEqual(stages.map(({ stage, state }) => [stage, state]), [["setup", "pulled"], [
          "docker",
          "unusable",
        ]]);
      } else {
        const { stages } = await engine.build(["web"]);
        const taken = stages.filter(({ state }) => state !== "built").map(({ stage }) => stage);
        assert.ok(taken.includes("install") && taken.includes("setup"));
        assert.deepEqual((await check(other, repo)).damaged, []);
      }
    }
  });
});
