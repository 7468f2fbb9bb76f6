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
 * @throws {RegistryError}
 */
export async function sendBlob(sending: Sending, options: SendOptions): Promise<void> {
  const upload = new Upload(sending, options);
  try {
    await upload.send();
  } finally {
    await upload.close();
  }
}

interface SendOptions {
  /** A session that a mount has left. */
  readonly opened: UploadSession | undefined;
  readonly chunk: number | undefined;
}

/** How far the sending of one blob is, and what went wrong so far. */
class Upload {
  #session: UploadSession | undefined;
  /** Bytes that the registry has. */
  #from = 0;
  /** In a row. */
  #failures = 0;
  #spoilt = 0;
  #gone = false;
  readonly #parts: PartSizes;

  constructor(readonly sending: Sending, { opened, chunk }: SendOptions) {
    this.#session = opened;
    this.#parts = new PartSizes(sending.target.client, sending.blob.size, chunk);
  }

  async send(): Promise<void> {
    for (let part = 1;; part++) {
      const before = this.#from;
      try {
        return await this.#sendRest();
      } catch (error) {
        const session = this.#session;
        // What cannot be opened has been tried often enough.
        if (!(error instanceof RegistryError) || !session || part >= MAX_PARTS) throw error;
        const next = await this.#recover(error, session);
        if (next === "sent") return;
        if (next !== "smaller") await this.#wait(error, { before, anew: next === "anew" });
      }
    }
  }

  async close(): Promise<void> {
    await this.#session?.cancel();
  }

  async #sendRest(): Promise<void> {
    const { target, blob } = this.sending;
    const session = this.#session ??= await UploadSession.open(target);
    if (!this.#parts.whole) {
      if (this.#from === 0) await verifySource(blob, target.signal);
      while (this.#from < blob.size) {
        const to = this.#parts.end(this.#from, session.minChunk);
        await patchChunk(session, this.sending, { from: this.#from, to });
        this.#from = to;
      }
    }
    await putRest(session, this.sending, this.#from);
    this.#session = undefined;
    this.#parts.arrived();
  }

  /** Finds out after a failure what is to be sent next. @throws {RegistryError} when nothing would help */
  async #recover(
    error: RegistryError,
    session: UploadSession,
  ): Promise<"sent" | "smaller" | "anew" | "again"> {
    const { target: { client, path, signal }, blob, report } = this.sending;
    const { status } = error.details;
    // What was said of what had arrived may be true: a file can rot.
    if (status === 400) await verifySource(blob, signal);
    const next = verdict(error, { whole: this.#parts.whole, from: this.#from });
    if (next === "fail") throw this.#parts.reason(error);
    // Where several servers share a registry, the one that knows an upload may be asked later.
    if (next === "smaller" || (next === "anew" && status !== 404 && ++this.#spoilt > SPOILT)) {
      await this.#goSmaller(error);
      return "smaller";
    }
    if (next === "anew") {
      this.#session = undefined;
      this.#from = 0;
      return next;
    }
    const { digest, size } = blob;
    const question = { digest, size, scopes: [pushScope(path)], signal };
    if (await lookUpBlob(client, path, question) === "there") {
      report(size);
      this.#session = undefined;
      return "sent";
    }
    this.#from = await session.offset();
    if (this.#from <= 0 || this.#from > size) await this.#restart();
    return next;
  }

  /** Waits before the next try. @throws {RegistryError} when there were enough of them */
  async #wait(
    error: RegistryError,
    { before, anew }: { readonly before: number; readonly anew: boolean },
  ): Promise<void> {
    const { client: { retry }, signal } = this.sending.target;
    const { status, code, retryAfterMs: asked = 0 } = error.details;
    // A connection that was closed while nobody used it says nothing of the next one.
    if (code === GONE && !this.#gone) {
      this.#gone = true;
      return;
    }
    this.#failures = this.#from > before && code !== TOO_SLOW ? 1 : this.#failures + 1;
    if (asked > retry.longestWaitMs) throw error;
    if (this.#failures >= retry.attempts) {
      if (this.#from > 0 || !(anew || this.#parts.isLarge)) throw error;
      // Time and again nothing arrived of all that was sent: what stands between may let less through.
      return await this.#goSmaller(error);
    }
    // The client itself keeps the pause that a 429 asks for.
    const pause = status === 429 ? 0 : asked;
    await retry.sleep(Math.max(pause, backoffMs(this.#failures)), signal);
  }

  async #goSmaller(error: RegistryError): Promise<void> {
    this.#parts.shrink(error, this.#session?.minChunk ?? 0);
    this.#failures = this.#spoilt = 0;
    await this.#restart();
  }

  async #restart(): Promise<void> {
    await this.#session?.cancel();
    this.#session = undefined;
    this.#from = 0;
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
