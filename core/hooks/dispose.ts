import type { EventSink } from "../contract/events.ts";
import { messageOf } from "../contract/errors.ts";

/** Why work ends that nobody waits for any more: the engine is let go of, and so is, in order, all that it holds. */
export class EngineDisposed extends DOMException {
  constructor() {
    super("The engine was disposed of", "AbortError");
  }
}

/** Disposes of all that was opened, whatever fails on the way. @throws the first failure of a disposal */
export async function disposeAll(
  opened: Iterable<Promise<AsyncDisposable | undefined> | AsyncDisposable | undefined>,
): Promise<void> {
  const failures: unknown[] = [];
  for (const each of opened) {
    // What could not be opened was reported by whoever asked for it.
    const resource = await Promise.resolve(each).catch(() => undefined);
    try {
      await resource?.[Symbol.asyncDispose]();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/**
 * Works with a resource and disposes of it. When both fail, the first failure is the news and that of the disposal a
 * remark; `await using` would hide the first one behind the second.
 */
export async function disposing<R extends AsyncDisposable, T>(
  resource: R,
  emit: EventSink,
  action: (resource: R) => Promise<T>,
): Promise<T> {
  let answer: T;
  try {
    answer = await action(resource);
  } catch (error) {
    try {
      await resource[Symbol.asyncDispose]();
    } catch (second) {
      emit({ type: "note", level: "warn", text: `While ending: ${messageOf(second)}` });
    }
    throw error;
  }
  await resource[Symbol.asyncDispose]();
  return answer;
}
