/** An ssh agent of this run alone, with the keys of `--ssh-key`. */
import { EngineError } from "../core/contract/errors.ts";

export interface SshAgent extends AsyncDisposable {
  /** Its socket. */
  readonly socket: string;
}

/**
 * Starts an agent in a directory that only this user can enter, and gives it the keys. A key with a passphrase is asked
 * for at the terminal.
 *
 * @throws SECRET_UNAVAILABLE naming the key or the program that is missing
 */
export async function startSshAgent(keys: readonly string[]): Promise<SshAgent> {
  const contents = await Promise.all(keys.map(readKey));
  const dir = await Deno.makeTempDir({ prefix: "dapp-ssh-" });
  const socket = `${dir}/agent`;
  let child: Deno.ChildProcess | undefined;
  const stop = async () => {
    try {
      child?.kill("SIGTERM");
    } catch {
      // it has ended
    }
    await child?.status;
    await Deno.remove(dir, { recursive: true });
  };
  try {
    using watcher = Deno.watchFs(dir);
    child = spawn("ssh-agent", { args: ["-D", "-a", socket], stdin: "null", stdout: "null", stderr: "null" });
    const ended = child.status.then(({ code }): never => {
      throw unavailable(`"ssh-agent" ended with exit status ${code}`);
    });
    ended.catch(() => {}); // of no interest once the socket is there
    await Promise.race([created(watcher, socket), ended]);
    for (const [i, key] of contents.entries()) await addKey(socket, keys[i]!, key);
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, [Symbol.asyncDispose]: stop };
}

async function readKey(path: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound ? "does not exist" : "cannot be read";
    throw new EngineError("SECRET_UNAVAILABLE", `Cannot use ssh key "${path}": the file ${why}`, {
      fix: "Name the file of a private key, such as ~/.ssh/id_ed25519",
    });
  }
}

async function created(watcher: Deno.FsWatcher, path: string): Promise<void> {
  for await (const { paths } of watcher) if (paths.includes(path)) return;
}

/** Through standard input, so that the mode of the file does not matter. */
async function addKey(socket: string, path: string, key: Uint8Array): Promise<void> {
  const child = spawn("ssh-add", {
    args: ["-q", "-"],
    env: { SSH_AUTH_SOCK: socket },
    stdin: "piped",
    stdout: "null",
    stderr: "piped",
  });
  const writer = child.stdin.getWriter();
  await writer.write(key).then(() => writer.close()).catch(() => {}); // it tells by its exit code
  const { success, stderr } = await child.output();
  if (success) return;
  const said = new TextDecoder().decode(stderr).trim().split("\n").at(-1) || "no reason given";
  throw new EngineError("SECRET_UNAVAILABLE", `Cannot use ssh key "${path}": ssh-add says: ${said}`, {
    fix: "Name the file of a private key that this machine's OpenSSH can read",
  });
}

function spawn(program: string, options: Deno.CommandOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(program, options).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw unavailable(`"${program}" is not in PATH`);
    throw error;
  }
}

function unavailable(why: string): EngineError {
  return new EngineError("SECRET_UNAVAILABLE", `Cannot use ssh keys: ${why}`, {
    fix: "Install OpenSSH's client (package openssh-client or openssh-clients)",
  });
}
