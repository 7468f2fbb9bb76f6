import { messageOf } from "../contract/errors.ts";
import type { EngineEvent, EventSink } from "../contract/events.ts";

/** Smaller blobs of a registry are not worth a line of progress. */
export const SHOWN_BYTES = 256 * 1024;

/** Milliseconds between two events of progress of one transfer. */
const TELL_MS = 50;

/** Takes growing numbers of bytes: `what` such as "layer 3f2a… of debian:bookworm", `total` 0 when it is not known. */
export type Progress = (id: string, what: string, done: number, total: number) => void;

/** How {@linkcode transferring} tells. */
export interface TellOptions {
  /** Stops the work: what is not done then was stopped, and has not failed. */
  readonly signal: AbortSignal;
  /** All bytes are no end yet: the end of the work tells that somebody confirmed them all. @default false */
  readonly confirmed?: boolean;
  /** The time in milliseconds. @default performance.now */
  readonly now?: () => number;
}

/**
 * Does work that moves bytes, with events of it. A transfer ends when all of its bytes are done, or with the work. Of
 * progress, which may come with every piece, the first and the last are told, and between them what comes
 * {@linkcode TELL_MS} after the one before.
 */
export async function transferring<T>(
  emit: EventSink,
  work: (progress: Progress) => Promise<T>,
  { signal, confirmed = false, now = () => performance.now() }: TellOptions,
): Promise<T> {
  const running = new Map<string, Transfer>();
  const tell = (id: string, transfer: Transfer, at: number) => {
    const { done, total } = transfer;
    Object.assign(transfer, { told: done, toldAt: at });
    emit({ type: "transfer.progress", id, done, total });
  };
  const end = (id: string, transfer: Transfer, undone: Undone = {}) => {
    const { start, done, told } = transfer;
    running.delete(id);
    const at = now();
    if (told !== done) tell(id, transfer, at);
    emit({ type: "transfer.finished", id, done, ms: Math.round(at - start), ...undone });
  };
  const endAll = (undone: (id: string) => Undone = () => ({})) => {
    for (const [id, transfer] of [...running]) end(id, transfer, undone(id));
  };
  const progress: Progress = (id, what, done, total) => {
    const at = now();
    let transfer = running.get(id);
    if (transfer) Object.assign(transfer, { done, total });
    else {
      transfer = { start: at, done, total, told: undefined, toldAt: -Infinity };
      running.set(id, transfer);
      emit({ type: "transfer.started", id, what, total });
    }
    if (at - transfer.toldAt >= TELL_MS) tell(id, transfer, at);
    if (!confirmed && total > 0 && done >= total) end(id, transfer);
  };
  try {
    const result = await work(progress);
    if (confirmed) { for (const one of running.values()) if (one.total > 0) one.done = one.total; }
    endAll();
    return result;
  } catch (error) {
    const message = messageOf(error);
    // Of several blobs, the one that the failure names has failed; the others were stopped for it.
    const named = /sha256:[0-9a-f]{64}/.test(message) && running.size > 1;
    endAll((id) => signal.aborted || (named && !message.includes(id)) ? { stopped: true } : { failed: true });
    throw error;
  }
}

/** Why a transfer has not come to its end. */
type Undone = Pick<EngineEvent & { readonly type: "transfer.finished" }, "failed" | "stopped">;

interface Transfer {
  readonly start: number;
  done: number;
  total: number;
  /** The bytes that were told last, and when. */
  told: number | undefined;
  toldAt: number;
}

/** The same without what is not worth a line. */
export function shown(progress: Progress): Progress {
  return (id, what, done, total) => {
    if (total >= SHOWN_BYTES) progress(id, what, done, total);
  };
}
