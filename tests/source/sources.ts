/** What the tests of base image sources share. */
import type { ImageState, Plugin, ResolvedImage } from "../../core/contract/plugin.ts";
import type { OciPlatform } from "../../lib/oci/types.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";

export interface Used {
  readonly resolved: ResolvedImage;
  readonly state: ImageState;
  /** Last progress by id. */
  readonly progress: ReadonlyMap<string, number>;
}

export interface UseOptions {
  readonly dir: string;
  readonly pin?: ResolvedImage["pin"];
  readonly platform?: OciPlatform;
  readonly env?: Readonly<Record<string, string>>;
  /** Takes progress as it comes. */
  onProgress?(done: number, total: number): void;
}

const amd64 = { os: "linux", architecture: "amd64" };

/** Asks a plugin for an image, with a store in `dir/store`; undefined when it does not claim the name. */
export async function useSource(
  plugin: Plugin,
  name: string,
  options: UseOptions,
): Promise<Used | undefined> {
  const { dir: projectDir, pin, platform = amd64, env = { HOME: projectDir }, onProgress } = options;
  await using store = await LocalStore.open(`${projectDir}/store`);
  const { signal } = new AbortController();
  const hooks = await plugin.load(undefined, { projectDir, env });
  try {
    const open = hooks.openSource;
    if (typeof open !== "function") throw new Error("the plugin opens no sources");
    const request = { name, platform, store, projectDir, env };
    const source = await open(request, { signal, dryRun: false, emit() {} });
    if (!source) return undefined;
    const resolved = await source.resolve(pin, signal);
    const progress = new Map<string, number>();
    const state = await source.fetch(resolved, {
      signal,
      note() {},
      progress(id, _what, done, total) {
        progress.set(id, done);
        onProgress?.(done, total);
      },
    });
    for (const { digest, size } of state.layers) {
      if (await store.blobs.size(digest) !== size) throw new Error(`layer ${digest} is not in the store`);
    }
    await source[Symbol.asyncDispose]();
    return { resolved, state, progress };
  } finally {
    await hooks[Symbol.asyncDispose]?.();
  }
}
