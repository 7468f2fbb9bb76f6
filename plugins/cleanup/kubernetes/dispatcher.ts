import type { Dispatcher } from "undici";
import type { TlsSettings } from "./access.ts";

const TIMEOUT_MS = 30_000;
const SOCKS_PORT = 1080;

/** Opens connections to a cluster, at most two at once, each with 30 seconds for what it is waiting for. */
export async function openDispatcher(tls: TlsSettings, proxy: URL | undefined): Promise<Dispatcher> {
  const { Agent, ProxyAgent, buildConnector } = await import("undici");
  const connect = { timeout: TIMEOUT_MS, ...tls };
  const options = {
    connections: 2,
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    // Over HTTP/2, undici fails an assertion outside of any promise when it is destroyed while requests are open.
    allowH2: false,
  };
  if (!proxy) return new Agent({ ...options, connect });
  if (proxy.protocol !== "socks5:") {
    return new ProxyAgent({ ...options, uri: proxy.href, requestTls: connect, connectTimeout: TIMEOUT_MS });
  }
  // undici's own agent for SOCKS is experimental, says so on the terminal, and fails for addresses.
  const { SocksClient } = await import("socks");
  const secure = buildConnector({ ...connect, allowH2: false });
  return new Agent({
    ...options,
    connect: (wanted, callback) => {
      const { protocol, hostname, port } = wanted;
      SocksClient.createConnection({
        proxy: {
          host: bare(proxy.hostname),
          port: Number(proxy.port || SOCKS_PORT),
          type: 5,
          ...(proxy.username !== "" && {
            userId: decodeURIComponent(proxy.username),
            password: decodeURIComponent(proxy.password),
          }),
        },
        command: "connect",
        destination: { host: bare(hostname), port: Number(port || (protocol === "https:" ? 443 : 80)) },
        timeout: TIMEOUT_MS,
      }).then(({ socket }) => {
        if (protocol === "https:") secure({ ...wanted, httpSocket: socket }, callback);
        else callback(null, socket);
      }, (error) => callback(error, null));
    },
  });
}

/** Without the brackets of an IPv6 address. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}
