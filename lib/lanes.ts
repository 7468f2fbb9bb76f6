import { Pool } from "./pool.ts";

/** Blobs of more bytes than this are large: sending them takes longer than asking for them. */
const LARGE = 1024 * 1024;
const LARGE_AT_ONCE = 6;
const SMALL_AT_ONCE = 16;

/**
 * Bounds how many blobs are moved at once: few large ones, which share the line, and beside them more small ones, whose
 * time goes into waiting for answers. So a configuration never waits for a layer.
 */
export class Lanes {
  readonly #large = new Pool(LARGE_AT_ONCE);
  readonly #small = new Pool(SMALL_AT_ONCE);

  /** @throws the signal's reason when that is aborted before it is this work's turn */
  run<T>(bytes: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return (bytes > LARGE ? this.#large : this.#small).run(work, signal);
  }
}
