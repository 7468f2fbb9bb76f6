import type { EventSink } from "../contract/events.ts";

/** Smaller blobs of a registry are not worth a line of progress. */
export const SHOWN_BYTES = 256 * 1024;

/** Takes growing numbers of bytes: `what` such as "layer 3f2a… of debian:bookworm", `total` 0 when it is not known. */
export type Progress = (id: string, what: string, done: number, total: number) => void;

/** Does work that moves bytes, with events of it: a transfer ends when all of its bytes are done, or with the work. */
export async function transferring<T>(emit: EventSink, work: (progress: Progress) => Promise<T>): Promise<T> {
  const running = new Map<string, { readonly start: number; done: number }>();
  const end = (id: string, failed?: true) => {
    const { start, done } = running.get(id)!;
    running.delete(id);
    const ms = Math.round(performance.now() - start);
    emit({ type: "transfer.finished", id, done, ms, ...(failed && { failed }) });
  };
  const progress: Progress = (id, what, done, total) => {
    const known = running.get(id);
    if (known) known.done = done;
    else {
      running.set(id, { start: performance.now(), done });
      emit({ type: "transfer.started", id, what, total });
    }
    emit({ type: "transfer.progress", id, done, total });
    if (total > 0 && done >= total) end(id);
  };
  try {
    const result = await work(progress);
    for (const id of [...running.keys()]) end(id);
    return result;
  } catch (error) {
    for (const id of [...running.keys()]) end(id, true);
    throw error;
  }
}

/** The same without what is not worth a line. */
export function shown(progress: Progress): Progress {
  return (id, what, done, total) => {
    if (total >= SHOWN_BYTES) progress(id, what, done, total);
  };
}
