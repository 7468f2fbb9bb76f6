/** The real streams, clock, signals and files. */
import { EngineError } from "../core/contract/errors.ts";
import { Alarm } from "../lib/alarm.ts";
import type { GitAsked } from "./git_asked.ts";
import type { Io } from "./io.ts";
import { streamOutput } from "./output.ts";

/** How long an orderly end may take. */
const STOP_MS = 10_000;

/**
 * Connects the command line to this process. The first SIGINT, SIGTERM or SIGHUP asks for an orderly end; the second one,
 * or an end that takes longer than ten seconds, calls `stopNow`.
 *
 * @param asked what the launcher has asked git
 */
export function realIo(stopNow: (exitCode: number) => void, asked?: GitAsked): Io {
  const controller = new AbortController();
  const stderr = streamOutput(Deno.stderr);
  let lent = 0;
  const stop = () => {
    if (controller.signal.aborted) {
      if (stderr.isTerminal) stderr.write("\x1b[?25h");
      stopNow(130);
    }
    controller.abort(new EngineError("INTERRUPTED", "Interrupted"));
    Deno.unrefTimer(setTimeout(stop, STOP_MS));
  };
  Deno.addSignalListener("SIGINT", () => {
    if (lent === 0) stop();
  });
  Deno.addSignalListener("SIGTERM", stop);
  Deno.addSignalListener("SIGHUP", stop);
  return {
    stdout: streamOutput(Deno.stdout),
    stderr,
    clock: {
      now: () => performance.now(),
      date: () => Date.now(),
      after(ms, action) {
        const alarm = new Alarm();
        alarm.set(ms, action);
        return () => alarm.stop();
      },
    },
    env: Object.assign(Object.create(null), Deno.env.toObject()),
    signal: controller.signal,
    lendTerminal() {
      if (!Deno.stdin.isTerminal()) return () => {};
      lent++;
      return () => lent--;
    },
    stdinIsTerminal: Deno.stdin.isTerminal(),
    readLine: () => readLine(Deno.stdin, controller.signal),
    askSecret: async (question) =>
      await (await import("./ask_secret.ts")).askSecret(question, controller.signal),
    readStdin: () => readSome(Deno.stdin, controller.signal),
    async startSshAgent(keys) {
      const agent = await (await import("./ssh_agent.ts")).startSshAgent(keys);
      Deno.env.set("SSH_AUTH_SOCK", agent.socket); // for git, which is started with this environment
      return agent;
    },
    gitAsked: (dir) => asked?.of(dir),
    createEngine: async (options) => (await import("../mod.ts")).createEngine(options),
    realPath: (path) => Deno.realPath(path),
    list: listNames,
    async writeText(path, text) {
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text, { createNew: true });
    },
    readText: (path) => Deno.readTextFile(path).catch(() => undefined),
    appendText: (path, text) => Deno.writeTextFile(path, text, { append: true }),
  };
}

async function listNames(dir: string): Promise<readonly string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return [];
    throw error;
  }
}

const INPUT_LIMIT = 64 * 1024;

interface Input {
  read(into: Uint8Array): Promise<number | null>;
}

/**
 * The first 64 KiB of a stream as text.
 *
 * @throws the signal's reason, when that comes first
 */
export async function readSome(stream: Input, signal: AbortSignal): Promise<string> {
  const bytes = new Uint8Array(INPUT_LIMIT);
  const length = await readInto(bytes, stream, { signal, enough: () => false });
  return new TextDecoder().decode(bytes.subarray(0, length));
}

/**
 * One line of a terminal, which gives no more than that at once; undefined at the end of input.
 *
 * @throws the signal's reason, when that comes first
 */
export async function readLine(stream: Input, signal: AbortSignal): Promise<string | undefined> {
  const bytes = new Uint8Array(INPUT_LIMIT);
  const length = await readInto(bytes, stream, { signal, enough: (got) => got.includes(10) });
  return length === 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, length)).split(/\r?\n/)[0];
}

/** Reads until `bytes` is full, the stream ends, or what came is enough; returns how much that is. */
async function readInto(
  bytes: Uint8Array,
  stream: Input,
  options: { readonly signal: AbortSignal; readonly enough: (got: Uint8Array) => boolean },
): Promise<number> {
  const { signal, enough } = options;
  const stopped = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  let length = 0;
  while (length < bytes.length && !enough(bytes.subarray(0, length))) {
    const got = await Promise.race([stream.read(bytes.subarray(length)), stopped]);
    if (got === null) break;
    length += got;
  }
  return length;
}
