import type { HttpResponse } from "./http.ts";

/** `Date` tells whole seconds: its answer was made within the second that begins there. */
const SECOND_MS = 1000;

/**
 * How far the clock of a registry is from this machine's, by the `Date` of its answers (RFC 9110, 6.6.1). An answer was
 * made at some time between request and answer, so that only what is further off than this says anything. What a cache
 * has kept has an `Age`, and is not heard. Where answers differ, as those of several servers do, the one furthest behind
 * counts: who counts ages from there finds nothing older than it is.
 */
export class ClockOff {
  #ms: number | undefined;
  /** The last date that was said, which many answers of a second say. */
  #date: { readonly text: string | undefined; readonly ms: number | undefined } | undefined;

  /** Milliseconds that the registry is ahead, negative when it is behind; undefined when no answer has said a time. */
  get ms(): number | undefined {
    return this.#ms;
  }

  /** Takes an answer to what was sent and answered at these times of this machine, in milliseconds since 1970. */
  heard(answer: Pick<HttpResponse, "header">, sent: number, received: number): void {
    const text = answer.header("date");
    if (this.#date?.text !== text) this.#date = { text, ms: parseDate(text) };
    const date = this.#date?.ms;
    if (date === undefined || answer.header("age") !== undefined) return;
    const off = date + SECOND_MS / 2 - (sent + received) / 2;
    const doubt = (SECOND_MS + Math.abs(received - sent)) / 2;
    this.#ms = Math.min(this.#ms ?? Infinity, Math.abs(off) <= doubt ? 0 : Math.round(off));
  }
}

/** The one form of a date that may be sent, `Sun, 06 Nov 1994 08:49:37 GMT`; everything else is none. */
function parseDate(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isFinite(ms) && new Date(ms).toUTCString() === text ? ms : undefined;
}
