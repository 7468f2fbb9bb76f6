/** A terminal, a clock and an engine that tests of the command line hold in their hands. */
import type { Engine } from "../../core/api.ts";
import type { EngineEvent } from "../../core/contract/events.ts";
import type { Clock, Io, Output } from "../../cli/io.ts";
import { main } from "../../cli/main.ts";
import type { EngineOptions } from "../../core/settings/options.ts";

/** A stream that keeps what was written. */
export class FakeOutput implements Output {
  text = "";
  writes = 0;
  columns = 80;
  rows = 24;
  constructor(readonly isTerminal = false) {}
  write(text: string): void {
    this.text += text;
    this.writes++;
  }
  size() {
    return { columns: this.columns, rows: this.rows };
  }
  /** What was written since the last call. */
  take(): string {
    const { text } = this;
    this.text = "";
    return text;
  }
}

/** Time that moves only when a test says so. */
export class FakeClock implements Clock {
  #now = 0;
  #timers: { readonly at: number; readonly action: () => void }[] = [];
  now(): number {
    return this.#now;
  }
  date(): number {
    return Date.UTC(2026, 0, 10) + this.#now;
  }
  after(ms: number, action: () => void): () => void {
    const timer = { at: this.#now + ms, action };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }
  get pending(): number {
    return this.#timers.length;
  }
  advance(ms: number): void {
    const end = this.#now + ms;
    while (true) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = next.at;
      next.action();
    }
    this.#now = end;
  }
}

export interface FakeWorld {
  /** What the engine answers; a method that is missing here fails the test. */
  readonly engine?: (emit: (event: EngineEvent) => void, options: EngineOptions) => Partial<Engine>;
  /** The real engine, in place of answers. */
  readonly createEngine?: (options: EngineOptions) => Engine;
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** What the user types when asked; after these, the input has ended. Given: standard input is a terminal. */
  readonly typed?: readonly string[];
  readonly terminal?: boolean;
  /** Of the terminal. @default 80 */
  readonly columns?: number;
  readonly signal?: AbortSignal;
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Options of each engine that was made. */
  readonly engines: readonly EngineOptions[];
  readonly disposed: number;
  readonly readPaths: readonly string[];
  /** What was added to files, with their paths. */
  readonly appended: readonly (readonly [path: string, text: string])[];
  /** How often the terminal was lent, and given back. */
  readonly lent: readonly string[];
}

/** Runs the command line in a fake world. */
export async function dapp(args: readonly string[], world: FakeWorld = {}): Promise<Outcome> {
  const stdout = new FakeOutput(world.terminal);
  const stderr = new FakeOutput(world.terminal);
  stdout.columns = stderr.columns = world.columns ?? 80;
  const engines: EngineOptions[] = [];
  const readPaths: string[] = [];
  const appended: [string, string][] = [];
  const lent: string[] = [];
  const typed = [...world.typed ?? []];
  let disposed = 0;
  const io: Io = {
    stdout,
    stderr,
    clock: new FakeClock(),
    env: world.env ?? {},
    signal: world.signal ?? new AbortController().signal,
    lendTerminal() {
      lent.push("lent");
      return () => lent.push("back");
    },
    startSshAgent(keys) {
      lent.push(`keys ${keys.join(" ")}`);
      return Promise.resolve({
        socket: "/agent",
        [Symbol.asyncDispose]: () => Promise.resolve(void lent.push("agent stopped")),
      });
    },
    gitAsked: () => undefined,
    createEngine(options) {
      engines.push(options);
      if (world.createEngine) return Promise.resolve(world.createEngine(options));
      const made = world.engine?.(
        (event) => options.onEvent?.({ ...event, time: "2026-01-02T03:04:05.678Z" }),
        options,
      ) ?? {};
      const dispose = () => {
        disposed++;
        return Promise.resolve();
      };
      return Promise.resolve(
        fakeEngine({
          prefetch: () => Promise.resolve(),
          ...made,
          [Symbol.asyncDispose]: dispose,
        }),
      );
    },
    stdinIsTerminal: world.typed !== undefined,
    readLine: () => Promise.resolve(typed.shift()),
    askSecret(question) {
      stderr.write(question);
      return Promise.resolve(typed.shift());
    },
    readStdin: () => Promise.resolve(world.stdin ?? ""),
    readText(path) {
      readPaths.push(path);
      return Promise.resolve(world.files?.[path]);
    },
    realPath: (path) => Promise.resolve(path),
    list: () => Promise.resolve([]),
    writeText: (path) => Promise.reject(new Error(`The test's machine does not take "${path}"`)),
    appendText(path, text) {
      appended.push([path, text]);
      return Promise.resolve();
    },
  };
  const code = await main(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text, engines, disposed, readPaths, appended, lent };
}

function fakeEngine(made: Partial<Engine>): Engine {
  return new Proxy(made, {
    get(target, name) {
      const found: unknown = Reflect.get(target, name);
      if (found === undefined && name !== "then") {
        throw new Error(`The test's engine has no ${String(name)}()`);
      }
      return found;
    },
  }) as Engine;
}

const erase = new RegExp("\x1b\\[(\\d+)A\r\x1b\\[J", "g");
const color = new RegExp("\x1b\\[([\\d;]*)m", "g");

/** Puts control sequences into words, so that golden frames can be read. */
export function visible(text: string): string {
  return text
    .replaceAll("\x1b[?25l", "<hide>")
    .replaceAll("\x1b[?25h", "<show>")
    .replaceAll(erase, "<up $1>")
    .replaceAll(color, "<$1>");
}
