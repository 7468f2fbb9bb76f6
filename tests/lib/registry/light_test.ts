import { rejects, strictEqual } from "node:assert/strict";
import { sendLight } from "../../../lib/registry/light.ts";
import { readBody } from "../../../lib/registry/body.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";

const { signal } = new AbortController();
const ask = (url: string, stop = signal) =>
  sendLight({
    method: "GET",
    url: new URL(url),
    headers: { "x-meta": "value" },
    body: undefined,
    signal: stop,
  });

Deno.test("sendLight() gives the answer as it is", async (t) => {
  await using registry = new MemoryRegistry();
  const url = `http://${registry.host}/x`;
  await t.step("with its body and headers", async () => {
    registry.fault((request) =>
      new Response(request.headers.get("x-meta"), { status: 418, headers: { a: "b" } })
    );
    const answer = (await ask(url))!;
    strictEqual(answer.status, 418);
    strictEqual(answer.header("a"), "b");
    strictEqual(answer.header("c"), undefined);
    strictEqual(new TextDecoder().decode(await readBody(answer, 100)), "value");
    await answer.discard();
  });
  await t.step("without going where it leads", async () => {
    registry.fault(() => new Response(null, { status: 307, headers: { location: "/elsewhere" } }));
    const answer = (await ask(url))!;
    strictEqual(answer.status, 307);
    strictEqual(answer.header("location"), "/elsewhere");
    await answer.discard();
    strictEqual(registry.count("/elsewhere"), 0);
  });
});

Deno.test("sendLight() fails when nobody answers, and stops when aborted", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const stop = new AbortController();
  const asked = ask(`http://127.0.0.1:${port}/`, stop.signal);
  stop.abort(new Error("stopped"));
  await rejects(asked, { message: "stopped" });
  listener.close();
  await rejects(ask(`http://127.0.0.1:${port}/`));
});

Deno.test("sendLight() resets no stream of HTTP/2 whose little body nobody wants", async () => {
  await withTempDir(async (dir) => {
    const certificates = await makeCertificates(dir);
    if (!certificates) return;
    const late = Promise.withResolvers<void>();
    const over = Promise.withResolvers<string>();
    const slow = () =>
      new ReadableStream<Uint8Array>({
        async start(controller) {
          controller.enqueue(new Uint8Array(1));
          await late.promise;
          try {
            controller.enqueue(new Uint8Array(1));
            controller.close();
            over.resolve("read");
          } catch {
            // it was cancelled
          }
        },
        cancel: () => over.resolve("reset"),
      });
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, ...certificates.server },
      ({ url }) => new Response(url.endsWith("/slow") ? slow() : "quick"),
    );
    using client = Deno.createHttpClient({ caCerts: [certificates.ca] });
    const send = (path: string) => {
      const url = new URL(path, `https://127.0.0.1:${server.addr.port}`);
      return sendLight({ method: "GET", url, headers: {}, body: undefined, signal }, client);
    };
    await (await send("/slow")).discard();
    // What comes next over the same connection comes after a reset.
    await readBody(await send("/quick"), 9);
    late.resolve();
    strictEqual(await over.promise, "read");
  });
});
