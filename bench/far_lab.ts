/** Registries that seem to be far away: TLS with an authority of our own, a token server, and a relay before both. */
import { makeCertificates } from "../tests/support/certificates.ts";
import { type DockerRegistry, startDockerRegistry } from "../tests/support/docker_registry.ts";
import type { Passed } from "./far_relay.ts";
import type { Timed } from "./measure.ts";
import { startTokenServer, type TokenServer } from "./far_tokens.ts";

export interface FarOptions {
  /** Round trip in milliseconds, and millions of bits in a second for all connections together. */
  readonly rttMs: number;
  readonly mbit: number;
}

/** One registry, by two ways. */
export interface FarRegistry {
  /** Far away, with TLS and tokens: `ADDRESS:PORT`. */
  readonly host: string;
  /** The same data without any of that, for what is not measured: `127.0.0.1:PORT`. */
  readonly near: string;
}

export class FarLab implements AsyncDisposable {
  readonly #dir: string;
  readonly #address: string;
  readonly #relay: Relay;
  readonly #tokens: TokenServer;
  readonly #realm: string;
  readonly #open = new Map<string, DockerRegistry[]>();

  private constructor(dir: string, address: string, relay: Relay, tokens: TokenServer, port: number) {
    this.#dir = dir;
    this.#address = address;
    this.#relay = relay;
    this.#tokens = tokens;
    this.#realm = `${address}:${port}`;
  }

  /**
   * @param dir where registries keep their data
   * @throws Error on a machine without an address beside loopback, which clients treat in ways of their own
   */
  static async open(dir: string, { rttMs, mbit }: FarOptions): Promise<FarLab> {
    await Deno.mkdir(`${dir}/docker`, { recursive: true });
    const address = Deno.networkInterfaces().find(({ family, address }) =>
      family === "IPv4" && !address.startsWith("127.")
    )?.address;
    if (!address) throw new Error("Cannot measure far registries: this machine has no address but loopback");
    const certificates = await makeCertificates(dir, address);
    if (!certificates) throw new Error("Cannot measure far registries: openssl is not installed");
    const tokens = await startTokenServer({ ...certificates.server, authority: `${dir}/ca.pem` });
    const relay = new Relay(address, rttMs, mbit);
    return new FarLab(dir, address, relay, tokens, await relay.listen(`127.0.0.1:${tokens.port}`));
  }

  /** A command that trusts these registries, and knows nothing of the user's. */
  trusted(timed: Timed): Timed {
    const own = { CI: "true", SSL_CERT_FILE: `${this.#dir}/ca.pem`, DOCKER_CONFIG: `${this.#dir}/docker` };
    return { ...timed, env: { ...timed.env, ...own } };
  }

  /** An empty registry under a new address. The one that `who` had before is gone. */
  async fresh(who: string): Promise<FarRegistry> {
    await this.#stop(who);
    const data = await Deno.makeTempDir({ dir: this.#dir, prefix: "data-" });
    const near = await start({ dir: this.#dir, data });
    const far = await start({
      dir: this.#dir,
      data,
      tls: { cert: `${this.#dir}/server.pem`, key: `${this.#dir}/server.key` },
      token: { ...this.#tokens.auth, realm: `https://${this.#realm}/token` },
    });
    this.#open.set(who, [near, far]);
    return { host: `${this.#address}:${await this.#relay.listen(far.host)}`, near: near.host };
  }

  /** What went through the relay since this was asked last. */
  async passed(): Promise<Passed> {
    return await this.#relay.ask("passed") as Passed;
  }

  /** Milliseconds of processor time that the relay has taken. */
  async relayMs(): Promise<number> {
    return await this.#relay.processorMs();
  }

  async #stop(who: string): Promise<void> {
    for (const registry of this.#open.get(who) ?? []) await registry[Symbol.asyncDispose]();
    this.#open.delete(who);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const who of [...this.#open.keys()]) await this.#stop(who);
    await this.#relay[Symbol.asyncDispose]();
    await this.#tokens[Symbol.asyncDispose]();
  }
}

async function start(options: Parameters<typeof startDockerRegistry>[0]): Promise<DockerRegistry> {
  const registry = await startDockerRegistry(options);
  if (!registry) throw new Error("Cannot measure registries: docker-registry is not installed");
  return registry;
}

/** The process that holds bytes back. */
class Relay implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

  constructor(address: string, rttMs: number, mbit: number) {
    const script = new URL("far_relay.ts", import.meta.url).pathname;
    this.#child = new Deno.Command("setpriv", {
      args: ["--pdeathsig", "TERM", Deno.execPath(), "run", "-A", script, address].concat(
        [rttMs, mbit].map(String),
      ),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader();
  }

  async listen(target: string): Promise<number> {
    return Number(await this.ask(target));
  }

  async ask(line: string): Promise<unknown> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    const { value } = await this.#reader.read();
    return JSON.parse(new TextDecoder().decode(value));
  }

  async processorMs(): Promise<number> {
    const fields = (await Deno.readTextFile(`/proc/${this.#child.pid}/stat`)).split(") ")[1]?.split(" ") ??
      [];
    return (Number(fields[11]) + Number(fields[12])) * 10;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }
}
