/** This process's end of a helper. */
import { Alarm } from "../../../lib/alarm.ts";
import type { Env } from "../../../lib/programs.ts";
import {
  EngineError,
  errorCatalog,
  type ErrorCode,
  explained,
  messageOf,
} from "../../../core/contract/errors.ts";
import { readLines } from "./lines.ts";
import { explainNoHelper, helperCommand, helperEnvironment, type HelperKind } from "./namespaces.ts";
import { type Connection, connectNetwork, requirePrivateNetwork } from "./user_network.ts";
import type { Captured, HelperReply, HelperRequest, StoredBlob, WireError } from "./protocol.ts";
import { endGroup, endProcess, startGroup } from "../../../lib/process_group.ts";
import { unreachable } from "../../../lib/unreachable.ts";

interface Pending {
  readonly settle: PromiseWithResolvers<unknown>;
  captured?(value: Captured): void;
  output?(stream: "stdout" | "stderr", text: string): void;
}

/** What a run answers, in order. */
export interface RunReplies {
  readonly captured: Promise<Captured>;
  readonly stored: Promise<StoredBlob | undefined>;
}

/** How long a helper may take to end a step or itself before it is killed with all it runs. */
const PATIENCE_MS = 1500;

/** A helper process. Requests may overlap, except that only one may be a run that is not yet captured. */
export class HelperProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #pending = new Map<number, Pending>();
  readonly #kind: HelperKind;
  readonly #env: Env;
  readonly #ready = Promise.withResolvers<void>();
  readonly #ended: Promise<void>;
  #next = 1;
  /** Runs that are not captured yet. */
  #runs = 0;
  #printed = "";
  #dead: Error | undefined;
  #closing = false;
  #connecting: Promise<void> | undefined;
  #connection: Connection | undefined;
  /** Why it was given up. */
  #useless: EngineError | undefined;

  /** Starts one. @throws BUILDER_UNAVAILABLE */
  constructor(kind: HelperKind, env: Env, flags: readonly string[]) {
    this.#kind = kind;
    this.#env = env;
    if (kind.network === "private") requirePrivateNetwork(env);
    const [program, ...args] = helperCommand(kind, env, [], flags);
    // Ctrl-C is for this process, which then stops its helpers.
    this.#child = startGroup(program!, args, {
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      env: helperEnvironment(env),
    });
    if (kind.network === "private") this.#connecting = this.#connect();
    this.#input = this.#child.stdin.getWriter();
    this.#ready.promise.catch(() => {});
    this.#ended = Promise.all([this.#readReplies(), this.#readErrors(), this.#endRest()]).then(() =>
      this.#end()
    );
  }

  /** Settles when the helper takes requests. @throws BUILDER_UNAVAILABLE */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** Whether it has commands to wait for. */
  get runs(): boolean {
    return this.#runs > 0;
  }

  async request<T>(request: HelperRequest): Promise<T> {
    return await this.#send(request, {}).promise as T;
  }

  /** Runs a step. An aborted signal kills it; the promises then reject with the signal's reason. */
  run(
    request: HelperRequest,
    output: (stream: "stdout" | "stderr", text: string) => void,
    signal: AbortSignal,
  ): RunReplies {
    const captured = Promise.withResolvers<Captured>();
    const { promise, id } = this.#send(request, { captured: (value) => captured.resolve(value), output });
    const abort = () => {
      this.request({ op: "abort", target: id }).catch(() => {});
      const alarm = new Alarm();
      alarm.set(PATIENCE_MS, () => endProcess(this.#child));
      captured.promise.catch(() => {}).finally(() => alarm.stop());
    };
    signal.addEventListener("abort", abort);
    const stored = promise.catch((error) => {
      const reason = signal.aborted ? signal.reason : error;
      captured.reject(reason);
      throw reason;
    }) as Promise<StoredBlob | undefined>;
    stored.catch(() => {});
    this.#runs++;
    captured.promise.catch(() => {}).finally(() => {
      this.#runs--;
      signal.removeEventListener("abort", abort);
    });
    return { captured: captured.promise, stored };
  }

  #send(request: HelperRequest, pending: Omit<Pending, "settle">): { promise: Promise<unknown>; id: number } {
    const id = this.#next++;
    const settle = Promise.withResolvers<unknown>();
    if (this.#dead) settle.reject(this.#dead);
    else {
      this.#pending.set(id, { ...pending, settle });
      this.#input.write(new TextEncoder().encode(JSON.stringify({ id, ...request }) + "\n")).catch(() => {});
    }
    return { promise: settle.promise, id };
  }

  /** Connects its network, without which it is of no use. */
  async #connect(): Promise<void> {
    try {
      this.#connection = await connectNetwork(this.#child.pid, this.#kind.rootless, this.#env);
      this.#connection?.failed.then((reason) => this.#giveUp(reason));
    } catch (error) {
      this.#giveUp(failed("cannot be connected to a network", error));
    }
  }

  /** Ends it for a reason of its own. */
  #giveUp(reason: EngineError): void {
    this.#useless ??= reason;
    endProcess(this.#child);
  }

  async #readReplies(): Promise<void> {
    try {
      for await (const line of readLines(this.#child.stdout)) {
        this.#take(JSON.parse(line) as HelperReply);
      }
    } catch (error) {
      this.#giveUp(failed("says what cannot be understood", error)); // nobody else would settle what was asked
    }
  }

  #take(reply: HelperReply): void {
    if (reply.kind === "ready") return this.#ready.resolve();
    const pending = this.#pending.get(reply.id);
    switch (reply.kind) {
      case "output":
        return pending?.output?.(reply.stream, reply.text);
      case "captured":
        return pending?.captured?.(reply.value);
      case "done":
        this.#pending.delete(reply.id);
        return pending?.settle.resolve(reply.value);
      case "failed":
        this.#pending.delete(reply.id);
        return pending?.settle.reject(errorOf(reply.error));
      default:
        return unreachable(reply);
    }
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      this.#printed = (this.#printed + text).slice(-4096);
    }
  }

  /** Where the kernel refuses namespaces, `unshare` ends and leaves a child that waits for ever, with these streams. */
  async #endRest(): Promise<void> {
    await this.#child.status;
    endGroup(this.#child);
  }

  async #end(): Promise<void> {
    const { code, signal } = await this.#child.status;
    const how = `ended unexpectedly (${signal ?? `exit status ${code}`})`;
    this.#dead = this.#closing
      ? new Error("The builder is closed")
      : this.#useless ?? failed(how, this.#printed.trim());
    this.#ready.reject(this.#useless ?? await explainNoHelper(this.#kind.rootless, this.#printed));
    for (const { settle } of this.#pending.values()) settle.reject(this.#dead);
    this.#pending.clear();
    await this.#connecting;
    await this.#connection?.end();
  }

  /** Ends it at once, whatever it does. */
  async kill(): Promise<void> {
    this.#closing = true;
    endProcess(this.#child);
    await this.#ended;
  }

  /** Ends it, with everything that it runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    const alarm = new Alarm();
    alarm.set(PATIENCE_MS, () => endProcess(this.#child));
    this.#input.close().catch(() => {}); // one that does not read never takes what was written
    // A network takes as long to end as it does; a helper that waits for its own needs it to end.
    await Promise.all([this.#ended, this.ready.then(() => this.#connection?.end(), () => {})]);
    alarm.stop();
  }
}

/** What helps when a helper has ended by itself. */
const AGAIN =
  "Run it again; if that comes again, see whether memory ran out (dmesg), else report it as a bug of dapp";

/** A failure of the helper itself. `why`: what was thrown, or its last words; one for people stays as it is. */
function failed(how: string, why: unknown): EngineError {
  const error = explained(why);
  if (error instanceof EngineError) return error;
  const text = messageOf(error);
  return new EngineError(
    "PLUGIN_FAILED",
    `The helper process of builder "native" ${how}${text === "" ? "" : `: ${text}`}`,
    { cause: why, fix: AGAIN },
  );
}

function errorOf({ code, message, fix, command }: WireError): EngineError {
  const known = code !== undefined && code in errorCatalog ? code as ErrorCode : "PLUGIN_FAILED";
  return new EngineError(known, message, {
    ...(fix !== undefined && { fix }),
    ...(command !== undefined && { command }),
  });
}
