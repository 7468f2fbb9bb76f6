import type { Repository } from "../registry_role.ts";
import type { Session } from "../session.ts";
import type { SignedGraph } from "../sign.ts";
import { LiveCache } from "./live_cache.ts";
import { SharedStages } from "./shared_stages.ts";
import { BlobUploader } from "./uploader.ts";

export interface OpenShared {
  /** Asked for stages before those of `--cache-from`, and written to unless `readOnly`. */
  readonly repo: string | undefined;
  readonly readOnly: boolean;
  readonly uploader?: BlobUploader;
}

/** Opens the registries that stages are taken from and published in. */
export async function openShared(
  session: Session,
  signed: SignedGraph,
  { repo, readOnly, uploader }: OpenShared,
): Promise<SharedStages> {
  const { cacheFrom, emit, signal } = session.options;
  const names = [...new Set([...(repo === undefined ? [] : [repo]), ...cacheFrom])];
  const sources: Repository[] = await Promise.all(
    names.map(async (name) => (await session.registry(name)).value.repository("")),
  );
  return new SharedStages({
    session,
    signed,
    sources,
    store: await session.store(),
    project: (await session.project()).name,
    uploader: uploader ?? new BlobUploader(emit, signal),
    target: repo === undefined || readOnly ? undefined : sources[0],
  });
}

/** Connects a build to the registries of its options. */
export async function openLiveCache(
  session: Session,
  signed: SignedGraph,
  options: Omit<OpenShared, "readOnly">,
): Promise<LiveCache> {
  const shared = await openShared(session, signed, { ...options, readOnly: session.options.repoReadOnly });
  return new LiveCache(shared, await session.store());
}
