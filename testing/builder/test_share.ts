/** Images of a test in a registry, for builders that are elsewhere. */
import type {
  ImageConfig,
  Layer,
  LayerRef,
  OciPlatform,
  RegistryAccess,
  Repository,
  SharedImage,
  Store,
} from "../../core/contract/plugin.ts";
import { manifestOf } from "../../lib/oci/build.ts";

/** Where the steps of a test find their images, and leave their layers. */
export interface TestShare {
  /** What steps stand on. */
  readonly repository: Repository;
  /** How it is reached. */
  readonly access: RegistryAccess;
  /** Of the images. */
  readonly platform: OciPlatform;
}

const { signal } = new AbortController();
const io = { signal, report() {} };

/** Puts an image of these layers into the repository. */
export async function shareImage(
  { repository, access, platform }: TestShare,
  refs: readonly LayerRef[],
  store: Store,
): Promise<SharedImage> {
  const layers = await Promise.all(refs.map((ref) => ref.described ?? ref.stored));
  for (const { digest, size } of layers) {
    if (await store.blobs.size(digest) !== size) continue; // it is nowhere else but there
    await repository.upload({ digest, size, source: { file: store.blobs.path(digest) } }, io);
  }
  const { os, architecture, variant } = platform;
  const config: ImageConfig = {
    os,
    architecture,
    ...(variant && { variant }),
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created_by: "test" })),
  };
  const built = await manifestOf({ layers, config });
  const { digest, size, bytes } = built.config;
  await repository.upload({ digest, size, source: { bytes } }, io);
  await repository.putManifest(built.manifest, built.manifest.digest, signal);
  return {
    repository,
    access,
    config,
    manifest: built.manifest.digest,
    spareTag: `spare-${crypto.randomUUID()}`,
  };
}

/** Brings a layer that a step has left in the repository. */
export async function bringLayer({ repository }: TestShare, layer: Layer, store: Store): Promise<void> {
  if (await store.blobs.size(layer.digest) === layer.size) return;
  const file = `${await store.blobs.scratch()}/${crypto.randomUUID()}`;
  await repository.download(layer, file, io);
  await store.blobs.adopt(file, layer.digest);
}
