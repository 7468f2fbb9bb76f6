import { rejects } from "node:assert/strict";
import { connectTo } from "../../../lib/registry/wire_connect.ts";

Deno.test({
  name: "connectTo() leaves nothing open when the signal aborts, also what is there and nobody was told of",
  sanitizeOps: true,
  sanitizeResources: true,
  async fn() {
    const { signal } = new AbortController();
    const reason = new Error("stopped");
    let stop = new AbortController();
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
      stop.abort(reason);
      return new Response();
    });
    const url = new URL(`http://127.0.0.1:${server.addr.port}`);
    for (let round = 0; round < 50; round++) {
      stop = new AbortController();
      using asking = await connectTo(url, {}, signal);
      // The request is there when some of the connections are, in the same turn.
      const opening = Array.from({ length: 8 }, () => connectTo(url, {}, stop.signal));
      await asking.write(new TextEncoder().encode("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
      await Promise.all(opening.map(async (each) => {
        try {
          (await each).close();
        } catch (error) {
          if (error !== reason) throw error;
        }
      }));
      await asking.read(new Uint8Array(1024));
      await rejects(connectTo(url, {}, stop.signal), reason);
    }
  },
});
