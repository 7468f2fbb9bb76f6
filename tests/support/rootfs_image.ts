/** Makes a one-layer OCI image layout of a directory (image-spec v1.1), with GNU tar and gzip only. */
import { formatEpoch } from "../../core/settings/epoch.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { run } from "./process.ts";

export interface RootfsImage {
  readonly rootfs: string;
  /** Names below `rootfs` whose content stays out, such as "./dev/*". */
  readonly exclude?: readonly string[];
  /** Modification time of every entry, seconds since 1970; the files' own when undefined. */
  readonly mtime?: number;
  readonly env: readonly string[];
  readonly cmd: readonly string[];
}

/** OCI name of this machine's architecture. */
export const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";

/** Writes the layout directory `layout`, which must not exist, with the image under the tag `latest`. */
export async function writeRootfsImage(layout: string, image: RootfsImage): Promise<void> {
  const blobs = `${layout}/blobs/sha256`;
  await Deno.mkdir(blobs, { recursive: true });
  const tar = `${layout}/layer.tar`;
  await run([
    "tar",
    "--create",
    `--file=${tar}`,
    `--directory=${image.rootfs}`,
    "--sort=name",
    "--numeric-owner",
    "--format=gnu",
    ...(image.mtime === undefined ? [] : [`--mtime=@${image.mtime}`, "--owner=0", "--group=0"]),
    ...(image.exclude ?? []).map((pattern) => `--exclude=${pattern}`),
    ".",
  ]);
  const diffId = await sha256sum(tar);
  await run(["gzip", "--no-name", "--fast", tar]);
  const layer = { mediaType: mediaTypes.layerGzip, ...await adopt(blobs, `${tar}.gz`) };
  const platform = { os: "linux", architecture };
  const created = image.mtime === undefined ? undefined : formatEpoch(image.mtime);
  const config = await putJson(blobs, mediaTypes.config, {
    ...platform,
    config: { Env: image.env, Cmd: image.cmd },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ ...(created !== undefined && { created }), created_by: "test base" }],
  });
  const manifest = await putJson(blobs, mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [layer],
  });
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  await Deno.writeTextFile(
    `${layout}/index.json`,
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [{ ...manifest, platform, annotations }],
    }),
  );
  await Deno.writeTextFile(`${layout}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
}

async function putJson(blobs: string, mediaType: string, value: unknown) {
  const file = `${blobs}/new.json`;
  await Deno.writeTextFile(file, JSON.stringify(value));
  return { mediaType, ...await adopt(blobs, file) };
}

async function adopt(blobs: string, file: string) {
  const digest = await sha256sum(file);
  const { size } = await Deno.stat(file);
  await Deno.rename(file, `${blobs}/${digest.slice("sha256:".length)}`);
  return { digest, size };
}

async function sha256sum(file: string): Promise<string> {
  return `sha256:${(await run(["sha256sum", file])).stdout.slice(0, 64)}`;
}
