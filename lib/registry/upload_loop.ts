import { verifySource } from "./blob_source.ts";
import { lookUpBlob } from "./blob_state.ts";
import { RegistryError } from "./errors.ts";
import { backoffMs } from "./retry.ts";
import { pushScope } from "./scopes.ts";
import { TOO_SLOW } from "./pace.ts";
import { GONE } from "./network_error.ts";
import { isRefusal, PartSizes } from "./part_sizes.ts";
import { patchChunk, putRest, type Sending } from "./upload_parts.ts";
import { UploadSession } from "./upload_session.ts";

/** Times that a blob is begun anew in the same way after its upload was gone, or something else came than was sent. */
const SPOILT = 1;
/** Parts that may fail although each brought something. */
const MAX_PARTS = 100;

/**
 * Sends a blob in one request (POST, PUT), or in chunks (PATCH) when asked to or when the registry, or what stands before
 * it, does not take it whole. After a lost connection it goes on where the registry confirms to be, and otherwise
 * begins anew; a lost answer is looked up before anything is repeated. A session that is given up is closed.
 *
 * @param opened a session that a mount has left
 * @throws {RegistryError}
 */
export async function sendBlob(
  sending: Sending,
  { opened, chunk }: { readonly opened: UploadSession | undefined; readonly chunk: number | undefined },
): Promise<void> {
  const { target, blob } = sending;
  const { client, signal } = target;
  let session = opened;
  const parts = new PartSizes(client, blob.size, chunk);
  let [from, failures, spoilt, gone] = [0, 0, 0, false];
  const restart = async () => {
    await session?.cancel();
    session = undefined;
    from = 0;
  };
  const goSmaller = async (error: RegistryError) => {
    parts.shrink(error, session?.minChunk ?? 0);
    failures = spoilt = 0;
    await restart();
  };
  try {
    for (let part = 1;; part++) {
      const before = from;
      try {
        session ??= await UploadSession.open(target);
        if (!parts.whole) {
          if (from === 0) await verifySource(blob, signal);
          while (from < blob.size) {
            const to = parts.end(from, session.minChunk);
            await patchChunk(session, sending, { from, to });
            from = to;
          }
        }
        await putRest(session, sending, from);
        session = undefined;
        parts.arrived();
        return;
      } catch (error) {
        // What cannot be opened has been tried often enough.
        if (!(error instanceof RegistryError) || !session || part >= MAX_PARTS) throw error;
        // What was said of what had arrived may be true: a file can rot.
        if (error.details.status === 400) await verifySource(blob, signal);
        const { status, code, retryAfterMs: asked = 0 } = error.details;
        const next = verdict(error, { whole: parts.whole, from });
        if (next === "fail") throw parts.reason(error);
        // Where several servers share a registry, the one that knows an upload may be asked later.
        if (next === "smaller" || (next === "anew" && status !== 404 && ++spoilt > SPOILT)) {
          await goSmaller(error);
          continue;
        }
        if (next === "anew") {
          session = undefined;
          from = 0;
        } else {
          const { digest, size } = blob;
          const question = { digest, size, scopes: [pushScope(target.path)], signal };
          if (await lookUpBlob(client, target.path, question) === "there") {
            sending.report(blob.size);
            session = undefined;
            return;
          }
          from = await session.offset();
          if (from <= 0 || from > blob.size) await restart();
        }
        // A connection that was closed while nobody used it says nothing of the next one.
        if (code === GONE && !gone) {
          gone = true;
          continue;
        }
        failures = from > before && code !== TOO_SLOW ? 1 : failures + 1;
        if (asked > client.retry.longestWaitMs) throw error;
        if (failures >= client.retry.attempts) {
          if (from > 0 || !(next === "anew" || parts.isLarge)) throw error;
          // Time and again nothing arrived of all that was sent: what stands between may let less through.
          await goSmaller(error);
          continue;
        }
        // The client itself keeps the pause that a 429 asks for.
        const pause = status === 429 ? 0 : asked;
        await client.retry.sleep(Math.max(pause, backoffMs(failures)), signal);
      }
    }
  } finally {
    await session?.cancel();
  }
}

/**
 * `again`: it may have arrived in part or whole. `anew`: the session is gone or spoilt. `smaller`: the part is not taken as
 * it is.
 */
function verdict(
  error: RegistryError,
  { whole, from }: { readonly whole: boolean; readonly from: number },
): "again" | "anew" | "smaller" | "fail" {
  const { status, code = "", retryable } = error.details;
  if (error.kind === "full") return "fail";
  // GHCR says 416 of a chunk that is too large.
  if (status === 413 || (status === 416 && !whole && from === 0)) return "smaller";
  if (status === 416 || (status === 404 && code.startsWith("BLOB_UPLOAD_"))) return "anew";
  if (status === 400 && ["DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID"].includes(code)) {
    return "anew";
  }
  if (retryable) return "again";
  return whole && isRefusal(error) ? "smaller" : "fail";
}
