/**
 * The seccomp filter of steps: a program for the kernel's classic BPF machine, made from the table in `syscalls.ts`.
 *
 * It decides as Docker's default profile does for Docker's default capabilities, and refuses more: the x32 calls of
 * x86_64, and input put into the terminal by ioctl.
 */
import { allowedNumbers, type Machine, machine, syscallNumber } from "./syscalls.ts";

/** One instruction: code, jumps when true and when false, operand. */
export type Instruction = readonly [code: number, jt: number, jf: number, k: number];

const LOAD = 0x20; // a 32-bit word of struct seccomp_data
const AND = 0x54;
const JUMP = 0x05;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const RETURN = 0x06;

/** Offsets in struct seccomp_data, for little-endian machines. */
const NR = 0;
const ARCH = 4;
const lowWord = (argument: number) => 16 + 8 * argument;

const answer = (k: number): Instruction[] => [[RETURN, 0, 0, k]];
const refuse = (errno: number) => answer(0x00050000 | errno);
const ALLOW = answer(0x7fff0000);
const EPERM = refuse(1);
const ENOSYS = refuse(38);

/** AUDIT_ARCH_* of <linux/audit.h>. */
const AUDIT_ARCH: Readonly<Record<Machine, number>> = {
  x86_64: 0xc000003e,
  i386: 0x40000003,
  aarch64: 0xc00000b7,
  arm: 0x40000028,
};

/** Calls that came after this one get ENOSYS, so that programs try an older way instead of giving up. */
const NEWEST = 466;

/** Numbers from `start` up to the next segment's. */
interface Segment {
  readonly start: number;
  readonly code: readonly Instruction[];
}

/** Finds the segment of the loaded word by halving. */
function decide(segments: readonly Segment[]): Instruction[] {
  if (segments.length === 1) return [...segments[0]!.code];
  const middle = segments.length >> 1;
  const below = decide(segments.slice(0, middle));
  if (below.length > 255) throw new RangeError("a jump of the seccomp filter is too long");
  const { start } = segments[middle]!;
  return [[IF_AT_LEAST, below.length, 0, start], ...below, ...decide(segments.slice(middle))];
}

/** Decides by membership in a set of numbers; `special` goes before. */
function decideNumbers(
  allowed: readonly number[],
  special: ReadonlyMap<number, readonly Instruction[]>,
  otherwise: (number: number) => readonly Instruction[],
  edges: readonly number[] = [],
): Instruction[] {
  const set = new Set(allowed);
  const codeOf = (number: number) => special.get(number) ?? (set.has(number) ? ALLOW : otherwise(number));
  const starts = new Set([0, ...edges]);
  for (const number of [...set, ...special.keys()]) {
    starts.add(number);
    if (number < 0xffffffff) starts.add(number + 1);
  }
  const segments: Segment[] = [];
  for (const start of [...starts].sort((a, b) => a - b)) {
    const code = codeOf(start);
    if (segments.at(-1)?.code !== code) segments.push({ start, code });
  }
  return decide(segments);
}

/** Address families that Docker allows: neither AF_ALG nor AF_VSOCK, nor what nobody maintains. */
const FAMILIES = [
  ...Array(12).keys(),
  ...[13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45],
];

const PERSONALITIES = [0, 0x8, 0x20000, 0x20008, 0xffffffff];
/** CLONE_NEW* of namespaces. */
const NEW_NAMESPACES = 0x7e020000;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

const none: ReadonlyMap<number, readonly Instruction[]> = new Map();

function specialCalls(of: Machine): Map<number, readonly Instruction[]> {
  const first: Instruction = [LOAD, 0, 0, lowWord(0)];
  const rules: Record<string, readonly Instruction[]> = {
    socket: [first, ...decideNumbers(FAMILIES, none, () => EPERM)],
    personality: [first, ...decideNumbers(PERSONALITIES, none, () => EPERM)],
    clone: [first, [AND, 0, 0, NEW_NAMESPACES], [IF_EQUAL, 0, 1, 0], ...ALLOW, ...EPERM],
    // its flags are in memory, where no filter sees them; the C library then uses clone
    clone3: ENOSYS,
    ioctl: [
      [LOAD, 0, 0, lowWord(1)],
      [IF_EQUAL, 1, 0, TIOCSTI],
      [IF_EQUAL, 0, 1, TIOCLINUX],
      ...EPERM,
      ...ALLOW,
    ],
  };
  return new Map(Object.entries(rules).map(([name, code]) => [syscallNumber(name, of), code]));
}

function decideCalls(of: Machine): Instruction[] {
  const unknown = (number: number) => number > NEWEST ? ENOSYS : EPERM;
  return [[LOAD, 0, 0, NR], ...decideNumbers(allowedNumbers(of), specialCalls(of), unknown, [NEWEST + 1])];
}

/** The filter for programs of this machine, 32-bit ones included. */
export function seccompFilter(of: "x86_64" | "aarch64" = machine): Instruction[] {
  const native = decideCalls(of);
  const small: Machine = of === "x86_64" ? "i386" : "arm";
  return [
    [LOAD, 0, 0, ARCH],
    [IF_EQUAL, 1, 0, AUDIT_ARCH[of]],
    [JUMP, 0, 0, native.length],
    ...native,
    [IF_EQUAL, 1, 0, AUDIT_ARCH[small]],
    ...ENOSYS,
    ...decideCalls(small),
  ];
}

/** The filter as an array of struct sock_filter. */
export function encodeFilter(filter: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(filter.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, jt, jf, k]] of filter.entries()) {
    view.setUint16(i * 8, code, true);
    view.setUint8(i * 8 + 2, jt);
    view.setUint8(i * 8 + 3, jf);
    view.setUint32(i * 8 + 4, k, true);
  }
  return bytes;
}
