import { endGroup } from "./process_group.ts";

/** What a program printed. */
export interface ProgramAnswer {
  /** Exit code, 128+n for signal n. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a program is asked. */
export interface ProgramQuestion {
  readonly args?: readonly string[];
  /** All variables it gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Text for its standard input. */
  readonly input?: string;
  /** It is ended after this long. */
  readonly longestMs: number;
  readonly signal: AbortSignal;
}

/**
 * Runs a helper that is to answer on its standard output, apart from this terminal. When it is late or the signal is
 * aborted, it is ended with all that it started.
 *
 * @returns "late" when it gave no answer in time
 * @throws {Deno.errors.NotFound} when there is no such program; the signal's reason when aborted
 */
export async function askProgram(
  program: string,
  { args = [], env, input, longestMs, signal }: ProgramQuestion,
): Promise<ProgramAnswer | "late"> {
  signal.throwIfAborted();
  const late = AbortSignal.timeout(longestMs);
  const stop = AbortSignal.any([signal, late]);
  const child = new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    env,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    // Its process group has its number, so that children of it can be ended too.
    detached: true,
  }).spawn();
  const end = () => endGroup(child);
  stop.addEventListener("abort", end, { once: true });
  try {
    const [stdout, stderr, { code }] = await Promise.all([
      textOf(child.stdout, stop),
      textOf(child.stderr, stop),
      child.status,
      input === undefined ? undefined : feed(child.stdin, input),
    ]);
    if (!stop.aborted) return { code, stdout, stderr };
    signal.throwIfAborted();
    return "late";
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) return "late";
    throw error;
  } finally {
    stop.removeEventListener("abort", end);
  }
}

/** Ends with the signal, even while somebody else holds the pipe open. */
async function textOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal): Promise<string> {
  return await new Response(stream.pipeThrough(new TransformStream(), { signal })).text();
}

/** A program may answer without reading its input. */
async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // it has closed its input
  }
}
