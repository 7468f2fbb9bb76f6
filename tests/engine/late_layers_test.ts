/** Small layers are compressed while the commands that stand on them run. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { compressTarFile } from "../../lib/layer/writer.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { use } from "../../mod.ts";
import { withProject } from "../support/project.ts";

const DAPPFILE = `project: shop
---
dimg: app
from: scratch
git: [{ add: /, to: /app, stageDependencies: { setup: ["*.txt"] } }]
shell: { setup: [meet tea, write /made yes] }
`;
const FILES = { "dappfile.yaml": DAPPFILE, "a.txt": "one\n", "other.md": "x\n" };

/** Compresses as a builder does. */
async function compress(tar: string) {
  const file = `${tar}.done`;
  return { ...await compressTarFile(tar, file, { kind: "gzip", level: 3 }, 0), file };
}

/** The image of a commit and the next one, with this builder. */
async function digests(log: FakeBuilderLog): Promise<readonly string[]> {
  log.open("tea");
  const found: string[] = [];
  await withProject(FILES, async ({ engine, write, commit }) => {
    for (const text of ["one\n", "two\n"]) {
      await write({ "a.txt": text });
      await commit(text);
      await using opened = engine({ plugins: [use(fakeBuilder(log))] });
      found.push(...(await opened.build()).images.map(({ digest }) => digest));
    }
  });
  return found;
}

Deno.test("a step stands on the tar of a small layer that is compressed while its commands run", async () => {
  const log = new FakeBuilderLog();
  const compressed = Promise.withResolvers<void>();
  const tars: string[] = [];
  log.onCompress = async (tar) => {
    tars.push(tar);
    await log.arrived("tea");
    const made = await compress(tar);
    log.open("tea");
    compressed.resolve();
    return made;
  };
  await withProject(FILES, async ({ engine }) => {
    await using opened = engine({ plugins: [use(fakeBuilder(log))] });
    await opened.build();
    const layer = log.steps[0]!.parents.at(-1)!;
    assert.deepEqual(tars, [layer.tar], "that upon which no commands run is compressed by the engine");
    const bytes = await Deno.readFile(layer.tar!);
    assert.equal(layer.diffId, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    const scratch = layer.tar!.slice(0, layer.tar!.lastIndexOf("/"));
    const left = Array.from(Deno.readDirSync(scratch), ({ name }) => `${scratch}/${name}`);
    assert.deepEqual(left.filter((path) => path.endsWith(".tar")), tars, "no other tar is kept");
  });
});

Deno.test("images are the same whoever compresses small layers, also when a builder fails at it", async () => {
  const plain = await digests(new FakeBuilderLog());
  const beside = new FakeBuilderLog();
  beside.onCompress = compress;
  assert.deepEqual(await digests(beside), plain);
  const failing = new FakeBuilderLog();
  failing.onCompress = () => Promise.reject(new Error("The helper has ended"));
  assert.deepEqual(await digests(failing), plain);
});

Deno.test("a builder that compresses something else fails the stage", async () => {
  const log = new FakeBuilderLog();
  log.open("tea");
  log.onCompress = async (tar) => {
    await Deno.writeTextFile(tar, "else");
    return await compress(tar);
  };
  await withProject(FILES, async ({ engine }) => {
    await using opened = engine({ plugins: [use(fakeBuilder(log))] });
    await assert.rejects(opened.build(), /compressed something else/);
  });
});

Deno.test("a stage whose layer is compressed late is kept when the commands upon it fail", async () => {
  const log = new FakeBuilderLog();
  log.open("tea");
  log.onCompress = compress;
  const failing = DAPPFILE.replace("write /made yes", "fail it");
  await withProject({ ...FILES, "dappfile.yaml": failing }, async ({ engine, write, commit }) => {
    await using first = engine({ plugins: [use(fakeBuilder(log))] });
    await assert.rejects(first.build(), { code: "STAGE_FAILED" });
    await write({ "dappfile.yaml": DAPPFILE });
    await commit("mend");
    await using second = engine({ plugins: [use(fakeBuilder(log))] });
    const { stages } = await second.build([], { stages: true });
    assert.equal(stages.find(({ stage }) => stage === "git:setup")?.state, "reused");
  });
});
