/** An image names the commit it was made from when that commit says how it is made. */
import assert from "node:assert/strict";
import { withProject } from "../support/project.ts";

const dappfile = "project: shop\n---\ndimg: app\nfrom: scratch\ndocker: { CMD: [x] }\n";
const plugin = "export default { name: 'own', api: 1, hooks: [], load: () => ({}) };\n";

Deno.test("an image of an uncommitted dappfile is published by branch, without commit, and stays", async (t) => {
  await withProject({ "dappfile.yaml": dappfile, ".gitignore": "*.lock\nrepo/\n" }, async (project) => {
    const repo = `oci:${project.dir}/repo`;
    const tags = [{ flag: "tag-branch" }];
    const notes = () =>
      project.events.splice(0).flatMap((e) =>
        e.type === "note" && /uncommitted/.test(e.text) ? [e.text] : []
      );
    /** Builds, publishes, and gives the commit that the published tag names. */
    const publish = async () => {
      await using engine = project.engine();
      await engine.push([], { repo, tags, build: true });
      const [image] = (await engine.published([], { repo })).images;
      const [tag, ...more] = image!.tags;
      assert.deepEqual([tag!.scheme, tag!.value, more.length], ["git_branch", "main", 0]);
      return tag!.commit;
    };
    const refused = async (file: string) => {
      await using engine = project.engine();
      await assert.rejects(engine.push([], { repo, tags: [{ flag: "tag-commit" }], build: true }), {
        code: "TAG_SOURCE_MISSING",
        fix: `Commit "${file}", which differs from HEAD, or name the tag yourself with --tag`,
      });
    };
    const note = (file: string) =>
      `uncommitted configuration is included: ${file} (images carry no commit; commit it)`;

    await t.step("a clean project", async () => {
      assert.equal(await publish(), await project.git("rev-parse", "HEAD"));
      assert.deepEqual(notes(), []);
    });
    await t.step("a changed dappfile", async () => {
      await project.write({ "dappfile.yaml": dappfile.replace("[x]", "[y]") });
      assert.equal(await publish(), undefined);
      assert.deepEqual(notes(), [note("dappfile.yaml")]);
      await refused("dappfile.yaml");
    });
    await t.step("cleanup keeps it by its branch", async () => {
      await using engine = project.engine();
      const { tags } = await engine.planCleanup({ repo });
      assert.deepEqual(
        tags.filter((tag) => "dimg" in tag).map(({ reference, verdict }) => [reference, verdict]),
        [[`${repo}:app-main`, "keep"]],
      );
    });
    await t.step("once it is committed, the image gets the commit", async () => {
      await project.commit();
      notes();
      assert.equal(await publish(), await project.git("rev-parse", "HEAD"));
      assert.deepEqual(notes(), []);
    });
    await t.step("an ignored lock file", async () => {
      await project.write({
        "dappfile.yaml": dappfile.replace("[x]", "[w]"),
        "dappfile.lock": `{"version":1,"images":{}}\n`,
      });
      await project.commit();
      assert.equal(await publish(), undefined);
      assert.deepEqual(notes(), [note("dappfile.lock")]);
      await project.remove("dappfile.lock");
    });
    await t.step("a plugin of the dappfile", async () => {
      const text = dappfile.replace("project: shop\n", "project: shop\nplugins: [{ use: ./own.ts }]\n");
      await project.write({ "dappfile.yaml": text });
      await project.commit();
      await project.write({ "own.ts": plugin });
      await refused("own.ts");
      await project.commit();
      await using engine = project.engine();
      await engine.push([], { repo, tags: [{ flag: "tag-commit" }], build: true });
    });
    for (const trusted of [false, true]) {
      await t.step(`a module that a plugin loads${trusted ? ", which is trusted" : ""}`, async () => {
        const use = `{ use: ./own.ts, trusted: ${trusted} }`;
        await project.write({
          "dappfile.yaml": dappfile.replace("project: shop\n", `project: shop\nplugins: [${use}]\n`),
          "own.ts": `import "./lib/more.ts";\n${plugin}`,
          "lib/more.ts": `export const version = "${trusted}";\n`,
        });
        await project.commit();
        const engine = project.engine();
        await engine.push([], { repo, tags: [{ flag: "tag-commit" }], build: true });
        await engine[Symbol.asyncDispose]();
        await project.write({ "lib/more.ts": "export const version = 2;\n" });
        await refused("lib/more.ts");
      });
    }
  });
});

Deno.test("a dappfile of another place is in no commit, one in a subdirectory is", async () => {
  const files = { "ops/shop.yaml": dappfile, ".gitignore": "repo/\n" };
  await withProject(files, async (project) => {
    const tags = [{ flag: "tag-commit" }];
    const repo = `oci:${project.dir}/repo`;
    await using engine = project.engine({ config: "ops/shop.yaml" });
    const { images } = await engine.push([], { repo, tags, build: true });
    assert.equal(images[0]!.tags[0]!.reference, `${repo}:app-${await project.git("rev-parse", "HEAD")}`);
    await Deno.mkdir(project.home, { recursive: true });
    const config = `${await Deno.realPath(project.home)}/shop.yaml`;
    await Deno.writeTextFile(config, dappfile);
    await using other = project.engine({ config });
    await assert.rejects(other.push([], { repo, tags, build: true }), {
      code: "TAG_SOURCE_MISSING",
      fix: `Commit "${config}", which differs from HEAD, or name the tag yourself with --tag`,
    });
  });
});
