import { EngineError } from "../contract/errors.ts";
import type { EventSink } from "../contract/events.ts";

/** How often work begins again, and who is told. */
export interface AgainOptions {
  readonly times: number;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

/** Does `work`, and does it again when somebody took away from a registry what it stands on. @throws what `work` throws */
export async function buildAgain<T>(
  work: () => Promise<T>,
  { times, emit, signal }: AgainOptions,
): Promise<T> {
  for (let left = times;; left--) {
    try {
      return await work();
    } catch (error) {
      const gone = error instanceof EngineError && error.code === "STAGE_GONE";
      if (!gone || left === 0 || signal.aborted) throw error;
      emit({ type: "note", level: "warn", text: `${error.message}. What is missing is built again` });
    }
  }
}
