/** Base images of golden cases: written by hand here, so that no change of the engine changes them. */

/** One entry of a layer, as ustar has it. */
export interface BaseEntry {
  readonly path: string;
  /** @default file, or symlink with a `link` */
  readonly type?: "file" | "dir" | "symlink" | "hardlink";
  /** Octal digits. @default 755 for directories, 777 for links, 644 for files */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly link?: string;
  readonly text?: string;
}

export interface BaseImage {
  /** `config` of the image configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly layers: readonly (readonly BaseEntry[])[];
}

const FLAGS = { file: "0", hardlink: "1", symlink: "2", dir: "5" } as const;
const MEDIA = "application/vnd.oci.image";

/** Writes an OCI layout with one index, tagged `latest`, of images by platform. Layers are not compressed. */
export async function writeBase(dir: string, images: Readonly<Record<string, BaseImage>>): Promise<void> {
  await Deno.mkdir(`${dir}/blobs/sha256`, { recursive: true });
  const manifests = [];
  for (const [platform, image] of Object.entries(images)) {
    const [os, architecture, variant] = platform.split("/");
    const at = { os, architecture, ...(variant && { variant }) };
    const layers = [];
    for (const entries of image.layers) layers.push(await put(dir, `${MEDIA}.layer.v1.tar`, tarOf(entries)));
    const config = await putJson(dir, `${MEDIA}.config.v1+json`, {
      ...at,
      config: image.config ?? {},
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
      history: layers.map(() => ({ created_by: "golden base" })),
    });
    const manifest = { schemaVersion: 2, mediaType: `${MEDIA}.manifest.v1+json`, config, layers };
    manifests.push({ ...await putJson(dir, manifest.mediaType, manifest), platform: at });
  }
  const index = { schemaVersion: 2, mediaType: `${MEDIA}.index.v1+json`, manifests };
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const top = { ...await putJson(dir, index.mediaType, index), annotations };
  await Deno.writeTextFile(`${dir}/index.json`, JSON.stringify({ ...index, manifests: [top] }));
  await Deno.writeTextFile(`${dir}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
}

function putJson(dir: string, mediaType: string, value: unknown) {
  return put(dir, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function put(dir: string, mediaType: string, bytes: Uint8Array<ArrayBuffer>) {
  const hex = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  await Deno.writeFile(`${dir}/blobs/sha256/${hex}`, bytes);
  return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
}

function tarOf(entries: readonly BaseEntry[]): Uint8Array<ArrayBuffer> {
  const blocks = entries.flatMap((entry) => {
    const body = new TextEncoder().encode(entry.text ?? "");
    const padded = new Uint8Array(Math.ceil(body.length / 512) * 512);
    padded.set(body);
    return [headerOf(entry, body.length), padded];
  });
  return new Uint8Array(blocks.concat(new Uint8Array(1024)).flatMap((block) => [...block]));
}

function headerOf(entry: BaseEntry, size: number): Uint8Array {
  const type = entry.type ?? (entry.link === undefined ? "file" : "symlink");
  const mode = entry.mode ?? { dir: 755, symlink: 777, file: 644, hardlink: 644 }[type];
  const block = new Uint8Array(512);
  const text = (at: number, value: string) => block.set(new TextEncoder().encode(value), at);
  const octal = (at: number, value: number, digits: number) =>
    text(at, value.toString(8).padStart(digits, "0"));
  text(0, entry.path);
  octal(100, parseInt(String(mode), 8), 7);
  octal(108, entry.uid ?? 0, 7);
  octal(116, entry.gid ?? 0, 7);
  octal(124, size, 11);
  octal(136, 1000000000, 11);
  text(148, "        ");
  text(156, FLAGS[type]);
  text(157, entry.link ?? "");
  text(257, "ustar\0" + "00");
  octal(148, block.reduce((sum, byte) => sum + byte, 0), 6);
  block.set([0, 0x20], 154);
  return block;
}
