/** SHA-256 of what comes in pieces, without `node:crypto` where the system has OpenSSL. */
import { observed } from "./pool.ts";

/** A hash that is being computed. */
export interface Sha256 {
  update(bytes: Uint8Array): void;
  /**
   * The same beside other work, on another thread if possible: `bytes` have to stay as they are until it settles, and no
   * more may come meanwhile.
   */
  updateBeside(bytes: Uint8Array): void | Promise<void>;
  /** The hash of all that came, as 64 hex digits; the last thing to be asked for. */
  hex(): string;
}

const symbols = {
  SHA256_Init: { parameters: ["buffer"], result: "i32" },
  SHA256_Update: { parameters: ["buffer", "buffer", "usize"], result: "i32" },
  updateBeside: {
    name: "SHA256_Update",
    parameters: ["buffer", "buffer", "usize"],
    result: "i32",
    nonblocking: true,
  },
  SHA256_Final: { parameters: ["buffer", "buffer"], result: "i32" },
} as const;

type Library = Deno.StaticForeignLibraryInterface<typeof symbols>;

/**
 * Of OpenSSL 3, which git depends on in most distributions: it is opened in 5 ms, and hashes as fast as `node:crypto`,
 * which is loaded in 40. The functions are those that need none of its configuration.
 */
const LIBRARY = "libcrypto.so.3";

/** Room for `SHA256_CTX`, which has 112 bytes. */
const CONTEXT = 128;

/** From so many bytes on it pays to hand them to another thread. */
const BESIDE = 32 * 1024;

/** sha256 of "abc" (FIPS 180-4). */
const ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

let opened: { readonly library: Library | undefined } | undefined;

/** Starts a hash. */
export function createSha256(): Sha256 {
  opened ??= { library: open() };
  return opened.library ? new NativeSha256(opened.library) : new NodeSha256();
}

/** The hash of what is in memory, as 64 hex digits. For a few kilobytes it costs less than {@linkcode createSha256}. */
export function sha256Of(bytes: Uint8Array): string {
  opened ??= { library: open() };
  if (!opened.library) {
    const hash = new NodeSha256();
    hash.update(bytes);
    return hash.hex();
  }
  own ??= { context: new Uint8Array(CONTEXT), digest: new Uint8Array(32) };
  const { library } = opened;
  library.SHA256_Init(own.context);
  library.SHA256_Update(own.context, bytes, BigInt(bytes.length));
  library.SHA256_Final(own.digest, own.context);
  return own.digest.toHex();
}

/** Of {@linkcode sha256Of}, which nothing comes between. */
let own: { readonly context: Uint8Array; readonly digest: Uint8Array } | undefined;

/** The library, if it is there, may be called, and computes what it should. */
function open(): Library | undefined {
  // Helpers of plugins work in Node.js too.
  if (!("Deno" in globalThis) || Deno.build.os !== "linux") return undefined;
  // Opening it would ask whoever is at a terminal.
  if (Deno.permissions.querySync({ name: "ffi", path: LIBRARY }).state !== "granted") return undefined;
  try {
    const { symbols: found } = Deno.dlopen(LIBRARY, symbols);
    const hash = new NativeSha256(found);
    hash.update(new TextEncoder().encode("abc"));
    return hash.hex() === ABC ? found : undefined;
  } catch {
    return undefined;
  }
}

class NativeSha256 implements Sha256 {
  readonly #library: Library;
  readonly #context = new Uint8Array(CONTEXT);
  /** What another thread reads: it must not be collected. */
  #reading: Uint8Array | undefined;

  constructor(library: Library) {
    this.#library = library;
    library.SHA256_Init(this.#context);
  }

  update(bytes: Uint8Array): void {
    this.#library.SHA256_Update(this.#context, bytes, BigInt(bytes.length));
  }

  updateBeside(bytes: Uint8Array): void | Promise<void> {
    if (bytes.length < BESIDE) return this.update(bytes);
    return observed(this.#updateBeside(bytes));
  }

  async #updateBeside(bytes: Uint8Array): Promise<void> {
    this.#reading = bytes;
    await this.#library.updateBeside(this.#context, bytes, BigInt(bytes.length));
    this.#reading = undefined;
  }

  hex(): string {
    const digest = new Uint8Array(32);
    this.#library.SHA256_Final(digest, this.#context);
    return digest.toHex();
  }
}

class NodeSha256 implements Sha256 {
  // An import would load it also where it is not needed.
  readonly #hash = globalThis.process.getBuiltinModule("node:crypto").createHash("sha256");

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  updateBeside(bytes: Uint8Array): void {
    this.update(bytes);
  }

  hex(): string {
    return this.#hash.digest("hex");
  }
}
