/** Servers and balancers that say "100 Continue" without being asked (RFC 9110 section 15.2: a client must take it). */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { downloadBlob } from "../../../lib/registry/blobs.ts";
import { uploadBlob } from "../../../lib/registry/upload.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf, fileBlob, someBytes } from "../../support/registry_client.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const encoder = new TextEncoder();

/** Passes everything on, and puts interim answers before each answer. */
function talkative(target: string): { readonly host: string } & Disposable {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const open = new Set<Deno.TcpConn>();
  const relay = async (connection: Deno.TcpConn) => {
    const [hostname = "", port] = target.split(":");
    const server = await Deno.connect({ hostname, port: Number(port) });
    open.add(connection).add(server);
    const back = (async () => {
      for await (const piece of server.readable) {
        const starts = new TextDecoder().decode(piece.subarray(0, 9)) === "HTTP/1.1 ";
        const interim =
          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
        for (const part of [encoder.encode(starts ? interim : ""), piece]) {
          for (let at = 0; at < part.length;) at += await connection.write(part.subarray(at));
        }
      }
    })();
    await Promise.all([connection.readable.pipeTo(server.writable), back]);
  };
  void (async () => {
    for await (const connection of listener) relay(connection).catch(() => {});
  })().catch(() => {});
  return {
    host: `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`,
    [Symbol.dispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // it is closed already
        }
      }
    },
  };
}

Deno.test("RegistryClient takes 100 Continue that it did not ask for", async () => {
  await withTempDir(async (dir) => {
    await using registry = new MemoryRegistry();
    using relay = talkative(registry.host);
    await using client = clientOf(relay.host);
    for (const size of [1000, 3_000_000, 20_000_000]) {
      const bytes = someBytes(size);
      const blob = await fileBlob(`${dir}/in-${size}`, bytes);
      strictEqual(await uploadBlob(client, "a", { blob, signal }), "uploaded");
      deepStrictEqual(registry.blobOf("a", blob.digest), bytes);
      await downloadBlob(client, "a", { blob, file: `${dir}/out-${size}`, signal, report() {} });
      deepStrictEqual(await Deno.readFile(`${dir}/out-${size}`), bytes);
    }
  });
});
