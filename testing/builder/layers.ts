/** Base images for builder tests, as layers of a store. */
import type { Digest, Layer, LayerRef, Store } from "../../core/contract/plugin.ts";
import { createLayerWriter } from "../../lib/layer/writer.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import type { TarType } from "../../lib/tar/types.ts";

/** A layer that the store has. */
export function refOf(layer: Layer): LayerRef {
  return { diffId: layer.diffId, stored: Promise.resolve(layer) };
}

/** The layers of the image in an OCI layout directory with one manifest. */
export async function layoutLayers(store: Store, layout: string): Promise<LayerRef[]> {
  const read = async (digest: string) =>
    JSON.parse(await Deno.readTextFile(`${layout}/blobs/sha256/${digest.slice(7)}`));
  const index = JSON.parse(await Deno.readTextFile(`${layout}/index.json`));
  const manifest = await read(index.manifests[0].digest);
  const config = await read(manifest.config.digest);
  const scratch = await store.blobs.scratch();
  return await Promise.all(
    manifest.layers.map(async (layer: { mediaType: string; digest: Digest; size: number }, i: number) => {
      const file = `${scratch}/${crypto.randomUUID()}`;
      await Deno.copyFile(`${layout}/blobs/sha256/${layer.digest.slice(7)}`, file);
      await store.blobs.adopt(file, layer.digest);
      return refOf({ ...layer, diffId: config.rootfs.diff_ids[i] });
    }),
  );
}

/** An entry of a layer. */
export interface LayerItem {
  /** Relative, without a slash at the start or the end. */
  readonly path: string;
  /** What it is. @default "file" */
  readonly type?: TarType;
  /** Permissions. @default 0755 for a directory, else 0644 */
  readonly mode?: number;
  /** Owner. @default 0 */
  readonly uid?: number;
  /** Group. @default 0 */
  readonly gid?: number;
  /** Seconds since 1970. @default 0 */
  readonly mtime?: number;
  /** Where a link leads. */
  readonly link?: string;
  /** Numbers of a device. */
  readonly major?: number;
  /** Goes with `major`. */
  readonly minor?: number;
  /** Text of a file. */
  readonly content?: string;
  /** Bytes of a file, in place of `content`. */
  readonly bytes?: Uint8Array;
}

/** Writes a layer with these entries, in this order, and nothing else. */
export async function makeLayer(store: Store, items: readonly LayerItem[]): Promise<LayerRef> {
  const file = `${await store.blobs.scratch()}/${crypto.randomUUID()}`;
  const writer = await createLayerWriter({ file, compression: { kind: "gzip", level: 6 }, threads: 0 });
  for (const { content, bytes, ...item } of items) {
    const body = bytes ?? new TextEncoder().encode(content ?? "");
    const type = item.type ?? "file";
    const mode = item.mode ?? (type === "dir" ? 0o755 : 0o644);
    await writer.write(encodeTarHeader({ uid: 0, gid: 0, mtime: 0, ...item, type, mode, size: body.length }));
    await writer.write(body);
    await writer.write(tarPadding(body.length));
  }
  await writer.write(TAR_TRAILER);
  const made = await writer.close();
  await store.blobs.adopt(file, made.digest);
  return refOf(made);
}
