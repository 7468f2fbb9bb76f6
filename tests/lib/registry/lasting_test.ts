import { deepStrictEqual, doesNotMatch, match, rejects, strictEqual } from "node:assert/strict";
import { RegistryClient, type RegistryClientOptions } from "../../../lib/registry/client.ts";
import { RegistryError } from "../../../lib/registry/errors.ts";
import { HttpTransport } from "../../../lib/registry/transport.ts";
import { startDockerRegistry } from "../../support/docker_registry.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";

const { signal } = new AbortController();
const HOME = "/nonexistent";

/** What came of a request, and how often it was waited for another try. */
async function ask(
  domain: string,
  env: Record<string, string> = {},
): Promise<{ readonly waits: number; readonly error?: RegistryError }> {
  let waits = 0;
  const retry: RegistryClientOptions["retry"] = { attempts: 3, sleep: () => Promise.resolve(void waits++) };
  await using client = new RegistryClient(domain, { env: { HOME, ...env }, retry });
  try {
    const request = { method: "GET", path: "", scopes: [], expect: [200], doing: "ask", signal } as const;
    await (await client.request(request)).discard();
    return { waits };
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    return { waits, error };
  }
}

/** A server that says the same to whatever comes first, and hangs up. */
async function withServer(answer: Uint8Array, body: (port: number) => Promise<void>): Promise<void> {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.read(new Uint8Array(4096)).catch(() => null);
      await connection.write(answer).catch(() => {});
      connection.close();
    }
  })();
  await body(listener.addr.port);
  listener.close();
  await serving.catch(() => {});
}

/** A fatal alert, RFC 8446 section 6. */
const alert = (description: number) => new Uint8Array([21, 3, 3, 0, 2, 2, description]);

Deno.test("what TLS will say again is told at once, and plain http is not named beside it", async (t) => {
  const wants = "it refuses the TLS that is spoken here, or wants a client certificate";
  const alerts: Readonly<Record<string, readonly [description: number, words: string]>> = {
    HandshakeFailure: [40, wants],
    BadCertificate: [42, "it wants a client certificate"],
    UnknownCA: [48, "it wants a client certificate"],
    AccessDenied: [49, "received fatal alert: AccessDenied"],
    ProtocolVersion: [70, "it speaks no version of TLS that is spoken here"],
    InsufficientSecurity: [71, "received fatal alert: InsufficientSecurity"],
    UnrecognisedName: [112, "it has nothing under this name"],
    CertificateRequired: [116, "it wants a client certificate"],
  };
  for (const [name, [description, words]] of Object.entries(alerts)) {
    await t.step(name, () =>
      withServer(alert(description), async (port) => {
        const { waits, error } = await ask(`localhost:${port}`);
        strictEqual(error!.message, `Cannot reach https://localhost:${port}/v2/: ${words}`);
        strictEqual(waits, 0);
      }));
  }
});

Deno.test("what went wrong with TLS by the way is tried again", async (t) => {
  for (const [name, description] of Object.entries({ InternalError: 80, UserCanceled: 90 })) {
    await t.step(name, () =>
      withServer(alert(description), async (port) => {
        strictEqual((await ask(`localhost:${port}`)).waits, 2);
      }));
  }
});

Deno.test("who answers TLS in plain http is not asked by https again", async () => {
  const answer = new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  await withServer(answer, async (port) => {
    await using transport = new HttpTransport({ HOME });
    const url = new URL(`https://127.0.0.1:${port}/v2/`);
    await rejects(transport.send({ method: "GET", url, headers: {}, signal }), (error: RegistryError) => {
      strictEqual(error.details.retryable, false);
      return true;
    });
  });
});

Deno.test("certificates that are not trusted, and files of them that are not there, are told at once", async (t) => {
  await withTempDir(async (dir) => {
    const made = await makeCertificates(dir);
    if (!made) return;
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {}, ...made.server },
      () => Response.json({}),
    );
    const { port } = server.addr;
    const ca = `${dir}/ca.pem`;
    // With a proxy in the environment undici asks, also this machine.
    for (const env of [{}, { HTTPS_PROXY: "http://127.0.0.1:1" }] as Record<string, string>[]) {
      const how = "HTTPS_PROXY" in env ? "by undici" : "over the wire";
      await t.step(`trusted, ${how}`, async () => {
        deepStrictEqual(await ask(`localhost:${port}`, { ...env, SSL_CERT_FILE: ca }), { waits: 0 });
      });
      await t.step(`unknown authority, ${how}`, async () => {
        const { waits, error } = await ask(`localhost:${port}`, env);
        strictEqual(waits, 0);
        match(error!.message, /^Cannot reach https:.*certificate/);
      });
      await t.step(`a file that is gone, ${how}`, async () => {
        const { waits, error } = await ask(`localhost:${port}`, { ...env, SSL_CERT_FILE: `${dir}/gone.pem` });
        strictEqual(waits, 0);
        strictEqual(
          error!.message,
          `Cannot reach registries: SSL_CERT_FILE names "${dir}/gone.pem", which does not exist`,
        );
      });
    }
    await t.step("another name", async () => {
      await using transport = new HttpTransport({ HOME, SSL_CERT_FILE: ca });
      const url = new URL(`https://127.0.0.2:${port}/v2/`);
      await using other = Deno.serve(
        { port, hostname: "127.0.0.2", onListen() {}, ...made.server },
        () => Response.json({}),
      );
      await rejects(transport.send({ method: "GET", url, headers: {}, signal }), (error: RegistryError) => {
        match(error.message, /certificate/);
        strictEqual(error.details.retryable, false);
        return true;
      });
      await other.shutdown();
    });
  });
});

Deno.test("a proxy that cannot be used is told at once", async (t) => {
  for (const proxy of ["ftp://127.0.0.1:1", "http://a b"]) {
    await t.step(proxy, async () => {
      const { waits, error } = await ask("registry.invalid", { HTTPS_PROXY: proxy });
      strictEqual(waits, 0);
      match(error!.message, /[Pp]rox|URL/);
    });
  }
});

Deno.test("what a proxy answers in place of a tunnel is told in words, at once where it will say so again", async (t) => {
  const rows = [
    [407, 0, "the proxy wants a login (407)"],
    [403, 0, "the proxy lets nobody through (403)"],
    [502, 2, "the proxy lets nobody through (502)"],
  ] as const;
  for (const [status, tries, words] of rows) {
    await t.step(String(status), async () => {
      const answer = `HTTP/1.1 ${status} No\r\ncontent-type: text/html\r\ncontent-length: 3\r\n\r\nno\n`;
      await withServer(new TextEncoder().encode(answer), async (port) => {
        const { waits, error } = await ask("registry.invalid", { HTTPS_PROXY: `http://127.0.0.1:${port}` });
        deepStrictEqual([error!.message, waits], [
          `Cannot reach https://registry.invalid/v2/ through the proxy 127.0.0.1:${port}: ${words}`,
          tries,
        ]);
      });
    });
  }
});

Deno.test("what keeps a proxy from being reached is told of the proxy, not of the registry", async (t) => {
  await t.step("nobody listens", async () => {
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr;
    listener.close();
    const { error } = await ask("registry.invalid", {
      HTTPS_PROXY: `http://me:secret-word@127.0.0.1:${port}`,
    });
    match(
      error!.message,
      new RegExp(`^Cannot reach https://registry.invalid/v2/ through the proxy 127.0.0.1:${port}: `),
    );
    doesNotMatch(error!.message, /secret-word/);
  });
  await t.step("it has no such name", async () => {
    const { error } = await ask("registry.example", { HTTPS_PROXY: "http://proxy.invalid:3128" });
    match(error!.message, /through the proxy proxy\.invalid:3128: no such host "proxy\.invalid"$/);
  });
  for (
    const [name, answer, words] of [
      ["no HTTP", "SSH-2.0-OpenSSH\r\n", "what came is no HTTP"],
      ["half an answer", "HTTP/1.1 200 Conn", "the proxy closed the connection"],
      ["a tunnel that ends", "HTTP/1.1 200 OK\r\n\r\n", "the connection ended while TLS was set up"],
    ] as const
  ) {
    await t.step(name, async () => {
      await withServer(new TextEncoder().encode(answer), async (port) => {
        const { error } = await ask("registry.invalid", { HTTPS_PROXY: `http://127.0.0.1:${port}` });
        match(error!.message, new RegExp(`through the proxy 127.0.0.1:${port}: ${words}$`));
      });
    });
  }
});

Deno.test("a proxy that leads nowhere is waited for as long as for a connection", async (t) => {
  for (const [name, answer] of [["no answer", ""], ["half an answer", "HTTP/1.1 200 OK\r\nx: "]] as const) {
    await t.step(name, async () => {
      using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const held: Deno.Conn[] = [];
      const serving = (async () => {
        for await (const connection of listener) {
          held.push(connection);
          await connection.write(new TextEncoder().encode(answer));
        }
      })().catch(() => {});
      const proxy = `127.0.0.1:${listener.addr.port}`;
      await using transport = new HttpTransport({ HOME, HTTPS_PROXY: `http://${proxy}` }, new Set(), 200);
      await rejects(
        transport.send({
          method: "GET",
          url: new URL("https://registry.invalid/v2/"),
          headers: {},
          signal: AbortSignal.timeout(30_000),
        }),
        {
          message:
            `Cannot reach https://registry.invalid/v2/ through the proxy ${proxy}: no answer came in time`,
        },
      );
      listener.close();
      for (const connection of held) connection.close();
      await serving;
    });
  }
});

Deno.test("docker-registry that wants client certificates takes its own, and others are told what to put where", async (t) => {
  await withTempDir(async (dir) => {
    const [own, other] = await Promise.all(["own", "other"].map(async (name) => {
      await Deno.mkdir(`${dir}/${name}`);
      return await makeCertificates(`${dir}/${name}`);
    }));
    if (!own || !other) return;
    const at = `${dir}/own`;
    const tls = { cert: `${at}/server.pem`, key: `${at}/server.key`, ca: `${at}/ca.pem` };
    await using server = await startDockerRegistry({ tls });
    if (!server) return;
    const where = `${dir}/config/containers/certs.d/${server.host}`;
    const rows = [
      ["its own", own.client, own.client.key, undefined],
      ["none", undefined, "", "it wants a client certificate"],
      ["one of another authority", other.client, other.client.key, "it does not take the client certificate"],
      [
        "one with the key of another",
        own.client,
        other.client.key,
        `it wants a client certificate; "${where}/client.key" is the key of another certificate`,
      ],
    ] as const;
    for (const [name, shown, key, why] of rows) {
      await t.step(name, async () => {
        await Deno.mkdir(where, { recursive: true });
        await Deno.writeTextFile(`${where}/ca.crt`, own.ca);
        if (shown) await Deno.writeTextFile(`${where}/client.cert`, shown.cert);
        if (shown) await Deno.writeTextFile(`${where}/client.key`, key);
        const { error, waits } = await ask(server.host, { XDG_CONFIG_HOME: `${dir}/config` });
        strictEqual(error?.message, why && `Cannot reach https://${server.host}/v2/: ${why}`);
        if (why !== undefined) strictEqual(waits, 0);
        await Deno.remove(where, { recursive: true });
      });
    }
  });
});
