import { checksumOk, isZeroBlock, type RawHeader, readHeader } from "./header.ts";
import { TAR_LIMITS } from "./limits.ts";
import { TarMeta } from "./meta.ts";
import { checkSegments, HeadSparseMap, OldSparseMap, type Segment, type SparseInfo } from "./sparse.ts";
import { TAR_BLOCK, type TarEntry, TarError } from "./types.ts";
import { unreachable } from "../unreachable.ts";

/** Receives what {@linkcode TarParser} finds, in archive order. */
export interface TarHandler {
  /** An entry begins. The root directory, when the archive has it, is the path "". */
  entry(entry: TarEntry): void;
  /** Part of its content, valid during the call only. The parts add up to `entry.size`; holes come as zeros. */
  data(chunk: Uint8Array): void;
  /** Takes a hole of a sparse file in one piece, in place of `data` with as many zeros. */
  hole?(length: number): void;
  /** The entry is complete; called for every entry, with or without content. */
  end(): void;
}

/** Large, so that long holes make few calls; its pages are never touched by a write. */
const ZEROS = new Uint8Array(1 << 20);

/**
 * Reads a tar archive that is pushed in pieces of any size: v7, ustar, PAX, GNU and star headers, GNU sparse files.
 *
 * After the end of the archive (two zero blocks) the rest is ignored. Nothing is kept but the current header.
 */
export class TarParser {
  readonly #handler: TarHandler;
  readonly #hollow: boolean;
  readonly #block = new Uint8Array(TAR_BLOCK);
  /** Bytes in `#block`. */
  #have = 0;
  /** What the next whole block is. */
  #expect: "header" | "zero" | "oldSparse" | "headSparse" | "linkBody" | "nothing" = "header";
  /** Bytes of content still to come, and of padding after them. */
  #left = 0;
  #padding = 0;
  #contentAt = 0;
  #sink: "entry" | "meta" | "skip" = "skip";

  readonly #meta: TarMeta;
  #metaFlag = "";
  #metaBody = new Uint8Array(0);

  #raw: RawHeader | undefined;
  #oldMap: OldSparseMap | undefined;
  #headMap: HeadSparseMap | undefined;
  #sparse: SparseInfo | undefined;
  /** Map of the current file and how far it is. */
  #segments: readonly Segment[] = [];
  #segment = 0;
  #offset = 0;
  #size = 0;

  /**
   * `hollow`: contents are left out of the archive, so that a header follows on a header; `data` is never called.
   * `odd`: names need not be UTF-8; each byte that is not becomes a surrogate from U+DC80 on.
   */
  constructor(
    handler: TarHandler,
    { hollow = false, odd = false }: { readonly hollow?: boolean; readonly odd?: boolean } = {},
  ) {
    this.#handler = handler;
    this.#hollow = hollow;
    this.#meta = new TarMeta(odd);
  }

  /**
   * Offset in the archive of the content of the entry that has just begun, always a whole number of blocks. What is stored
   * there is the content of a file as it is, unless that has holes.
   */
  get contentAt(): number {
    return this.#contentAt;
  }

  /** Takes the next bytes. Handlers are called before it returns. @throws {TarError} */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && this.#expect !== "nothing") {
      if (this.#left > 0) {
        const part = chunk.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        this.#body(part);
        if (this.#left === 0) this.#bodyEnd();
      } else if (this.#padding > 0) {
        const skipped = Math.min(this.#padding, chunk.length - at);
        this.#padding -= skipped;
        at += skipped;
      } else if (this.#have === 0 && chunk.length - at >= TAR_BLOCK) {
        this.#take(chunk.subarray(at, at + TAR_BLOCK));
        at += TAR_BLOCK;
      } else {
        const part = chunk.subarray(at, at + TAR_BLOCK - this.#have);
        this.#block.set(part, this.#have);
        this.#have += part.length;
        at += part.length;
        if (this.#have === TAR_BLOCK) {
          this.#have = 0;
          this.#take(this.#block);
        }
      }
    }
  }

  /** Call after the last push. An archive may end without its zero blocks. @throws {TarError} when it is cut short */
  finish(): void {
    if (this.#expect === "nothing") return;
    const between = this.#have === 0 && this.#left === 0 && this.#padding === 0 && !this.#meta.pending;
    if (!between || (this.#expect !== "header" && this.#expect !== "zero" && this.#expect !== "linkBody")) {
      throw new TarError("Cannot read the tar archive: it ends in the middle of an entry");
    }
  }

  #take(block: Uint8Array): void {
    this.#contentAt += TAR_BLOCK;
    switch (this.#expect) {
      case "linkBody": // a hard link that claims content: only some writers store it
        if (!isZeroBlock(block) && !checksumOk(block)) return this.#linkBody(block);
        this.#expect = "header";
        return this.#header(block);
      case "oldSparse":
        this.#oldMap!.push(block);
        if (!this.#oldMap!.more) this.#file({ size: this.#oldMap!.size, map: this.#oldMap!.map() });
        return;
      case "headSparse":
        this.#size -= TAR_BLOCK;
        if (this.#size < 0) throw new TarError("Cannot read the tar archive: a GNU sparse map is malformed");
        if (this.#headMap!.push(block)) this.#file({ ...this.#sparse!, map: this.#headMap!.map() });
        return;
      case "header":
      case "zero":
        return this.#header(block);
      case "nothing":
        return;
      default:
        return unreachable(this.#expect);
    }
  }

  #header(block: Uint8Array): void {
    if (isZeroBlock(block)) {
      if (this.#meta.pending) {
        throw new TarError("Cannot read the tar archive: it ends in the middle of an entry");
      }
      this.#expect = this.#expect === "zero" ? "nothing" : "zero";
      return;
    }
    if (this.#expect === "zero") {
      throw new TarError("Cannot read the tar archive: data follows a lone zero block");
    }
    if (!checksumOk(block)) throw new TarError("Cannot read the tar archive: a header has a wrong checksum");
    const raw = readHeader(block);
    if ("xXgLK".includes(raw.flag)) return this.#metaStart(raw);
    if (raw.flag === "V") return this.#content("skip", raw.size); // GNU volume label
    this.#raw = raw;
    this.#size = this.#meta.storedSize(raw);
    if (this.#size < 0) throw new TarError("Cannot read the tar archive: an entry has a negative size");
    if (raw.flag === "S") {
      this.#oldMap = new OldSparseMap(block);
      if (this.#oldMap.more) this.#expect = "oldSparse";
      else this.#file({ size: this.#oldMap.size, map: this.#oldMap.map() });
      return;
    }
    this.#sparse = raw.flag === "0" || raw.flag === "7" ? this.#meta.sparse() : undefined;
    if (this.#sparse && !this.#sparse.map) {
      this.#headMap = new HeadSparseMap();
      this.#expect = "headSparse";
      return;
    }
    this.#file(this.#sparse);
  }

  /** Hands over the entry whose header is complete; `#size` bytes of content follow. */
  #file(sparse: SparseInfo | undefined): void {
    const stored = this.#size;
    const raw = this.#raw!;
    this.#expect = "header";
    const entry = this.#meta.entry(raw, sparse?.size ?? stored, sparse);
    this.#segments = sparse?.map ?? [[0, stored]];
    this.#segment = this.#offset = 0;
    if (entry.type === "file") checkSegments(this.#segments, entry.size, stored);
    this.#handler.entry(entry);
    if (entry.type === "file") {
      this.#size = entry.size;
      return this.#content("entry", stored);
    }
    this.#handler.end();
    if (entry.type === "hardlink" && stored > 0) this.#expect = "linkBody";
    // Of other types only directories may have content (old directories marked by a slash, GNU dumps).
    else if (entry.type === "dir" && raw.flag !== "5") this.#content("skip", stored);
  }

  #linkBody(block: Uint8Array): void {
    this.#expect = "header";
    this.#content("skip", this.#size);
    const first = Math.min(this.#left, block.length);
    this.#left -= first;
    this.#contentAt -= TAR_BLOCK; // counted when it was taken
    if (this.#left === 0) this.#padding = 0;
  }

  #metaStart(raw: RawHeader): void {
    if (raw.size < 0 || raw.size > TAR_LIMITS.extension) {
      throw new TarError(
        `Cannot read the tar archive: an extension header has ${raw.size} bytes, allowed are ${TAR_LIMITS.extension}`,
      );
    }
    this.#metaFlag = raw.flag;
    this.#metaBody = new Uint8Array(raw.size);
    this.#content("meta", raw.size);
  }

  #content(sink: "entry" | "meta" | "skip", size: number): void {
    if (this.#hollow && sink !== "meta") {
      if (sink === "entry") this.#handler.end();
      return;
    }
    this.#sink = sink;
    this.#left = size;
    this.#padding = (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
    this.#contentAt += size + this.#padding;
    if (size === 0) this.#bodyEnd();
  }

  #body(part: Uint8Array): void {
    if (this.#sink === "meta") this.#metaBody.set(part, this.#metaBody.length - this.#left - part.length);
    if (this.#sink !== "entry") return;
    for (let rest = part; rest.length > 0;) {
      const [start, length] = this.#segments[this.#segment]!;
      this.#hole(start);
      const real = rest.subarray(0, start + length - this.#offset);
      if (real.length > 0) this.#handler.data(real);
      this.#offset += real.length;
      rest = rest.subarray(real.length);
      if (this.#offset === start + length) this.#segment++;
    }
  }

  #bodyEnd(): void {
    if (this.#sink === "meta") this.#meta.add(this.#metaFlag, this.#metaBody);
    if (this.#sink !== "entry") return;
    this.#hole(this.#size);
    this.#handler.end();
  }

  /** Delivers zeros up to `offset`. */
  #hole(offset: number): void {
    if (this.#handler.hole && this.#offset < offset) {
      this.#handler.hole(offset - this.#offset);
      this.#offset = offset;
    }
    while (this.#offset < offset) {
      const zeros = ZEROS.subarray(0, offset - this.#offset);
      this.#offset += zeros.length;
      this.#handler.data(zeros);
    }
  }
}
