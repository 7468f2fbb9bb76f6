/** Proxies that lead every connection to one server, whatever name was asked for: HTTP CONNECT and SOCKS5 (RFC 1928). */

export interface TunnelProxy extends AsyncDisposable {
  readonly port: number;
  /** `host:port` of every tunnel. */
  readonly asked: readonly string[];
}

/** Reads the start of a connection, gives the target, and answers it. */
type Handshake = (client: Deno.Conn) => Promise<string>;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function startConnectProxy(to: number): TunnelProxy {
  return start(to, async (client) => {
    const [, target] = /^CONNECT (\S+) /.exec(decoder.decode(await read(client)))!;
    await client.write(encoder.encode("HTTP/1.1 200 OK\r\n\r\n"));
    return target!;
  });
}

export function startSocksProxy(to: number): TunnelProxy {
  return start(to, async (client) => {
    await read(client);
    await client.write(new Uint8Array([5, 0]));
    const [, , , kind, ...rest] = await read(client);
    const length = kind === 3 ? rest[0]! : 4;
    const name = kind === 3 ? rest.slice(1, 1 + length) : rest.slice(0, 4);
    const [high, low] = rest.slice(kind === 3 ? 1 + length : 4);
    await client.write(new Uint8Array([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    const host = kind === 3 ? decoder.decode(new Uint8Array(name)) : name.join(".");
    return `${host}:${high! * 256 + low!}`;
  });
}

function start(to: number, handshake: Handshake): TunnelProxy {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const asked: string[] = [];
  const open = new Set<Deno.Conn>();
  const serve = async (client: Deno.Conn) => {
    open.add(client);
    try {
      asked.push(await handshake(client));
      const server = await Deno.connect({ hostname: "127.0.0.1", port: to });
      open.add(server);
      await Promise.allSettled([
        client.readable.pipeTo(server.writable),
        server.readable.pipeTo(client.writable),
      ]);
    } catch {
      // the client is gone
    }
  };
  const running = (async () => {
    const all: Promise<void>[] = [];
    for await (const client of listener) all.push(serve(client));
    await Promise.all(all);
  })();
  return {
    port: listener.addr.port,
    asked,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of open) {
        try {
          connection.close();
        } catch {
          // it has ended
        }
      }
      await running;
    },
  };
}

async function read(client: Deno.Conn): Promise<Uint8Array> {
  const buffer = new Uint8Array(4096);
  return buffer.subarray(0, await client.read(buffer) ?? 0);
}
