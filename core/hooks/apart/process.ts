/** The process of one plugin, as dapp sees it: it is asked, waited for, and ended. */
import { EngineError, type ErrorCode } from "../../contract/errors.ts";
import type { HookContext } from "../../contract/plugin.ts";
import { EngineDisposed } from "../dispose.ts";
import { toldEvent } from "../told_event.ts";
import { formatDuration } from "../../../lib/quantity.ts";
import { isObject, isText } from "../../../lib/guard.ts";
import { plain } from "../../../lib/plain.ts";
import { failed, type FailedWork, unpackError } from "./errors.ts";
import { observed, Pool } from "../../../lib/pool.ts";
import { endGroup } from "../../../lib/process_group.ts";
import { type RemoteMethod, Talk } from "./talk.ts";
import { lineOf, linesOf, MAX_MESSAGE, messageIn, type WireError } from "./wire.ts";

/** What a process is started with. */
export interface ApartNeeds {
  /** What messages call the plugin. */
  readonly plugin: string;
  /** What `deno run` is told, up to the module. */
  readonly flags: readonly string[];
  /** Where it starts. */
  readonly cwd: string;
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly context: HookContext;
  /** How long an answer may take. */
  readonly timeoutMs: number;
}

/** Why there is nothing to be asked any more. */
class Gone {
  constructor(readonly why: string, readonly code: ErrorCode = "PLUGIN_FAILED", readonly fix?: string) {}
}

/** What the plugin threw. */
class Refusal {
  constructor(readonly said: WireError) {}
}

function told({ why, code, fix }: Gone, work: FailedWork): EngineError {
  const { plugin, hook } = work;
  return new EngineError(code, `${failed(work)}: ${why}`, {
    plugin,
    ...(hook !== undefined && { hook }),
    ...(fix !== undefined && { fix }),
  });
}

/** How something is asked for. */
export interface Asking {
  /** In whose course. */
  readonly hook?: string;
  /** Nobody waits for the answer once it is aborted. */
  readonly signal?: AbortSignal;
  /**
   * When the work that is asked for was last seen to go on, by `performance.now()`: the time for an answer starts there.
   * "alive": it may take any time, as long as the process answers at all.
   */
  readonly goesOn?: (() => number) | "alive";
  /** What it does holds on to something, so that its end is waited for also once the signal is aborted. */
  readonly holdsOn?: boolean;
}

/** Calls of objects of dapp's that are answered at once: each may have files open. */
const OBJECTS = 16;

/** How long the end of a run waits for a plugin that lets go of what it holds. */
const LEAVE_MS = 10_000;

/** Bytes of what a plugin printed that are kept, to say why it ended. */
const KEPT = 16 << 10;

/** How long the last words of a process that has ended are waited for, where others hold its output open. */
const REST_MS = 1000;

/** A plugin's process. Dispose of it. */
export class ApartProcess implements AsyncDisposable {
  readonly #needs: ApartNeeds;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #talk: Talk;
  readonly #reading: Promise<unknown>;
  /** Aborted when nothing more is to be read. */
  readonly #silence = new AbortController();
  /** One that has nothing to do stays until it is let go of: it may hold something of its own. */
  readonly #abort = () => {
    this.#isLeft = this.#needs.context.signal.reason instanceof EngineDisposed && !this.#talk.isWaiting;
    if (!this.#isLeft) this.#end(new Gone("it was stopped"));
  };
  /** Nothing more is asked but to let go. */
  #isLeft = false;
  /** What Deno did not let it do, and was not told yet; once told, it is not told again. */
  readonly #denied = new Set<string>();
  readonly #told = new Set<string>();
  #gone?: Gone;
  #name: string;
  #printed = "";

  constructor(needs: ApartNeeds) {
    this.#needs = needs;
    this.#name = needs.plugin;
    this.#child = start(needs);
    this.#input = this.#child.stdin.getWriter();
    const encoder = new TextEncoder();
    this.#talk = new Talk({
      // A process that is gone says so by its end.
      send: (message) => this.#input.write(encoder.encode(lineOf(message))).catch(() => {}),
      offers: {},
      bounds: { objects: new Pool(OBJECTS), characters: 2 * MAX_MESSAGE },
      failure: (error) => new Refusal(error),
    });
    this.#reading = this.#endRest(Promise.all([this.#read(), this.#listen()]));
    needs.context.signal.addEventListener("abort", this.#abort, { once: true });
  }

  /** What messages call it from now on. */
  set name(name: string) {
    this.#name = name;
  }

  /** Whether there is nothing to be asked any more: it has ended, or the work was stopped. */
  get isStopped(): boolean {
    return this.#gone !== undefined || this.#needs.context.signal.aborted && !this.#isLeft;
  }

  /** @throws the signal's reason */
  #throwIfAborted(): void {
    if (!this.#isLeft) this.#needs.context.signal.throwIfAborted();
  }

  /** What it printed as errors, the last of it. */
  get printed(): string {
    return this.#printed;
  }

  /** Ends it for something that it did. */
  stop(why: string): void {
    this.#end(new Gone(why, "PLUGIN_RESULT_INVALID"));
  }

  /** Takes an object back that was handed to it. */
  forget(target: object): void {
    this.#talk.forget(target);
  }

  /** Asks it something. @throws PLUGIN_FAILED, PLUGIN_RESULT_INVALID, the signal's reason, or what the plugin threw */
  async ask(what: string | RemoteMethod, args: readonly unknown[], asking: Asking = {}): Promise<unknown> {
    const { hook, signal, holdsOn = false } = asking;
    this.#throwIfAborted();
    signal?.throwIfAborted();
    const answer = this.#answer(what, args, {
      plugin: this.#name,
      ...(hook !== undefined && { hook }),
      ...(typeof what === "object" && { method: what.name }),
    }, asking);
    if (!signal || holdsOn) return await answer.finally(() => signal?.throwIfAborted());
    observed(answer); // it may fail when nobody waits any more
    const { abortable } = await import("@std/async/abortable");
    return await abortable(answer, signal);
  }

  async #answer(
    what: string | RemoteMethod,
    args: readonly unknown[],
    work: FailedWork,
    asking: Asking,
  ): Promise<unknown> {
    const watch = this.#watch(asking);
    try {
      if (this.#gone) throw this.#gone;
      const answer = await this.#talk.call(what, args);
      // What it is opened with may be less than what it declares.
      if (what !== "open") this.#tellDenied();
      return answer;
    } catch (error) {
      this.#denied.clear();
      this.#throwIfAborted();
      if (error instanceof Refusal) throw unpackError(error.said, work);
      if (error instanceof Gone) throw told(error, work);
      throw error;
    } finally {
      watch[Symbol.dispose]();
    }
  }

  /** Ends the process when an answer takes too long. */
  #watch({ goesOn, signal }: Asking): Disposable {
    const timeoutMs = Math.min(this.#needs.timeoutMs, this.#isLeft ? LEAVE_MS : Infinity);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let lastSeen = performance.now();
    let isAsked = false;
    const wait = (ms: number) => {
      timer = setTimeout(look, ms);
    };
    const look = () => {
      if (typeof goesOn === "function") lastSeen = Math.max(lastSeen, goesOn());
      const left = lastSeen + timeoutMs - performance.now();
      if (left > 0) return wait(left);
      if (this.#talk.isAnswering) return wait(timeoutMs); // it waits for dapp
      if (goesOn === "alive" && !isAsked && !signal?.aborted) {
        isAsked = true;
        observed(
          this.#talk.call("alive", []).then(() => {
            isAsked = false;
            lastSeen = performance.now();
          }),
        );
        return wait(timeoutMs);
      }
      this.#end(
        new Gone(
          `it did not answer within ${formatDuration(timeoutMs)}`,
          "PLUGIN_FAILED",
          "Give it more with `timeout` beside `use:`, or report it to the plugin's author",
        ),
      );
    };
    wait(timeoutMs);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }

  async #read(): Promise<void> {
    try {
      for await (const line of linesOf(this.#child.stdout, this.#silence.signal)) {
        const message = messageIn(line);
        if (!message) this.#print(line);
        else if ("event" in message) this.#tell(message.event);
        else this.#talk.take(message, line.length);
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.#silence.signal.aborted) {
        this.#end(new Gone(`what it says cannot be understood: ${plain(why)}`, "PLUGIN_RESULT_INVALID"));
      }
    }
    const { code, signal } = await this.#child.status;
    const how = signal ? `signal ${signal}` : `exit code ${code}`;
    const [, last] = /^(?:error: )?(?:Uncaught (?:\(in promise\) )?)?(.+)$/m.exec(this.#printed) ?? [];
    const wasAsked = this.#talk.isWaiting;
    const isNews = this.#end(new Gone(`its process ended with ${how}${last ? `: ${plain(last)}` : ""}`));
    if (isNews && !wasAsked) {
      this.#note(
        "warn",
        `Plugin "${this.#name}" ended by itself with ${how}${last ? `: ${plain(last)}` : ""}`,
      );
    }
  }

  async #listen(): Promise<void> {
    const { signal } = this.#silence;
    try {
      for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream(), { signal })) {
        this.#printed = (this.#printed + text).slice(-KEPT);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Programs that it started hold its output open; those that have left its group are not waited for. */
  async #endRest(reading: Promise<unknown>): Promise<void> {
    await this.#child.status;
    endGroup(this.#child);
    const timer = setTimeout(() => this.#silence.abort(), REST_MS);
    await reading;
    clearTimeout(timer);
  }

  #print(line: string): void {
    if (line === "") return;
    this.#needs.context.emit({ type: "detail", text: `Plugin "${this.#name}" printed: ${plain(line)}` });
  }

  #note(level: "info" | "warn", text: string): void {
    this.#needs.context.emit({ type: "note", level, text });
  }

  /** It went on: nothing else would say that something is missing. */
  #tellDenied(): void {
    const news = [...this.#denied].filter((what) => !this.#told.has(what));
    this.#denied.clear();
    if (news.length === 0) return;
    for (const what of news) this.#told.add(what);
    const more = news.length > 5 ? ` and ${news.length - 5} more` : "";
    this.#note(
      "warn",
      `Plugin "${this.#name}" went on without ${
        news.slice(0, 5).join(", ")
      }${more}, which it does not declare under \`rights\``,
    );
  }

  #tell(event: unknown): void {
    if (isObject(event) && event.type === "denied" && isText(event.what)) {
      if (this.#denied.size < 100) this.#denied.add(plain(event.what));
      return;
    }
    const told = toldEvent(event);
    if (told.type === "note") this.#note(told.level, told.text);
    else this.#needs.context.emit(told);
  }

  /** Ends it, once. */
  #end(gone: Gone): boolean {
    if (this.#gone) return false;
    this.#gone = gone;
    this.#talk.end(gone);
    endGroup(this.#child);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#needs.context.signal.removeEventListener("abort", this.#abort);
    this.#end(new Gone("it was let go"));
    await this.#input.close().catch(() => {});
    await this.#reading;
  }
}

/** In a session of its own: Ctrl-C is for dapp to understand. Where it can be had, the kernel ends it along with dapp. */
function start({ flags, cwd, env }: ApartNeeds): Deno.ChildProcess {
  const child = new URL("./child.ts", import.meta.url).href;
  const argv = [Deno.execPath(), "run", ...flags, child];
  const options = {
    clearEnv: true,
    cwd,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  } as const;
  try {
    return new Deno.Command("setpriv", { ...options, args: ["--pdeathsig", "KILL", ...argv] }).spawn();
  } catch {
    const [program, ...args] = argv;
    return new Deno.Command(program!, { ...options, args }).spawn();
  }
}
