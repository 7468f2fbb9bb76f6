import assert from "node:assert/strict";
import type { EngineError } from "../../mod.ts";
import { withProject } from "../support/project.ts";

const dappfile = `
artifact: tools
from: scratch
git: [{ add: /f, to: /f }]
---
dimg: [web-front, web-back, db]
from: scratch
git: [{ add: /f, to: /f }]
`;

Deno.test("list() selects by glob in dappfile order and names what there is otherwise", async (t) => {
  await withProject({ "dappfile.yaml": dappfile, f: "1" }, async (project) => {
    await using engine = project.engine();
    const names = async (...patterns: string[]) => (await engine.list(patterns)).map((i) => i.name);
    assert.deepEqual(await names(), ["web-front", "web-back", "db"]);
    assert.deepEqual(await names("db", "web-*"), ["web-front", "web-back", "db"]);
    assert.deepEqual(await names("*-b?ck"), ["web-back"]);
    const cases: [string, RegExp][] = [
      ["dbb", /Did you mean "db"\?/],
      ["x*", /the dappfile has web-front, web-back, db/],
      ["tools", /that is an artifact, wanted is a dimg/],
    ];
    for (const [pattern, message] of cases) {
      await t.step(pattern, async () => {
        await assert.rejects(
          engine.list([pattern]),
          (e: EngineError) => e.code === "DIMG_UNKNOWN" && message.test(e.message),
        );
      });
    }
  });
});

Deno.test("stageImage() names any stage, built or not; run() and export() refuse what is not built", async () => {
  await withProject({ "dappfile.yaml": `project: shop\n---${dappfile}`, f: "1" }, async (project) => {
    await using engine = project.engine();
    const image = await engine.stageImage("db");
    assert.equal(image.stage, "gitArchive");
    assert.equal(image.name, `dimgstage-shop:${image.signature}`);
    assert.equal(image.present, false);
    assert.notEqual((await engine.stageImage("db", "from")).signature, image.signature);
    await assert.rejects(engine.stageImage("db", "gitArchve"), /Did you mean "gitArchive"\?/);
    await assert.rejects(engine.stageImage(undefined), (e: EngineError) => e.code === "USAGE");
    const uses = [() => engine.run({ pattern: "db", command: ["x"] }), () => engine.export(["db"], "oci:/x")];
    for (const use of uses) {
      await assert.rejects(
        use,
        (e: EngineError) => e.code === "NOT_BUILT" && /none of its stages is built/.test(e.message),
      );
    }
    await engine.build(["db"]);
    assert.deepEqual((await engine.checkStore()).problems, []);
    assert.equal((await engine.stageImage("db")).present, true);
  });
});

Deno.test("a dry run says what would be built and writes no stage", async () => {
  await withProject({ "dappfile.yaml": dappfile, f: "1" }, async (project) => {
    await using engine = project.engine({ dryRun: true });
    const result = await engine.build();
    assert.deepEqual(result.images, []);
    const notes = project.events.flatMap((e) => e.type === "note" ? [e.text] : []);
    assert.ok(notes.includes("Would build db/gitArchive: first build for db"), notes.join("\n"));
    await assert.rejects(Deno.stat(`${project.home}/stages`), Deno.errors.NotFound);
  });
});

Deno.test("the project is named by option, dappfile, origin or directory, in this order", async () => {
  await withProject({ "dappfile.yaml": dappfile, f: "1" }, async (project) => {
    const name = async (options = {}) => {
      await using engine = project.engine(options);
      return await engine.project();
    };
    assert.deepEqual(await name(), { name: "project", from: "directory" });
    await project.git("remote", "add", "origin", "git@example.com:group/shop.git");
    assert.deepEqual(await name(), { name: "shop", from: "git" });
    await project.write({ "dappfile.yaml": `project: named\n---${dappfile}` });
    assert.deepEqual(await name(), { name: "named", from: "dappfile" });
    assert.deepEqual(await name({ name: "other" }), { name: "other", from: "option" });
  });
});
