/** Connections that are opened before there is anything to ask. */
import assert from "node:assert/strict";
import { RegistryClient } from "../../../lib/registry/client.ts";
import { reach } from "../../../lib/registry/reach.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";
import { withTempDir } from "../../support/tmp.ts";
import { until } from "../../support/until.ts";

// This machine, but no name of it that could be asked by plain http.
const ADDRESS = "0.0.0.0";

Deno.test("reach() opens nothing to hosts whose scheme is not known", () => {
  const insecure = ["r.test:5000"];
  for (const domain of ["localhost:5000", "127.0.0.1:5000", "[::1]:5000", "r.test:5000", "R.test:5000"]) {
    assert.equal(reach(domain, { env: {}, insecure }), undefined, domain);
  }
  assert.equal(reach("i.test", { env: { DAPP_INSECURE_REGISTRY: "i.test" }, insecure }), undefined);
});

Deno.test("a client asks over the connection that was opened before", async () => {
  await withTempDir(async (dir) => {
    const certificates = await makeCertificates(dir, ADDRESS);
    if (!certificates) return;
    const { cert, key } = certificates.server;
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, cert, key },
      () => Response.json({}),
    );
    await using proxy = new TcpProxy(`127.0.0.1:${server.addr.port}`);
    const domain = proxy.host.replace("127.0.0.1", ADDRESS);
    const env = { HOME: dir, SSL_CERT_FILE: `${dir}/ca.pem` };
    const transport = reach(domain, { env, insecure: [] })!;
    await until(() => proxy.connections === 1, "nobody connects");
    await using client = new RegistryClient(domain, { env, transport });
    const answer = await client.request({
      method: "GET",
      path: "",
      scopes: [],
      expect: [200],
      doing: "ask",
      small: true,
      signal: AbortSignal.timeout(60_000),
    });
    await answer.discard();
    assert.equal(proxy.connections, 1);
  });
});
