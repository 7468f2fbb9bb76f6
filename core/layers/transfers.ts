import type { EventSink } from "../contract/events.ts";

/** Smaller blobs of a registry are not worth a line of progress. */
export const SHOWN_BYTES = 256 * 1024;

/** Turns growing numbers of bytes into events; a transfer ends when all of its bytes are done. */
export interface TransferEvents {
  /** `what` such as "layer 3f2a… of debian:bookworm"; `total` is 0 when it is not known. */
  progress(id: string, what: string, done: number, total: number): void;
  /** Ends what has not ended by itself. */
  end(): void;
}

/** Makes the events of some transfers. */
export function transferEvents(emit: EventSink): TransferEvents {
  const running = new Map<string, { readonly start: number; done: number }>();
  const finish = (id: string) => {
    const { start, done } = running.get(id)!;
    running.delete(id);
    emit({ type: "transfer.finished", id, done, ms: Math.round(performance.now() - start) });
  };
  return {
    progress(id, what, done, total) {
      const known = running.get(id);
      if (known) known.done = done;
      else {
        running.set(id, { start: performance.now(), done });
        emit({ type: "transfer.started", id, what, total });
      }
      emit({ type: "transfer.progress", id, done, total });
      if (total > 0 && done >= total) finish(id);
    },
    end() {
      for (const id of [...running.keys()]) finish(id);
    },
  };
}
