/** What every builder must do. `builderConformance` registers one test with a step for each behaviour. */
import assert from "node:assert/strict";
import type { Builder, LayerRef, MountKind, Store } from "../../core/contract/plugin.ts";
import { changeCases } from "./change_cases.ts";
import { commandCases } from "./command_cases.ts";
import { secretCases } from "./secret_cases.ts";
import { imageCases } from "./image_cases.ts";
import { StageRunner } from "./stage_runner.ts";

export interface BuilderFixture extends AsyncDisposable {
  readonly builder: Builder;
  readonly store: Store;
  /** The busybox image of tests/support/bases.ts. */
  readonly base: readonly LayerRef[];
  /** Steps cannot make device nodes, nor use ids from 65536 on. */
  readonly rootless: boolean;
}

export interface CaseContext extends BuilderFixture {
  readonly runner: StageRunner;
}

export type Cases = Readonly<Record<string, (context: CaseContext) => Promise<void>>>;

/** Registers the tests of one builder. */
export function builderConformance(name: string, makeBuilder: () => Promise<BuilderFixture>): void {
  Deno.test(`${name} builder`, async (t) => {
    await using fixture = await makeBuilder();
    const runner = new StageRunner(fixture.builder, fixture.store);
    const { builder, store, base, rootless } = fixture;
    const context: CaseContext = {
      builder,
      store,
      base,
      rootless,
      runner,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    assert.equal(typeof builder.name, "string");
    for (
      const [title, work] of Object.entries({
        ...commandCases,
        ...changeCases,
        ...imageCases,
        ...secretCases,
      })
    ) {
      await t.step(title, () => work(context));
    }
  });
}

/** Whether a builder says that it can mount such a thing. */
export function offers({ mounts = ["host", "cache", "tmp"] }: Builder, kind: MountKind): boolean {
  return mounts.includes(kind);
}

/** Asserts the members of a layer and their types: "dir a", "file a/b". */
export function assertMembers(
  members: ReadonlyMap<string, { readonly path: string; readonly type: string }>,
  wanted: readonly string[],
): void {
  assert.deepEqual([...members.values()].map(({ path, type }) => `${type} ${path}`), wanted);
}
