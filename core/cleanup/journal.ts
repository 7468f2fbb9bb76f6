import { isObject } from "../../lib/oci/documents.ts";
import { type Digest, digestOf, isDigest } from "../contract/digest.ts";
import { EngineError, messageOf } from "../contract/errors.ts";

/** A manifest that was about to be deleted. */
export interface JournalEntry {
  /** RFC 3339. */
  readonly time: string;
  /** Full name of REPO. */
  readonly repo: string;
  /** "" is REPO itself, any other name is below it. */
  readonly repository: string;
  /** Absent for a manifest that only an index refers to. */
  readonly tag?: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/**
 * Manifests of deleted tags, one JSON line each, appended and on the disk before anything is deleted. A crash can tear
 * the last line only, and what that names was not deleted yet.
 */
export class Journal implements AsyncDisposable {
  #queue: { readonly text: string; readonly done: PromiseWithResolvers<void> }[] = [];
  #writing: Promise<void> | undefined;

  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  /** Opens or creates the file. @throws STORE_FAILED */
  static async open(path: string): Promise<Journal> {
    try {
      const dir = path.slice(0, path.lastIndexOf("/")) || "/";
      await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
      const file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
      const journal = new Journal(path, file);
      // A torn line must not swallow the first one written now.
      const { size } = await file.stat();
      if (size > 0) await journal.#write("\n");
      await file.sync();
      using directory = await Deno.open(dir);
      await directory.sync();
      return journal;
    } catch (error) {
      throw failed(path, error);
    }
  }

  /** Resolves when the entries are on the disk; entries given side by side share one flush. @throws STORE_FAILED */
  append(entries: readonly JournalEntry[]): Promise<void> {
    const text = entries.map((entry) => JSON.stringify({ ...entry, bytes: encode(entry.bytes) }) + "\n").join(
      "",
    );
    const done = Promise.withResolvers<void>();
    this.#queue.push({ text, done });
    this.#writing ??= this.#flush();
    return done.promise;
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0);
      try {
        await this.#write(batch.map(({ text }) => text).join(""));
        await this.file.syncData();
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(failed(this.path, error));
      }
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    let bytes = new TextEncoder().encode(text);
    while (bytes.length > 0) bytes = bytes.subarray(await this.file.write(bytes));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    this.file.close();
  }
}

/** All whole entries, oldest first; none when there is no file. @throws STORE_FAILED */
export async function readJournal(path: string): Promise<readonly JournalEntry[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw failed(path, error);
  }
  const entries = await Promise.all(text.split("\n").map(parseLine));
  return entries.filter((entry) => entry !== undefined);
}

async function parseLine(line: string): Promise<JournalEntry | undefined> {
  let value: unknown;
  let bytes: Uint8Array;
  try {
    value = JSON.parse(line);
    bytes = Uint8Array.fromBase64(isObject(value) ? String(value.bytes) : "");
  } catch {
    return undefined;
  }
  const { time, repo, repository, tag, digest, mediaType } = value as Record<string, unknown>;
  const texts = [time, repo, repository, digest, mediaType];
  if (texts.some((t) => typeof t !== "string") || !isDigest(digest as string)) return undefined;
  if (await digestOf(bytes) !== digest) return undefined;
  return {
    time: time as string,
    repo: repo as string,
    repository: repository as string,
    ...(typeof tag === "string" && { tag }),
    digest: digest as Digest,
    mediaType: mediaType as string,
    bytes,
  };
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64();
}

function failed(path: string, error: unknown): EngineError {
  return new EngineError("STORE_FAILED", `Cannot use the journal "${path}": ${messageOf(error)}`, {
    cause: error,
  });
}
