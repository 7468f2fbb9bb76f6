/** A real registry in a process of its own, with a directory of its own. */
import { freePort } from "./free_port.ts";
import { endDaemon } from "./process.ts";
import { removeTree } from "./tmp.ts";

export interface RealServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as in image names; plain http. */
  readonly host: string;
  /** All that it keeps. */
  readonly dir: string;
  /** Lines that it has written on stdout. */
  said(): Promise<readonly string[]>;
}

/** How a server is started. */
export interface ServerCommand {
  readonly binary: string;
  /** Arguments; files may be written into `dir`. */
  args(
    at: { readonly host: string; readonly port: number; readonly dir: string },
  ): Promise<readonly string[]>;
  /** Its data is in a directory of its own below this. @default $TMPDIR */
  readonly below?: string | undefined;
}

const TRIES = 5;

/** Starts a server and waits until it answers. @throws when it ends at once, again and again */
export async function startServer(command: ServerCommand): Promise<RealServer> {
  for (let attempt = 1;; attempt++) {
    const server = await tryStart(command, freePort());
    if (server) return server;
    if (attempt === TRIES) throw new Error(`Cannot start ${command.binary}: it ends at once`);
  }
}

/** Somebody else may take the port before the server does; it then ends at once. */
async function tryStart(
  { binary, args, below }: ServerCommand,
  port: number,
): Promise<RealServer | undefined> {
  const dir = await Deno.makeTempDir({ prefix: "dapp-registry-", ...(below && { dir: below }) });
  const host = `127.0.0.1:${port}`;
  // pdeathsig: a killed test run takes its registry along
  const child = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "TERM", "sh", "-c", 'exec "$@" >"$0"', `${dir}/said`, binary].concat(
      await args({ host, port, dir }),
    ),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ended = child.status.then(() => true);
  const stop = async () => {
    await endDaemon(child);
    await removeTree(dir);
  };
  for (;;) {
    try {
      const answer = await fetch(`http://${host}/v2/`);
      await answer.body?.cancel();
      const said = async () => (await Deno.readTextFile(`${dir}/said`)).trimEnd().split("\n");
      return { host, dir, said, [Symbol.asyncDispose]: stop };
    } catch {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const pause = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), 50));
      const over = await Promise.race([ended, pause]);
      clearTimeout(timer);
      if (!over) continue;
      await removeTree(dir);
      return undefined;
    }
  }
}
