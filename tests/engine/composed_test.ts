/** Projects whose dappfile is made of templates, matrices and several files. */
import assert from "node:assert/strict";
import type { EngineError } from "../../mod.ts";
import { type TestProject, withProject } from "../support/project.ts";

const files = {
  "dappfile.yaml": `
project: shop
include: [images/*.yaml]
defaults: { docker: { LABEL: { team: shop } } }
---
dimg: "site-\${{ matrix.lang }}"
extends: web
matrix: { lang: [de, fr] }
import: [{ artifact: assets, add: /src, to: /assets, after: setup }]
`,
  "images/templates.yaml": `
template: web
from: scratch
git: [{ add: /src, to: /app }]
docker: { ENV: { LANG: "\${{ matrix.lang || 'en' }}" } }
`,
  "images/more.yaml": `
artifact: assets
from: scratch
git: [{ add: /src, to: /src }]
---
dimg: api
extends: web
git: [..., { add: /images, to: /images }]
`,
  "src/a": "a",
};

async function signatures(project: TestProject, config?: string): Promise<unknown> {
  await using engine = project.engine(config === undefined ? {} : { config });
  const { images } = await engine.plan();
  return images.map(({ name, stages }) => [name, stages.map(({ stage, signature }) => [stage, signature])]);
}

async function names(project: TestProject, options = {}): Promise<string[]> {
  await using engine = project.engine(options);
  return (await engine.list()).map(({ name }) => name);
}

Deno.test("what `config render` prints has the signatures of the dappfile that it spells out", async () => {
  await withProject(files, async (project) => {
    await using engine = project.engine();
    const { text, documents } = await engine.renderConfig();
    assert.deepEqual(
      documents.map(({ file, line, matrix }) => `${file}:${line} ${JSON.stringify(matrix)}`),
      [
        "dappfile.yaml:2 {}",
        'dappfile.yaml:6 {"lang":"de"}',
        'dappfile.yaml:6 {"lang":"fr"}',
        "images/more.yaml:2 {}",
        "images/more.yaml:6 {}",
      ],
    );
    const first = await signatures(project);
    await project.write({ "spelled_out.yaml": text });
    assert.deepEqual(await signatures(project, "spelled_out.yaml"), first);
    assert.ok(JSON.stringify(first).includes("site-fr"));
  });
});

Deno.test("a remembered configuration is read anew when an included file changes, comes or goes", async () => {
  await withProject(files, async (project) => {
    const before = ["site-de", "site-fr", "api"];
    assert.deepEqual(await names(project), before);
    assert.deepEqual(await names(project), before);
    await project.write({ "images/z.yaml": "dimg: z\nfrom: scratch\n" });
    assert.deepEqual(await names(project), [...before, "z"]);
    await project.write({ "images/z.yaml": "dimg: y\nfrom: scratch\n" });
    assert.deepEqual(await names(project), [...before, "y"]);
    await project.remove("images/z.yaml");
    assert.deepEqual(await names(project), before);
    await project.write({ "images/templates.yaml": "template: web\nfrm: scratch\n" });
    await assert.rejects(names(project), (error: EngineError) => {
      assert.ok(
        error.details.problems?.some(({ file, line }) => file === "images/templates.yaml" && line === 2),
      );
      return error.code === "CONFIG_INVALID";
    });
  });
});

Deno.test("an included file that is not committed is named, and images carry no commit", async () => {
  await withProject(files, async (project) => {
    await project.write({
      "images/new.yaml": "dimg: new\nfrom: scratch\n",
      "images/more.yaml": `${files["images/more.yaml"]}# more\n`,
    });
    await using engine = project.engine();
    await engine.build();
    const notes = project.events.flatMap((event) => event.type === "note" ? [event.text] : []);
    assert.ok(
      notes.includes(
        "uncommitted configuration is included: images/more.yaml, images/new.yaml (images carry no commit; commit them)",
      ),
      notes.join("\n"),
    );
  });
});

Deno.test("a stranger's dappfile includes no links, and what it may not have is refused in included files", async () => {
  const bad = {
    "dappfile.yaml": "include: [a.yaml]\n---\ndimg: app\nextends: t\n",
    "a.yaml": "template: t\nfrom: scratch\nmount: [{ to: /x, fromPath: /etc }]\nshell: { install: ls }\n",
  };
  await withProject(bad, async (project) => {
    await assert.rejects(names(project, { untrusted: true }), (error: EngineError) => {
      assert.equal(error.code, "UNTRUSTED_REFUSED");
      assert.deepEqual(error.details.problems?.map(({ file, line }) => `${file}:${line}`), ["a.yaml:3"]);
      return true;
    });
    await project.remove("a.yaml");
    await project.write({ "a.yaml": { link: "/etc/passwd" } });
    await assert.rejects(names(project, { untrusted: true }), (error: EngineError) => {
      assert.match(error.message, /^Cannot read "a.yaml" with --untrusted: .* is a link$/);
      return error.code === "UNTRUSTED_REFUSED";
    });
    await project.remove("a.yaml");
    await project.write({
      "d": { link: "/etc" },
      "dappfile.yaml": "include: [d/*.conf]\n---\ndimg: a\nfrom: x\n",
    });
    await assert.rejects(
      names(project, { untrusted: true }),
      (error: EngineError) => error.code === "UNTRUSTED_REFUSED" && /is a link/.test(error.message),
    );
  });
});
