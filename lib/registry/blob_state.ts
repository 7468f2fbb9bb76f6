import type { Digest } from "../oci/digest.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { backoffMs } from "./retry.ts";
import { MAX_UNWANTED } from "./wire_answer.ts";

/**
 * What a repository has of a blob. `lost`: it says that it has it, and does not give it. docker-registry does so when a
 * blob goes from its disk while it runs, as by `registry garbage-collect`: it remembers the size that it tells.
 * `damaged`: it gives something else, which only who reads all of it finds out.
 */
export type BlobState = "there" | "absent" | "lost" | "damaged";

/** Times that a blob is asked for of which nothing comes, although the registry answers that it has it. */
export const EMPTY_TRIES = 3;

/** Which blob is asked for. */
export interface BlobQuestion {
  readonly digest: Digest;
  readonly size: number;
  /** Token scopes, the one that is needed first. */
  readonly scopes: readonly string[];
  readonly signal: AbortSignal;
}

const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * Whether a repository has a blob, by one small request: its last byte, which a registry cannot tell from memory. Where
 * that is not to be had by itself, which is remembered of the host, HEAD is believed; so is an answer that leads to
 * storage: the address there may be good for one way of reading only.
 *
 * @throws {RegistryError} when there is no answer, or none for now
 */
export async function lookUpBlob(
  client: RegistryClient,
  path: string,
  question: BlobQuestion,
): Promise<BlobState> {
  if (!await client.ends.useless()) {
    const state = await orNothing(() => endOf(client, path, { ...question, follow: false }));
    if (state !== undefined && state !== "elsewhere") return state;
    await client.ends.mislead();
    if (state === "elsewhere") return "there";
  }
  return await isClaimed(client, path, question) ? "there" : "absent";
}

/**
 * What can really be read of a blob: its last byte is, from wherever answers lead to.
 *
 * @throws {RegistryError} when there is no answer, a refusal, or none for now
 */
export async function readableBlob(
  client: RegistryClient,
  path: string,
  question: BlobQuestion,
): Promise<BlobState> {
  try {
    return await endOf(client, path, { ...question, follow: true }) as BlobState;
  } catch (error) {
    const { status = 0 } = error instanceof RegistryError ? error.details : {};
    // It was asked several times.
    if (status >= 500 && await isClaimed(client, path, question)) return "lost";
    throw error;
  }
}

/** Whether HEAD says that it is there. A refusal says no: what comes next works, or gives the reason. */
export async function isClaimed(
  client: RegistryClient,
  path: string,
  { digest, scopes, signal }: Pick<BlobQuestion, "digest" | "scopes" | "signal">,
): Promise<boolean> {
  const response = await orNothing(() =>
    client.request({
      method: "HEAD",
      path: `${path}/blobs/${digest}`,
      scopes,
      expect: [200, ...REDIRECTS, 404],
      follow: false,
      small: true,
      doing: `look up blob ${digest} of ${client.domain}/${path}`,
      signal,
    })
  );
  await response?.discard();
  return response !== undefined && response.status !== 404;
}

/** Undefined when a registry has refused what was asked, which will not pass. */
async function orNothing<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { method, status, retryable } = error.details;
    if ((method === "HEAD" || method === "GET") && status !== undefined && !retryable) return undefined;
    throw error;
  }
}

/** @param follow whether it is read where an answer leads; else `elsewhere`, as also when all of it comes for one byte */
async function endOf(
  client: RegistryClient,
  path: string,
  question: BlobQuestion & { readonly follow: boolean },
): Promise<BlobState | "elsewhere"> {
  for (let attempt = 1;; attempt++) {
    const state = await askForEnd(client, path, question);
    if (state !== "lost" || attempt === EMPTY_TRIES) return state;
    await client.retry.sleep(backoffMs(attempt), question.signal);
  }
}

async function askForEnd(
  client: RegistryClient,
  path: string,
  { digest, size, scopes, signal, follow }: BlobQuestion & { readonly follow: boolean },
): Promise<BlobState | "elsewhere"> {
  const response = await client.request({
    method: "GET",
    path: `${path}/blobs/${digest}`,
    scopes,
    headers: { "accept-encoding": "identity", ...(size > 0 && { range: `bytes=${size - 1}-${size - 1}` }) },
    // 416: it has less of it.
    expect: [200, 206, ...(follow ? [] : REDIRECTS), 404, 410, 416],
    follow,
    small: true,
    doing: `look up blob ${digest} of ${client.domain}/${path}`,
    signal,
  });
  const { status } = response;
  if (status !== 200 && status !== 206) {
    await response.discard();
    if (status < 400) return "elsewhere";
    return status === 416 ? "lost" : "absent";
  }
  let read = 0;
  try {
    // Of all of it, as who knows of no ranges sends it, that it begins must do.
    for await (const piece of response.body) if ((read += piece.length) > MAX_UNWANTED) break;
  } catch (error) {
    if (error instanceof RegistryError) return "lost";
    throw error;
  }
  if (read === 0 && size > 0) return "lost";
  return read > 1 && !follow ? "elsewhere" : "there";
}
