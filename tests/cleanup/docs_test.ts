import assert from "node:assert/strict";
import { parse } from "@std/yaml/parse";
import { parseConfig } from "../../core/config/parse.ts";
import { defaultPolicies, policies } from "../../plugins/builtin/policies.ts";
import { WORKLOADS } from "../../plugins/cleanup/kubernetes/resources.ts";

const text = await Deno.readTextFile(new URL("../../docs/cleanup.md", import.meta.url));

const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => yaml!);

Deno.test("docs/cleanup.md: the examples are dappfiles, and their options are those of the policies", async () => {
  const dappfiles = examples.filter((yaml) => yaml.startsWith("project:"));
  assert.ok(dappfiles.length >= 2);
  for (const yaml of dappfiles) {
    const { project } = parseConfig(yaml, { file: "dappfile.yaml", env: {} }).config;
    for (const { use, options } of project.cleanup!.keep) {
      const plugin = policies.find(({ name }) => name === use);
      if (plugin) await plugin.load(options, { projectDir: "/", env: {} });
      else assert.ok(use.startsWith("./"), use);
    }
  }
});

Deno.test("docs/cleanup.md: the rights are those to list what keep-kubernetes lists, and no others", () => {
  const role = examples.find((yaml) => yaml.includes("kind: ClusterRole"))!;
  const { rules } = parse(role) as {
    rules: readonly Record<"apiGroups" | "resources" | "verbs", string[]>[];
  };
  const allowed = rules.flatMap(({ apiGroups: [group], resources, verbs }) =>
    resources.map((name) => `${verbs} ${group === "" ? "/api/v1" : `/apis/${group}/v1`}/${name}`)
  );
  assert.deepEqual(allowed.sort(), WORKLOADS.map(({ paths: [path] }) => `list ${path}`).sort());
});

Deno.test("docs/cleanup.md: every policy has a row with all of its options", async () => {
  for (const { name, optionsSchema } of policies) {
    const row = text.split("\n").find((line) =>
      line.startsWith(`| \`${name}\``) && /`within`|`\w+`/.test(line.slice(20))
    );
    assert.ok(row, name);
    const rows = text.split("\n").filter((line) => line.startsWith(`| \`${name}\``)).join("\n");
    const { shape } = await optionsSchema() as { shape: Record<string, unknown> };
    for (const option of Object.keys(shape)) assert.ok(rows.includes(`\`${option}\``), `${name} ${option}`);
  }
  for (const { plugin } of defaultPolicies) assert.ok(text.includes(`| \`${plugin.name}\``), plugin.name);
});
