import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { seal } from "../../lib/sealed.ts";
import { busyboxBase } from "../support/bases.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";

/** JSON of other shapes, and no JSON. */
const odd = ["{}", "[]", "null", "5", '"text"', "[null]", '{"a":{}}', "{", "", "\0\0\0"];

/** Files that are only remembered, with what is needed to read them again. */
async function memoFiles(home: string): Promise<string[]> {
  const { stdout } = await run([
    "find",
    `${home}/memo`,
    `${home}/history`,
    `${home}/native/l`,
    "-name",
    "d",
    "-prune",
    "-o",
    "-type",
    "f",
    "-print",
  ]);
  return stdout.split("\n").filter((path) => path !== "" && !path.endsWith("/synced")).sort();
}

/** The same value with every leaf in turn replaced by one of another type. */
function* mutations(value: unknown): Generator<unknown> {
  for (const leaf of [null, -1, "odd", [], {}]) yield leaf;
  if (typeof value !== "object" || value === null) return;
  // Long lists have rows of one kind.
  for (const key of Object.keys(value).slice(0, 12)) {
    for (const changed of mutations((value as Record<string, unknown>)[key])) {
      const copy = structuredClone(value) as Record<string, unknown>;
      copy[key] = changed;
      yield copy;
    }
    const copy = structuredClone(value) as Record<string, unknown>;
    if (!Array.isArray(copy)) delete copy[key];
    yield copy;
  }
}

/** What another release might have written there: whole, but of another shape. */
async function shapes(kind: string): Promise<string[]> {
  if (!kind.startsWith("memo/") || kind === "memo/config") return [];
  const texts = ["{}", "null", "[5]", '{"format":1,"stages":[[1,2]]}'];
  return await Promise.all(texts.map(async (text) => new TextDecoder().decode(await seal(text))));
}

async function digests(project: TestProject): Promise<readonly string[]> {
  await using engine = project.engine({ repo: `oci:${project.dir}/../repo` });
  const { images } = await engine.build();
  await engine.explain("app");
  await engine.plan();
  return images.map(({ digest }) => digest);
}

Deno.test("a file of remembered values with anything else in it is as good as absent", async (t) => {
  const base = await busyboxBase();
  await withProject({ "src/a": "a\n", "src/b": "b\n" }, async (project) => {
    await run(["tar", "-C", base, "-cf", `${project.dir}/../base.tar`, "."]);
    await project.write({
      "dappfile.yaml": `artifact: made
from: oci:${base}:latest
shell: { buildArtifact: ["echo x >/made"] }
---
dimg: app
from: archive:../base.tar:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: [a] } }]
import: [{ artifact: made, add: /made, to: /made, after: install }]
shell: { setup: ["cat /app/a >/all"] }
`,
    });
    await project.commit();
    const wanted = await digests(project);
    const files = await memoFiles(project.home);
    const kinds = new Map(
      files.map((path) => [path.slice(project.home.length + 1).replace(/\/[^/]*$/, ""), path]),
    );
    ok(kinds.size >= 8, [...kinds.keys()].join());
    for (const [kind, path] of kinds) {
      await t.step(kind, async () => {
        const kept = await Deno.readTextFile(path);
        let value: unknown;
        try {
          value = JSON.parse(kept.slice(kept.indexOf("\n") + 1));
        } catch {
          value = undefined; // no JSON
        }
        const all = value === undefined ? [] : [...mutations(value)].map((each) => JSON.stringify(each));
        // A build for each would take minutes: a few of them, others with each run.
        const chosen = all.map((text) => [Math.random(), text] as const).sort(([a], [b]) => a - b).slice(
          0,
          6,
        );
        for (
          const text of [
            odd[0]!,
            odd[2]!,
            odd[5]!,
            odd[7]!,
            ...chosen.map(([, text]) => text),
            ...await shapes(kind),
          ]
        ) {
          await Deno.writeTextFile(path, text);
          // What hides it from being read again goes as well.
          await Deno.remove(`${project.home}/stages`, { recursive: true });
          deepStrictEqual(await digests(project), wanted, `${kind}: ${text}`);
          await Deno.writeTextFile(path, kept);
        }
      });
    }
    await using engine = project.engine();
    strictEqual((await engine.checkStore()).problems.join(), "");
  });
});
