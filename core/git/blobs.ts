import { collect } from "../../lib/collect.ts";
import { EngineError } from "../contract/errors.ts";
import { gitFailure, isMissingObject } from "./failure.ts";
import type { GitFile, GitRepository, ObjectDatabase } from "./model.ts";
import { endGit, feedGit, readText, startGit } from "./process.ts";

/** The content of one file. */
export interface Blob<F extends GitFile = GitFile> {
  readonly file: F;
  /** Bytes. */
  readonly size: number;
  /** To be read before the next blob is asked for, at most once; what is left unread is skipped. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Object ids sent to git at once. */
const BATCH = 500;

/**
 * The contents of files in the order given, as git stores them: no line-end conversion, no filters, no export
 * attributes, and a pointer file stays a pointer. One process for each object database, memory for a few chunks only.
 *
 * @throws GIT_MISSING_OBJECT with path and object id, GIT_FAILED
 */
export async function* readBlobs<F extends GitFile>(
  repository: GitRepository,
  files: readonly F[],
): AsyncGenerator<Blob<F>, void, void> {
  const byRepo = new Map<string, F[]>();
  for (const file of files) {
    const list = byRepo.get(file.repo);
    if (list) list.push(file);
    else byRepo.set(file.repo, [file]);
  }
  if (files.length > 0) await repository.prepare?.(files);
  const readers = new Map<string, BlobReader>();
  try {
    for (const [repo, list] of byRepo) {
      readers.set(repo, new BlobReader(await repository.database(repo), list.map((file) => file.oid)));
    }
    for (const file of files) {
      const reader = readers.get(file.repo)!;
      const size = await reader.next(file);
      yield { file, size, chunks: reader.chunks(file) };
    }
  } finally {
    await Promise.all([...readers.values()].map((reader) => reader.close()));
  }
}

/** The whole content of one small file, such as a configuration read from a commit. @throws as {@linkcode readBlobs} */
export async function readBlob(repository: GitRepository, file: GitFile): Promise<Uint8Array> {
  for await (const { size, chunks } of readBlobs(repository, [file])) {
    return await collect(chunks, size);
  }
  return new Uint8Array();
}

/** A hash of what a blob holds, as git names it. */
type BlobHash = ReturnType<typeof import("node:crypto").createHash>;

/** One `git cat-file --batch` process (git-cat-file(1), "Batch Output"). */
class BlobReader {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;
  readonly #fed: Promise<void>;
  readonly #stderr: Promise<string>;
  /** Bytes received and not yet used. */
  #rest: Uint8Array = new Uint8Array();
  /** Bytes of the current blob that are still to come, without the line feed that ends it. */
  #left = 0;
  #started = false;
  /** Of the current blob, so far; undefined where git is trusted with it. */
  #hash: BlobHash | undefined;

  constructor(readonly database: ObjectDatabase, oids: readonly string[]) {
    this.#child = startGit([...database.at, "cat-file", "--batch", "--buffer"], database);
    this.#output = this.#child.stdout.getReader();
    this.#stderr = readText(this.#child.stderr);
    this.#fed = feedGit(this.#child, batches(oids));
  }

  /** Goes to the next blob, which must be that of `file`, and returns its size. */
  async next(file: GitFile): Promise<number> {
    for await (const _ of this.chunks(file)) {
      // skips what was not read
    }
    if (this.#started) await this.#need(1, file);
    if (this.#started) this.#rest = this.#rest.subarray(1);
    this.#started = true;
    let end = this.#rest.indexOf(10);
    while (end < 0) {
      await this.#need(this.#rest.length + 1, file);
      end = this.#rest.indexOf(10);
    }
    const [oid, type, size] = new TextDecoder().decode(this.#rest.subarray(0, end)).split(" ");
    this.#rest = this.#rest.subarray(end + 1);
    if (type === "missing") throw this.#missing(file);
    if (oid !== file.oid || type !== "blob" || size === undefined) {
      throw new EngineError(
        "GIT_FAILED",
        `Cannot read "${file.path}" from ${this.database.title}: ${file.oid} is a ${type}`,
      );
    }
    this.#left = Number(size);
    if (this.database.unverified) {
      const { createHash } = await import("node:crypto");
      this.#hash = createHash(oid.length === 64 ? "sha256" : "sha1").update(`blob ${size}\0`);
      if (this.#left === 0) this.#verify(file);
    }
    return this.#left;
  }

  /** Whether the current blob, all of which has come, is what its id says. */
  #verify(file: GitFile): void {
    if (this.#hash === undefined || this.#hash.digest("hex") === file.oid) return;
    throw new EngineError(
      "GIT_FAILED",
      `Cannot read "${file.path}" from ${this.database.title}: the content of object ${file.oid} is not what its name says`,
      { fix: "Clone the repository anew" },
    );
  }

  async *chunks(file: GitFile): AsyncGenerator<Uint8Array, void, void> {
    while (this.#left > 0) {
      if (this.#rest.length === 0) await this.#need(1, file);
      const chunk = this.#rest.subarray(0, this.#left);
      this.#rest = this.#rest.subarray(chunk.length);
      this.#left -= chunk.length;
      this.#hash?.update(chunk);
      if (this.#left === 0) this.#verify(file);
      yield chunk;
    }
  }

  /** Waits until `count` bytes are at hand. */
  async #need(count: number, file: GitFile): Promise<void> {
    while (this.#rest.length < count) {
      const { value } = await this.#output.read();
      if (value === undefined) throw await this.#ended(file);
      if (this.#rest.length === 0) this.#rest = value;
      else {
        const joined = new Uint8Array(this.#rest.length + value.length);
        joined.set(this.#rest);
        joined.set(value, this.#rest.length);
        this.#rest = joined;
      }
    }
  }

  /** The error for output that stops too early. */
  async #ended(file: GitFile): Promise<unknown> {
    const { code, success } = await this.#child.status;
    if (this.database.signal?.aborted) return this.database.signal.reason;
    const { env } = this.database;
    const output = { code, success, stdout: new Uint8Array(), stderr: await this.#stderr, env };
    if (isMissingObject(output)) return this.#missing(file);
    return await gitFailure(`Cannot read "${file.path}" (${file.oid}) from ${this.database.title}`, output);
  }

  #missing(file: GitFile): EngineError {
    return new EngineError(
      "GIT_MISSING_OBJECT",
      `Cannot read "${file.path}" from ${this.database.title}: its object ${file.oid} is not in the repository`,
    );
  }

  /** Ends the process, finished or not. */
  async close(): Promise<void> {
    await this.#output.cancel().catch(() => {});
    endGit(this.#child);
    await Promise.all([this.#child.status, this.#fed, this.#stderr]);
  }
}

function* batches(oids: readonly string[]): Generator<string> {
  for (let i = 0; i < oids.length; i += BATCH) yield oids.slice(i, i + BATCH).join("\n") + "\n";
}
