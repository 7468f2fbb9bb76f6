/** Tables of environments, read by all CI plugins in the order in which the engine asks them. */
import assert from "node:assert/strict";
import { plugins } from "../../plugins/builtin/tagging.ts";
import { createHookRunner } from "../../core/hooks/runner.ts";
import { type CiFacts, use } from "../../core/contract/plugin.ts";

export type Env = Readonly<Record<string, string>>;

/** All CI plugins, in the order of the built-ins. */
export const ciPlugins = plugins.filter(({ name }) => name.startsWith("ci-"));

export interface CiCase {
  readonly name: string;
  readonly env: Env;
  readonly tag?: string;
  readonly branch?: string;
  readonly buildId?: string;
}

/** What the plugins say of an environment, with the plugin that answered. */
export async function detect(
  env: Env,
): Promise<{ readonly plugin: string; readonly facts: CiFacts } | undefined> {
  const context = { signal: new AbortController().signal, dryRun: false, emit: () => {} };
  await using hooks = createHookRunner({ projectDir: "/nowhere", env: {} }, context);
  for (const plugin of ciPlugins) await hooks.add(use(plugin));
  const found = await hooks.first("detectCi", { env });
  return found && { plugin: found.plugin, facts: found.value };
}

/** Registers one test for a system. What a case does not name must have no value. */
export function testCi(plugin: string, name: string, cases: readonly CiCase[]): void {
  Deno.test(`${plugin} reads what ${name} sets`, async (t) => {
    for (const { name: caseName, env, tag, branch, buildId } of cases) {
      await t.step(caseName, async () => {
        const found = await detect(env);
        assert.equal(found?.plugin, plugin);
        const { facts } = found;
        assert.equal(facts.name, name);
        const values = { tag: facts.tag.value, branch: facts.branch.value, buildId: facts.buildId.value };
        assert.deepEqual(values, { tag, branch, buildId });
        for (const { variables } of [facts.tag, facts.branch, facts.buildId]) {
          assert.ok(variables.length > 0 && variables.every((variable) => /^[A-Z][A-Z_]+$/.test(variable)));
        }
      });
    }
  });
}
