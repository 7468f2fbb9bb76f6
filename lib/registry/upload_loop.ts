import { verifySource } from "./blob_source.ts";
import { lookUpBlob } from "./blob_state.ts";
import { RegistryError } from "./errors.ts";
import { backoffMs } from "./retry.ts";
import { pushScope } from "./scopes.ts";
import { TOO_SLOW } from "./pace.ts";
import { GONE } from "./network_error.ts";
import { patchChunk, putRest, type Sending } from "./upload_parts.ts";
import { UploadSession } from "./upload_session.ts";

/** Bytes of a chunk, tried in turn when a proxy lets no larger body through. */
const CHUNKS = [4 * 1024 * 1024, 512 * 1024];
/** Times that a blob is begun anew after the registry got something else than was sent. */
const MISMATCHES = 1;
/** Parts that may fail although each brought something. */
const MAX_PARTS = 100;

/**
 * Sends a blob in one request (POST, PUT), or in chunks (PATCH) when asked to or when one request is too large for what
 * stands before the registry (413). After a lost connection it goes on where the registry confirms to be, and otherwise
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
  const sizes = chunk === undefined ? [undefined, ...CHUNKS] : [chunk, ...CHUNKS.filter((c) => c < chunk)];
  let [from, failures, mismatches, gone] = [0, 0, 0, false];
  const restart = async () => {
    await session?.cancel();
    session = undefined;
    from = 0;
  };
  try {
    for (let part = 1;; part++) {
      const before = from;
      try {
        session ??= await UploadSession.open(target);
        const size = sizes[0];
        if (size !== undefined) {
          if (from === 0) await verifySource(blob, signal);
          const step = Math.max(size, session.minChunk);
          for (; blob.size - from > 0; from = Math.min(blob.size, from + step)) {
            await patchChunk(session, sending, { from, to: Math.min(blob.size, from + step) });
          }
        }
        await putRest(session, sending, from);
        session = undefined;
        return;
      } catch (error) {
        // What cannot be opened has been tried often enough.
        if (!(error instanceof RegistryError) || !session || part >= MAX_PARTS) throw error;
        // What was said of what had arrived may be true: a file can rot.
        if (error.details.status === 400) await verifySource(blob, signal);
        const next = verdict(error);
        if (next === "fail") throw error;
        if (next === "smaller") {
          if (sizes.length === 1 || (sizes[0] ?? blob.size) <= session.minChunk) throw error;
          sizes.shift();
          await restart();
          continue;
        }
        if (next === "anew") {
          if (error.details.code === "DIGEST_INVALID" && ++mismatches > MISMATCHES) throw error;
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
        if (error.details.code === GONE && !gone) {
          gone = true;
          continue;
        }
        failures = from > before && error.details.code !== TOO_SLOW ? 1 : failures + 1;
        const asked = error.details.retryAfterMs ?? 0;
        if (failures >= client.retry.attempts || asked > client.retry.longestWaitMs) throw error;
        // The client itself keeps the pause that a 429 asks for.
        const pause = error.details.status === 429 ? 0 : asked;
        await client.retry.sleep(Math.max(pause, backoffMs(failures)), signal);
      }
    }
  } finally {
    await session?.cancel();
  }
}

/**
 * `again`: it may have arrived in part or whole. `anew`: the session is gone or spoilt. `smaller`: the body was too
 * large.
 */
function verdict(error: RegistryError): "again" | "anew" | "smaller" | "fail" {
  const { status, code, retryable } = error.details;
  if (status === 413) return "smaller";
  if (status === 416 || (status === 404 && (code ?? "").startsWith("BLOB_UPLOAD_"))) return "anew";
  if (status === 400 && ["DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID"].includes(code ?? "")) {
    return "anew";
  }
  return retryable ? "again" : "fail";
}
