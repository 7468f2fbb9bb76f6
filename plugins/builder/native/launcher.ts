/**
 * A program of system calls, as a tiny Linux executable.
 *
 * What makes a process a confined one (a filter of its system calls, dropped capabilities, a root of its own) cannot be
 * taken back, so it has to happen in the new process itself, between its start and the image's shell. Deno has no
 * place for that. This file makes an executable of 300 bytes of code and a table of calls that it makes one after
 * another. It needs no interpreter and no library, so it works in every image, and starts in a fraction of a
 * millisecond.
 */
import { machine, syscallNumber } from "./syscalls.ts";

/** Texts (they end with a zero), bytes and lists of 64-bit words become pointers to them. */
export type Argument = number | bigint | string | Uint8Array | readonly Argument[];

export interface Branches {
  /** Where to go when the result is `equals`. */
  readonly equals?: number;
  readonly then?: string;
  /** Where to go after any other success; the next call when it is left out. */
  readonly otherwise?: string;
  /** Where to go after a failure; the next call for "next", the end of the program with a record when left out. */
  readonly failed?: string;
}

interface Call extends Branches {
  readonly what: string;
  readonly name: string | number;
  readonly args: readonly Argument[];
}

/*
 * The table: each call has its number, six arguments, the result to compare with, and the addresses of the calls that
 * follow when it is equal, when it is not, and after a failure. A failure is noted in front of the table: the address
 * of the call, and the negative error number.
 *
 * Addresses are fixed: the headers and the code at 0x400000, the table at 0x411000 (16 bytes of record, then calls).
 */
const CODE_ADDRESS = 0x400000;
const DATA_ADDRESS = 0x411000;
const DATA_OFFSET = 0x1000;
const RECORD = 16;
const CALL = 88;

/** The loop over the table, for x86_64. */
const X86_64 = `
  bb 10 10 41 00           mov ebx, 0x411010
  48 8b 03                 next: mov rax, [rbx]
  48 8b 7b 08              mov rdi, [rbx+8]
  48 8b 73 10              mov rsi, [rbx+16]
  48 8b 53 18              mov rdx, [rbx+24]
  4c 8b 53 20              mov r10, [rbx+32]
  4c 8b 43 28              mov r8, [rbx+40]
  4c 8b 4b 30              mov r9, [rbx+48]
  0f 05                    syscall
  48 3d 01 f0 ff ff        cmp rax, -4095
  73 12                    jae failed
  48 3b 43 38              cmp rax, [rbx+56]
  74 06                    je equal
  48 8b 5b 48              mov rbx, [rbx+72]
  eb cf                    jmp next
  48 8b 5b 40              equal: mov rbx, [rbx+64]
  eb c9                    jmp next
  48 89 1c 25 00 10 41 00  failed: mov [0x411000], rbx
  48 89 04 25 08 10 41 00  mov [0x411008], rax
  48 8b 5b 50              mov rbx, [rbx+80]
  eb b3                    jmp next`;

/** The same for aarch64. */
const AARCH64 = `
  14 00 82 d2  mov x20, #0x1000
  34 08 a0 f2  movk x20, #0x41, lsl #16
  93 42 00 91  add x19, x20, #16
  68 02 40 f9  next: ldr x8, [x19]
  60 86 40 a9  ldp x0, x1, [x19, #8]
  62 8e 41 a9  ldp x2, x3, [x19, #24]
  64 96 42 a9  ldp x4, x5, [x19, #40]
  01 00 00 d4  svc #0
  1f fc 3f b1  cmn x0, #4095
  02 01 00 54  b.cs failed
  69 1e 40 f9  ldr x9, [x19, #56]
  1f 00 09 eb  cmp x0, x9
  60 00 00 54  b.eq equal
  73 26 40 f9  ldr x19, [x19, #72]
  f5 ff ff 17  b next
  73 22 40 f9  equal: ldr x19, [x19, #64]
  f3 ff ff 17  b next
  93 02 00 a9  failed: stp x19, x0, [x20]
  73 2a 40 f9  ldr x19, [x19, #80]
  f0 ff ff 17  b next`;

function codeOf(listing: string): Uint8Array {
  const bytes = listing.trim().split("\n").flatMap((line) => line.trim().split("  ")[0]!.split(" "));
  return new Uint8Array(bytes.map((byte) => parseInt(byte, 16)));
}

/** Label of what happens after a failure that no branch is for. */
const FAILED = "failed";

export class CallProgram {
  readonly #of: "x86_64" | "aarch64";
  readonly #calls: Call[] = [];
  readonly #labels = new Map<string, number>();

  constructor(of: "x86_64" | "aarch64" = machine) {
    this.#of = of;
  }

  /** Adds a call by name or number. `what` says in an error what it was for: "Cannot ‹what›". */
  call(what: string, name: string | number, args: readonly Argument[], branches: Branches = {}): this {
    this.#calls.push({ what, name, args, ...branches });
    return this;
  }

  /** Names the place of the next call. */
  label(name: string): this {
    this.#labels.set(name, this.#calls.length);
    return this;
  }

  /**
   * Ends the program: what fails without a branch is written to the descriptor `report` as a record, and the process
   * exits with 126.
   */
  end(report: number): this {
    return this.label(FAILED)
      .call("report", "write", [report, BigInt(DATA_ADDRESS), RECORD], { failed: "next" })
      .call("exit", "exit_group", [126]);
  }

  /** What a record says; undefined when it is none of this program. */
  explain(record: Uint8Array): { readonly what: string; readonly errno: number } | undefined {
    if (record.length < RECORD) return undefined;
    const view = new DataView(record.buffer, record.byteOffset, RECORD);
    const index = (Number(view.getBigUint64(0, true)) - DATA_ADDRESS - RECORD) / CALL;
    const what = this.#calls[index]?.what;
    return what === undefined ? undefined : { what, errno: -Number(view.getBigInt64(8, true)) };
  }

  /** The executable. */
  build(): Uint8Array {
    const pool = new Pool(DATA_ADDRESS + RECORD + this.#calls.length * CALL);
    const words = this.#calls.flatMap((call, i) => {
      const args = call.args.map((arg) => pool.word(arg));
      while (args.length < 6) args.push(0n);
      const number = typeof call.name === "number" ? call.name : syscallNumber(call.name, this.#of);
      return [BigInt(number), ...args, ...this.#branches(call, i)];
    });
    const table = new Uint8Array(new BigInt64Array(words).buffer);
    const strings = pool.bytes();
    const file = new Uint8Array(DATA_OFFSET + RECORD + table.length + strings.length);
    const code = codeOf(this.#of === "x86_64" ? X86_64 : AARCH64);
    const headers = elfHeaders(this.#of, code.length, file.length - DATA_OFFSET);
    file.set(headers);
    file.set(code, headers.length);
    file.set(table, DATA_OFFSET + RECORD);
    file.set(strings, DATA_OFFSET + RECORD + table.length);
    return file;
  }

  #branches({ equals = 0, then, otherwise, failed }: Call, i: number): bigint[] {
    const next = this.#address(i + 1);
    const at = (label: string | undefined) =>
      label === undefined || label === "next" ? next : this.#find(label);
    return [
      BigInt(equals),
      then === undefined ? at(otherwise) : at(then),
      at(otherwise),
      at(failed ?? FAILED),
    ];
  }

  #find(label: string): bigint {
    const index = this.#labels.get(label);
    if (index === undefined) throw new RangeError(`the program has no label "${label}"`);
    return this.#address(index);
  }

  #address(index: number): bigint {
    return BigInt(DATA_ADDRESS + RECORD + index * CALL);
  }
}

/** What the arguments point at. */
class Pool {
  readonly #parts: Uint8Array[] = [];
  readonly #known = new Map<Uint8Array, bigint>();
  #end: number;
  constructor(start: number) {
    this.#end = start;
  }

  word(argument: Argument): bigint {
    if (typeof argument === "number" || typeof argument === "bigint") {
      return BigInt.asIntN(64, BigInt(argument));
    }
    if (typeof argument === "string") return this.#add(new TextEncoder().encode(argument + "\0"));
    if (argument instanceof Uint8Array) {
      const address = this.#known.get(argument) ?? this.#add(argument);
      this.#known.set(argument, address); // calls that name the same bytes share them
      return address;
    }
    return this.#add(new Uint8Array(new BigInt64Array(argument.map((each) => this.word(each))).buffer));
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  #add(bytes: Uint8Array): bigint {
    const address = this.#end;
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    this.#parts.push(padded);
    this.#end += padded.length;
    return BigInt(address);
  }
}

/** ELF header and program headers: code (read, execute), data (read, write), a stack that is not executable. */
function elfHeaders(of: "x86_64" | "aarch64", codeLength: number, dataLength: number): Uint8Array {
  const segments = [
    { type: 1, flags: 5, offset: 0, address: CODE_ADDRESS, size: 0 },
    { type: 1, flags: 6, offset: DATA_OFFSET, address: DATA_ADDRESS, size: dataLength },
    { type: 0x6474e551, flags: 6, offset: 0, address: 0, size: 0 },
  ];
  const size = 64 + segments.length * 56;
  segments[0]!.size = size + codeLength;
  const view = new DataView(new ArrayBuffer(size));
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  view.setUint32(0, 0x7f454c46); // "\x7fELF"
  [2, 1, 1].forEach((value, i) => view.setUint8(4 + i, value)); // 64 bits, little-endian, version
  u16(16, 2); // an executable at fixed addresses
  u16(18, of === "x86_64" ? 62 : 183);
  u32(20, 1);
  u64(24, CODE_ADDRESS + size); // the first instruction
  u64(32, 64); // program headers
  u16(52, 64);
  u16(54, 56);
  u16(56, segments.length);
  for (const [i, { type, flags, offset, address, size }] of segments.entries()) {
    const at = 64 + i * 56;
    u32(at, type);
    u32(at + 4, flags);
    u64(at + 8, offset);
    u64(at + 16, address);
    u64(at + 24, address);
    u64(at + 32, size);
    u64(at + 40, size);
    u64(at + 48, 0x10000); // works with pages of 4 to 64 KiB
  }
  return new Uint8Array(view.buffer);
}
