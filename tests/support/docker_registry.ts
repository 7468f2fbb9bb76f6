/** The real `docker-registry` (distribution) of Debian, with a directory of its own. */
import { peer } from "./peers.ts";
import { kill } from "./process.ts";
import { removeTree } from "./tmp.ts";

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, as in image names; plain http. */
  readonly host: string;
}

const TRIES = 5;

export interface DockerRegistryOptions {
  /** @default true */
  readonly deletion?: boolean;
  /** Its data is in a directory of its own below this. @default $TMPDIR */
  readonly dir?: string;
}

/** Starts a registry, with deletion unless told otherwise, or returns undefined when it is not installed. */
export async function startDockerRegistry(
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry | undefined> {
  const binary = await peer("docker-registry");
  if (binary === undefined) return undefined;
  for (let attempt = 1;; attempt++) {
    const registry = await tryStart(binary, freePort(), options);
    if (registry) return registry;
    if (attempt === TRIES) throw new Error("Cannot start docker-registry: it ends at once");
  }
}

/** Somebody else may take the port before the registry does; it then ends at once. */
async function tryStart(
  binary: string,
  port: number,
  { deletion = true, dir: below }: DockerRegistryOptions,
): Promise<DockerRegistry | undefined> {
  const dir = await Deno.makeTempDir({ prefix: "dapp-registry-", ...(below && { dir: below }) });
  const host = `127.0.0.1:${port}`;
  const config = {
    version: 0.1,
    log: { level: "error" },
    storage: { filesystem: { rootdirectory: `${dir}/data` }, delete: { enabled: deletion } },
    http: { addr: host },
  };
  await Deno.writeTextFile(`${dir}/config.yml`, JSON.stringify(config));
  // pdeathsig: a killed test run takes its registry along
  const child = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "TERM", binary, "serve", `${dir}/config.yml`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ended = child.status.then(() => true);
  const stop = async () => {
    kill(child, "SIGTERM");
    await ended;
    await removeTree(dir);
  };
  for (;;) {
    try {
      const answer = await fetch(`http://${host}/v2/`);
      await answer.body?.cancel();
      return { host, [Symbol.asyncDispose]: stop };
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

function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}
