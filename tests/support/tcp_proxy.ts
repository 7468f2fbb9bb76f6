/** A TCP proxy that cuts connections in the middle of what they carry, or carries it in small pieces. */

interface Cut {
  readonly way: "up" | "down";
  readonly after: number;
  left: number;
}

export class TcpProxy implements AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Bytes that are read and passed on at once, for new connections. */
  piece = 16 * 1024;
  /** Connections that were taken. */
  connections = 0;
  /** Connections that were cut. */
  cuts = 0;
  /** Bytes that were passed on, to and from the server. */
  readonly passed = { up: 0, down: 0 };
  readonly #listener: Deno.TcpListener;
  readonly #upstream: { readonly hostname: string; readonly port: number };
  readonly #rules: Cut[] = [];
  readonly #open = new Set<Deno.Conn>();
  readonly #running: Promise<void>;

  /** @param upstream `host:port` that connections are passed on to */
  constructor(upstream: string) {
    const [hostname = "", port] = upstream.split(":");
    this.#upstream = { hostname, port: Number(port) };
    this.#listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    this.host = `127.0.0.1:${this.#listener.addr.port}`;
    this.#running = this.#accept();
  }

  /** Cuts the next `times` connections that carry more than `after` bytes to (`up`) or from (`down`) the server. */
  cut(way: "up" | "down", after: number, times: number): void {
    this.#rules.push({ way, after, left: times });
  }

  /** Cuts no more. */
  heal(): void {
    this.#rules.splice(0);
  }

  async #accept(): Promise<void> {
    const connections: Promise<void>[] = [];
    for await (const client of this.#listener) {
      this.connections++;
      connections.push(this.#serve(client));
    }
    await Promise.all(connections);
  }

  async #serve(client: Deno.Conn): Promise<void> {
    this.#open.add(client);
    let server: Deno.Conn | undefined;
    try {
      server = await Deno.connect(this.#upstream);
      this.#open.add(server);
      await Promise.race([this.#pass(client, server, "up"), this.#pass(server, client, "down")]);
    } catch {
      // either side is gone, which the other side learns below
    } finally {
      for (const conn of [client, server]) if (conn) this.#close(conn);
    }
  }

  /** Ends when the source does; throws when the connection is to be cut. */
  async #pass(from: Deno.Conn, to: Deno.Conn, way: "up" | "down"): Promise<void> {
    const buffer = new Uint8Array(this.piece);
    let passed = 0;
    for (let count; (count = await from.read(buffer)) !== null;) {
      passed += count;
      const rule = this.#rules.find((rule) => rule.way === way && passed > rule.after && rule.left > 0);
      if (rule) {
        rule.left--;
        this.cuts++;
        throw new Error("cut");
      }
      this.passed[way] += count;
      for (let sent = 0; sent < count;) sent += await to.write(buffer.subarray(sent, count));
    }
  }

  #close(conn: Deno.Conn): void {
    if (this.#open.delete(conn)) conn.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of [...this.#open]) this.#close(conn);
    await this.#running;
  }
}
