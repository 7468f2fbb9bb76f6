/** Runs tag schemes through the engine's own collection, with a CI system of the test's making. */
import assert from "node:assert/strict";
import { plugins } from "../../plugins/builtin/tagging.ts";
import { createHookRunner, type HookRunner } from "../../core/hooks/runner.ts";
import {
  type CiFacts,
  definePlugin,
  EngineError,
  type HookMap,
  type Selection,
  use,
} from "../../core/contract/plugin.ts";
import { collectTags, type OwnedTag, type TagCollection } from "../../core/publish/tags.ts";

export const commit = "0123456789abcdef0123456789abcdef01234567";
export const schemes = plugins.filter(({ name }) => name.startsWith("tag-"));

/** A CI system whose values are the given ones. */
export function ciOf(
  values: { readonly tag?: string; readonly branch?: string; readonly buildId?: string },
): CiFacts {
  return {
    name: "Test CI",
    tag: { value: values.tag, variables: ["T_TAG"] },
    branch: { value: values.branch, variables: ["T_BRANCH", "T_REF"] },
    buildId: { value: values.buildId, variables: ["T_BUILD"] },
  };
}

export function pluginOf(name: string, hooks: HookMap): Selection {
  return use(definePlugin({ name, api: 1, setup: () => hooks }));
}

/** Calls `body` with a runner of the built-in schemes and these plugins. */
export async function withHooks<T>(
  selections: readonly Selection[],
  body: (hooks: HookRunner) => Promise<T>,
): Promise<T> {
  const context = { signal: new AbortController().signal, dryRun: false, emit: () => {} };
  await using hooks = createHookRunner({ projectDir: "/nowhere", env: {} }, context);
  for (const scheme of schemes) await hooks.add(use(scheme));
  for (const selection of selections) await hooks.add(selection);
  return await body(hooks);
}

/** `flag=value` or `flag`, as wishes. */
export function wishesOf(...texts: readonly string[]): TagCollection["wishes"] {
  return texts.map((text) => {
    const [, flag, value] = /^([^=]*)(?:=(.*))?$/s.exec(text)!;
    return { flag: flag!, ...(value !== undefined && { value }) };
  });
}

export interface CollectOptions extends Partial<Omit<TagCollection, "wishes">> {
  readonly ci?: CiFacts;
  readonly plugins?: readonly Selection[];
}

/** What the wishes lead to on branch "main", for dimgs "a" and "b". */
export async function collect(
  wishes: readonly string[],
  { ci, plugins = [], ...request }: CollectOptions = {},
): Promise<readonly OwnedTag[]> {
  const system = ci ? [pluginOf("ci-test", { detectCi: () => ci })] : [];
  return await withHooks([...system, ...plugins], (hooks) =>
    collectTags(hooks, {
      wishes: wishesOf(...wishes),
      images: ["a", "b"],
      git: { commit, branch: "main" },
      now: "2026-11-25T23:30:00Z",
      env: {},
      ...request,
    }));
}

/** Asserts code and message of what `work` throws, and hands the error back. */
export async function failure(
  work: Promise<unknown>,
  code: string,
  message: string | RegExp,
): Promise<EngineError> {
  let thrown: unknown;
  await assert.rejects(work, (error) => {
    thrown = error;
    return true;
  });
  assert.ok(thrown instanceof EngineError, String(thrown));
  if (typeof message === "string") assert.equal(thrown.message, message);
  else assert.match(thrown.message, message);
  assert.equal(thrown.code, code);
  return thrown;
}
