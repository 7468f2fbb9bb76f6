import { readSource, type SourceBlob, verifySource } from "./blob_source.ts";
import type { RegistryRequest } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { pushScope } from "./scopes.ts";
import type { UploadSession, UploadTarget } from "./upload_session.ts";
import type { HttpResponse } from "./http.ts";

/** A blob on its way. */
export interface Sending {
  readonly target: UploadTarget;
  readonly blob: SourceBlob;
  /** All of a small one, which is read while the registry opens an upload. */
  readonly whole?: Promise<Uint8Array>;
  /** Takes the bytes sent so far. */
  report(done: number): void;
}

/** A registry that has all bytes may hash and move them for minutes before it answers. */
const ANSWER_MS = 10 * 60_000;

/** Closes a session with all that it does not have yet: the whole blob, or what comes after `from`. */
export async function putRest(session: UploadSession, sending: Sending, from: number): Promise<void> {
  const { blob, target } = sending;
  if (from > 0) await verifySource(blob, target.signal);
  const rest = from < blob.size;
  const response = await send(sending, from, blob.size, {
    method: "PUT",
    path: session.closing(blob.digest),
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(blob.size - from),
      ...(from > 0 && rest && { "content-range": `${from}-${blob.size - 1}` }),
    },
    expect: [200, 201, 202, 204],
    answerMs: ANSWER_MS,
  });
  await response.discard();
  // 200 and 202 are not what the specification has: they may mean that it has arrived, or that more is expected.
  if (response.status === 200 || response.status === 202) await confirmStored(target);
  sending.report(blob.size);
}

async function confirmStored({ client, path, digest, signal, doing }: UploadTarget): Promise<void> {
  try {
    const response = await client.request({
      method: "GET",
      path: `${path}/blobs/${digest}`,
      scopes: [pushScope(path)],
      headers: { range: "bytes=0-0" },
      expect: [200, 206, 301, 302, 303, 307, 308, 416],
      follow: false,
      doing,
      signal,
    });
    await response.discard();
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== "missing") throw error;
    throw new RegistryError(`Cannot ${doing}: the registry took it, but does not have it`, {
      kind: "failed",
      cause: error,
    });
  }
}

/** Adds the bytes `from` (inclusive) to `to` (exclusive) to a session. */
export async function patchChunk(
  session: UploadSession,
  sending: Sending,
  { from, to }: { readonly from: number; readonly to: number },
): Promise<void> {
  const response = await send(sending, from, to, {
    method: "PATCH",
    path: session.location,
    headers: {
      "content-type": "application/octet-stream",
      "content-length": String(to - from),
      "content-range": `${from}-${to - 1}`,
    },
    // ECR answers 201
    expect: [200, 201, 202, 204],
  });
  await response.discard();
  session.moved(response);
}

/**
 * Sends the bytes `from` (inclusive) to `to` (exclusive). Nothing that carries a body is repeated before it is known
 * what has arrived, so none of it goes through the built-in `fetch`, which does that by itself. A source that fails is what is thrown, not the connection that breaks with it.
 */
async function send(
  sending: Sending,
  from: number,
  to: number,
  request: Pick<RegistryRequest, "method" | "path" | "headers" | "expect" | "answerMs">,
): Promise<HttpResponse> {
  const { client, path, doing, signal } = sending.target;
  const common = { ...request, scopes: [pushScope(path)], doing, signal, repeatable: false };
  const { blob, whole } = sending;
  if (whole && from === 0 && to === blob.size) {
    return await client.request({ ...common, ...(to > 0 && { body: await whole }) });
  }
  const failed: unknown[] = [];
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      yield* counted(sending, from, to);
    } catch (error) {
      failed.push(error);
      throw error;
    }
  }
  try {
    return await client.request({ ...common, ...(to > from && { body }) });
  } catch (error) {
    throw failed[0] ?? error;
  }
}

async function* counted({ blob, report }: Sending, from: number, to: number): AsyncGenerator<Uint8Array> {
  let done = from;
  for await (const piece of readSource(blob, from, to)) {
    yield piece;
    report(done += piece.length);
  }
}
