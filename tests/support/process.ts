/** Child processes of tests: run to completion, or fail with an error that says what they printed. */

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default true: no variable but those in `env` is dropped */
  readonly inheritEnv?: boolean;
  /** Text for standard input; without it there is none. */
  readonly stdin?: string;
  /** Return instead of throwing when the exit code is not 0. @default false */
  readonly allowFailure?: boolean;
  /** Kill the child (SIGKILL) and throw after this long. @default 10 minutes */
  readonly timeoutMs?: number;
}

export interface RunResult {
  /** Exit code, 128+n for signal n. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that failed, with the end of what it printed. */
export class RunError extends Error {
  override readonly name = "RunError";
  constructor(readonly argv: readonly string[], readonly result: RunResult, why: string) {
    const output = [tail("stdout", result.stdout), tail("stderr", result.stderr)].join("");
    super(`Cannot run "${argv.join(" ")}": ${why}${output}`);
  }
}

/** Runs `argv` to its end and returns what it printed. @throws RunError when it fails or takes too long */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new TypeError("run() needs a program");
  const child = new Deno.Command(program, {
    args,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    clearEnv: options.inheritEnv === false,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
  }).spawn();
  const timeoutMs = options.timeoutMs ?? 600_000;
  const tooLate = new AbortController();
  const timer = setTimeout(() => {
    tooLate.abort();
    kill(child, "SIGKILL");
  }, timeoutMs);
  try {
    const [stdout, stderr, status] = await Promise.all([
      readText(child.stdout, tooLate.signal),
      readText(child.stderr, tooLate.signal),
      child.status,
      options.stdin === undefined ? undefined : feed(child.stdin, options.stdin),
    ]);
    const result = { code: status.code, stdout, stderr };
    if (tooLate.signal.aborted) throw new RunError(argv, result, `it did not end within ${timeoutMs} ms`);
    if (status.code !== 0 && options.allowFailure !== true) {
      throw new RunError(argv, result, `exit code ${status.code}`);
    }
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Where this process's own Deno keeps what it fetched, for a child with another home. */
export async function denoDir(): Promise<string> {
  return JSON.parse((await run([Deno.execPath(), "info", "--json"])).stdout).denoDir;
}

/** Sends a signal to a child that may have ended already. */
export function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // it has ended
  }
}

/** Asks a daemon to end, insists after 30 seconds, and waits for it. */
export async function endDaemon(child: Deno.ChildProcess): Promise<void> {
  kill(child, "SIGTERM");
  const timer = setTimeout(() => kill(child, "SIGKILL"), 30_000);
  await child.status;
  clearTimeout(timer);
}

/** Text of a stream; on abort what came so far, as a grandchild may hold the pipe open. */
async function readText(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of stream.pipeThrough(new TransformStream(), { signal })) {
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return text + decoder.decode();
}

async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  try {
    await new Response(text).body?.pipeTo(stdin);
  } catch {
    // the child closed its input early; its exit code tells whether that matters
  }
}

function tail(stream: string, text: string): string {
  const lines = text.trimEnd().split("\n").slice(-30).join("\n");
  return lines === "" ? "" : `\n--- ${stream}\n${lines}`;
}
