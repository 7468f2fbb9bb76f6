import type { Compression } from "./format.ts";
import type { BlockReply, BlockRequest } from "./worker.ts";

/** One that has no work yet. */
let spare: Worker | undefined;

/** Starts a thread for the next {@linkcode BlockPool} of this process, which then need not wait for it. It runs until then. */
export function startAhead(): void {
  if (spare) return;
  const started = startWorker();
  spare = started;
  started.onerror = (event) => {
    event.preventDefault(); // one that is started for work says why
    if (spare === started) spare = undefined;
  };
}

function takeWorker(): Worker {
  const worker = spare ?? startWorker();
  spare = undefined;
  return worker;
}

function startWorker(): Worker {
  return new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
}

/** Compresses blocks on several threads and hands the results over in the order of the blocks. */
export class BlockPool {
  readonly #compression: Compression;
  readonly #output: (bytes: Uint8Array) => void;
  readonly #workers: Worker[];
  readonly #done = new Map<number, BlockReply>();
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  /** Buffers for answers. */
  readonly #rooms: Uint8Array<ArrayBuffer>[] = [];
  #pushed = 0;
  #emitted = 0;
  #failure: unknown;
  #waiting: { below: number; settle: PromiseWithResolvers<void> } | undefined;

  /** `output` is called with each compressed block; what it throws fails the pool. */
  constructor(compression: Compression, threads: number, output: (bytes: Uint8Array) => void) {
    this.#compression = compression;
    this.#output = output;
    this.#workers = Array.from({ length: threads }, (_, index) => this.#start(index, threads));
  }

  /** A block buffer that is no longer in use. */
  reuse(): Uint8Array<ArrayBuffer> | undefined {
    return this.#free.pop();
  }

  /** Takes over `block`. A promise means: enough are under way, wait before the next. */
  push(block: Uint8Array<ArrayBuffer>, size: number, last: boolean): void | Promise<void> {
    if (this.#failure) throw this.#failure;
    const worker = this.#workers[this.#pushed++ % this.#workers.length]!;
    const room = this.#rooms.pop();
    const request: BlockRequest = { compression: this.#compression, block, size, last, room };
    worker.postMessage(request, room ? [block.buffer, room.buffer] : [block.buffer]);
    if (this.#pushed - this.#emitted >= 2 * this.#workers.length) {
      return this.#until(2 * this.#workers.length);
    }
  }

  /** Settles once all blocks are out. */
  async drain(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.#until(1);
  }

  /** Stops all threads at once. */
  close(): void {
    for (const worker of this.#workers) worker.terminate();
    this.#fail(new Error("Compression was stopped"));
  }

  /** Waits until fewer than `below` blocks are under way. */
  #until(below: number): Promise<void> | void {
    if (this.#pushed - this.#emitted < below) return;
    this.#waiting ??= { below, settle: Promise.withResolvers() };
    this.#waiting.below = Math.min(below, this.#waiting.below);
    return this.#waiting.settle.promise;
  }

  #start(index: number, threads: number): Worker {
    const worker = takeWorker();
    let next = index;
    worker.onmessage = ({ data }: MessageEvent<BlockReply>) => {
      this.#free.push(data.block);
      this.#done.set(next, data); // a worker answers in order
      next += threads;
      this.#emit();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new Error(`Compression failed: ${event.message}`));
    };
    return worker;
  }

  #emit(): void {
    if (this.#failure) return;
    try {
      for (let reply; (reply = this.#done.get(this.#emitted)) !== undefined;) {
        this.#done.delete(this.#emitted++);
        this.#output(reply.room.subarray(0, reply.size));
        this.#rooms.push(reply.room);
      }
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#waiting && this.#pushed - this.#emitted < this.#waiting.below) {
      this.#waiting.settle.resolve();
      this.#waiting = undefined;
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#waiting?.settle.reject(this.#failure);
    this.#waiting = undefined;
  }
}
