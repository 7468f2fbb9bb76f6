/** What is published of a stage is told by the stage alone, not by what else is in the store. */
import assert from "node:assert/strict";
import { type Engine, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { writeBase } from "../support/golden_base.ts";
import { startProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyLayout } from "../support/verify_registry.ts";

const base = {
  layers: [[{ path: "etc/", type: "dir" as const }, { path: "etc/passwd", text: "root:x:0:0:::\n" }]],
};

const dappfile = `
artifact: tool
from: oci:../base:latest
shell: { buildArtifact: [write tools/one 1] }
---
dimg: files
from: oci:../base:latest
git: [{ add: /src, to: /files }]
---
dimg: more
fromDimg: files
git: [{ add: /src, to: /more }]
---
dimg: web
from: oci:../base:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: [make] } }]
import: [{ artifact: tool, add: /tools, to: /tools, after: install }]
shell: { install: [write installed 3], setup: [write made 4] }
docker: { CMD: [app] }
`;

function open(project: TestProject): Engine {
  const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
  return project.engine({ platform: "linux/amd64", builder: "fake", plugins });
}

/** Digests of the stages that a store publishes in a new layout, by tag. */
async function published(project: TestProject, layout: string): Promise<ReadonlyMap<string, string>> {
  await using engine = open(project);
  await engine.pushStages([], { repo: `oci:${layout}` });
  const tags = Object.entries(await verifyLayout(layout));
  return new Map(tags.filter(([tag]) => tag.startsWith("dimgstage-")));
}

const files = Array.from({ length: 20 }, (_, i) => [`src/${i}`, `${i}\n`.repeat(100)]);

Deno.test("a stage whose neighbours are not in the store is published as from a whole one", async (t) => {
  await withTempDir(async (root) => {
    await writeBase(`${root}/base`, { "linux/amd64": base });
    const sources = { "dappfile.yaml": dappfile, "src/make": "m\n", ...Object.fromEntries(files) };
    const project = await startProject(root, sources);
    for (const what of ["the first commit", "a small change, which comes as a patch"]) {
      await project.write({ "src/3": `${what}\n` });
      await project.commit(what);
      await using engine = open(project);
      await engine.build();
      const { images } = await engine.plan();
      const whole = await published(project, `${root}/whole ${what}`);
      for (const half of [0, 1]) {
        await t.step(`${what}: every other stage, beginning with ${half}`, async () => {
          const left = images.flatMap(({ stages }) => stages.filter((_, i) => i % 2 === half));
          const gone = new Set(left.map(({ signature }) => signature));
          for (const name of gone) await Deno.rename(`${project.home}/stages/${name}`, `${root}/${name}`);
          const torn = await published(project, `${root}/${half} of ${what}`);
          for (const name of gone) await Deno.rename(`${root}/${name}`, `${project.home}/stages/${name}`);
          assert.equal(torn.size, whole.size - gone.size);
          for (const [tag, digest] of torn) assert.equal(digest, whole.get(tag), tag);
        });
      }
    }
  });
});
