/** One side of a talk: calls the other one, and answers what it is called for. */
import type { Pool } from "../../../lib/pool.ts";
import { packError } from "./errors.ts";
import { Reports } from "./reports.ts";
import {
  type Given,
  memberOf,
  type Message,
  pack,
  type Reference,
  type Remote,
  type Taken,
  unpack,
  type WireError,
} from "./wire.ts";

/** What a side offers by name, beside the functions that it sends. */
export type Offers = Readonly<Record<string, (args: readonly unknown[]) => unknown>>;

/** A method of an object of the other side. */
export interface RemoteMethod {
  readonly of: Remote;
  readonly name: string;
}

/** How a talk is held. */
export interface TalkNeeds {
  /** Sends a message; what it throws fails the call that it belongs to. A promise: it is on its way then. */
  readonly send: (message: Message) => unknown;
  readonly offers: Offers;
  /** What a failure of the other side is told as. */
  readonly failure: (error: WireError) => unknown;
  /** What the other side may ask at once. Absent: anything. */
  readonly bounds?: Bounds;
}

/** How much is answered at once. */
export interface Bounds {
  /** Answers methods of objects. Functions may wait for what the other side does next, so none of those is held back. */
  readonly objects: Pool;
  /** Characters of calls that wait for answers: more is a mistake, or an attempt to use up the memory. */
  readonly characters: number;
}

/** What a call takes beside its characters, counted in such. */
const CALL = 1024;

/** A talk between two processes. Whoever reads hands it the messages. */
export class Talk {
  readonly #needs: TalkNeeds;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #callbacks = new Map<number, (...args: never[]) => unknown>();
  readonly #objects = new Map<number, Reference>();
  readonly #signals = new Map<number, AbortController>();
  /** Calls of the other side that are being answered. */
  #answering = 0;
  /** Characters of calls of the other side. */
  #asked = 0;
  #last = 0;

  constructor(needs: TalkNeeds) {
    this.#needs = needs;
  }

  /** Whether the other side waits for this one. */
  get isAnswering(): boolean {
    return this.#answering > 0;
  }

  /** Whether this side waits for the other one. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Calls what the other side offers, a function that it sent, or a method of an object. Functions and signals that are
   * sent along can be used until the answer is there; objects, until they are {@linkcode Talk.forget forgotten}.
   */
  async call(what: string | number | RemoteMethod, args: readonly unknown[]): Promise<unknown> {
    const call = ++this.#last;
    const ends: (() => void)[] = [];
    const answer = Promise.withResolvers<unknown>();
    try {
      const packed = args.map((arg) => pack(arg, this.#given(ends)));
      this.#waiting.set(call, answer);
      const named = typeof what === "object" ? { what: what.of.id, member: what.name } : { what };
      this.#needs.send({ call, ...named, args: packed });
      return await answer.promise;
    } finally {
      this.#waiting.delete(call);
      for (const end of ends) end();
    }
  }

  /** Takes an object back: whoever calls it from now on is told that it is not there. */
  forget(target: object): void {
    for (const [id, reference] of this.#objects) if (reference.target === target) this.#objects.delete(id);
  }

  /** Fails everything that is waited for. */
  end(reason: unknown): void {
    for (const { reject } of this.#waiting.values()) reject(reason);
  }

  /**
   * Takes a message, but events, which are not answered; `length` are its characters.
   *
   * @throws {SyntaxError} for one that no sound side sends
   * @throws {RangeError} when too much is asked at once
   */
  take(message: Exclude<Message, { readonly event: unknown }>, length = 0): void {
    if ("abort" in message) return this.#signals.get(message.abort)?.abort();
    if ("call" in message) return this.#queue(message, length + CALL);
    const waiting = this.#waiting.get(message.answer);
    if (!waiting) throw new SyntaxError("it answers what nobody asked");
    if ("error" in message) waiting.reject(this.#needs.failure(message.error));
    else waiting.resolve(unpack(message.value, valuesOnly));
  }

  #queue(message: Extract<Message, { readonly call: number }>, size: number): void {
    const { bounds } = this.#needs;
    if (bounds && this.#asked + size > bounds.characters) {
      throw new RangeError(`calls of more than ${bounds.characters >> 20} MiB wait for answers`);
    }
    this.#asked += size;
    const answer = () => this.#answer(message);
    const answered = bounds && message.member !== undefined ? bounds.objects.run(answer) : answer();
    void answered.finally(() => this.#asked -= size);
  }

  async #answer({ call, what, member, args }: Extract<Message, { readonly call: number }>): Promise<void> {
    const { send } = this.#needs;
    const ends: (() => void)[] = [];
    const reports: Reports[] = [];
    let sent: unknown;
    this.#answering++;
    try {
      const given = args.map((arg) => unpack(arg, this.#taken(ends, reports)));
      const action = member === undefined ? this.#action(what) : this.#method(what, member);
      const value: unknown = await action(given);
      for (const each of reports) await each.end();
      sent = send({ answer: call, value: pack(value, this.#answered()) });
    } catch (error) {
      sent = send({ answer: call, error: packError(error) });
    } finally {
      this.#answering--;
      for (const end of ends) end();
    }
    await sent;
  }

  #action(what: string | number): (args: readonly unknown[]) => unknown {
    const callback = typeof what === "number" ? this.#callbacks.get(what) : undefined;
    if (callback) return (args) => callback(...args as never[]);
    const { offers } = this.#needs;
    if (typeof what === "string" && Object.hasOwn(offers, what)) return offers[what]!;
    throw new TypeError(`there is no "${what}" to be called`);
  }

  #method(what: string | number, member: string): (args: readonly unknown[]) => unknown {
    const reference = typeof what === "number" ? this.#objects.get(what) : undefined;
    const { target, shape } = reference ?? {};
    const answered = shape && Object.hasOwn(shape.methods, member) ? shape.methods[member] : undefined;
    const method: unknown = target && memberOf(target, member);
    if (!answered || typeof method !== "function") {
      throw new TypeError(`there is no "${member}" to be called`);
    }
    return async (args) => answered(await method.apply(target, args));
  }

  #object(reference: Reference): number {
    const id = ++this.#last;
    this.#objects.set(id, reference);
    return id;
  }

  /** Answers are values and objects: a function in one could be called after what it belongs to is gone. */
  #answered(): Given {
    return {
      object: (reference) => this.#object(reference),
      call() {
        throw new TypeError("a function cannot be sent as an answer");
      },
      signal() {
        throw new TypeError("a signal cannot be sent as an answer");
      },
    };
  }

  #given(ends: (() => void)[]): Given {
    return {
      object: (reference) => this.#object(reference),
      call: (callback) => {
        const id = ++this.#last;
        this.#callbacks.set(id, callback);
        ends.push(() => this.#callbacks.delete(id));
        return id;
      },
      signal: (signal) => {
        const id = ++this.#last;
        const tell = () => this.#needs.send({ abort: id });
        signal.addEventListener("abort", tell, { once: true });
        ends.push(() => signal.removeEventListener("abort", tell));
        return id;
      },
    };
  }

  #taken(ends: (() => void)[], reports: Reports[]): Taken {
    return {
      call: (id) => (...args) => this.call(id, args),
      report: (id, names) => {
        const told = new Reports((args) => this.call(id, args), names);
        reports.push(told);
        return (...args) => told.tell(args);
      },
      signal: (id, aborted) => {
        const controller = new AbortController();
        if (aborted) controller.abort();
        this.#signals.set(id, controller);
        ends.push(() => this.#signals.delete(id));
        return controller.signal;
      },
    };
  }
}

/** What {@linkcode Talk} answers with has no others. */
const valuesOnly: Taken = {
  call() {
    throw new SyntaxError("it answers with a function");
  },
  report() {
    throw new SyntaxError("it answers with a function");
  },
  signal() {
    throw new SyntaxError("it answers with a signal");
  },
};
