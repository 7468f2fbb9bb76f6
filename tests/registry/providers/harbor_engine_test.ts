/** What a user of Harbor meets, from the engine down. */
import assert from "node:assert/strict";
import type { Engine, EngineOptions } from "../../../mod.ts";
import { mediaTypes } from "../../../lib/oci/types.ts";
import { registryHarbor } from "../../../plugins/registry/providers.ts";
import { type TestProject, withProject } from "../../support/project.ts";
import { shareAndCleanUp } from "./cycle.ts";
import { HarborServer } from "./harbor_server.ts";
import { settled } from "./support.ts";

const ROOT = "lib/shop";
const APP = `${ROOT}/app`;

const options: EngineOptions = {
  plugins: [settled(registryHarbor)],
  registry: { username: "robot$lib+ci", password: "secret" },
};

interface Shop {
  readonly harbor: HarborServer;
  readonly project: TestProject;
  readonly repo: string;
  engine(more?: EngineOptions): Engine;
  /** Builds and publishes one image, with its stages, at a time of its own. */
  publish(tag: string, content?: string): Promise<void>;
}

/** @param keep policies of the dappfile */
async function withShop(keep: string, body: (shop: Shop) => Promise<void>): Promise<void> {
  await using harbor = await HarborServer.start();
  const repo = `${harbor.host}/${ROOT}`;
  const dappfile = `cleanup: { keep: [${keep}], defaults: false }\n---\n` +
    "dimg: app\nfrom: scratch\ngit: [{ add: /src, to: /app }]\ndocker: { ENV: { A: b } }\n";
  await withProject({ "dappfile.yaml": dappfile, "src/a": "0\n" }, async (project) => {
    const engine = (more: EngineOptions = {}) => project.engine({ ...options, ...more });
    await body({
      harbor,
      project,
      repo,
      engine,
      async publish(tag, content = tag) {
        await project.write({ "src/a": content });
        await project.commit();
        await using one = engine();
        await one.push([], { repo, tags: [{ flag: "tag", value: tag }], build: true, withStages: true });
      },
    });
  });
}

/** GET requests for manifests so far, those of the server to itself aside. */
function reads({ registry }: HarborServer): string[] {
  return registry.seen.filter(({ method, path, authorization }) =>
    method === "GET" && path.includes("/manifests/") && authorization !== undefined
  ).map(({ path }) => path);
}

Deno.test("stages and images are shared, cleaned up and restored at Harbor", async () => {
  await using harbor = await HarborServer.start();
  await shareAndCleanUp({
    repo: `${harbor.host}/${ROOT}`,
    options,
    tagsOf: (name) => harbor.registry.tagsOf(name === "" ? ROOT : `${ROOT}/${name}`),
  });
});

Deno.test("what dapp reads at Harbor to list, plan and clean up is no pull", async () => {
  await withShop("{ use: keep-pulled, options: { within: 1d } }", async (shop) => {
    const { harbor, repo, engine, project } = shop;
    for (const tag of ["t1", "t2", "t3"]) await shop.publish(tag);
    harbor.now = "2026-11-22T10:00:00.000Z";
    const before = reads(harbor).length;
    // A home of its own: nothing is remembered.
    const home = `${project.home}-other`;
    await using other = engine({ home });
    const published = await other.published([], { repo });
    assert.deepEqual(published.images.map(({ tags }) => tags.map(({ tag }) => tag).sort()), [[
      "t1",
      "t2",
      "t3",
    ]]);
    await other.planCleanup({ repo, stages: "unneeded" });
    assert.deepEqual(reads(harbor).slice(before).filter((path) => !path.includes("dappservice-")), []);
  });
});

Deno.test("keep-pulled keeps at Harbor what containerd pulls, by digest", async () => {
  await withShop("{ use: keep-pulled, options: { within: 1d } }", async (shop) => {
    const { harbor, repo, engine } = shop;
    harbor.now = new Date(Date.now() - 10 * 86_400_000).toISOString();
    for (const tag of ["t1", "t2", "t3"]) await shop.publish(tag);
    harbor.now = new Date().toISOString();
    const { t2 } = harbor.registry.tagsOf(APP);
    const read = await fetch(`${harbor.url}/v2/${APP}/manifests/${t2}`, {
      headers: {
        authorization: `Basic ${btoa("robot$lib+ci:secret")}`,
        accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, " +
          "application/vnd.docker.distribution.manifest.v2+json, " +
          "application/vnd.docker.distribution.manifest.list.v2+json",
      },
    });
    assert.equal(read.status, 200, await read.text());
    await using one = engine();
    const plan = await one.planCleanup({ repo });
    assert.deepEqual(
      plan.tags.filter(({ kind }) => kind === "image").map(({ tag, verdict }) => [tag, verdict]),
      [["t1", "delete"], ["t2", "keep"], ["t3", "delete"]],
    );
    assert.equal((await one.applyCleanup(plan)).outcome, "complete");
    assert.deepEqual(Object.keys(harbor.registry.tagsOf(APP)), ["t2"]);
  });
});

Deno.test("what restore brings back at Harbor is as old as before, and the newest stays", async () => {
  await withShop("{ use: keep-last, options: { count: 1 } }", async (shop) => {
    const { harbor, repo, engine } = shop;
    await shop.publish("old");
    await shop.publish("new");
    await using one = engine();
    const report = await one.applyCleanup(await one.planCleanup({ repo }));
    assert.equal(report.counts.deleted, 1);
    harbor.now = new Date(Date.now() + 3600_000).toISOString();
    await one.restore(["app:old"], { repo });
    const plan = await one.planCleanup({ repo });
    assert.deepEqual(
      plan.tags.filter(({ kind }) => kind === "image").map(({ tag, verdict }) => [tag, verdict]),
      [["new", "keep"], ["old", "delete"]],
    );
  });
});

Deno.test("a build leaves no untagged artifact at Harbor", async () => {
  await withShop("{ use: keep-custom }", async (shop) => {
    for (const content of ["1", "1", "2"]) {
      await shop.publish(`t${content}`, content);
      const { registry } = shop.harbor;
      const tagged = new Set(Object.values(registry.tagsOf(ROOT)));
      assert.deepEqual(registry.manifestsOf(ROOT).filter((digest) => !tagged.has(digest)), []);
    }
  });
});

Deno.test("stages can be removed from a Harbor project whose quota is used up", async () => {
  await withShop("{ use: keep-last, options: { count: 1 } }", async (shop) => {
    const { harbor, repo, engine } = shop;
    for (const tag of ["t1", "t2", "t3", "t4"]) await shop.publish(tag);
    await using one = engine();
    await one.applyCleanup(await one.planCleanup({ repo }));
    const before = Object.keys(harbor.registry.tagsOf(ROOT)).filter((tag) => tag.startsWith("dimgstage-"));
    harbor.quota = harbor.used;
    const plan = await one.planCleanup({ repo, images: false, stages: "all" });
    assert.equal(plan.counts.delete.stage, before.length);
    const report = await one.applyCleanup(plan);
    assert.deepEqual([report.outcome, report.counts.deleted], ["complete", before.length]);
    assert.ok(harbor.used < harbor.quota);
  });
});

Deno.test("a Harbor project whose tags are all immutable takes stages and images, and a flush says what is locked", async () => {
  await withShop("{ use: keep-last, options: { count: 0 } }", async (shop) => {
    const { harbor, repo, engine, project } = shop;
    harbor.immutable = /./;
    for (const tag of ["t1", "t2", "t3"]) await shop.publish(tag);
    assert.deepEqual(project.events.filter((e) => e.type === "note" && e.level === "warn"), []);
    await using one = engine();
    const plan = await one.planCleanup({ repo, flush: true, stages: "all" });
    assert.equal(plan.groups.length, 0);
    assert.match(
      plan.notes.join("\n"),
      /\d+ tags that nothing here keeps stay: a tag immutability rule of the Harbor project covers it/,
    );
  });
});

Deno.test("a build says before it builds that a policy of Harbor hands out nothing unsigned", async () => {
  await withShop("{ use: keep-custom }", async ({ harbor, repo, engine, project }) => {
    harbor.demandsSignatures = true;
    await using one = engine({ repo });
    await assert.rejects(one.build(), {
      code: "REGISTRY_FAILED",
      message: /PROJECTPOLICYVIOLATION/,
      fix: /^Switch off what the Harbor project "lib" demands before images may be pulled/,
    });
    assert.deepEqual(project.events.filter(({ type }) => type === "stage.started"), []);
  });
});

Deno.test("a cleanup says that images stay when a robot may take tags away, but delete no artifacts", async () => {
  await withShop("{ use: keep-last, options: { count: 0 } }", async (shop) => {
    const { harbor, repo, engine } = shop;
    for (const tag of ["t1", "t2"]) await shop.publish(tag);
    harbor.rights.delete("artifact:delete");
    await using one = engine();
    const report = await one.applyCleanup(await one.planCleanup({ repo }));
    assert.equal(report.outcome, "partial");
    assert.equal(report.exitCode, 1);
    assert.match(
      report.message ?? "",
      /^2 images that lost their tags take space all the same: this user or robot lacks the right artifact:delete/,
    );
  });
});

Deno.test("a robot that may only push and pull lists what is published", async () => {
  await withShop("{ use: keep-custom }", async (shop) => {
    const { harbor, repo, engine } = shop;
    for (const right of harbor.rights) if (!right.startsWith("repository:")) harbor.rights.delete(right);
    await shop.publish("t1");
    await using one = engine();
    const { images } = await one.published([], { repo });
    assert.deepEqual(images.map(({ tags }) => tags.map(({ tag }) => tag)), [["t1"]]);
  });
});

Deno.test("signatures that Harbor removes with their image come back with it", async () => {
  await withShop("{ use: keep-last, options: { count: 0 } }", async (shop) => {
    const { harbor, repo, engine } = shop;
    await shop.publish("t1");
    const { t1 } = harbor.registry.tagsOf(APP);
    const sign = async (subject: string, text: string) => {
      const blob = await harbor.registry.addBlob(APP, new TextEncoder().encode(text));
      const { digest } = await harbor.registry.addManifest(APP, {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        config: { mediaType: mediaTypes.config, ...blob },
        layers: [],
        subject: { mediaType: mediaTypes.manifest, digest: subject, size: 1 },
      } as { mediaType: string });
      return digest;
    };
    const sbom = await sign(t1!, "sbom");
    const all = [t1!, await sign(t1!, "signature"), sbom, await sign(sbom, "signature of the sbom")].sort();
    await using one = engine();
    assert.equal((await one.applyCleanup(await one.planCleanup({ repo }))).outcome, "complete");
    assert.ok(!harbor.registry.manifestsOf(APP).includes(t1!));
    for (const digest of all) harbor.registry.dropManifest(APP, digest);
    const { tags } = await one.restore([], { repo });
    assert.deepEqual(tags.map(({ outcome, why }) => [outcome, why]), [["restored", undefined]]);
    assert.deepEqual(harbor.registry.manifestsOf(APP).sort(), all);
  });
});
