/** What the cases of the suite for builders share. */
import assert from "node:assert/strict";
import type { Builder, LayerRef, MountKind, Store } from "../../core/contract/plugin.ts";
import type { StageRunner } from "./stage_runner.ts";
import type { TestShare } from "./test_share.ts";

/** A builder with a store of its own; disposing of it removes both. */
export interface BuilderSubject extends AsyncDisposable {
  /** What is tested. */
  readonly builder: Builder;
  /** The store that the builder was opened with, such as one of {@linkcode createTestStore}. */
  readonly store: Store;
  /** The image that commands run on: the layers of {@linkcode busyboxLayers}. */
  readonly base: readonly LayerRef[];
  /** Steps cannot make device nodes, nor use ids from 65536 on. */
  readonly rootless: boolean;
  /** A registry for the images of steps, when the builder is to take them from there. */
  readonly share?: TestShare;
}

/** What a case works with. */
export interface CaseContext extends Omit<BuilderSubject, keyof AsyncDisposable> {
  readonly runner: StageRunner;
}

export type Cases = Readonly<Record<string, (context: CaseContext) => Promise<void>>>;

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
