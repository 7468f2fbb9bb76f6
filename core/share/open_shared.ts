import { EngineError } from "../contract/errors.ts";
import type { RegistryAccess, RegistryBackend } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { SignedGraph } from "../sign/sign.ts";
import type { LayerReader } from "../layers/layer_reader.ts";
import { Losses } from "../layers/losses.ts";
import { clockBeside, systemClock } from "../protocol/clock.ts";
import { LiveCache, type LiveCacheOptions } from "./live_cache.ts";
import { type SharedStages, shareStages } from "./shared_stages.ts";
import { BlobUploader } from "./uploader.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What sharing stages through registries takes. */
export interface ShareNeeds {
  readonly options: Pick<ResolvedOptions, "platform" | "cacheFrom" | "emit" | "signal">;
  store(): Promise<Store>;
  project(): Promise<{ readonly name: string }>;
  accessTo(name: string): RegistryAccess;
  /** What serves a REPO; it `writes` if who asks first does. */
  registry(
    repo: string,
    options?: { readonly writes?: boolean },
  ): Promise<{ readonly value: RegistryBackend }>;
  listingText(store: Store, digest: Digest): Promise<string | undefined>;
}

export interface OpenShared {
  /** Asked for stages before those of `--cache-from`, and written to unless `readOnly`. */
  readonly repo: string | undefined;
  readonly readOnly: boolean;
  /** Fail when `repo` cannot be reached, although nothing is written to it. */
  readonly mustReach?: boolean;
  readonly uploader?: BlobUploader;
  /** What repositories turned out to lack; more is added. */
  readonly losses?: Losses;
  /** Who looks into layers of the store; one of its own when it is absent. */
  readonly reader?: () => Promise<LayerReader>;
}

/** Opens the registries that stages are taken from and published in. */
export async function openShared(
  session: ShareNeeds,
  signed: SignedGraph,
  { repo, readOnly, mustReach = !readOnly, uploader, reader, losses = new Losses() }: OpenShared,
): Promise<SharedStages> {
  const { platform, cacheFrom, emit, signal } = session.options;
  const names = [...new Set([...(repo === undefined ? [] : [repo]), ...cacheFrom])];
  const open = async (name: string): Promise<RegistryBackend | undefined> => {
    try {
      return (await session.registry(name)).value;
    } catch (error) {
      // Taking stages must not fail a build by itself; where they are to be published must be there.
      const needed = mustReach && name === repo;
      if (needed || !(error instanceof EngineError) || error.exitCode !== 1) throw error;
      emit({ type: "note", level: "warn", text: `${error.message}. Stages of ${name} are not used` });
      return undefined;
    }
  };
  const backends = (await Promise.all(names.map(open))).filter((backend) => backend !== undefined);
  const sources = backends.map((backend) => backend.repository(""));
  const store = await session.store();
  return shareStages({
    reader: reader ?? (async () => new (await import("../layers/layer_reader.ts")).LayerReader(store)),
    platform,
    emit,
    signal,
    clock: backends[0] ? clockBeside(backends[0]) : systemClock,
    accessTo: (name) => session.accessTo(name),
    listingText: (store, digest) => session.listingText(store, digest),
    signed,
    losses,
    sources,
    store,
    project: (await session.project()).name,
    uploader: uploader ?? new BlobUploader(emit, signal, store.memo, losses),
    target: repo === undefined || readOnly ? undefined : sources[0],
  });
}

/** Connects a build to the registries of its options. */
export async function openLiveCache(
  session: ShareNeeds,
  signed: SignedGraph,
  { onPublished, apart, publishing, ...options }: OpenShared & LiveCacheOptions,
): Promise<LiveCache> {
  const shared = await openShared(session, signed, options);
  return new LiveCache(shared, await session.store(), { onPublished, apart, publishing });
}
