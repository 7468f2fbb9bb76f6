/** A token server for docker-registry: everybody gets what they ask for, as with a public GitLab, Harbor or Docker Hub. */

export interface TokenServer extends AsyncDisposable {
  readonly port: number;
  /** What a registry has to be told of it (distribution's `auth.token`), but for its address. */
  readonly auth: { readonly service: string; readonly issuer: string; readonly rootcertbundle: string };
}

const SERVICE = "bench";
const ISSUER = "bench-tokens";
const SECONDS = 300;

/** Speaks TLS with the certificate that it signs tokens with (ES256). PEM texts, and a file with who has made it. */
export async function startTokenServer(
  { cert, key, authority }: { readonly cert: string; readonly key: string; readonly authority: string },
): Promise<TokenServer> {
  const signer = await crypto.subtle.importKey(
    "pkcs8",
    bytesOf(key),
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["sign"],
  );
  const header = { typ: "JWT", alg: "ES256", x5c: [bytesOf(cert).toBase64()] };
  const tokenFor = async (url: URL): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const scopes = url.searchParams.getAll("scope").flatMap((text) => text.split(" "));
    const access = scopes.map((scope) => {
      const [type, name, actions = ""] = scope.split(":");
      return { type, name, actions: actions.split(",") };
    });
    const claims = {
      iss: ISSUER,
      sub: "",
      aud: SERVICE,
      iat: now,
      nbf: now - 60,
      exp: now + SECONDS,
      jti: crypto.randomUUID(),
      access,
    };
    const text = [header, claims].map((part) => base64url(encode(JSON.stringify(part)))).join(".");
    const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, signer, encode(text));
    return `${text}.${base64url(new Uint8Array(signature))}`;
  };
  const listener = Deno.listenTls({
    port: 0,
    hostname: "127.0.0.1",
    cert,
    key,
    alpnProtocols: ["http/1.1"],
  });
  const serving = (async () => {
    for await (const connection of listener) serve(connection, tokenFor).catch(() => {});
  })();
  return {
    port: listener.addr.port,
    auth: { service: SERVICE, issuer: ISSUER, rootcertbundle: authority },
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving.catch(() => {});
    },
  };
}

/**
 * Answers one GET after the other. Not `Deno.serve`, which sends head and body apart and lets the body wait until the head
 * is confirmed.
 */
async function serve(connection: Deno.TlsConn, tokenFor: (url: URL) => Promise<string>): Promise<void> {
  using _ = connection;
  const buffer = new Uint8Array(16 * 1024);
  for (let text = "", count; (count = await connection.read(buffer)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, count));
    for (let end; (end = text.indexOf("\r\n\r\n")) >= 0; text = text.slice(end + 4)) {
      const token = await tokenFor(new URL(text.split(" ")[1] ?? "/", "https://localhost"));
      const body = JSON.stringify({ token, expires_in: SECONDS });
      const head =
        `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
      const bytes = encode(head + body);
      for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    }
  }
}

function bytesOf(pem: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(pem.replace(/-----[^-]*-----|\s/g, ""));
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
