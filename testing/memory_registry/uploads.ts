/** Upload sessions of the in-memory registry, strict about their state. */
import { createHash, type Hash } from "node:crypto";
import { failure } from "./answers.ts";

/** How blobs are taken. */
export interface UploadRules {
  /** Whether a blob is taken over from another repository. @default true */
  mounts: boolean;
  /** `OCI-Chunk-Min-Length`. @default none */
  chunkMin: number | undefined;
  /** Larger bodies get 413. @default none */
  largestBody: number | undefined;
  /** Whether the status of an upload can be asked with an address that is out of date: distribution 3 says yes, 2.8 no. @default true */
  status: boolean;
  /** Whether blobs are only counted and hashed, so that large ones take no memory. @default false */
  hashOnly: boolean;
}

/** Where finished blobs go, and come from. */
export interface BlobShelf {
  has(path: string, digest: string): boolean;
  /** Takes a blob over from another repository; false when that has none. */
  share(from: string, path: string, digest: string): boolean;
  put(path: string, digest: string, bytes: Uint8Array): void;
}

interface Session {
  readonly path: string;
  readonly pieces: Uint8Array[];
  size: number;
  state: string;
  /** Resolves when no body is being taken. */
  idle: Promise<void>;
}

/** Whoever takes the address apart and writes it anew has another one. */
const OTHER_ADDRESS =
  "the address is not the last Location, character by character (URLSearchParams spells it anew)";

export class Uploads {
  readonly rules: UploadRules = {
    mounts: true,
    chunkMin: undefined,
    largestBody: undefined,
    status: true,
    hashOnly: false,
  };
  /** Bytes of blobs that have arrived. */
  received = 0;
  readonly #sessions = new Map<string, Session>();
  readonly #shelf: BlobShelf;
  #serial = 0;

  constructor(shelf: BlobShelf) {
    this.#shelf = shelf;
  }

  /** Sessions that nobody has closed. */
  get open(): number {
    return this.#sessions.size;
  }

  /** `POST /v2/<path>/blobs/uploads/` */
  begin(path: string, url: URL): Response {
    const [digest, from] = [url.searchParams.get("mount"), url.searchParams.get("from")];
    if (digest !== null && from !== null && this.rules.mounts) {
      if (this.#shelf.share(from, path, digest)) return created(path, digest);
    }
    const id = `upload-${++this.#serial}`;
    const session: Session = { path, pieces: [], size: 0, state: this.#state(), idle: Promise.resolve() };
    this.#sessions.set(id, session);
    const { chunkMin } = this.rules;
    return this.#accepted(id, session, {
      range: "0-0",
      ...(chunkMin !== undefined && { "oci-chunk-min-length": String(chunkMin) }),
    });
  }

  /** `PATCH`, `PUT`, `GET` and `DELETE /v2/<path>/blobs/uploads/<id>` */
  async answer(request: Request, path: string, id: string): Promise<Response> {
    const url = new URL(request.url);
    const session = this.#sessions.get(id);
    if (!session || session.path !== path) return failure(404, "BLOB_UPLOAD_UNKNOWN");
    const current = url.search.slice(1).split("&").includes(session.state);
    if (!current && (request.method !== "GET" || !this.rules.status)) {
      this.#sessions.delete(id);
      return failure(404, "BLOB_UPLOAD_INVALID", {}, OTHER_ADDRESS);
    }
    switch (request.method) {
      case "GET":
        await session.idle;
        return this.#progress(id, session, 204);
      case "DELETE":
        this.#sessions.delete(id);
        return new Response(null, { status: 204 });
      case "PATCH":
        return await this.#patch(request, id, session);
      case "PUT":
        return await this.#put(request, url, id, session);
      default:
        return failure(405, "UNSUPPORTED");
    }
  }

  async #patch(request: Request, id: string, session: Session): Promise<Response> {
    const problem = this.#bodyProblem(request, session);
    if (problem) return problem;
    await this.#take(request, session);
    return this.#progress(id, session, 202);
  }

  async #put(request: Request, url: URL, id: string, session: Session): Promise<Response> {
    const digest = url.searchParams.get("digest") ?? "";
    const problem = this.#bodyProblem(request, session);
    if (problem) return problem;
    const actual = await this.#take(request, session);
    this.#sessions.delete(id);
    if (digest !== actual) return failure(400, "DIGEST_INVALID");
    const bytes = this.rules.hashOnly ? new Uint8Array() : joined(session);
    this.#shelf.put(session.path, digest, bytes);
    return created(session.path, digest);
  }

  /** Keeps what arrives, also when the connection ends early; gives the digest of all. */
  async #take(request: Request, session: Session): Promise<string> {
    const hash = createHash("sha256");
    for (const piece of session.pieces) hash.update(piece);
    session.state = this.#state();
    const { promise, resolve } = Promise.withResolvers<void>();
    session.idle = promise;
    try {
      await this.#read(request, session, hash);
    } finally {
      resolve();
    }
    return `sha256:${hash.digest("hex")}`;
  }

  async #read(request: Request, session: Session, hash: Hash): Promise<void> {
    for await (const piece of request.body ?? []) {
      hash.update(piece);
      session.size += piece.length;
      this.received += piece.length;
      if (!this.rules.hashOnly) session.pieces.push(piece);
    }
  }

  #bodyProblem(request: Request, session: Session): Response | undefined {
    const length = request.headers.get("content-length");
    if (length === null) return failure(411, "SIZE_INVALID");
    const size = Number(length);
    if (size > (this.rules.largestBody ?? Infinity)) return new Response("too large", { status: 413 });
    if (size > 0 && request.headers.get("content-type") !== "application/octet-stream") {
      return failure(415, "UNSUPPORTED");
    }
    const range = request.headers.get("content-range");
    if (range !== null && range !== `${session.size}-${session.size + size - 1}`) {
      return failure(416, "RANGE_INVALID");
    }
    if (request.method === "PATCH" && size < (this.rules.chunkMin ?? 0)) return failure(400, "SIZE_INVALID");
    return undefined;
  }

  #progress(id: string, session: Session, status: number): Response {
    return this.#accepted(id, session, { range: `0-${Math.max(0, session.size - 1)}` }, status);
  }

  #accepted(id: string, session: Session, headers: Record<string, string>, status = 202): Response {
    // relative, with a query that must come back as it is
    const location = `/v2/${session.path}/blobs/uploads/${id}?keep=a%2Bb&${session.state}`;
    return new Response(null, { status, headers: { location, "docker-upload-uuid": id, ...headers } });
  }

  #state(): string {
    return `_state=s%2F${++this.#serial}~`;
  }
}

function created(path: string, digest: string): Response {
  const headers = { location: `/v2/${path}/blobs/${digest}`, "docker-content-digest": digest };
  return new Response(null, { status: 201, headers });
}

function joined(session: Session): Uint8Array {
  const bytes = new Uint8Array(session.size);
  let at = 0;
  for (const piece of session.pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
