import { createSha256, type Sha256 } from "../sha256.ts";
import { MAX_DOCUMENT } from "../oci/documents.ts";
import { type Digest, digestFromHex, digestOf } from "../oci/digest.ts";
import { atPathSync } from "../file_failure.ts";
import { writeAllSync } from "../write_all.ts";
import { type BlobState, EMPTY_TRIES, isClaimed, readableBlob } from "./blob_state.ts";
import { contentOf, readBody } from "./body.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { TOO_SLOW } from "./pace.ts";
import { backoffMs } from "./retry.ts";
import { pullScope } from "./scopes.ts";
import type { HttpResponse } from "./http.ts";

/** A blob that is wanted. */
export interface WantedBlob {
  readonly digest: Digest;
  readonly size: number;
}

/** Times that a download is continued although each piece brought something. */
const MAX_PIECES = 100;
const MISMATCH_TRIES = 3;
/** Blobs of at most so many bytes come like documents: side by side, where the registry can do that. */
const SMALL = 256 * 1024;

/** A small blob in memory, verified. @throws {RegistryError} lost, corrupt: the registry says that it has it */
export async function getBlob(
  client: RegistryClient,
  path: string,
  { blob, signal }: { readonly blob: WantedBlob; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  for (let attempt = 1;; attempt++) {
    let failure: RegistryError;
    try {
      const bytes = await readBody(
        // Should the built-in fetch trip over how it comes, undici takes it as it is.
        await requestBlob(client, path, { blob, from: 0, small: attempt === 1, signal }),
        MAX_DOCUMENT,
      );
      if (bytes.length === blob.size && await digestOf(bytes) === blob.digest) return bytes;
      failure = new RegistryError(`${cannotRead(client, path, blob)}: its content differs`, {
        kind: "corrupt",
        damaged: true,
      });
    } catch (error) {
      if (!(error instanceof RegistryError)) throw error;
      // The request itself was repeated before it was given up.
      if (!error.details.retryable || error.details.status !== undefined) {
        throw await orLost(error, client, path, { blob, signal });
      }
      failure = error;
    }
    if (attempt === MISMATCH_TRIES) throw await orLost(failure, client, path, { blob, signal });
    await client.retry.sleep(backoffMs(attempt), signal);
  }
}

/** Where the bytes of a blob go. */
interface Sink {
  write(chunk: Uint8Array): void;
  /** What was written is nothing: it begins anew. */
  restart(): Promise<void>;
}

/**
 * Downloads a blob into a new file, verifying size and digest. After a lost connection it continues where it stopped
 * (`Range`), or starts anew when the server ignores that.
 *
 * @throws {RegistryError} lost, corrupt: the registry says that it has it
 */
export async function downloadBlob(
  client: RegistryClient,
  path: string,
  { file, ...transfer }: Transfer & { readonly file: string },
): Promise<void> {
  using out = await Deno.open(file, { write: true, createNew: true });
  const sink: Sink = {
    write: (chunk) => atPathSync(file, () => writeAllSync(out, chunk)),
    async restart() {
      await out.truncate(0);
      await out.seek(0, Deno.SeekMode.Start);
    },
  };
  await new Download(client, path, { ...transfer, sink }).run();
}

/** Reads all of a blob, and says what it found; what comes is kept nowhere. @throws {RegistryError} when nobody can tell */
export async function verifyBlob(
  client: RegistryClient,
  path: string,
  transfer: Transfer,
): Promise<BlobState> {
  const { blob: { digest, size }, signal } = transfer;
  // What is short is found out without reading the rest.
  const question = { digest, size, scopes: [pullScope(path)], signal };
  const end = await readableBlob(client, path, question);
  if (end !== "there") return end;
  try {
    const sink: Sink = { write() {}, restart: () => Promise.resolve() };
    await new Download(client, path, { ...transfer, sink }).run();
    return "there";
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    if (error.details.damaged) return "damaged";
    if (error.kind === "lost") return "lost";
    if (error.kind === "missing" || error.details.status === 410) return "absent";
    throw error;
  }
}

/** A blob that is to be read. */
interface Transfer {
  readonly blob: WantedBlob;
  readonly signal: AbortSignal;
  /** Takes the bytes that came so far; never less than before. */
  report(done: number): void;
}

/** How far the download of one blob is, and what went wrong so far. */
class Download {
  #hash: Sha256 | undefined;
  #done = 0;
  #most = 0;
  /** In a row. */
  #failures = 0;
  #mismatches = 0;
  /** Answers in a row that broke off before anything came. */
  #empty = 0;

  constructor(
    readonly client: RegistryClient,
    readonly path: string,
    readonly transfer: Transfer & { readonly sink: Sink },
  ) {}

  async run(): Promise<void> {
    const { client, transfer: { signal } } = this;
    for (let piece = 1;; piece++) {
      const start = this.#done;
      let answered = false;
      try {
        return await this.#readRest(piece === 1, () => answered = true);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        if (error.kind === "corrupt") await this.#mismatched(error);
        else await this.#failed(error, { start, answered, last: piece >= MAX_PIECES });
      }
      await client.retry.sleep(backoffMs(Math.max(this.#failures, this.#mismatches)), signal);
    }
  }

  async #readRest(first: boolean, onAnswer: () => void): Promise<void> {
    const { client, path, transfer: { blob, sink, signal, report } } = this;
    // Should the built-in fetch trip over how it comes, the next try takes it as it is.
    const small = first && blob.size <= SMALL;
    const response = await requestBlob(client, path, { blob, from: this.#done, small, signal });
    onAnswer();
    // The first one opens a library, for which all that is still to be asked for would wait.
    this.#hash ??= createSha256();
    if (this.#done > 0 && !continuesAt(response, this.#done)) {
      await this.#restart();
      if (response.status === 206) {
        await response.discard();
        throw this.#problem("another range came than was asked for", "failed");
      }
    }
    for await (const chunk of blobWithin(response, blob, this.#mismatches)) {
      if (this.#done + chunk.length > blob.size) {
        throw this.#problem(`it is longer than ${blob.size} bytes`, "corrupt");
      }
      const hashed = this.#hash.updateBeside(chunk);
      sink.write(chunk);
      await hashed;
      this.#done += chunk.length;
      if (this.#done > this.#most) report(this.#most = this.#done);
    }
    if (this.#done < blob.size) {
      throw this.#problem(`it ended after ${this.#done} of ${blob.size} bytes`, "failed");
    }
    const digest = digestFromHex(this.#hash.hex());
    if (digest !== blob.digest) throw this.#problem(`its digest is ${digest}`, "corrupt");
  }

  /** Begins anew. @throws {RegistryError} after the last try */
  async #mismatched(error: RegistryError): Promise<void> {
    if (++this.#mismatches === MISMATCH_TRIES) throw damaged(error);
    await this.#restart();
  }

  /** Counts a failure. @throws {RegistryError} when another try would not help */
  async #failed(
    error: RegistryError,
    { start, answered, last }: {
      /** Where the piece began. */
      readonly start: number;
      readonly answered: boolean;
      readonly last: boolean;
    },
  ): Promise<void> {
    const { client, path, transfer } = this;
    const slow = error.details.code === TOO_SLOW;
    this.#failures = this.#done > start && !slow ? 1 : this.#failures + 1;
    // What is answered, and breaks off before anything came, is soon known to do so always.
    this.#empty = answered && this.#done === start && !slow ? this.#empty + 1 : 0;
    const spent = this.#failures >= client.retry.attempts || last;
    if (!error.details.retryable || spent) throw await orLost(error, client, path, transfer);
    if (this.#empty < EMPTY_TRIES) return;
    const lost = await orLost(error, client, path, transfer);
    if (lost.kind === "lost") throw lost;
  }

  async #restart(): Promise<void> {
    await this.transfer.sink.restart();
    this.#hash = createSha256();
    this.#done = 0;
  }

  #problem(why: string, kind: "corrupt" | "failed"): RegistryError {
    const { client, path, transfer: { blob } } = this;
    const message = `Cannot download blob ${blob.digest} of ${client.domain}/${path}: ${why}`;
    return new RegistryError(message, { kind, retryable: true });
  }
}

function cannotRead({ domain }: RegistryClient, path: string, { digest }: WantedBlob): string {
  return `Cannot read blob ${digest} of ${domain}/${path}`;
}

function damaged({ message, details }: RegistryError): RegistryError {
  return new RegistryError(message, { ...details, damaged: true, retryable: false });
}

/** What is to be said of a blob that could not be read: whether the registry says all the same that it has it. */
async function orLost(
  error: RegistryError,
  client: RegistryClient,
  path: string,
  { blob, signal }: { readonly blob: WantedBlob; readonly signal: AbortSignal },
): Promise<RegistryError> {
  const { code, retryable = false } = error.details;
  const asks = retryable && error.kind === "failed" && code !== TOO_SLOW;
  const scopes = [pullScope(path)];
  const claimed = asks &&
    await isClaimed(client, path, { digest: blob.digest, scopes, signal }).catch(() => false);
  if (!claimed) return error;
  signal.throwIfAborted();
  const what = "the registry says that it has it, and does not give it";
  return new RegistryError(`${cannotRead(client, path, blob)}: ${what} (${error.message})`, {
    kind: "lost",
    cause: error,
  });
}

async function requestBlob(
  client: RegistryClient,
  path: string,
  { blob, from, small = false, signal }: {
    readonly blob: WantedBlob;
    readonly from: number;
    readonly small?: boolean;
    readonly signal: AbortSignal;
  },
): Promise<HttpResponse> {
  return await client.request({
    method: "GET",
    path: `${path}/blobs/${blob.digest}`,
    scopes: [pullScope(path)],
    headers: { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) },
    expect: from > 0 ? [200, 206] : [200],
    small,
    doing: `download blob ${blob.digest} of ${client.domain}/${path}`,
    signal,
  });
}

/**
 * The bytes of a blob in an answer. Storage that says `Content-Encoding: gzip` of a compressed layer gives the layer
 * itself; a proxy that says so has compressed it once more. The size tells, or else the digest after one or two tries.
 */
function blobWithin(
  response: HttpResponse,
  { size }: WantedBlob,
  mismatches: number,
): AsyncIterable<Uint8Array> {
  const length = response.header("content-length");
  const itself = length === undefined ? mismatches % 2 === 1 : Number(length) === size;
  return itself ? response.body : contentOf(response);
}

/** Whether an answer is the rest of the blob from `offset` (RFC 9110 section 14.4). */
function continuesAt(response: HttpResponse, offset: number): boolean {
  const range = /^\s*bytes[\s=]+(\d+)-/i.exec(response.header("content-range") ?? "");
  // A part of what a proxy has compressed is no part of the blob.
  return response.status === 206 && Number(range?.[1]) === offset &&
    response.header("content-encoding") === undefined;
}
