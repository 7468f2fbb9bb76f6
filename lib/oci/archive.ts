import { resolve } from "@std/path/posix/resolve";
import { openLayer } from "../layer/open.ts";
import { TarParser } from "../tar/parse.ts";
import { type TarEntry, TarError } from "../tar/types.ts";
import { MAX_DOCUMENT } from "./documents.ts";
import { OciError } from "./errors.ts";
import type { LayoutFiles } from "./layout.ts";

/** One member of an image archive. */
interface Member {
  readonly size: number;
  /** Path of another member that this one stands for. */
  readonly link?: string;
  /** Begins like a JSON document and is small enough for one. */
  readonly json: boolean;
  /** Its content, if it was kept. */
  readonly bytes?: Uint8Array;
}

const MAX_LINKS = 16;

/** Members, and characters of their names, that an image archive may have. */
const MAX_MEMBERS = 200_000;
const MAX_NAMES = 64 << 20;
/** Bytes of JSON documents that are kept; others are read again when they are asked for. */
const KEPT_BYTES = 32 << 20;

/** The table of contents of an image archive, with its JSON documents in memory as far as there is room. */
export class Archive implements LayoutFiles {
  private constructor(
    readonly file: string,
    readonly title: string,
    readonly members: ReadonlyMap<string, Member>,
  ) {}

  /** Reads a tar, plain or compressed, from end to end. @throws {OciError} */
  static async open(file: string, title: string, signal: AbortSignal): Promise<Archive> {
    const members = new Map<string, Member>();
    let room = KEPT_BYTES;
    let names = 0;
    await scan(file, title, signal, (entry) => {
      const { path, size, type } = entry;
      const link = linkTarget(entry);
      names += path.length + (link?.length ?? 0);
      members.set(path, { size, json: false, ...(link !== undefined && { link }) });
      if (members.size > MAX_MEMBERS || names > MAX_NAMES) {
        const why =
          `it has more than ${MAX_MEMBERS} members, or their names more than ${MAX_NAMES} characters`;
        throw new OciError("invalid", `Cannot use image "${title}": ${why}`);
      }
      if (type !== "file" || size === 0 || size > MAX_DOCUMENT) return undefined;
      return documentSink(size, (bytes) => {
        const kept = size <= room;
        if (kept) room -= size;
        members.set(path, { size, json: true, ...(kept && { bytes }) });
      });
    });
    return new Archive(file, title, members);
  }

  has(path: string): boolean {
    return this.resolve(path) !== undefined;
  }

  /** The member that holds the content of `path`, after links; undefined when there is none. */
  resolve(path: string): string | undefined {
    let at: string | undefined = clean(path);
    for (let links = 0; at !== undefined && links < MAX_LINKS; links++) {
      const member: Member | undefined = this.members.get(at);
      if (!member) return undefined;
      if (member.link === undefined) return at;
      at = member.link;
    }
    return undefined;
  }

  async read(path: string, limit: number): Promise<Uint8Array | undefined> {
    const found = this.resolve(path);
    if (found === undefined) return undefined;
    const { json, bytes, size } = this.members.get(found)!;
    if (!json || size > limit) {
      throw new OciError("invalid", `Cannot use image "${this.title}": "${path}" is not a JSON document`);
    }
    return bytes ?? await this.#readAgain(found, size);
  }

  /** A document that there was no room for. The last member of a name counts, as it does for `members`. */
  async #readAgain(path: string, size: number): Promise<Uint8Array | undefined> {
    let found: Uint8Array | undefined;
    await scan(this.file, this.title, new AbortController().signal, (entry) => {
      if (entry.path !== path || entry.size !== size) return undefined;
      return documentSink(size, (bytes) => found = bytes);
    });
    return found;
  }
}

/** Collects a member that begins like JSON; others are passed over. */
function documentSink(size: number, done: (bytes: Uint8Array) => void): MemberSink {
  let bytes: Uint8Array | undefined;
  let at = 0;
  return {
    data(chunk) {
      if (at === 0 && (chunk[0] === OPEN_BRACE || chunk[0] === OPEN_BRACKET)) bytes = new Uint8Array(size);
      bytes?.set(chunk, at);
      at += chunk.length;
    },
    end() {
      if (bytes) done(bytes);
    },
  };
}

/** Zeros of sparse members: a few bytes of an archive could stand for any number. */
const MAX_HOLES = 16 * 2 ** 30;
const ZEROS = new Uint8Array(1 << 18);

const [OPEN_BRACE, OPEN_BRACKET] = [0x7b, 0x5b];

/** Takes the content of one member. */
export interface MemberSink {
  data(chunk: Uint8Array): void;
  end(): void;
}

/** Reads an archive; `visit` says what is to happen with the content of each member. @throws {OciError} */
export async function scan(
  file: string,
  title: string,
  signal: AbortSignal,
  visit: (entry: TarEntry) => MemberSink | undefined,
): Promise<void> {
  let sink: MemberSink | undefined;
  let holes = 0;
  const parser = new TarParser({
    entry: (entry) => sink = visit(entry),
    data: (chunk) => sink?.data(chunk),
    hole(size) {
      holes += size;
      if (holes > MAX_HOLES) {
        throw new TarError("Cannot read the tar archive: it has more than 16 GiB of holes");
      }
      for (let left = size; sink && left > 0; left -= ZEROS.length) sink.data(ZEROS.subarray(0, left));
    },
    end: () => sink?.end(),
  });
  try {
    for await (const chunk of openLayer(file)) {
      signal.throwIfAborted();
      parser.push(chunk);
    }
    parser.finish();
  } catch (error) {
    const { name, message } = error as Error;
    if (error instanceof Deno.errors.NotFound) {
      throw new OciError("missing", `Cannot use image "${title}": "${file}" does not exist`);
    }
    if (name !== "TarError" && name !== "DecompressError") throw error;
    throw new OciError("invalid", `Cannot use image "${title}": ${message}`, { cause: error });
  }
}

function linkTarget(entry: TarEntry): string | undefined {
  if (entry.type === "hardlink") return clean(entry.link ?? "");
  if (entry.type !== "symlink") return undefined;
  const target = entry.link ?? "";
  return clean(target.startsWith("/") ? target : `${entry.path}/../${target}`);
}

/** A path inside the archive without "." and "..". */
function clean(path: string): string {
  return resolve("/", path).slice(1);
}
