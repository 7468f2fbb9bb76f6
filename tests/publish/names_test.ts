import assert from "node:assert/strict";
import { definePlugin, use } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { openProject, takeBuilt, type TestProject, withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { verifyLayout, verifyRegistry } from "../support/verify_registry.ts";

const dappfile = (base: string, names = "[app, web]") => `
project: shop
---
dimg: ${names}
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["echo installed >/installed"], setup: ["cat /app/* >/all"] }
`;

async function withShop(body: (project: TestProject) => Promise<void>, names?: string): Promise<void> {
  const text = dappfile(await busyboxBase(), names);
  await withProject({ "dappfile.yaml": text, "src/a": "a\n" }, body);
}

const isImage = (tag: string) => !/^(dimgstage|dappservice)-/.test(tag);

Deno.test("spush publishes one dimg as REPO:TAG, whatever it is called", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/shop`;
    await using engine = project.engine();
    await engine.build();
    const options = { repo, single: true, tags: [{ flag: "tag", value: "v1" }] };
    await assert.rejects(engine.push([], options), { code: "USAGE" });
    const { images } = await engine.push(["web"], options);
    assert.deepEqual(images.flatMap((image) => image.tags.map((tag) => tag.reference)), [`${repo}:v1`]);
    assert.deepEqual(Object.keys(registry.tagsOf("group/shop")), ["v1"]);
    assert.deepEqual(registry.tagsOf("group/shop/web"), {});
    const published = await engine.published([], { repo });
    assert.deepEqual(published.images.map(({ name, tags }) => [name, tags.length]), [["web", 1]]);
  });
});

Deno.test("flat naming keeps all dimgs in REPO, nested naming below it; both are listed by dimg", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    const tags = [{ flag: "tag", value: "v1" }];
    for (const naming of ["flat", "nested"] as const) {
      const repo = `${registry.host}/${naming}`;
      await using engine = project.engine({ registry: { naming } });
      await engine.build();
      await engine.push([], { repo, tags });
      const own = Object.keys(await verifyRegistry(registry.host, naming)).filter(isImage);
      assert.deepEqual(own, naming === "flat" ? ["app-v1", "web-v1"] : []);
      if (naming === "nested") {
        for (const dimg of ["app", "web"]) {
          assert.deepEqual(Object.keys(await verifyRegistry(registry.host, `nested/${dimg}`)), ["v1"]);
        }
      }
      const { images } = await engine.published([], { repo });
      assert.deepEqual(images.map(({ name, tags }) => [name, tags.length]), [["app", 1], ["web", 1]]);
    }
    await using engine = project.engine({ registry: { naming: "nested" } });
    const nested = engine.push([], { repo: "oci:repo", tags });
    await assert.rejects(nested, { code: "REGISTRY_UNSUPPORTED", message: /one repository/ });
  });
});

Deno.test("two dimgs that would get the same name are a conflict, found before anything is sent", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    await using engine = project.engine({ registry: { naming: "flat" } });
    await engine.build();
    // app-web:v1 and app:web-v1 are both REPO:app-web-v1
    const tags = [{ flag: "tag", value: "v1" }, { flag: "tag", value: "web-v1" }];
    const repo = `${registry.host}/shop`;
    const conflict = {
      code: "TAG_CONFLICT",
      message: /app-web-v1.*"app".*"app-web"|app-web-v1.*"app-web".*"app"/,
    };
    await assert.rejects(engine.push([], { repo, tags }), conflict);
    await assert.rejects(engine.push([], { repo, tags, build: true }), conflict);
    await assert.rejects(engine.tag([], { repo: "registry.example.com/shop", tags }), conflict);
    assert.deepEqual(registry.tagsOf("shop"), {});
    assert.equal(registry.seen.filter(({ method }) => method !== "GET" && method !== "HEAD").length, 0);
  }, "[app, app-web]");
});

Deno.test("images of dimgs that are gone are found, also where plugins named them alike", async () => {
  const names = ["a/b", "a__b", "a.b", "a_b", "a/b__c", "a__b/c"];
  // In a dappfile no name has a slash.
  const renames = definePlugin({
    name: "renames",
    api: 1,
    setup: () => ({
      config: (config) => ({
        ...config,
        images: config.images.map((image, i) => ({ ...image, name: names[i]! })),
      }),
    }),
  });
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/shop`;
    await using engine = project.engine({ plugins: [use(renames)] });
    await engine.push([], { repo, tags: [{ flag: "tag", value: "v1" }], build: true });
    await project.write({ "dappfile.yaml": dappfile(await busyboxBase(), "[app]") });
    await using later = project.engine();
    const { images } = await later.published([], { repo });
    assert.deepEqual(images.map(({ name }) => name).sort(), [...names].sort());
  }, "[a, b, c, d, e, f]");
});

Deno.test("an image may not be published under the name of a stage or of dapp's own notes", async () => {
  await withShop(async (project) => {
    await using engine = project.engine();
    await engine.build();
    for (const value of ["dimgstage-x", "dappservice-x", "", ".x", "a b", "x".repeat(129)]) {
      for (const single of [false, true]) {
        const pushed = engine.push(["app"], {
          repo: "oci:repo",
          single,
          tags: [{ flag: "tag-plain", value }],
        });
        await assert.rejects(pushed, { code: /^(TAG_INVALID|USAGE)$/ }, value);
      }
    }
    await assert.rejects(Deno.stat(`${project.dir}/repo`), Deno.errors.NotFound);
  });
});

Deno.test("--cache-from gives stages and gets none; --repo-read-only too", async () => {
  await withShop(async (project) => {
    const cache = `oci:${project.home}-cache`;
    {
      await using engine = project.engine({ repo: cache });
      await engine.build();
    }
    const before = await verifyLayout(`${project.home}-cache`);
    await project.write({ "src/a": "changed\n" });
    await project.commit();

    const reader = openProject(project.dir, `${project.home}-2`);
    await using readOnly = reader.engine({ repo: cache, repoReadOnly: true });
    await readOnly.build();
    assert.ok(takeBuilt(reader).every((name) => !name.endsWith("/install")));
    assert.deepEqual(await verifyLayout(`${project.home}-cache`), before);

    // What comes from the cache goes to REPO with what is built, so that REPO is complete for others.
    const writer = openProject(project.dir, `${project.home}-3`);
    const repo = `oci:${project.home}-repo`;
    await using both = writer.engine({ repo, cacheFrom: [cache] });
    const { images } = await both.build();
    assert.ok(takeBuilt(writer).every((name) => !name.endsWith("/install")));
    assert.deepEqual(await verifyLayout(`${project.home}-cache`), before);
    const third = openProject(project.dir, `${project.home}-4`);
    await using other = third.engine({ repo });
    const taken = await other.build();
    assert.equal(taken.stagesBuilt, 0);
    assert.deepEqual(taken.images.map(({ digest }) => digest), images.map(({ digest }) => digest));
  });
});

Deno.test("two homes publish the same stages, whether they build with --repo or push afterwards", async () => {
  await withShop(async (project) => {
    await using live = new MemoryRegistry();
    await using later = new MemoryRegistry();
    await using again = new MemoryRegistry();
    const stagesOf = async (registry: MemoryRegistry) => {
      const tags = Object.entries(await verifyRegistry(registry.host, "shop"));
      return Object.fromEntries(tags.filter(([tag]) => tag.startsWith("dimgstage-")));
    };
    await using one = project.engine({ repo: `${live.host}/shop` });
    await one.build();
    await using two = openProject(project.dir, `${project.home}-2`).engine();
    await two.build();
    await two.pushStages([], { repo: `${later.host}/shop` });
    const wanted = await stagesOf(live);
    assert.ok(Object.keys(wanted).length > 3);
    assert.deepEqual(await stagesOf(later), wanted);

    // Whoever only took them passes on the same again.
    live.seen.splice(0);
    await using taker = openProject(project.dir, `${project.home}-3`).engine();
    const { stages } = await taker.pullStages([], { repo: `${live.host}/shop`, all: true });
    assert.equal(stages.length, Object.keys(wanted).length);
    const blobs = new Set(
      live.seen.filter(({ path }) => /\/blobs\/sha256:/.test(path)).map(({ path }) => path),
    );
    assert.equal(live.count("/blobs/sha256:", "GET"), blobs.size, "each blob is read once");
    await taker.pushStages([], { repo: `${again.host}/shop` });
    assert.deepEqual(await stagesOf(again), wanted);
  });
});

Deno.test("explain compares with what was only pulled: by value, by command and by file", async () => {
  await withShop(async (project) => {
    const repo = `oci:${project.home}-repo`;
    await using one = project.engine({ repo });
    await one.build();
    const server = openProject(project.dir, `${project.home}-2`);
    await using two = server.engine();
    await two.pullStages([], { repo });
    const unchanged = await two.explain("app");
    assert.ok(unchanged.images.every(({ stages }) => stages.every(({ state }) => state !== "build")));

    await project.write({ "src/a": "changed\n", "src/b": "b\n" });
    const text = await Deno.readTextFile(`${project.dir}/dappfile.yaml`);
    await project.write({ "dappfile.yaml": text.replace("echo installed", "echo changed") });
    await project.commit("second");
    await using three = server.engine();
    const { images: [app] } = await three.explain("app");
    const changes = app!.stages.flatMap(({ stage, changes }) =>
      changes.map((change) => ({ stage, ...change }))
    );
    const commands = changes.find((change) => change.kind === "commands");
    assert.ok(commands?.kind === "commands");
    assert.deepEqual(commands.diff.filter((line) => !line.startsWith(" ")), [
      "-echo installed >/installed",
      "+echo changed >/installed",
    ]);
    const files = changes.find((change) => change.kind === "files");
    assert.ok(files?.kind === "files");
    const paths = files.files.map(({ path, change }) => `${change} ${path}`).sort();
    assert.deepEqual(paths, ["added /app/b", "modified /app/a"]);

    // Just as where it was built.
    await using four = project.engine();
    const { images: [there] } = await four.explain("app");
    assert.deepEqual(
      changes,
      there!.stages.flatMap(({ stage, changes }) => changes.map((change) => ({ stage, ...change }))),
    );
  });
});
