import type { RegistryClient, RegistryRequest } from "./client.ts";
import { redactUrl, RegistryError } from "./errors.ts";
import { isLoopback } from "./hosts.ts";
import { cancelScope, pullScope, pushScope } from "./scopes.ts";
import type { HttpResponse } from "./http.ts";
import type { Digest } from "../oci/digest.ts";

/** Where uploads are opened. */
export interface UploadPlace {
  readonly client: RegistryClient;
  readonly path: string;
  readonly signal: AbortSignal;
  /** `store blob sha256:… in host/path`. */
  readonly doing: string;
}

/** A blob that is to be there. */
export interface UploadTarget extends UploadPlace {
  readonly digest: Digest;
}

const CANCEL_MS = 10_000;

/** An upload that a registry has opened: where it goes on, which every answer may change (spec.md#pushing-blobs). */
export class UploadSession {
  readonly #place: UploadPlace;
  #location: URL;
  /** Bytes that every chunk but the last must have. */
  readonly minChunk: number;

  constructor(place: UploadPlace, opened: HttpResponse) {
    this.#place = place;
    this.#location = locationOf(opened, opened.url, place.doing);
    this.minChunk = Number(/^\d+$/.exec(opened.header("oci-chunk-min-length") ?? "")?.[0] ?? 0);
  }

  /** @throws {RegistryError} */
  static async open(place: UploadPlace): Promise<UploadSession> {
    place.client.expectMore();
    // Some answer 200 or 201 with the session.
    const response = await post(place, "", { scopes: [pushScope(place.path)], expect: [200, 201, 202] });
    return new UploadSession(place, response);
  }

  /** Where the next request goes. */
  get location(): URL {
    return this.#location;
  }

  /** Where the upload of a blob is closed: the query it has is kept as it is. */
  closing(digest: Digest): URL {
    const { href, search } = this.#location;
    return new URL(`${href}${search ? "&" : "?"}digest=${encodeURIComponent(digest)}`);
  }

  /** Takes the address that an answer gives. */
  moved(answer: HttpResponse): void {
    if (answer.header("location") === undefined) return;
    this.#location = locationOf(answer, this.#location, this.#place.doing);
  }

  /** Bytes that the registry says it has; 0 unless it confirms more (`Range: 0-0` may mean none). Never throws. */
  async offset(): Promise<number> {
    const { client, path, doing, signal } = this.#place;
    try {
      const response = await client.request({
        method: "GET",
        path: this.#location,
        scopes: [pushScope(path)],
        expect: [204],
        doing,
        signal,
      });
      await response.discard();
      this.moved(response);
      const last = /^\s*(?:bytes\s*[ =]\s*)?0-(\d+)(?:\/.*)?\s*$/i.exec(response.header("range") ?? "")?.[1];
      return last === undefined || last === "0" ? 0 : Number(last) + 1;
    } catch {
      return 0;
    }
  }

  /** Tells the registry to forget it. Never throws, also after the upload was aborted. */
  async cancel(): Promise<void> {
    const { client, path, doing } = this.#place;
    try {
      const response = await client.request({
        method: "DELETE",
        path: this.#location,
        scopes: [cancelScope(path)],
        expect: [202, 204, 404],
        doing,
        repeatable: false,
        signal: AbortSignal.timeout(CANCEL_MS),
      });
      await response.discard();
    } catch {
      // it expires by itself
    }
  }
}

/**
 * Asks to have the blob taken over from another repository of the registry. A session when the registry would rather
 * have it sent; undefined when that fails in whatever way: sending it works, or says what is wrong.
 */
export async function mount(
  target: UploadTarget,
  from: string,
): Promise<"mounted" | UploadSession | undefined> {
  const query = `?mount=${encodeURIComponent(target.digest)}&from=${encodeURIComponent(from)}`;
  try {
    const response = await post(target, query, {
      scopes: [pushScope(target.path), pullScope(from)],
      expect: [200, 201, 202],
      repeatable: false,
    });
    const mounted = response.status === 201 && !isUpload(response.header("location"));
    return mounted ? "mounted" : new UploadSession(target, response);
  } catch (error) {
    if (error instanceof RegistryError) return undefined;
    throw error;
  }
}

/** Whether an address is that of an upload; what was mounted has the address of a blob, or none. */
function isUpload(location: string | undefined): boolean {
  return location?.includes("/blobs/uploads/") === true;
}

async function post(
  { client, path, doing, signal }: UploadPlace,
  query: string,
  request: Pick<RegistryRequest, "scopes" | "expect" | "repeatable">,
): Promise<HttpResponse> {
  const response = await client.request({
    method: "POST",
    ...request,
    path: `${path}/blobs/uploads/${query}`,
    headers: { "content-length": "0" },
    small: true,
    doing,
    signal,
  });
  await response.discard();
  return response;
}

/**
 * The `Location` of an answer, relative to `base`. The same host by another scheme (a proxy that hides TLS) is taken by
 * the registry's own; another host by plain http is refused when the registry uses https.
 */
function locationOf(answer: HttpResponse, base: URL, doing: string): URL {
  const text = answer.header("location");
  const fail = (why: string) =>
    new RegistryError(`Cannot ${doing}: ${why}`, { kind: "refused", url: redactUrl(answer.url) });
  if (text === undefined) throw fail("the registry names no place for it (no Location)");
  if (!URL.canParse(text, base)) throw fail("the place that the registry names for it is no URL");
  const url = new URL(text, base);
  url.hash = "";
  const http = ["http:", "https:"].includes(url.protocol);
  if (http && url.hostname === answer.url.hostname && url.protocol !== answer.url.protocol) {
    return new URL(`${answer.url.origin}${url.pathname}${url.search}`);
  }
  const plain = url.protocol === "http:" && answer.url.protocol === "https:" && !isLoopback(url.hostname);
  if (plain || !http) {
    throw fail(`the registry wants it at ${redactUrl(url)}, which is not https`);
  }
  return url;
}
