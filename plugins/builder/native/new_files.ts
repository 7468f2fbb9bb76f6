/** Files that are made in great numbers, directory by directory: by descriptors, so that the kernel looks up one name each. */
import { closeFd, createAt, openFd, seekBy, setMtimeOf, truncateTo, writeAll } from "./libc.ts";

/** A directory that files are made in. */
export class OpenDirectory implements Disposable {
  readonly #fd: number;

  /** @param path of a directory itself, no link to one */
  constructor(readonly path: string) {
    this.#fd = openFd(path);
  }

  /** Makes a file that is not there, to be written. @throws {SyscallError} */
  create(name: string, mode: number): NewFile {
    return new NewFile(createAt(this.#fd, name, mode, this.path), this.path, name);
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }
}

/** A file that is being written, from its start. */
export class NewFile implements Disposable {
  readonly #fd: number;
  readonly #dir: string;
  readonly #name: string;

  constructor(fd: number, dir: string, name: string) {
    this.#fd = fd;
    this.#dir = dir;
    this.#name = name;
  }

  get path(): string {
    return `${this.#dir}/${this.#name}`;
  }

  /** @throws {SyscallError} */
  write(bytes: Uint8Array): void {
    writeAll(this.#fd, bytes, this);
  }

  /** Leaves a hole. It takes `truncate` where nothing follows. */
  skip(length: number): void {
    seekBy(this.#fd, length, this);
  }

  /** @throws {SyscallError} */
  truncate(size: number): void {
    truncateTo(this.#fd, size, this);
  }

  setMtime(seconds: number, nanoseconds: number): void {
    setMtimeOf(this.#fd, seconds, nanoseconds, this);
  }

  [Symbol.dispose](): void {
    closeFd(this.#fd);
  }
}
