import { whyFailed } from "../../lib/file_failure.ts";
import { dirname } from "@std/path/posix/dirname";
import { atPath, fileFailureOf, isFull } from "../../lib/file_failure.ts";
import { isObject } from "../../lib/guard.ts";
import { EngineError, fullFact } from "../contract/errors.ts";
import { type Digest, digestOf, isDigest } from "../../lib/oci/digest.ts";

/** A manifest that was about to be deleted. */
export interface JournalEntry {
  /** RFC 3339. */
  readonly time: string;
  /** RFC 3339, when the cleanup began to remove tags; absent in entries of earlier releases. */
  readonly run?: string;
  /** Whose cleanup it was; absent in entries of earlier releases. */
  readonly project?: string;
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

/** Makes room on a full disk; false when nothing more can be given up. */
export type MakeRoom = () => Promise<boolean>;

/** Where a manifest was: full name of REPO, repository in it, digest. */
export type JournalPlace = Pick<JournalEntry, "repo" | "repository" | "digest">;

/**
 * Manifests of deleted tags, one JSON line each, appended and on the disk before anything is deleted. A crash can tear
 * the last line only, and what that names was not deleted yet. Lines with `dropped` say that a manifest itself is gone:
 * tags go first, and a run can be stopped in between.
 */
export class Journal implements AsyncDisposable {
  #queue: { readonly text: string; readonly done: PromiseWithResolvers<void> }[] = [];
  #writing: Promise<void> | undefined;

  /** The last line in the file may lack its end, and must not swallow the next one. */
  #torn = false;

  private constructor(readonly path: string, readonly file: Deno.FsFile, readonly makeRoom: MakeRoom) {}

  /** Opens or creates the file. Where the disk is full, `makeRoom` is asked. @throws STORE_FAILED */
  static async open(path: string, makeRoom: MakeRoom = () => Promise.resolve(false)): Promise<Journal> {
    try {
      return await withRoom(makeRoom, async () => {
        await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
        const file = await Deno.open(path, { append: true, create: true, mode: 0o600 });
        using opened = new DisposableStack();
        opened.use(file);
        const journal = new Journal(path, file, makeRoom);
        journal.#torn = (await file.stat()).size > 0;
        await file.sync();
        using directory = await Deno.open(dirname(path));
        await directory.sync();
        opened.move();
        return journal;
      });
    } catch (error) {
      throw failed(path, error);
    }
  }

  /** Resolves when the entries are on the disk; entries given side by side share one flush. @throws STORE_FAILED */
  append(entries: readonly JournalEntry[]): Promise<void> {
    return this.#add(entries.map((entry) => ({ ...entry, bytes: encode(entry.bytes) })));
  }

  /** Notes that a manifest is gone. @throws STORE_FAILED */
  dropped({ repo, repository, digest }: JournalPlace): Promise<void> {
    return this.#add([{ dropped: digest, repo, repository }]);
  }

  #add(lines: readonly unknown[]): Promise<void> {
    const text = lines.map((line) => JSON.stringify(line) + "\n").join("");
    const done = Promise.withResolvers<void>();
    this.#queue.push({ text, done });
    this.#writing ??= this.#flush();
    return done.promise;
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0);
      try {
        const text = batch.map(({ text }) => text).join("");
        await withRoom(this.makeRoom, async () => {
          await atPath(this.path, async () => {
            await this.#write(text);
            await this.file.syncData();
          });
        });
        for (const { done } of batch) done.resolve();
      } catch (error) {
        for (const { done } of batch) done.reject(failed(this.path, error));
      }
    }
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    let bytes = new TextEncoder().encode(this.#torn ? `\n${text}` : text);
    this.#torn = true;
    while (bytes.length > 0) bytes = bytes.subarray(await this.file.write(bytes));
    this.#torn = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    this.file.close();
  }
}

/** All whole entries, oldest first; none when there is no file. @throws STORE_FAILED */
export async function readJournal(path: string): Promise<readonly JournalEntry[]> {
  return (await readLines(path)).filter((line) => "bytes" in line);
}

/**
 * What REPO lost from here and is not known to be gone as a manifest: what a run that was stopped has left, and what got
 * its tag back. The newest entry for each tag. @throws STORE_FAILED
 */
export async function readPending(path: string, repo: string): Promise<readonly JournalEntry[]> {
  const pending = new Map<string, Map<string, JournalEntry>>();
  for (const line of await readLines(path)) {
    if (line.repo !== repo) continue;
    const place = `${line.repository}@${line.digest}`;
    if (!("bytes" in line)) pending.delete(place);
    else if (line.tag !== undefined) {
      pending.set(place, (pending.get(place) ?? new Map()).set(line.tag, line));
    }
  }
  return [...pending.values()].flatMap((tags) => [...tags.values()]);
}

async function readLines(path: string): Promise<readonly (JournalEntry | JournalPlace)[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw failed(path, error);
  }
  const lines = await Promise.all(text.split("\n").map(parseLine));
  return lines.filter((line) => line !== undefined);
}

async function parseLine(line: string): Promise<JournalEntry | JournalPlace | undefined> {
  let value: unknown;
  let bytes: Uint8Array;
  try {
    value = JSON.parse(line);
    bytes = Uint8Array.fromBase64(isObject(value) ? String(value.bytes ?? "") : "");
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const { time, run, project, repo, repository, tag, mediaType, dropped, digest = dropped } = value;
  if (typeof repo !== "string" || typeof repository !== "string" || typeof digest !== "string") {
    return undefined;
  }
  if (!isDigest(digest)) return undefined;
  const place = { repo, repository, digest };
  if (dropped !== undefined) return place;
  if (typeof time !== "string" || typeof mediaType !== "string" || await digestOf(bytes) !== digest) {
    return undefined;
  }
  return {
    time,
    ...(typeof run === "string" && { run }),
    ...(typeof project === "string" && { project }),
    ...place,
    ...(typeof tag === "string" && { tag }),
    mediaType,
    bytes,
  };
}

function encode(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** Does what needs space, as often as room can be made for it. */
async function withRoom<T>(makeRoom: MakeRoom, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isFull(error) || !await makeRoom()) throw error;
    }
  }
}

function failed(path: string, error: unknown): EngineError {
  return new EngineError("STORE_FAILED", `Cannot use the journal "${path}": ${whyFailed(error)}`, {
    cause: error,
    ...fullFact(fileFailureOf(error)),
  });
}
