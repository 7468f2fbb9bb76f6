import { observed } from "../pool.ts";
import { readWhole, type SourceBlob, WHOLE_BYTES } from "./blob_source.ts";
import { verifyBlob } from "./blobs.ts";
import type { RegistryClient } from "./client.ts";
import { type BlobState, lookUpBlob, readableBlob } from "./blob_state.ts";
import { RegistryError } from "./errors.ts";
import { pushScope } from "./scopes.ts";
import { sendBlob } from "./upload_loop.ts";
import { sharedUploads } from "./shared_uploads.ts";
import { mount, type UploadSession, type UploadTarget } from "./upload_session.ts";

export interface UploadOptions {
  readonly blob: SourceBlob;
  /** Repositories of the same registry that may have it, without host; the first that gives it is taken. */
  readonly from?: readonly string[];
  /** It is probably not there: a small one is not looked up, a large one while its upload is opened. @default false */
  readonly isNew?: boolean;
  /** It cannot be read there, whatever is said: it is sent without a look, and all of it read back. @default false */
  readonly anew?: boolean;
  /** What repositories of `from` have can be read: it was sent to them just now. @default false */
  readonly sure?: boolean;
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
 * repository, or sends it with bounded memory. What is said to be there and does not come is sent. The same one to the
 * same place is sent once at a time.
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
  const { blob, from = [], isNew = false, anew = false, sure = false, chunk, signal } = options;
  const report = (done: number) => options.report?.(done);
  const { digest, size } = blob;
  const question = { digest, size, scopes: [pushScope(path)], signal };
  const look = () => lookUpBlob(client, path, question);
  const before = isNew || anew ? "absent" : await look();
  if (before === "there") return "present";
  const doing = `store blob ${digest} in ${client.domain}/${path}`;
  const target: UploadTarget = { client, path, digest, signal, doing };
  const whole = size <= WHOLE_BYTES ? observed(readWhole(blob)) : undefined;
  const looking = isNew && !anew && !whole ? observed(look()) : Promise.resolve(before);
  const sources = anew || before === "lost" ? [] : from.filter((source) => source !== path);
  let taken = await mountAny(target, sources);
  let mounted: BlobState | undefined;
  if (taken === "mounted") {
    mounted = sure ? "there" : await look();
    if (mounted === "there") return "mounted";
    taken = undefined;
  }
  const known = await looking.catch(async (error) => {
    await taken?.cancel();
    throw error;
  });
  if (known === "there") {
    await taken?.cancel();
    return "present";
  }
  await sendBlob({ target, blob, report, ...(whole && { whole }) }, { opened: taken, chunk });
  // What was said to be there before it was sent may be said again.
  const doubtful = known === "lost" || mounted !== undefined;
  const now = anew
    ? await verifyBlob(client, path, { blob, signal, report: () => {} })
    : doubtful
    ? await readableBlob(client, path, question)
    : "there";
  if (now !== "there") throw notKept(doing, now);
  return "uploaded";
}

function notKept(doing: string, now: BlobState): RegistryError {
  const why = now === "damaged" ? "what it gives is still something else" : "it still does not give it";
  const damaged = now === "damaged" && { damaged: true as const };
  return new RegistryError(`Cannot ${doing}: the registry says that it has taken it, and ${why}`, {
    kind: "lost",
    ...damaged,
  });
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
