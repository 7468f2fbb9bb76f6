/**
 * Inflating by ISA-L, in half of zlib's time and without loading `node:zlib`, where the system has it.
 *
 * It takes what zlib takes, and one thing that zlib refuses: blocks with an incomplete code, in which some bits mean nothing.
 * No compressor writes them, and what comes out is compared with the member's checksum.
 */
import { DecompressError } from "./error.ts";

const symbols = {
  // Of libc, which the library depends on.
  calloc: { parameters: ["usize", "usize"], result: "pointer" },
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  isal_inflate_init: { parameters: ["buffer"], result: "void" },
  isal_inflate: { parameters: ["buffer"], result: "i32" },
  inflateBeside: { name: "isal_inflate", parameters: ["buffer"], result: "i32", nonblocking: true },
} as const;

type Library = Deno.StaticForeignLibraryInterface<typeof symbols>;

const LIBRARY = "libisal.so.2";
/** `RTLD_NOW | RTLD_NODELETE` */
const TO_STAY = 0x1002;

/** Room for `struct inflate_state` (isa-l/igzip_lib.h), which has 87,368 bytes. */
const STATE = 128 * 1024;

/** Where in it addresses are, in units of 8 bytes, and numbers, in units of 4. */
const NEXT_OUT = 0, NEXT_IN = 2;
const AVAIL_OUT = 2, AVAIL_IN = 8, BLOCK_STATE = 5290, CRC_FLAG = 5293;

/** `ISAL_GZIP_NO_HDR_VER`: deflate, and gzip's trailer, which is compared. */
const WITH_TRAILER = 6;
/** `ISAL_BLOCK_FINISH` */
const FINISHED = 5;

/** By return code, in zlib's words. */
const FAILURES: Readonly<Record<number, string>> = {
  [-1]: "invalid block",
  [-2]: "invalid code",
  [-3]: "invalid distance too far back",
  [-6]: "incorrect data check",
};

/** Of a piece that goes in or comes out: each is handed to another thread and back. */
const SIZE = 1024 * 1024;

/** More bytes pay to be handed to another thread. A member may be short, whatever follows it: it begins with no more. */
const FEW = 32 * 1024;

/** Bytes, and where they are. */
interface Place {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: bigint;
}

/**
 * What another thread works with. It is not V8's, which takes away its own while that thread goes on, when an error that
 * nobody catches ends the program, or `terminate()` a worker. It is used again, and never freed.
 */
interface Memory {
  readonly state: Place;
  readonly input: Place;
  readonly outputs: readonly [Place, Place];
}

/** That of streams that have ended. */
const idle: Memory[] = [];

/** Inflates what is between the headers of gzip members. */
export class IsalInflater implements Disposable {
  readonly #library: Library;
  readonly #memory: Memory;
  readonly #numbers: Uint32Array;
  readonly #addresses: BigUint64Array;
  /** What comes next goes into the first; a piece that was given may be in the other one. */
  #outputs: Memory["outputs"];
  /** Bytes that are inflated at once. */
  #most = FEW;

  private constructor(library: Library) {
    this.#library = library;
    this.#memory = idle.pop() ?? allocate(library);
    const { state, outputs } = this.#memory;
    this.#numbers = new Uint32Array(state.bytes.buffer);
    this.#addresses = new BigUint64Array(state.bytes.buffer);
    this.#outputs = outputs;
  }

  /** One for each stream; undefined where the library is not there, may not be called, or is not what is known here. */
  static async create(): Promise<IsalInflater | undefined> {
    opened ??= open((library) => new IsalInflater(library));
    const library = await opened;
    return library && new IsalInflater(library);
  }

  /** Call when nothing is inflated, once; pieces that were given are valid no more. */
  [Symbol.dispose](): void {
    idle.push(this.#memory);
  }

  /** Starts with a member, behind its header. */
  start(): void {
    this.#library.isal_inflate_init(this.#memory.state.bytes);
    this.#numbers[CRC_FLAG] = WITH_TRAILER;
    this.#most = FEW;
  }

  /** Whether all of the member, and its trailer, has been read. */
  get ended(): boolean {
    return this.#numbers[BLOCK_STATE] === FINISHED;
  }

  /**
   * Pieces of what `input` has, each valid until the next but one is asked for; then how much of it has been read, which is
   * not all when the member ends or has just begun, or when it is more than a mebibyte.
   *
   * @throws {DecompressError}
   */
  async *inflate(input: Uint8Array): AsyncGenerator<Uint8Array, number> {
    const given = Math.min(input.length, this.#most);
    this.#most = SIZE;
    const { bytes, address } = this.#memory.input;
    bytes.set(input.subarray(0, given));
    this.#addresses[NEXT_IN] = address;
    this.#numbers[AVAIL_IN] = given;
    for (let written = SIZE; written === SIZE;) {
      const [output, other] = this.#outputs;
      this.#addresses[NEXT_OUT] = output.address;
      this.#numbers[AVAIL_OUT] = SIZE;
      const code = given <= FEW
        ? this.#library.isal_inflate(this.#memory.state.bytes)
        : await this.#library.inflateBeside(this.#memory.state.bytes);
      if (code < 0) throw failure(FAILURES[code] ?? `error ${code}`);
      written = SIZE - this.#numbers[AVAIL_OUT]!;
      if (written === 0) break;
      this.#outputs = [other, output];
      yield output.bytes.subarray(0, written);
    }
    const left = this.#numbers[AVAIL_IN]!;
    if (left > 0 && !this.ended) throw failure("it cannot be read on");
    return given - left;
  }
}

function failure(why: string): DecompressError {
  return new DecompressError(`Cannot decompress gzip data: ${why}`);
}

function allocate(library: Library): Memory {
  const place = (size: number): Place => {
    const pointer = library.calloc(1n, BigInt(size));
    if (pointer === null) {
      throw new RangeError(`Cannot decompress gzip data: there is no memory for ${size} bytes`);
    }
    const bytes = new Uint8Array(new Deno.UnsafePointerView(pointer).getArrayBuffer(size));
    return { bytes, address: Deno.UnsafePointer.value(pointer) };
  };
  return { state: place(STATE), input: place(SIZE), outputs: [place(SIZE), place(SIZE)] };
}

let opened: Promise<Library | undefined> | undefined;

/**
 * The library, if it is there, may be called, and inflates what it should. Not on other processors: before 2.32 it loses
 * data on 64-bit ARM (intel/isa-l, issue 316).
 */
async function open(inflater: (library: Library) => IsalInflater): Promise<Library | undefined> {
  // Helpers of plugins work in Node.js too.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") return undefined;
  // Opening it would ask whoever is at a terminal.
  if (Deno.permissions.querySync({ name: "ffi", path: LIBRARY }).state !== "granted") return undefined;
  try {
    const { symbols: found } = Deno.dlopen(LIBRARY, symbols);
    // Deno closes it at its end, whatever runs in it on other threads.
    if (found.dlopen(new TextEncoder().encode(`${LIBRARY}\0`), TO_STAY) === null) return undefined;
    using tried = inflater(found);
    return await inflates(tried) ? found : undefined;
  } catch {
    return undefined;
  }
}

/** {@linkcode SAMPLE_TEXT} deflated, with the trailer of gzip. */
const SAMPLE = "S0ksKFBIKs3MSSlWyMxNTE8t1lFIGRUbFaNQDABKfwnxWAIAAA==";
const SAMPLE_TEXT = "dapp builds images, ".repeat(30);

/** Whether it is what is known here: it gives what was deflated, knows where that ends, and compares checksums. */
async function inflates(inflater: IsalInflater): Promise<boolean> {
  const sample = Uint8Array.fromBase64(SAMPLE);
  const followed = Uint8Array.of(...sample, 0);
  inflater.start();
  const pieces = inflater.inflate(followed);
  const first = await pieces.next();
  const text = first.done ? "" : new TextDecoder().decode(first.value);
  if (text !== SAMPLE_TEXT || (await pieces.next()).value !== sample.length || !inflater.ended) return false;
  followed[sample.length - 8]! ^= 1; // of the checksum
  inflater.start();
  try {
    for await (const _ of inflater.inflate(followed)) continue;
    return false;
  } catch (error) {
    return error instanceof DecompressError;
  }
}
