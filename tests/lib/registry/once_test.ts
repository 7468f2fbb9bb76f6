import { deepStrictEqual, rejects } from "node:assert/strict";
import { HttpTransport } from "../../../lib/registry/transport.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();

/** A server that answers GET, and takes all other requests without a word before it closes the connection. */
class Server implements AsyncDisposable {
  /** First lines of requests that are not GET. */
  readonly seen: string[] = [];
  readonly #listener: Deno.TlsListener;
  readonly #open = new Set<Deno.TlsConn>();
  readonly #work: Promise<void>[] = [];
  readonly #accepting: Promise<void>;

  constructor(certificate: { readonly cert: string; readonly key: string }) {
    this.#listener = Deno.listenTls({ port: 0, hostname: "127.0.0.1", ...certificate });
    this.#accepting = this.#accept().catch(() => {});
  }

  url(path: string): URL {
    return new URL(path, `https://127.0.0.1:${this.#listener.addr.port}`);
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      this.#work.push(this.#serve(connection).catch(() => {}).finally(() => this.#close(connection)));
    }
  }

  async #serve(connection: Deno.TlsConn): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (let text = "";;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      text += new TextDecoder().decode(buffer.subarray(0, count));
      for (let end; (end = text.indexOf("\r\n\r\n")) >= 0; text = text.slice(end + 4)) {
        const line = text.slice(0, text.indexOf(" HTTP/1.1"));
        if (!line.startsWith("GET ")) return void this.seen.push(line);
        await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
      }
    }
  }

  #close(connection: Deno.TlsConn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) this.#close(connection);
    await this.#accepting;
    await Promise.all(this.#work);
  }
}

Deno.test("HttpTransport sends once what may be sent but once, also where many small requests go through fetch", async () => {
  await withTempDir(async (dir) => {
    const certificates = await makeCertificates(dir);
    if (!certificates) return;
    await using server = new Server(certificates.server);
    await using transport = new HttpTransport({ SSL_CERT_FILE: `${dir}/ca.pem` });
    const ask = async (method: "GET" | "POST" | "DELETE", path: string) => {
      const repeatable = method === "GET";
      const asked = { method, url: server.url(path), headers: {}, small: true, repeatable, signal };
      await (await transport.send(asked)).discard();
    };
    await Promise.all(Array.from({ length: 10 }, (_, nth) => ask("GET", `/${nth}`)));
    for (const method of ["POST", "DELETE", "POST"] as const) await rejects(ask(method, "/once"));
    deepStrictEqual(server.seen, ["POST /once", "DELETE /once", "POST /once"]);
  });
});
