import assert from "node:assert/strict";
import { parseConfig } from "../../../core/config/parse.ts";
import { renderConfig } from "../../../core/config/render.ts";
import { withTempDir } from "../../support/tmp.ts";
import { same } from "./composed_cases.ts";
import { env, withoutLines } from "./support.ts";

/** What a dappfile is spelled out. */
async function render(text: string): Promise<string> {
  return await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/dappfile.yaml`, text);
    const config = { file: "dappfile.yaml", project: { plugins: [] }, images: [], warnings: [] };
    const rendered = await renderConfig({ path: `${dir}/dappfile.yaml`, config }, { dir, env });
    return rendered.text;
  });
}

function meaning(text: string): unknown {
  const { project, images } = parseConfig(text, { file: "dappfile.yaml", env }).config;
  const plugins = [...project.plugins, ...project.cleanup?.keep ?? []].map(({ places: _, ...use }) => use);
  const rest = { ...project, plugins: [], cleanup: { ...project.cleanup, keep: [] } };
  return withoutLines({ plugins, rest, images: images.map(({ document: _, ...rule }) => rule) });
}

const page = await Deno.readTextFile(new URL("../../../docs/dappfile.md", import.meta.url));
const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(([, yaml]) =>
  yaml!.includes("include:") ? [] : [/^dimg:/m.test(yaml!) ? yaml! : `${yaml}---\ndimg: app\nfrom: scratch\n`]
);

/** Texts that YAML would read as something else without quotes. */
const odd = `
plugins:
  - use: keep-recent
    options:
      n: 1.10
      t: "1.10"
      e: \${{ env.PORT }}
      q: "\${{ env.PORT }}"
      b: true
      s: "true"
---
dimg: app
from: x
fromCacheVersion: 010
shell:
  install:
    - "a: b # c"
    - "*"
    - "- x"
    - |
      two
        lines \${{ env.TAG || "a\\"b" }} $\${{ kept }}
    - "trailing  "
    - "\\t\\u00e9\\u2028"
    - "\${{ matrix.a }}\${{ env.NO || matrix.b }}"
  setup: "~"
docker:
  ENV: { "1": 1, "null": "null", "y": yes, E: "", "<<": x }
  CMD: ["...", "", "0x10"]
matrix: { a: 'q"\\', b: 'x"y\\z' }
`;

Deno.test("a dappfile spelled out means the same, and spelling it out again changes nothing", async (t) => {
  const cases = [...same.map(({ short }) => short), ...examples, odd];
  assert.ok(cases.length > 25);
  for (const [i, text] of cases.entries()) {
    await t.step(`${i + 1}: ${text.trim().split("\n")[0]}`, async () => {
      const rendered = await render(text);
      assert.doesNotMatch(rendered, /^(?:template|extends|matrix|defaults|include):/m);
      assert.deepEqual(meaning(rendered), meaning(text), rendered);
      const lines = (yaml: string) => yaml.split("\n").filter((line) => !line.startsWith("# "));
      assert.deepEqual(lines(await render(rendered)), lines(rendered));
    });
  }
});

Deno.test("values of the environment are not printed", async () => {
  const rendered = await render('dimg: app\nfrom: "x:${{ env.TAG }}"\n');
  assert.equal(rendered, "# dappfile.yaml:1\ndimg: app\nfrom: x:${{ env.TAG }}\n");
});
