/** A wire to a registry that breaks when told to, beneath HTTP. */

/** What happens to the next request that fits. */
export interface WireFault {
  /** Fits the first line of a request. */
  readonly request: RegExp;
  /** The wire is cut after so many bytes of the request, or once the answer begins, which the client never sees. */
  readonly cut: number | "answer";
}

const decoder = new TextDecoder();

/** Carries bytes between clients and a registry. */
export class Wire implements AsyncDisposable {
  /** `127.0.0.1:PORT`, in place of the registry's own. */
  readonly host: string;
  /** Faults that have not happened yet, in order. */
  readonly faults: WireFault[] = [];
  /** Bytes that clients have sent. */
  sent = 0;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #work: Promise<void>;

  constructor(readonly target: string) {
    this.#listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    this.host = `127.0.0.1:${this.#listener.addr.port}`;
    this.#work = this.#serve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) close(connection);
    await this.#work;
  }

  async #serve(): Promise<void> {
    const running: Promise<void>[] = [];
    try {
      for await (const client of this.#listener) running.push(this.#carry(client));
    } catch {
      // closed
    }
    await Promise.all(running);
  }

  async #carry(client: Deno.TcpConn): Promise<void> {
    const [hostname = "", port] = this.target.split(":");
    const server = await Deno.connect({ hostname, port: Number(port) });
    const ends = [client, server];
    for (const end of ends) this.#connections.add(end);
    let fault: WireFault | undefined;
    let since = 0;
    const up = async (bytes: Uint8Array) => {
      const line = decoder.decode(bytes.subarray(0, 500)).split("\r\n")[0] ?? "";
      if (!fault && this.faults[0]?.request.test(line)) {
        fault = this.faults.shift();
        since = 0;
      }
      since += bytes.length;
      this.sent += bytes.length;
      if (typeof fault?.cut === "number" && since > fault.cut) return false;
      await writeAll(server, bytes);
      return true;
    };
    const down = async (bytes: Uint8Array) => {
      if (fault?.cut === "answer") return false;
      await writeAll(client, bytes);
      return true;
    };
    const shut = () => ends.forEach(close);
    await Promise.all([copy(client, up).finally(shut), copy(server, down).finally(shut)]);
    for (const end of ends) this.#connections.delete(end);
  }
}

async function copy(from: Deno.TcpConn, take: (bytes: Uint8Array) => Promise<boolean>): Promise<void> {
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count; (count = await from.read(buffer)) !== null;) {
      if (!await take(buffer.subarray(0, count))) return;
    }
  } catch {
    // the other end has closed
  }
}

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // closed already
  }
}
