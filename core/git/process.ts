import { endGroup, startGroup } from "../../lib/process_group.ts";
import { programEnvironment } from "../../lib/program_environment.ts";
import { collectUpTo } from "../../lib/collect.ts";
import { EngineError } from "../contract/errors.ts";

/** The oldest git that has every option used here. */
export const MINIMUM_GIT = "2.20";

/** What a finished git process left behind. */
export interface GitOutput {
  readonly success: boolean;
  readonly code: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
  /** What it was run with. */
  readonly env: GitEnv;
}

/** An environment of git processes, made by `gitEnv()`. */
export type GitEnv = Readonly<Record<string, string>>;

/** How to start git. */
export interface GitCall {
  readonly env: GitEnv;
  readonly stdin?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Most bytes that it may print. @default 512 MiB, which lists some four million files */
  readonly limit?: number;
}

/** A few trees that name each other can be a repository of any number of files. */
const MAX_OUTPUT = 512 << 20;

/** Variables that cannot make git read another repository, index or object than the one asked for. */
const KEPT =
  /^GIT_(SSH|SSH_.*|CONFIG_.*|PROXY_.*|SSL_.*|HTTP_.*|ASKPASS|EXEC_PATH|ALLOW_PROTOCOL|TRACE.*|CURL_.*|ATTR_NOSYSTEM)$/;

/** Settings under which every answer is the same on every machine and no hook or helper of the project runs. */
const SETTINGS = [
  "core.quotePath=false",
  "core.fsmonitor=false",
  "core.splitIndex=false",
  "core.hooksPath=/dev/null",
  "color.ui=false",
  "log.showSignature=false",
  "gc.auto=0",
  "maintenance.auto=false",
].flatMap((setting) => ["-c", setting]);

/** What every git process is given besides what it is asked. */
const ALWAYS: Readonly<Record<string, string>> = {
  LC_ALL: "C",
  LANGUAGE: "",
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  GIT_NO_REPLACE_OBJECTS: "1",
  GIT_DISCOVERY_ACROSS_FILESYSTEM: "1",
  GIT_LITERAL_PATHSPECS: "1",
  GIT_PAGER: "cat",
};

/** How git is started by who is not this module: what is set in its environment, and its first arguments. */
export const gitStart = { env: ALWAYS, args: ["--no-pager", ...SETTINGS] } as const;

/** Variables of people, GitLab and Jenkins that have to do with git, and that no `git status` looks at. */
const IDLE =
  /^GIT_((AUTHOR|COMMITTER|PS1|MERGE|PREVIOUS|CLONE|FETCH|SUBMODULE|LFS)_.*|(SEQUENCE_)?EDITOR|(LOCAL_)?BRANCH|COMMIT|URL(_\d+)?|CHECKOUT(_DIR)?|STRATEGY|DEPTH|CLEAN_FLAGS)$/;

/** Whether an environment may lead git elsewhere than `gitEnv()` made of it does. */
export function misleads(env: Readonly<Record<string, string | undefined>>): boolean {
  const idle = (key: string) => key in ALWAYS || IDLE.test(key);
  return Object.keys(env).some((key) => isDropped(key) && !idle(key) && env[key] !== undefined);
}

function isDropped(key: string): boolean {
  return key.startsWith("GIT_") && !KEPT.test(key);
}

/** The environment of git processes: the engine's own without what could redirect git, in the C locale. */
export function gitEnv(
  own: Readonly<Record<string, string | undefined>>,
  extra: Readonly<Record<string, string>> = {},
): GitEnv {
  const env: Record<string, string> = {};
  for (const [key, value] of Object.entries(programEnvironment(own))) {
    if (!isDropped(key)) env[key] = value;
  }
  return { ...env, ...ALWAYS, ...extra };
}

/** Starts git; its signal ends it with all that it started, such as what talks to servers. @throws GIT_FAILED when it is not installed */
function spawn(args: readonly string[], call: GitCall, stdin: "piped" | "null"): Deno.ChildProcess {
  const { signal } = call;
  signal?.throwIfAborted();
  let child: Deno.ChildProcess;
  try {
    // Ctrl-C is for this process, which then ends it.
    child = startGroup("git", [...gitStart.args, ...args], {
      env: call.env,
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  } catch (error) {
    throw spawnError(error);
  }
  const end = () => endGit(child);
  signal?.addEventListener("abort", end, { once: true });
  child.status.finally(() => signal?.removeEventListener("abort", end));
  return child;
}

/** Ends git and all that it started, unless it has ended by itself. */
export function endGit(child: Deno.ChildProcess): void {
  endGroup(child, "SIGTERM");
}

/** Starts git with all three streams piped. @throws GIT_FAILED when it is not installed */
export function startGit(args: readonly string[], call: GitCall): Deno.ChildProcess {
  return spawn(args, call, "piped");
}

/** Runs git to its end, whatever its exit code. @throws GIT_FAILED when it is not installed, or prints without an end */
export async function runGit(args: readonly string[], call: GitCall): Promise<GitOutput> {
  const { stdin, limit = MAX_OUTPUT } = call;
  const child = spawn(args, call, stdin === undefined ? "null" : "piped");
  const fail = () => endless(child, args, limit);
  const [stdout, stderr, { success, code }] = await allDone([
    collectUpTo(child.stdout, limit, fail),
    collectUpTo(child.stderr, limit, fail),
    child.status,
    stdin === undefined ? undefined : feedGit(child, [stdin]),
  ]);
  call.signal?.throwIfAborted();
  return { success, code, stdout, stderr: new TextDecoder().decode(stderr), env: call.env };
}

/** Bytes of rows that are read at once. */
const PIECE = 128 << 10;

/**
 * Runs git to its end and hands on what it prints in pieces, each of whole rows that end with NUL; what `take` throws is
 * thrown when git has ended. `stdout` of the result is empty.
 *
 * @throws GIT_FAILED when it is not installed, or prints without an end
 */
export async function runGitRows(
  args: readonly string[],
  call: GitCall,
  take: (rows: Uint8Array) => void,
): Promise<GitOutput> {
  const { limit = MAX_OUTPUT } = call;
  const child = spawn(args, call, "null");
  const stderr = readText(child.stderr);
  const stdout = child.stdout.getReader({ mode: "byob" });
  let size = 0;
  let failure: { readonly error: unknown } | undefined;
  // One buffer for all pieces: it goes along with each read and comes back. Before `have` is the beginning of a row.
  let buffer = new Uint8Array(PIECE);
  for (let have = 0;;) {
    if (have === buffer.length) buffer = joined(buffer, new Uint8Array(have));
    const { value, done } = await stdout.read(buffer.subarray(have));
    if (done || !value) break;
    buffer = new Uint8Array(value.buffer);
    if (failure) continue;
    if ((size += value.length) > limit) {
      failure = { error: endless(child, args, limit) };
      continue;
    }
    const all = buffer.subarray(0, have + value.length);
    const end = all.lastIndexOf(0) + 1;
    try {
      if (end > 0) take(all.subarray(0, end));
    } catch (error) {
      failure = { error };
    }
    buffer.copyWithin(0, end, all.length);
    have = all.length - end;
  }
  const { success, code } = await child.status;
  call.signal?.throwIfAborted();
  if (failure) throw failure.error;
  return { success, code, stdout: new Uint8Array(0), stderr: await stderr, env: call.env };
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Ends a git that prints without an end. */
function endless(child: Deno.ChildProcess, args: readonly string[], limit: number): EngineError {
  endGit(child);
  const what = args.find((arg, i) => !arg.startsWith("-") && !/^-(C|c|-git-dir)$/.test(args[i - 1] ?? ""));
  return new EngineError(
    "GIT_FAILED",
    `Cannot use what "git ${what}" says: it is longer than ${limit} bytes`,
    {
      fix: "Look for trees in the repository that hold themselves many times over; dapp builds no such thing",
    },
  );
}

/** The results of all, when all have ended. @throws the first failure, then too */
async function allDone<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

/** Writes all of `parts` to git and closes its input; a process that ended early is not an error here. */
export async function feedGit(child: Deno.ChildProcess, parts: Iterable<string>): Promise<void> {
  const writer = child.stdin.getWriter();
  const encoder = new TextEncoder();
  try {
    for (const part of parts) await writer.write(encoder.encode(part));
    await writer.close();
  } catch {
    // git ended before it read everything: its exit code tells why.
    await writer.abort().catch(() => {});
  }
}

/** Everything that a stream of a process yields, as text. */
export async function readText(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

function spawnError(error: unknown): unknown {
  if (!(error instanceof Deno.errors.NotFound)) return error;
  return new EngineError(
    "GIT_FAILED",
    `Cannot run git: it is not in PATH, git ${MINIMUM_GIT} or newer is needed`,
    {
      fix: "Install git: apt-get install git, dnf install git, or apk add git",
      cause: error,
    },
  );
}
