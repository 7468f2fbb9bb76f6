import { rejects, strictEqual } from "node:assert/strict";
import http2 from "node:http2";
import { HttpTransport } from "../../../lib/registry/transport.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();

Deno.test("HttpTransport ends what is open when it is disposed of, also against a server that speaks HTTP/2", async () => {
  await withTempDir(async (dir) => {
    const certificates = await makeCertificates(dir);
    if (!certificates) return;
    const asked = Promise.withResolvers<void>();
    let pending = 0;
    const server = http2.createSecureServer(
      { ...certificates.server, allowHTTP1: true },
      (request, response) => {
        if (request.url === "/first") return void response.end("{}");
        // The others are never answered.
        if (++pending === 3) asked.resolve();
      },
    );
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
    const { port } = server.address() as { port: number };
    const transport = new HttpTransport({ SSL_CERT_FILE: `${dir}/ca.pem` });
    const get = (path: string) =>
      transport.send({
        method: "GET",
        url: new URL(`https://127.0.0.1:${port}${path}`),
        headers: {},
        signal,
      });
    const first = await get("/first");
    strictEqual(first.status, 200);
    await first.discard();
    const open = ["/a", "/b", "/c"].map((path) => rejects(get(path), /Cannot reach/));
    await asked.promise;
    await transport[Symbol.asyncDispose]();
    await Promise.all(open);
    await new Promise<void>((closed) => server.close(() => closed()));
  });
});
