import {
  type Digest,
  digestFromHex,
  isSignature,
  signatureOf,
  type StageRecord,
  type StoreReport,
} from "../../../core/contract/plugin.ts";
import { DecompressError } from "../../../lib/compression/error.ts";
import { openLayer } from "../../../lib/layer/open.ts";
import { listFiles } from "./files.ts";
import type { StoreParts } from "./parts.ts";
import { createSha256 } from "../../../lib/sha256.ts";

/** Reads every blob and record and says what is wrong. With `repair`, removes what is damaged, so that it is made again. */
export async function checkStore(store: StoreParts, repair: boolean): Promise<StoreReport> {
  const problems: string[] = [];
  const repaired: string[] = [];
  const drop = async (path: string, what: string) => {
    if (!repair) return;
    await Deno.remove(path);
    repaired.push(`Removed ${what}`);
  };

  const sound = new Set<Digest>();
  let bytes = 0;
  const blobs = await listFiles(`${store.blobs.directory}/sha256`);
  for (const name of blobs) {
    const path = `${store.blobs.directory}/sha256/${name}`;
    const { hex, size } = await hashFile(path);
    bytes += size;
    if (hex === name) {
      sound.add(digestFromHex(hex));
      continue;
    }
    problems.push(`Blob ${name} has the content of ${hex}`);
    await drop(path, `blob ${name}`);
  }

  const stages = await listFiles(store.stages.directory);
  const contents = new Map<string, string>();
  for (const name of stages) {
    const record = isSignature(name) ? await store.stages.anyRecord(name) : undefined;
    const problem = record
      ? await recordProblem(record, sound) ?? await contentProblem(store, record, contents)
      : `Stage record ${name} cannot be read`;
    if (!problem) continue;
    problems.push(problem);
    await drop(`${store.stages.directory}/${name}`, `stage record ${name}`);
  }
  return { blobs: blobs.length, bytes, stages: stages.length, problems, repaired };
}

async function recordProblem(
  record: StageRecord,
  sound: ReadonlySet<Digest>,
): Promise<string | undefined> {
  const { signature: name } = record;
  // Records of an older release are used by nobody, and were signed in another way.
  if (record.format === 2 && await signatureOf(record.previous, record.facts) !== name) {
    return `Stage record ${name} (${record.stage}) holds facts of another signature`;
  }
  const layers = record.image.layers.map((layer) => layer.digest);
  const digests = record.elsewhere ? [] : layers; // those are where the record says
  for (const fact of record.facts) if (fact.listing) digests.push(fact.value);
  const missing = digests.filter((digest) => !sound.has(digest));
  if (missing.length > 0) {
    return `Stage record ${name} (${record.stage}) needs ${missing.join(", ")}, which is not sound`;
  }
  const diffIds = record.image.config.rootfs.diff_ids;
  if (
    diffIds.length !== record.image.layers.length ||
    record.image.layers.some((l, i) => l.diffId !== diffIds[i])
  ) {
    return `Stage record ${name} (${record.stage}) lists other layers than its image configuration`;
  }
  return undefined;
}

/** What is wrong with the content of a sound record's layers; `contents` is what is known already, by digest of the blob. */
async function contentProblem(
  store: StoreParts,
  { signature: name, stage, image, elsewhere }: StageRecord,
  contents: Map<string, string>,
): Promise<string | undefined> {
  for (const { digest, diffId } of image.layers) {
    if (elsewhere && await store.blobs.size(digest) === undefined) continue;
    const found = contents.get(digest) ?? await contentOf(store.blobs.path(digest));
    contents.set(digest, found);
    if (found !== diffId) {
      return `Stage record ${name} (${stage}) says that ${digest} holds ${diffId}, but it holds ${found}`;
    }
  }
  return undefined;
}

/** Digest of the tar in a layer file, or why there is none. */
async function contentOf(path: string): Promise<string> {
  const hash = createSha256();
  try {
    for await (const chunk of openLayer(path, { fleeting: true })) hash.update(chunk);
    return digestFromHex(hash.hex());
  } catch (error) {
    if (error instanceof DecompressError) return `something else: ${error.message}`;
    throw error;
  }
}

async function hashFile(path: string): Promise<{ hex: string; size: number }> {
  using file = await Deno.open(path);
  const hash = createSha256();
  const buffer = new Uint8Array(1 << 20);
  let size = 0;
  for (let n = file.readSync(buffer); n !== null; n = file.readSync(buffer)) {
    hash.update(buffer.subarray(0, n));
    size += n;
  }
  return { hex: hash.hex(), size };
}
