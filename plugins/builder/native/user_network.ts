/** A network of a helper's own that reaches other machines through slirp4netns, a program that speaks for it. */
import { whyFailed } from "../../../lib/file_failure.ts";
import { EngineError, explained, messageOf } from "../../../core/contract/errors.ts";
import { endProcess } from "../../../lib/process_group.ts";
import { sleep } from "../../../lib/sleep.ts";
import { type Env, find } from "../../../lib/programs.ts";
import { unavailable } from "./unavailable.ts";

/** Where slirp4netns answers questions for names. */
export const NAME_SERVER = "10.0.2.3";

const TUN = "/dev/net/tun";

/** What keeps this machine from giving steps a private network, and what to do; undefined where nothing is known to. */
export function whyNoPrivateNetwork(env: Env): { readonly why: string; readonly fix: string } | undefined {
  if (!find("slirp4netns", env)) {
    return { why: '"slirp4netns" is not in PATH', fix: "Install the package slirp4netns" };
  }
  try {
    Deno.openSync(TUN, { read: true, write: true }).close();
  } catch (error) {
    return {
      why: `"${TUN}" cannot be opened: ${whyFailed(error)}`,
      fix: `Make it usable for everybody (chmod 666 ${TUN})`,
    };
  }
  if (!/^\s*nameserver\s+[0-9.]+\s*$/m.test(textOf("/etc/resolv.conf"))) {
    return {
      why: "/etc/resolv.conf names no server with an IPv4 address, and slirp4netns asks no other",
      fix: "Add a nameserver with an IPv4 address",
    };
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** @throws BUILDER_UNAVAILABLE when steps cannot have a private network here */
export function requirePrivateNetwork(env: Env): void {
  const missing = whyNoPrivateNetwork(env);
  if (missing) throw noPrivateNetwork(missing.why, missing.fix);
}

function noPrivateNetwork(why: string, fix: string): EngineError {
  return unavailable(
    `steps cannot have the network "private": ${why}`,
    `${fix}, or use --network host or none`,
  );
}

/** A running slirp4netns. */
export interface Connection {
  /** Settles with the reason when it ends although nobody ended it. */
  readonly failed: Promise<EngineError>;
  /** Ends it; settles when it has ended. */
  end(): Promise<void>;
}

/**
 * Connects the network namespace of the process `pid`, which has just been started and may not have made it yet; undefined
 * when that has ended.
 *
 * @throws BUILDER_UNAVAILABLE when the program that connects it cannot be started
 */
export async function connectNetwork(
  pid: number,
  rootless: boolean,
  env: Env,
): Promise<Connection | undefined> {
  const setpriv = find("setpriv", env);
  if (!await ownNetwork(pid)) return undefined; // it says why itself
  const child = start([
    ...(setpriv ? [setpriv, "--pdeathsig", "KILL"] : []),
    find("slirp4netns", env) ?? "slirp4netns",
    "--configure",
    "--mtu=65520",
    "--disable-host-loopback",
    "--netns-type=path",
    ...(rootless ? [`--userns-path=/proc/${pid}/ns/user`] : []),
    `/proc/${pid}/ns/net`,
    "tap0",
  ]);
  const ended = Promise.withResolvers<EngineError>();
  let wanted = true;
  const over = child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(lastLine(async (line) => {
    const { code, signal } = await child.status;
    const why = signal
      ? `slirp4netns was ended by ${signal}`
      : line || `slirp4netns ended with exit code ${code}`;
    if (wanted) ended.resolve(noPrivateNetwork(why, "Make slirp4netns work here"));
  })).catch(() => {});
  return {
    failed: ended.promise,
    async end() {
      wanted = false;
      endProcess(child);
      await Promise.all([over, child.status]);
    },
  };
}

/** @throws BUILDER_UNAVAILABLE */
function start([program, ...args]: readonly string[]) {
  try {
    return new Deno.Command(program!, {
      args,
      clearEnv: true, // it outlasts steps and needs nothing of it, secrets least of all
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    const why = explained(error);
    throw noPrivateNetwork(
      messageOf(why),
      why instanceof EngineError ? why.fix : "Make slirp4netns work here",
    );
  }
}

/** Takes text and gives its last line when it ends. */
function lastLine(take: (line: string) => Promise<void>): WritableStream<string> {
  let text = "";
  return new WritableStream({
    write: (chunk) => void (text = (text + chunk).slice(-4096)),
    close: () => take(text.trim().split("\n").at(-1) ?? ""),
  });
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
    await sleep(1);
  }
}

/** How long the network may take to come up. */
const PATIENCE_MS = 10_000;

/** In the helper: waits until there is a way out; ends this process, saying why, when there is none. */
export async function networkUp(): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!/^tap0\t00000000\t/m.test(await Deno.readTextFile("/proc/self/net/route"))) {
    if (performance.now() > deadline) {
      Deno.stderr.writeSync(new TextEncoder().encode("slirp4netns made no network\n"));
      Deno.exit(1);
    }
    await sleep(2);
  }
}
