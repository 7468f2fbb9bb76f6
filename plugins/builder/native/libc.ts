/** System calls that Deno lacks, through the C library. Everything here blocks and acts on the calling thread. */
import { syscallNumber } from "./syscalls.ts";

const symbols = {
  __errno_location: { parameters: [], result: "pointer" },
  strerror: { parameters: ["i32"], result: "pointer" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  // the result is a ssize_t; no piece is as long as an i32 can say
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  chdir: { parameters: ["buffer"], result: "i32" },
  mount: { parameters: ["buffer", "buffer", "buffer", "u64", "buffer"], result: "i32" },
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  unshare: { parameters: ["i32"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  sethostname: { parameters: ["buffer", "usize"], result: "i32" },
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" },
  lchown: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  llistxattr: { parameters: ["buffer", "buffer", "usize"], result: "isize" },
  lgetxattr: { parameters: ["buffer", "buffer", "buffer", "usize"], result: "isize" },
  lsetxattr: { parameters: ["buffer", "buffer", "buffer", "usize", "i32"], result: "i32" },
  lremovexattr: { parameters: ["buffer", "buffer"], result: "i32" },
  syncfs: { parameters: ["i32"], result: "i32", nonblocking: true },
  // by number: the C library has no function for these, or not in every version
  mknodat: { name: "syscall", parameters: ["i64", "i64", "buffer", "u64", "u64"], result: "i64" },
  close_range: { name: "syscall", parameters: ["i64", "u64", "u64", "u64"], result: "i64" },
  mount_setattr: {
    name: "syscall",
    parameters: ["i64", "i64", "buffer", "u64", "buffer", "u64"],
    result: "i64",
  },
} as const;

type Symbols = typeof symbols;

/** What the C library is called here. */
function libraryName(): string {
  const machine = Deno.build.arch === "aarch64" ? "aarch64" : "x86_64";
  let failure: unknown;
  for (const name of ["libc.so.6", `libc.musl-${machine}.so.1`]) {
    try {
      Deno.dlopen(name, {});
      return name;
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

const ERRNO = "__errno_location";
/** Where this thread has the reason of a failed call: known once a function is bound. */
let errnoView: Deno.UnsafePointerView | undefined;

/**
 * The C library. It and its functions are bound when they are used first: the module is loaded where nobody calls them and
 * the rights for it are not given, and Deno compiles a bridge to each, which takes half a millisecond.
 */
function load(): Deno.StaticForeignLibraryInterface<Symbols> {
  let library: string | undefined;
  const functions = {};
  const put = (name: string, how: PropertyDescriptor) =>
    Object.defineProperty(functions, name, { configurable: true, ...how });
  for (const [name, symbol] of Object.entries<Deno.ForeignFunction>(symbols)) {
    put(name, {
      get() {
        const value: unknown = Deno.dlopen(library ??= libraryName(), { [name]: symbol }).symbols[name];
        put(name, { value });
        // Looking for the place later would change what stands there.
        if (name !== ERRNO) errnoView ??= new Deno.UnsafePointerView(libc[ERRNO]()!);
        return value;
      },
    });
  }
  return functions as Deno.StaticForeignLibraryInterface<Symbols>;
}

const libc = load();

/** What unpacking a layer and a step take, in the order of their use. */
const STEP: readonly (keyof Symbols)[] = [
  ...["open", "openat", "write", "futimens", "lchown", "utimensat"] as const,
  ...["chdir", "mount", "statx", "umount2", "mount_setattr", "setns"] as const,
];

/** Binds what a step takes before there is one, for who has nothing else to do. */
export function bindAhead(): void {
  for (const name of STEP) void libc[name];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** O_WRONLY | O_CREAT | O_EXCL */
const O_WRONLY_NEW = 0o1 | 0o100 | 0o200;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EACCES: 13,
  EBUSY: 16,
  ENOTBLK: 15,
  EEXIST: 17,
  ENODEV: 19,
  ENOTDIR: 20,
  EINVAL: 22,
  ENOSYS: 38,
  ENODATA: 61,
  EOPNOTSUPP: 95,
} as const;

const FILE_CODES: Readonly<Record<number, string>> = {
  5: "EIO",
  23: "ENFILE",
  24: "EMFILE",
  27: "EFBIG",
  28: "ENOSPC",
  30: "EROFS",
  122: "EDQUOT",
};

/** A system call that failed. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** What failures of files are told by, like those of Deno. */
  readonly code: string | undefined;
  constructor(readonly call: string, readonly errno: number, readonly path: string) {
    super(`Cannot ${call} "${path}": ${errorText(errno)}`);
    this.code = FILE_CODES[errno];
  }
}

/** What an error number means, in words. */
export function errorText(errno: number): string {
  return Deno.UnsafePointerView.getCString(libc.strerror(errno)!);
}

const cstr = (text: string) => encoder.encode(text + "\0");

const pathBuffer = new Uint8Array(8192);

/** The same for what many calls in turn take: in one buffer, which the next use overwrites. */
function cpath(path: string): Uint8Array<ArrayBuffer> {
  const { read, written } = encoder.encodeInto(path, pathBuffer);
  if (read < path.length || written === pathBuffer.length) return cstr(path);
  pathBuffer[written] = 0;
  return pathBuffer;
}

function check(call: string, result: number | bigint, subject: string): number {
  const value = Number(result);
  if (value < 0) throw new SyscallError(call, errnoView!.getInt32(), subject);
  return value;
}

/** mount(2) flags. */
export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  REMOUNT: 0x20,
  BIND: 0x1000,
  MOVE: 0x2000,
  REC: 0x4000,
} as const;

export function mount(source: string, target: string, type: string, flags: number, data = ""): void {
  const result = libc.mount(cstr(source), cstr(target), cstr(type), BigInt(flags), cstr(data));
  check(`mount ${type || source} on`, result, target);
}

/** Detaches lazily. */
export function unmount(target: string): void {
  check("unmount", libc.umount2(cstr(target), 2), target);
}

/** struct mount_attr that sets flags (RDONLY, NOSUID, NODEV, NOEXEC of {@linkcode MS}). */
export function mountAttributes(flags: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new BigUint64Array([BigInt(flags), 0n, 0n, 0n]).buffer);
}

/** Sets flags of a mount and of all below it (Linux 5.12). */
export function restrictMount(target: string, flags: number): void {
  const [here, recursive] = [BigInt(AT_FDCWD), 0x8000n];
  const number = BigInt(syscallNumber("mount_setattr"));
  const attributes = mountAttributes(flags);
  const size = BigInt(attributes.length);
  check("restrict", libc.mount_setattr(number, here, cstr(target), recursive, attributes, size), target);
}

export function chdir(path: string): void {
  check("enter", libc.chdir(cstr(path)), path);
}

/** Opens for reading, passed on to children only when that is asked for. */
export function openFd(path: string, { inherit = false } = {}): number {
  return check("open", libc.open(cstr(path), inherit ? 0 : 0o2000000), path);
}

export function closeFd(fd: number): void {
  libc.close(fd);
}

/** Something open, and the path that errors name. */
export interface Opened {
  readonly path: string;
}

/** Makes a file for writing in the open directory `dir`, which errors call `path`. @throws {SyscallError} */
export function createAt(dir: number, name: string, mode: number, path: string): number {
  const fd = libc.openat(dir, cpath(name), 0o2000000 | O_WRONLY_NEW, mode);
  return fd < 0 ? check("open", fd, `${path}/${name}`) : fd;
}

/** Writes all of `bytes` at the position of a file. @throws {SyscallError} */
export function writeAll(fd: number, bytes: Uint8Array, file: Opened): void {
  for (let rest = bytes; rest.length > 0;) {
    const count = libc.write(fd, rest as Uint8Array<ArrayBuffer>, BigInt(rest.length));
    if (count < 0) check("write", count, file.path);
    if (count === rest.length) return;
    rest = rest.subarray(count);
  }
}

/** Moves the position of a file on. @throws {SyscallError} */
export function seekBy(fd: number, length: number, file: Opened): void {
  check("seek in", libc.lseek(fd, BigInt(length), 1), file.path);
}

/** @throws {SyscallError} */
export function truncateTo(fd: number, size: number, file: Opened): void {
  check("set the size of", libc.ftruncate(fd, BigInt(size)), file.path);
}

/** clone(2) flags of namespaces. */
export const NS = { mnt: 0x20000, ipc: 0x8000000, pid: 0x20000000, cgroup: 0x2000000 } as const;

export function unshare(flags: number): void {
  check("make", libc.unshare(flags), "namespaces");
}

export function setns(fd: number, flag: number): void {
  check("enter", libc.setns(fd, flag), "a namespace");
}

export function setHostname(name: string): void {
  const bytes = encoder.encode(name);
  check("set host name", libc.sethostname(bytes, BigInt(bytes.length)), name);
}

/** Sets `lo` of this network namespace up. */
export function loopbackUp(): void {
  const fd = check("open", libc.socket(2, 0o2000002, 0), "a socket");
  try {
    const request = new Uint8Array(40);
    request.set(encoder.encode("lo"));
    new DataView(request.buffer).setInt16(16, 0x1 | 0x40, true); // IFF_UP | IFF_RUNNING
    check("set up", libc.ioctl(fd, 0x8914n, request), "lo");
  } finally {
    libc.close(fd);
  }
}

/** Keeps every descriptor but the standard streams from what this process will execute (Linux 5.11). */
export function keepDescriptors(): void {
  const [first, last, closeOnExec] = [3n, 0xffffffffn, 4n];
  const number = BigInt(syscallNumber("close_range"));
  check("keep back", libc.close_range(number, first, last, closeOnExec), "open files");
}

/** What lstat(2) tells, with nanoseconds. */
export interface Stat {
  readonly type: "file" | "dir" | "symlink" | "char" | "block" | "fifo" | "socket";
  /** 12 bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly mtime: number;
  readonly mtimeNs: number;
  readonly major: number;
  readonly minor: number;
  /** Same for all names of one file. */
  readonly inode: string;
  /** The file system that it is in. */
  readonly device: string;
}

const types: Readonly<Record<number, Stat["type"]>> = {
  0o10: "file",
  0o04: "dir",
  0o12: "symlink",
  0o02: "char",
  0o06: "block",
  0o01: "fifo",
  0o14: "socket",
};
const statBuffer = new Uint8Array(256);
const statView = new DataView(statBuffer.buffer);

/** The file itself, not what a link points at. @throws {SyscallError} */
export function lstat(path: string): Stat {
  check("stat", statx(path), path);
  return statOf();
}

function statx(path: string): number {
  return Number(libc.statx(AT_FDCWD, cstr(path), AT_SYMLINK_NOFOLLOW, 0x7ff, statBuffer));
}

/** What stands in the buffer. */
function statOf(): Stat {
  const u32 = (at: number) => statView.getUint32(at, true);
  const mode = statView.getUint16(28, true);
  const device = `${u32(136)}:${u32(140)}`;
  return {
    type: types[mode >> 12] ?? "socket",
    mode: mode & 0o7777,
    uid: u32(20),
    gid: u32(24),
    size: Number(statView.getBigUint64(40, true)),
    nlink: u32(16),
    mtime: Number(statView.getBigInt64(112, true)),
    mtimeNs: u32(120),
    major: u32(128),
    minor: u32(132),
    inode: `${device}:${statView.getBigUint64(32, true)}`,
    device,
  };
}

/** That a parent is no directory is the second. */
const ABSENT: readonly number[] = [errno.ENOENT, errno.ENOTDIR];

/** Like {@linkcode lstat}, undefined when there is nothing. */
export function lstatIfPresent(path: string): Stat | undefined {
  const result = statx(path);
  if (result < 0 && ABSENT.includes(errnoView!.getInt32())) return undefined;
  check("stat", result, path);
  return statOf();
}

export function lchown(path: string, uid: number, gid: number): void {
  check("change the owner of", libc.lchown(cpath(path), uid, gid), path);
}

const timeBuffer = new Uint8Array(32);
const timeView = new DataView(timeBuffer.buffer);

/** Two struct timespec of one time, in a buffer that the next use overwrites; without a bigint, as many are set. */
function bothTimes(seconds: number, nanoseconds: number): Uint8Array<ArrayBuffer> {
  const high = Math.floor(seconds / 2 ** 32);
  for (const at of [0, 16]) {
    timeView.setUint32(at, seconds, true);
    timeView.setInt32(at + 4, high, true);
    timeView.setUint32(at + 8, nanoseconds, true);
  }
  return timeBuffer;
}

/** Sets access and modification time, not following links. */
export function setMtime(path: string, seconds: number, nanoseconds = 0): void {
  const times = bothTimes(seconds, nanoseconds);
  check("set the time of", libc.utimensat(AT_FDCWD, cpath(path), times, AT_SYMLINK_NOFOLLOW), path);
}

/** The same for a file that is open. */
export function setMtimeOf(fd: number, seconds: number, nanoseconds: number, file: Opened): void {
  const result = libc.futimens(fd, bothTimes(seconds, nanoseconds));
  if (result < 0) check("set the time of", result, file.path);
}

const formats = { char: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

export function mknod(
  path: string,
  type: keyof typeof formats,
  mode: number,
  device: { major: number; minor: number } = { major: 0, minor: 0 },
): void {
  const { major, minor } = device;
  const packed = BigInt((minor & 0xff) | ((major & 0xfff) << 8)) | (BigInt(minor >>> 8) << 20n);
  const format = BigInt(formats[type] | mode);
  check(
    "make device",
    libc.mknodat(BigInt(syscallNumber("mknodat")), BigInt(AT_FDCWD), cstr(path), format, packed),
    path,
  );
}

/** Writes everything of the file system that holds `path` to disk. */
export async function syncFileSystem(path: string): Promise<void> {
  const fd = openFd(path);
  try {
    check("sync", await libc.syncfs(fd), path);
  } finally {
    libc.close(fd);
  }
}

let names = new Uint8Array(4096);
const value = new Uint8Array(65536); // XATTR_SIZE_MAX

/** Names of extended attributes. */
export function listXattrs(path: string): string[] {
  for (;;) {
    const size = Number(libc.llistxattr(cstr(path), names, BigInt(names.length)));
    if (size === 0) return [];
    if (size > 0) return decoder.decode(names.subarray(0, size - 1)).split("\0");
    const code = errnoView!.getInt32();
    if (code === errno.EOPNOTSUPP) return [];
    if (code !== 34) check("list attributes of", -1, path); // ERANGE
    names = new Uint8Array(names.length * 4);
  }
}

/** Value of an extended attribute, undefined when it is absent. */
export function getXattr(path: string, name: string): Uint8Array | undefined {
  const size = Number(libc.lgetxattr(cstr(path), cstr(name), value, BigInt(value.length)));
  if (size >= 0) return value.slice(0, size);
  const code = errnoView!.getInt32();
  if (code === errno.ENODATA || code === errno.EOPNOTSUPP) return undefined;
  throw new SyscallError(`read attribute ${name} of`, code, path);
}

/** False when this file, file system or user cannot have the attribute. */
export function setXattr(path: string, name: string, bytes: Uint8Array): boolean {
  const buffer = bytes as Uint8Array<ArrayBuffer>;
  if (libc.lsetxattr(cstr(path), cstr(name), buffer, BigInt(bytes.length), 0) === 0) return true;
  const code = errnoView!.getInt32();
  if (code === errno.EPERM || code === errno.EOPNOTSUPP) return false;
  throw new SyscallError(`set attribute ${name} of`, code, path);
}

export function removeXattr(path: string, name: string): void {
  check(`remove attribute ${name} of`, libc.lremovexattr(cstr(path), cstr(name)), path);
}
