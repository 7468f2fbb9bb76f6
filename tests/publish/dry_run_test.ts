import assert from "node:assert/strict";
import type { PublishReport, PushOptions, StageMoves } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { verifyLayout } from "../support/verify_registry.ts";

const dappfile = (base: string) => `
project: shop
---
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out && echo tool >/out/tool"] }
---
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
shell: { install: ["echo installed >/installed"], setup: ["cat /app/* >/all"] }
`;

async function withShop(body: (project: TestProject) => Promise<void>): Promise<void> {
  await withProject({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" }, body);
}

const tags = [{ flag: "tag", value: "v1" }, { flag: "tag-branch" }];

/** Names that a run says it would write, or has written. */
function written({ images = [], stages }: Partial<PublishReport> & StageMoves | PublishReport): string[] {
  const rows = [...stages, ...images.flatMap((image) => image.tags)];
  return rows.filter(({ state }) => /^(would )?(push|pull)(ed)?$/.test(state)).map((row) => row.reference)
    .sort();
}

/** Tags of images and stages in a memory registry, by full name. */
function inRegistry(registry: MemoryRegistry, paths: readonly string[]): string[] {
  const names = paths.flatMap((path) =>
    Object.keys(registry.tagsOf(path)).map((tag) => `${registry.host}/${path}:${tag}`)
  );
  return names.filter((name) => !name.includes(":dappservice-")).sort();
}

const cases: readonly { readonly what: string; readonly options: PushOptions; readonly naming?: "flat" }[] = [
  { what: "push", options: { tags } },
  { what: "push --with-stages", options: { tags, withStages: true } },
  { what: "push --naming flat", options: { tags, withStages: true }, naming: "flat" },
  { what: "push without a tag", options: {} },
];

for (const { what, options, naming } of cases) {
  Deno.test(`${what}: a dry run writes nothing and names exactly what the real run then writes`, async () => {
    await withShop(async (project) => {
      await using registry = new MemoryRegistry();
      const repo = `${registry.host}/group/shop`;
      const paths = ["group/shop", "group/shop/app", "group/shop/web"];
      const settings = naming ? { registry: { naming } } : {};
      await using engine = project.engine(settings);
      await engine.build();
      const run = async (dryRun: boolean) => {
        await using each = project.engine({ ...settings, dryRun });
        return written(await each.push([], { ...options, repo }));
      };
      const would = await run(true);
      assert.ok(would.length > 0);
      assert.deepEqual(registry.seen.filter(({ method }) => method !== "HEAD" && method !== "GET"), []);
      assert.deepEqual(await run(false), would);
      assert.deepEqual(inRegistry(registry, paths), would);
      assert.deepEqual(await run(true), []);
      if (naming === "flat") assert.ok(would.every((name) => name.startsWith(`${repo}:`)));
    });
  });
}

Deno.test("bp: a dry run builds and writes nothing, and names every tag that the real run writes", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/shop`;
    const run = async (dryRun: boolean) => {
      await using engine = project.engine({ dryRun });
      return written(await engine.push([], { tags, build: true, repo }));
    };
    const would = await run(true);
    assert.equal(would.length, 4);
    assert.deepEqual(registry.seen.filter(({ method }) => method !== "HEAD" && method !== "GET"), []);
    assert.deepEqual(await run(false), would);
  });
});

Deno.test("bp --with-stages: a dry run also names the stages that would be built and published", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    const repo = `${registry.host}/group/shop`;
    const paths = ["group/shop", "group/shop/app", "group/shop/web"];
    const run = async (of: TestProject, dryRun: boolean) => {
      await using engine = of.engine({ dryRun });
      return await engine.push([], { tags, build: true, withStages: true, repo });
    };
    const would = written(await run(project, true));
    assert.deepEqual(written(await run(project, false)), would);
    assert.deepEqual(inRegistry(registry, paths), would);
    // Another server builds none of them, and does not say that it would.
    const { stages } = await run(openProject(project.dir, `${project.home}-other`), true);
    assert.deepEqual(stages.filter(({ state }) => state === "would push"), []);
  });
});

Deno.test("stages push and pull: a dry run names exactly what the real run then moves", async () => {
  await withShop(async (project) => {
    const repo = `oci:${project.home}-repo`;
    const push = async (dryRun: boolean) => {
      await using engine = project.engine({ dryRun });
      return written(await engine.pushStages([], { repo }));
    };
    {
      await using engine = project.engine();
      await engine.build();
    }
    const would = await push(true);
    await assert.rejects(Deno.stat(`${project.home}-repo`), Deno.errors.NotFound);
    assert.deepEqual(await push(false), would);
    const stages = Object.keys(await verifyLayout(`${project.home}-repo`)).filter((t) =>
      t.startsWith("dimgstage-")
    );
    assert.deepEqual(stages.map((tag) => `${repo}:${tag}`), would);
    for (const all of [false, true]) {
      const server = openProject(project.dir, `${project.home}-${all}`);
      const pull = async (dryRun: boolean) => {
        await using engine = server.engine({ dryRun });
        return written(await engine.pullStages([], { repo, all }));
      };
      const named = await pull(true);
      assert.ok(named.length > 0);
      assert.deepEqual(await pull(false), named);
      assert.deepEqual(await pull(true), []);
    }
  });
});

Deno.test("build --repo: a dry run takes and publishes nothing", async () => {
  await withShop(async (project) => {
    await using registry = new MemoryRegistry();
    await using engine = project.engine({ repo: `${registry.host}/group/shop`, dryRun: true });
    await engine.build();
    assert.deepEqual(registry.tagsOf("group/shop"), {});
    assert.deepEqual(registry.seen.filter(({ method }) => method !== "HEAD" && method !== "GET"), []);
  });
});
