import { observed } from "../pool.ts";
import { readWhole, type SourceBlob, WHOLE_BYTES } from "./blob_source.ts";
import type { RegistryClient } from "./client.ts";
import { hasBlob } from "./has_blob.ts";
import { sendBlob } from "./upload_loop.ts";
import { sharedUploads } from "./shared_uploads.ts";
import { mount, type UploadSession, type UploadTarget } from "./upload_session.ts";

export interface UploadOptions {
  readonly blob: SourceBlob;
  /** Repositories of the same registry that may have it, without host; the first that gives it is taken. */
  readonly from?: readonly string[];
  /** It is probably not there: a small one is not looked up, a large one while its upload is opened. @default false */
  readonly isNew?: boolean;
  /** Sends it in chunks of so many bytes; without it in one piece, unless that is too large for a proxy. */
  readonly chunk?: number;
  readonly signal: AbortSignal;
  /** Takes the bytes sent so far; may start again from less after a failure. */
  report?(done: number): void;
}

/** How it came to be there. */
export type Uploaded = "present" | "mounted" | "uploaded";

/** Sources that are asked; each costs a request. */
const MAX_SOURCES = 3;

/**
 * Stores a blob in a repository unless it is there (spec.md#pushing-blobs): looks it up, has it taken over from another
 * repository, or sends it with bounded memory. The same one to the same place is sent once at a time.
 *
 * @throws {RegistryError}
 */
export async function uploadBlob(
  client: RegistryClient,
  path: string,
  options: UploadOptions,
): Promise<Uploaded> {
  const { blob, signal } = options;
  const work = () => upload(client, path, options);
  return await sharedUploads(client).run(`${path}@${blob.digest}`, work, { done: "present", signal });
}

async function upload(client: RegistryClient, path: string, options: UploadOptions): Promise<Uploaded> {
  const { blob, from = [], isNew = false, chunk, signal } = options;
  const report = (done: number) => options.report?.(done);
  const { digest } = blob;
  const isThere = () => hasBlob(client, path, { digest, signal });
  if (!isNew && await isThere()) return "present";
  const doing = `store blob ${digest} in ${client.domain}/${path}`;
  const target: UploadTarget = { client, path, digest, signal, doing };
  const whole = blob.size <= WHOLE_BYTES ? observed(readWhole(blob)) : undefined;
  const looking = isNew && !whole ? observed(isThere()) : Promise.resolve(false);
  const taken = await mountAny(target, from.filter((source) => source !== path));
  if (taken === "mounted") return "mounted";
  const known = await looking.catch(async (error) => {
    await taken?.cancel();
    throw error;
  });
  if (known) {
    await taken?.cancel();
    return "present";
  }
  await sendBlob({ target, blob, report, ...(whole && { whole }) }, { opened: taken, chunk });
  return "uploaded";
}

/** The last session that a registry opened instead of mounting is kept; the blob is sent there. */
async function mountAny(
  target: UploadTarget,
  sources: readonly string[],
): Promise<"mounted" | UploadSession | undefined> {
  let session: UploadSession | undefined;
  try {
    for (const source of sources.slice(0, MAX_SOURCES)) {
      const taken = await mount(target, source);
      if (taken === undefined) continue;
      await session?.cancel();
      session = undefined;
      if (taken === "mounted") return taken;
      session = taken;
    }
    return session;
  } catch (error) {
    await session?.cancel();
    throw error;
  }
}
