import assert from "node:assert/strict";
import { parseConfig } from "../../core/config/parse.ts";
import { defaultPolicies, policies } from "../../builtin_policies.ts";

const text = await Deno.readTextFile(new URL("../../docs/cleanup.md", import.meta.url));

Deno.test("docs/cleanup.md: the example is a dappfile, and its options are those of the policies", async () => {
  const [, yaml] = /```yaml\n([\s\S]*?)```/.exec(text)!;
  const { project } = parseConfig(yaml!, { file: "dappfile.yaml", env: {} }).config;
  for (const { use, options } of project.cleanup!.keep) {
    const plugin = policies.find(({ name }) => name === use);
    if (plugin) await plugin.load(options, { projectDir: "/", env: {} });
    else assert.ok(use.startsWith("./"), use);
  }
});

Deno.test("docs/cleanup.md: every policy has a row with all of its options", async () => {
  for (const { name, optionsSchema } of policies) {
    const row = text.split("\n").find((line) =>
      line.startsWith(`| \`${name}\``) && /`within`|`\w+`/.test(line.slice(20))
    );
    assert.ok(row, name);
    const rows = text.split("\n").filter((line) => line.startsWith(`| \`${name}\``)).join("\n");
    const { shape } = await optionsSchema() as unknown as { shape: Record<string, unknown> };
    for (const option of Object.keys(shape)) assert.ok(rows.includes(`\`${option}\``), `${name} ${option}`);
  }
  for (const { plugin } of defaultPolicies) assert.ok(text.includes(`| \`${plugin.name}\``), plugin.name);
});
