import { baseName } from "./base_rule.ts";
import type { ImageRule } from "./config/model.ts";
import type { ImageState } from "./roles.ts";
import type { Session } from "./session.ts";

/** Brings the base image of a rule into the store, with progress. */
export async function fetchBase(session: Session, rule: ImageRule): Promise<ImageState> {
  const { emit, signal } = session.options;
  const name = baseName(rule);
  const source = await session.source(name);
  const running = new Map<string, { readonly start: number; done: number }>();
  const state = await source.fetch(await session.base(name), {
    signal,
    note: (text) => emit({ type: "note", level: "info", text }),
    progress: (id, what, done, total) => {
      const known = running.get(id);
      if (known) known.done = done;
      else {
        running.set(id, { start: performance.now(), done });
        emit({ type: "transfer.started", id, what, total });
      }
      emit({ type: "transfer.progress", id, done, total });
    },
  });
  for (const [id, { start, done }] of running) {
    emit({ type: "transfer.finished", id, done, ms: Math.round(performance.now() - start) });
  }
  return state;
}
