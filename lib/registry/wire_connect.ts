import { Alarm } from "../alarm.ts";
import { observed } from "../pool.ts";
import type { HostCertificates } from "./certificates.ts";
import { tlsReady } from "./tls_ready.ts";
import { whyNot } from "./network_error.ts";

const CONNECT_MS = 30_000;

/** Nobody could be reached; nothing was sent. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
}

/**
 * Opens a connection for HTTP/1.1, with TLS where the URL says so.
 *
 * @throws {ConnectError} when there is none; the signal's reason when aborted
 */
export async function connectTo(
  url: URL,
  certificates: HostCertificates,
  signal: AbortSignal,
): Promise<Deno.Conn> {
  signal.throwIfAborted();
  const hostname = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  // One that hangs would keep the process from ending for as long as the kernel tries.
  const given = untilConnected();
  const at = { hostname, port, signal: given.signal };
  const connecting = url.protocol === "https:" ? connectTls(at, certificates) : connectTcp(at);
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  const late = () => reject(new ConnectError(`no connection within ${CONNECT_MS / 1000} s`));
  const alarm = new Alarm();
  alarm.set(CONNECT_MS, late);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const connection = await Promise.race([connecting, stopped]);
    if ("handshake" in connection) await Promise.race([observed(connection.handshake()), stopped]);
    signal.throwIfAborted();
    return connection;
  } catch (error) {
    given.abort();
    connecting.then((connection) => connection.close()).catch(() => {});
    if (signal.aborted) throw signal.reason;
    throw error instanceof ConnectError ? error : new ConnectError(whyNot(error, hostname), { cause: error });
  } finally {
    alarm.stop();
    signal.removeEventListener("abort", stop);
  }
}

/**
 * What gives up connecting, and leaves alone what is connected already: Deno asks the signal once more then, and loses the
 * connection, open for as long as the process lives, if that throws.
 */
function untilConnected(): AbortController {
  const given = new AbortController();
  given.signal.throwIfAborted = () => {};
  return given;
}

/** Bytes leave at once: else the request would wait until the end of TLS's handshake is confirmed. */
async function connectTcp(address: Deno.ConnectOptions): Promise<Deno.TcpConn> {
  const connection = await Deno.connect(address);
  connection.setNoDelay(true);
  return connection;
}

async function connectTls(
  address: Deno.ConnectOptions & { readonly hostname: string },
  { ca, cert, key }: HostCertificates,
): Promise<Deno.TlsConn> {
  const { hostname, port } = address;
  const options = { hostname, alpnProtocols: ["http/1.1"], ...(ca && { caCerts: ca }) };
  const ready = tlsReady();
  // A connection that is there already cannot be told of a client's certificate.
  if (cert && key) {
    await ready;
    return await Deno.connectTls({ ...options, port, cert, key });
  }
  const connection = await connectTcp(address);
  await ready;
  return await Deno.startTls(connection, options);
}
