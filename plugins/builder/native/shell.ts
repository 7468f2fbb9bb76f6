/** Interactive commands: a helper process of their own that inherits this process's standard streams. */
import type { Env } from "../../../lib/programs.ts";
import { EngineError } from "../../../core/contract/errors.ts";
import { helperCommand, helperEnvironment } from "./namespaces.ts";
import { type Connection, connectNetwork, requirePrivateNetwork } from "./user_network.ts";
import { endProcess } from "../../../lib/process_group.ts";
import type { RootfsSpec, ShellRequest, WireError } from "./protocol.ts";

/** Runs a command in a file system and gives its exit code. @throws RUN_FAILED when it cannot be started */
export async function runInteractive(
  request: RootfsSpec & Omit<ShellRequest, "terminal">,
  env: Env,
  signal: AbortSignal,
): Promise<number> {
  const { run } = request;
  if (request.network === "private") requirePrivateNetwork(env);
  await Deno.mkdir(run, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${run}/error`, " ".repeat(ROOM));
  const terminal = Deno.stdin.isTerminal()
    ? await Deno.readLink("/proc/self/fd/0").catch(() => undefined)
    : undefined;
  await Deno.writeTextFile(`${run}/request`, JSON.stringify({ ...request, ...(terminal && { terminal }) }));
  const [program, ...args] = helperCommand(request, env, [`${run}/request`]);
  const restore = terminal ? await rememberForeground() : () => {};
  const streams = { stdout: streamFor(1, request.user), stderr: streamFor(2, request.user) };
  const child = new Deno.Command(program!, {
    args,
    stdin: "inherit",
    ...streams,
    clearEnv: true,
    env: helperEnvironment(env),
  }).spawn();
  const stop = () => endProcess(child);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  let connection: Connection | undefined;
  let code: number;
  try {
    if (request.network === "private") connection = await connected(child, request.rootless, env);
    [{ code }] = await Promise.all([child.status, ...forwarded(child, streams)]);
  } finally {
    signal.removeEventListener("abort", stop);
    restore();
    await connection?.end();
  }
  signal.throwIfAborted();
  const said = (await Deno.readTextFile(`${run}/error`)).trim();
  if (said === "") return code;
  const { message, fix } = JSON.parse(said) as Omit<WireError, "code">;
  throw new EngineError(
    "RUN_FAILED",
    `Cannot run a command in "${request.label}": ${message}`,
    fix === undefined ? {} : { fix },
  );
}

/** Connects the network of a helper, which has ended when that cannot be. @throws BUILDER_UNAVAILABLE */
async function connected(
  child: Deno.ChildProcess,
  rootless: boolean,
  env: Env,
): Promise<Connection | undefined> {
  try {
    return await connectNetwork(child.pid, rootless, env);
  } catch (error) {
    endProcess(child);
    await child.status;
    throw error;
  }
}

/** Room for what kept a command from being started, taken while there is some. */
const ROOM = 16 << 10;

type Stream = "inherit" | "piped";

/** A file that this process writes to may not be opened by other users of the image: they get a pipe of their own. */
function streamFor(fd: 1 | 2, user: string): Stream {
  try {
    return user !== "" && Deno.statSync(`/proc/self/fd/${fd}`).isFile ? "piped" : "inherit";
  } catch {
    return "inherit"; // closed
  }
}

function forwarded(child: Deno.ChildProcess, streams: { stdout: Stream; stderr: Stream }): Promise<void>[] {
  return (["stdout", "stderr"] as const).filter((name) => streams[name] === "piped").map((name) =>
    child[name].pipeTo(Deno[name].writable, { preventClose: true })
  );
}

/** An interactive shell takes the terminal for itself; this process takes it back afterwards. */
async function rememberForeground(): Promise<() => void> {
  const { foregroundGroup } = await import("./terminal.ts");
  return foregroundGroup();
}
