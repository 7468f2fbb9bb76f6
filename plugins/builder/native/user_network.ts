/** A network of a helper's own that reaches other machines through slirp4netns, a program that speaks for it. */
import { messageOf } from "../../../core/contract/errors.ts";
import { find, unavailable } from "./programs.ts";

/** Where slirp4netns answers questions for names. */
export const NAME_SERVER = "10.0.2.3";

const TUN = "/dev/net/tun";

/** Where slirp4netns is. @throws BUILDER_UNAVAILABLE when it is not installed or cannot work */
export function slirpProgram(): string {
  const program = find("slirp4netns");
  if (!program) {
    throw unavailable(
      'the network "private" needs "slirp4netns", which is not in PATH',
      "Install the package slirp4netns, or use --network host or --network none",
    );
  }
  try {
    Deno.openSync(TUN, { read: true, write: true }).close();
  } catch (error) {
    throw unavailable(
      `the network "private" needs "${TUN}", which cannot be opened: ${messageOf(error)}`,
      `Make it usable for everybody (chmod 666 ${TUN}), or use --network host or --network none`,
    );
  }
  return program;
}

/**
 * Connects the network namespace of the process `pid`, which has just been started and may not have made it yet. The
 * result ends the connection.
 */
export async function connectNetwork(pid: number, rootless: boolean): Promise<() => void> {
  const slirp = slirpProgram();
  const setpriv = find("setpriv");
  if (!await ownNetwork(pid)) return () => {}; // it has ended, and says why itself
  const command = [
    ...(setpriv ? [setpriv, "--pdeathsig", "KILL"] : []),
    slirp,
    "--configure",
    "--mtu=65520",
    "--disable-host-loopback",
    "--netns-type=path",
    ...(rootless ? [`--userns-path=/proc/${pid}/ns/user`] : []),
    `/proc/${pid}/ns/net`,
    "tap0",
  ];
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // it has ended
    }
  };
}

/** Waits until the process is in another network namespace than this one; false when it ends before. */
async function ownNetwork(pid: number): Promise<boolean> {
  const here = await Deno.readLink("/proc/self/ns/net");
  for (;;) {
    try {
      if (await Deno.readLink(`/proc/${pid}/ns/net`) !== here) return true;
    } catch {
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** How long the network may take to come up. */
const PATIENCE_MS = 10_000;

/** In the helper: waits until there is a way out; ends this process, saying why, when there is none. */
export async function networkUp(): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!/^tap0\t00000000\t/m.test(await Deno.readTextFile("/proc/self/net/route"))) {
    if (performance.now() > deadline) {
      const why = 'the network "private" did not come up: does slirp4netns work here? It needs /dev/net/tun';
      Deno.stderr.writeSync(new TextEncoder().encode(`${why}\n`));
      Deno.exit(1);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
