import type { Gateway, GatewayProcess } from "../../../lib/buildkit/gateway.ts";
import type { Container } from "./drive.ts";

/** Runs a process with this process's standard streams, and gives its exit code. @throws {ServiceError} */
export async function runInteractive(
  gateway: Gateway,
  container: Container,
  process: Pick<GatewayProcess, "args" | "env" | "cwd" | "user">,
  signal: AbortSignal,
): Promise<number> {
  const tty = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  let resize = () => {};
  const onResize = () => resize();
  if (tty) {
    Deno.stdin.setRaw(true);
    Deno.addSignalListener("SIGWINCH", onResize);
  }
  try {
    return await gateway.run(container, {
      ...process,
      tty,
      stdin: standardInput(),
      output: (fd, bytes) => writeAll(fd === 2 ? Deno.stderr : Deno.stdout, bytes),
      onStart(tell) {
        if (!tty) return;
        resize = () => tell(Deno.consoleSize());
        resize();
      },
    }, signal);
  } finally {
    if (tty) {
      Deno.removeSignalListener("SIGWINCH", onResize);
      Deno.stdin.setRaw(false);
    }
  }
}

/** Standard input for one process: the next one can have it too. */
function standardInput(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = new Uint8Array(16 * 1024);
      const count = await Deno.stdin.read(chunk);
      if (count === null) controller.close();
      else controller.enqueue(chunk.subarray(0, count));
    },
  }, { highWaterMark: 0 });
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += target.writeSync(bytes.subarray(at));
}
