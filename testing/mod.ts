/**
 * What plugins are tested with: a suite for each role that the built-in plugins pass too, a machine of the test's making,
 * a registry in memory, and an inventory as a real registry gave it. For `deno test`.
 *
 * @example
 * ```ts
 * import { definePlugin, isTag } from "@dapp/dapp/plugin";
 * import { createTestHost, openPlugin } from "@dapp/dapp/testing";
 *
 * const day = definePlugin({
 *   name: "tag-day",
 *   api: 1,
 *   setup: () => ({
 *     tagFlags: () => [{ name: "tag-day", summary: "the day" }],
 *     tags: ({ wishes, now }) =>
 *       wishes.filter(({ flag }) => flag === "tag-day")
 *         .map(() => ({ tag: now.slice(0, 10), scheme: "day", value: now.slice(0, 10) })),
 *   }),
 * });
 * await using host = await createTestHost({ now: "2026-03-01T12:00:00Z" });
 * await using opened = await openPlugin(day, host);
 * const [first] = await opened.tags("tag-day");
 * console.assert(first?.tag === "2026-03-01" && isTag(first.tag));
 * ```
 *
 * @module
 */
export type * from "../core/contract/plugin.ts";
export { busyboxLayers } from "./builder/busybox.ts";
export type { BuilderSubject } from "./builder/cases.ts";
export type { TestShare } from "./builder/test_share.ts";
export { builderConformance } from "./builder/conformance.ts";
export { type LayerItem, layoutLayers, makeLayer } from "./builder/layers.ts";
export { ciConformance, type CiSubject } from "./ci_conformance.ts";
export { cleanupConformance, type CleanupSubject } from "./cleanup_conformance.ts";
export { gitFacts, type GitFactsOptions } from "./git_facts.ts";
export { createTestHost, type TestHost, type TestHostOptions } from "./host.ts";
export { inputsConformance, type InputsSubject } from "./inputs_conformance.ts";
export { type RecordedInventory, recordedInventory } from "./inventories.ts";
export { blobResponse, cutResponse, failure } from "./memory_registry/answers.ts";
export {
  type AddedImage,
  type DeletionRule,
  type Fault,
  MemoryRegistry,
  type RegistryAuth,
  type SeenRequest,
  type StoredDescriptor,
  type StoredDocument,
  type UploadRules,
} from "./memory_registry/registry.ts";
export {
  type BuilderOptions,
  type OpenedPlugin,
  openPlugin,
  type OpenPluginOptions,
  type TagFactsOptions,
} from "./open_plugin.ts";
export { registryConformance, type RegistrySubject } from "./registry_conformance.ts";
export { sourceConformance, type SourceSubject } from "./source_conformance.ts";
export { stageNode } from "./stage_node.ts";
export { createTestStore } from "./store.ts";
export { storeConformance, type StoreSubject } from "./store_conformance.ts";
export { taggingConformance, type TaggingSubject } from "./tagging_conformance.ts";
