import { RegistryError } from "./errors.ts";
import { backoffMs, isRetryableStatus, parseRetryAfter, type RetryPolicy } from "./retry.ts";
import type { HttpResponse } from "./http.ts";
import type { Awaited } from "./silence.ts";

/** A server asked for a pause, which is kept, or says nothing. */
export interface RegistryWait {
  /** With port. */
  readonly host: string;
  /** How long the pause is, or for how long nothing has come. */
  readonly ms: number;
  /** The answer that asked for it; absent where nothing comes. */
  readonly status?: number;
  /** What nothing comes for. */
  readonly doing?: string;
  /** Who leads there, with port. */
  readonly proxy?: string;
}

/** An exchange that may be repeated. */
export interface Exchange {
  /** Whom it asks, with port; all exchanges with a host share its pauses. */
  readonly host: string;
  readonly signal: AbortSignal;
  send(): Promise<HttpResponse>;
  /** Whether an answer is none that is wanted. */
  failed(answer: HttpResponse): boolean;
  /** Whether an answer passes although its status does not say so. */
  passing?(answer: HttpResponse): boolean;
  /** Whether an answer will not change however long one waits. */
  hopeless?(answer: HttpResponse): boolean;
  /** @default true */
  readonly repeatable?: boolean;
  /** Told of pauses, which are no silence, and of tries that failed. */
  readonly awaited?: Awaited;
  /** Called before a try that comes after a wait; what it throws is thrown, and nothing is sent. */
  check?(): Promise<void>;
}

interface Pause {
  readonly ms: number;
  readonly until: number;
}

const JITTER_MS = 2_000;

/**
 * Repeats what fails in a way that may pass, and waits as servers ask (`Retry-After`). One 429 pauses every request to
 * that host; those that were not the cause go on a little apart from each other.
 */
export class Patience {
  readonly #policy: RetryPolicy;
  readonly #onWait: (wait: RegistryWait) => void;
  readonly #pauses = new Map<string, Pause>();

  constructor(policy: RetryPolicy, onWait: (wait: RegistryWait) => void) {
    this.#policy = policy;
    this.#onWait = onWait;
  }

  /** The last answer or error is given back. */
  async repeat(exchange: Exchange): Promise<HttpResponse> {
    const { host, signal, repeatable = true, awaited } = exchange;
    const { attempts, longestWaitMs, sleep, now } = this.#policy;
    let own: Pause | undefined;
    for (let attempt = 1;; attempt++) {
      const waited = await this.#gate(exchange, own);
      if (waited || attempt > 1) await exchange.check?.();
      let wait = 0;
      const last = attempt >= attempts || !repeatable;
      try {
        const answer = await exchange.send();
        const passing = isRetryableStatus(answer.status) || exchange.passing?.(answer);
        if (!passing || !exchange.failed(answer) || exchange.hopeless?.(answer)) return answer;
        const asked = parseRetryAfter(answer.header("retry-after"), now());
        if (asked !== undefined && asked > longestWaitMs) return answer;
        wait = Math.max(asked ?? 0, backoffMs(attempt));
        if (asked && (!last || answer.status === 429)) {
          this.#onWait({ host, ms: wait, status: answer.status });
        }
        if (answer.status === 429) own = this.#pause(host, wait);
        if (last) return answer;
        awaited?.failed(`it answered ${answer.status}`);
        await answer.discard();
        if (answer.status === 429) continue;
        if (asked) awaited?.moved(wait);
      } catch (error) {
        if (last || !(error instanceof RegistryError) || !error.details.retryable) throw error;
        awaited?.failed(error.message);
      }
      await sleep(Math.max(wait, backoffMs(attempt)), signal);
    }
  }

  /** A longer pause that is already kept stays. */
  #pause(host: string, ms: number): Pause {
    const until = this.#policy.now() + ms;
    const known = this.#pauses.get(host);
    if (known && known.until > until) return known;
    const pause = { ms, until };
    this.#pauses.set(host, pause);
    return pause;
  }

  /** Whether there was something to wait for. */
  async #gate({ host, signal, awaited }: Exchange, own: Pause | undefined): Promise<boolean> {
    let waited = false;
    for (let pause; (pause = this.#pauses.get(host)) !== undefined;) {
      const left = pause.until - this.#policy.now();
      if (left <= 0 && pause !== own) {
        this.#pauses.delete(host);
        continue;
      }
      const ms = pause === own ? pause.ms : left + Math.random() * Math.min(JITTER_MS, left / 4);
      awaited?.moved(ms);
      await this.#policy.sleep(ms, signal);
      waited = true;
      if (this.#pauses.get(host) === pause) this.#pauses.delete(host);
    }
    return waited;
  }
}
