import { ok, rejects, strictEqual } from "node:assert/strict";
import { RegistryClient } from "../../../lib/registry/client.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();

/** Asks an https server with a certificate that nobody knows. */
async function ask(port: number, env: Record<string, string>): Promise<number> {
  await using client = new RegistryClient(`localhost:${port}`, {
    env: { HOME: "/nonexistent", ...env },
    retry: { attempts: 1 },
  });
  const response = await client.request({
    method: "GET",
    path: "",
    scopes: [],
    expect: [200],
    doing: "ask",
    signal,
  });
  await response.discard();
  return response.status;
}

// The second kind is what `openssl req -x509` makes of itself: a certificate that is its own authority.
for (const [kind, constraints] of [["a leaf", "CA:FALSE"], ["its own authority", "CA:TRUE"]] as const) {
  Deno.test(`HttpTransport verifies certificates: ${kind}`, (t) => verifies(t, constraints));
}

async function verifies(t: Deno.TestContext, constraints: string): Promise<void> {
  const openssl = await peer("openssl");
  if (!openssl) return;
  await withTempDir(async (dir) => {
    const [key, cert] = [`${dir}/key.pem`, `${dir}/cert.pem`];
    await run(
      [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"].concat(
        [
          "-keyout",
          key,
          "-out",
          cert,
          "-days",
          "2",
          "-subj",
          "/CN=localhost",
          "-addext",
          "subjectAltName=DNS:localhost",
        ],
        ["-addext", `basicConstraints=critical,${constraints}`],
      ),
    );
    await using server = Deno.serve({
      port: 0,
      hostname: "localhost",
      onListen() {},
      key: await Deno.readTextFile(key),
      cert: await Deno.readTextFile(cert),
    }, () => Response.json({}));
    const { port } = server.addr;

    await t.step("an unknown one is refused, also on loopback", async () => {
      await rejects(ask(port, {}), (error: Error) => {
        ok(/https:\/\/localhost.*certificate/i.test(error.message), error.message);
        return true;
      });
    });
    await t.step("plain http is not tried where the certificate is refused", async () => {
      await rejects(ask(port, {}), (error: Error) => !error.message.includes("http://"));
    });
    await t.step("one named by SSL_CERT_FILE is trusted", async () => {
      strictEqual(await ask(port, { SSL_CERT_FILE: cert }), 200);
    });
    await t.step("DAPP_INSECURE_REGISTRY lets it pass for that host only", async () => {
      strictEqual(await ask(port, { DAPP_INSECURE_REGISTRY: `other.example, localhost:${port}` }), 200);
      await rejects(ask(port, { DAPP_INSECURE_REGISTRY: "other.example" }));
    });
  });
}

Deno.test("RegistryClient does not remember plain http of a port that wants TLS", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  // As servers in Go do; nothing here speaks TLS, so that neither way works.
  const answer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
  const serve = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096));
      await connection.write(new TextEncoder().encode(answer));
      connection.close();
    }
  })();
  const noted: unknown[] = [];
  const remembered = { scheme: "http:" };
  for (const known of [undefined, remembered]) {
    await using client = new RegistryClient(`127.0.0.1:${listener.addr.port}`, {
      env: { HOME: "/nonexistent" },
      retry: { attempts: 1 },
      memo: {
        get: () => Promise.resolve(known),
        put: (_, value) => Promise.resolve(void noted.push(value)),
      },
    });
    const request = { method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal } as const;
    await rejects(client.request(request), {
      message: /https:.*http:\/\/127.*does not take plain http|does not take plain http.*https:/,
    });
  }
  strictEqual(noted.length, 0);
  listener.close();
  await serve.catch(() => {});
});

Deno.test("HttpTransport goes through the proxy of the environment, past NO_PROXY and for loopback", async () => {
  const asked: string[] = [];
  using proxy = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const serve = (async () => {
    for await (const connection of proxy) {
      const bytes = new Uint8Array(4096);
      const read = await connection.read(bytes) ?? 0;
      asked.push(new TextDecoder().decode(bytes.subarray(0, read)).split("\r\n")[0]!);
      await connection.write(
        new TextEncoder().encode("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"),
      );
      connection.close();
    }
  })();
  const env = {
    HOME: "/nonexistent",
    HTTPS_PROXY: `http://127.0.0.1:${proxy.addr.port}`,
    NO_PROXY: "direct.invalid",
  };
  const get = async (domain: string) => {
    await using client = new RegistryClient(domain, { env, retry: { attempts: 1 } });
    await client.request({ method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal });
  };
  await rejects(get("registry.invalid"), { kind: "failed" });
  await rejects(get("direct.invalid"), { message: /no such host "direct.invalid"/ });
  await rejects(get("localhost:1"), { message: /ECONNREFUSED/ });
  ok(asked.length === 1 && asked[0]!.startsWith("CONNECT registry.invalid:443 "), asked.join());
  proxy.close();
  await serve.catch(() => {});
});
