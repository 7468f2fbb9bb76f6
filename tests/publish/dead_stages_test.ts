/** Stages of other commits that a registry has lost: what a repair makes of them. */
import assert from "node:assert/strict";
import { use } from "../../mod.ts";
import { stageTag } from "../../core/contract/labels.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import {
  anotherMachine,
  check,
  engineOf,
  inRegistry,
  type PublishedProject,
  withPublished,
} from "../support/published_project.ts";
import type { TestProject } from "../support/project.ts";
import settled from "../support/settled_registry.ts";
import { verifyRegistry } from "../support/verify_registry.ts";

/** A repair by a machine that waits for no build for long. */
async function repair(project: TestProject, repo: string) {
  await using engine = engineOf(project, {
    plugins: [use(fakeBuilder(new FakeBuilderLog())), use(settled)],
  });
  return await engine.checkRepo([], { repo, repair: true });
}

/** The last stage of web, published as v1; the project is at another commit by then, which nobody has published. */
async function leaveBehind({ project }: PublishedProject): Promise<string> {
  await using engine = engineOf(project);
  const { images } = await engine.plan(["web"]);
  const { signature } = images.at(-1)!.stages.at(-1)!;
  const text = await Deno.readTextFile(`${project.dir}/dappfile.yaml`);
  await project.write({ "dappfile.yaml": text.replace("installed 3", "changed 3") });
  await project.commit("second");
  return stageTag(signature);
}

async function forget({ registry }: PublishedProject, tag: string): Promise<void> {
  const digest = registry.tagsOf("group/app/web")[tag]!;
  const { body } = await fetch(`http://${registry.host}/v2/group/app/web/manifests/${digest}`, {
    method: "DELETE",
  });
  await body?.cancel();
}

function stage({ registry }: PublishedProject, tag: string) {
  const digest = registry.tagsOf("group/app")[tag];
  return { digest, document: digest === undefined ? undefined : registry.documentOf("group/app", digest) };
}

Deno.test("a stage of another commit is published again by the machine that has it", async (t) => {
  for (const what of ["its configuration", "its manifest"] as const) {
    await t.step(what, async () => {
      await withPublished(inRegistry, async (published) => {
        const { project, registry, repo } = published;
        const tag = await leaveBehind(published);
        const { digest, document } = stage(published, tag);
        if (what === "its manifest") registry.loseBlob(digest!);
        else registry.dropBlob("group/app", document!.config!.digest);
        assert.equal((await check(project, repo)).damaged.length, 1);
        await repair(project, repo);
        assert.deepEqual((await check(project, repo, { read: true })).damaged, []);
        await verifyRegistry(registry.host, "group/app");
        // Who builds that commit takes it, and can still explain it.
        await project.git("checkout", "-q", "HEAD~1");
        const other = await anotherMachine(published);
        await using engine = engineOf(other, { repo });
        assert.equal((await engine.build(["web"])).stagesBuilt, 0);
      });
    });
  }
});

Deno.test("a stage that nobody has any more is named with what needs it, and goes when nothing does", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const commit = (await project.git("rev-parse", "HEAD")).trim();
    const tag = await leaveBehind(published);
    const { document, digest } = stage(published, tag);
    const other = await anotherMachine(published);
    registry.dropBlob("group/app", document!.layers!.at(-1)!.digest);
    const { damaged } = await repair(other, repo);
    const found = damaged.find(({ reference }) => reference.endsWith(tag))!;
    assert.deepEqual(
      [found.stage, found.neededBy, found.commit, found.removed],
      ["docker", [`${repo}/web:v1`], commit, undefined],
    );
    assert.equal(stage(published, tag).digest, digest);

    await forget(published, "v1");
    const dead = (await repair(other, repo)).damaged;
    assert.ok(dead.length > 0 && dead.every(({ kind, removed }) => kind === "stage" && removed));
    assert.equal(stage(published, tag).digest, undefined);
    assert.deepEqual((await check(other, repo)).damaged, []);
    await verifyRegistry(registry.host, "group/app");
    // It comes back by whoever has it.
    await using engine = engineOf(other);
    const { tags } = await engine.restore([], { repo });
    assert.deepEqual(
      new Set(tags.map(({ reference }) => reference)),
      new Set(dead.map(({ reference }) => reference)),
    );
  });
});

Deno.test("a damaged stage stays where this machine has what it lacks, and cannot send it", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const tag = await leaveBehind(published);
    const { document, digest } = stage(published, tag);
    await forget(published, "v1");
    registry.dropBlob("group/app", document!.layers!.at(-1)!.digest);
    registry.fault(
      (request) =>
        request.method === "POST"
          ? Response.json({ errors: [{ code: "DENIED" }] }, { status: 403 })
          : undefined,
      Infinity,
    );
    const { damaged } = await repair(project, repo);
    assert.ok(damaged.length > 0 && damaged.every(({ removed }) => !removed));
    assert.equal(stage(published, tag).digest, digest);
  });
});

Deno.test("a tag of a stage that names nothing goes when nobody has the stage and nothing needs it", async () => {
  await withPublished(inRegistry, async (published) => {
    const { project, registry, repo } = published;
    const tag = await leaveBehind(published);
    const other = await anotherMachine(published);
    registry.loseBlob(stage(published, tag).digest!);
    const needed = (await repair(other, repo)).damaged.find(({ reference }) => reference.endsWith(tag))!;
    assert.deepEqual([needed.digest, needed.removed], [undefined, undefined]);

    await forget(published, "v1");
    const here = (await check(project, repo)).damaged.find(({ reference }) => reference.endsWith(tag))!;
    assert.deepEqual(here.missing.map(({ here }) => here), [true]);
    assert.deepEqual((await check(other, repo)).damaged.map(({ missing }) => missing[0]!.here), [false]);
    const { damaged } = await repair(other, repo);
    assert.deepEqual(damaged.map(({ reference, removed }) => [reference, removed]), [[
      `${repo}:${tag}`,
      true,
    ]]);
    assert.ok(!(tag in registry.tagsOf("group/app")));
    assert.deepEqual((await check(other, repo)).damaged, []);
    await verifyRegistry(registry.host, "group/app");
  });
});
