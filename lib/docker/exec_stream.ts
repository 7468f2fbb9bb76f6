import { whyFailed } from "../file_failure.ts";
import { DockerError } from "./engine.ts";

const SOCKET = "/var/run/docker.sock";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Standard input and output of a program in a container, as one connection. */
export interface ExecStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close(): void;
}

/**
 * Starts a program in a running container (docs.docker.com/reference/api/engine, `POST /containers/{id}/exec` and
 * `POST /exec/{id}/start`, whose connection becomes the program's). What it says on stderr is the reason when it ends.
 *
 * @throws {DockerError}
 */
export async function execStream(
  dockerHost: string | undefined,
  container: string,
  command: readonly string[],
): Promise<ExecStream> {
  const created = await openRequest(dockerHost, `/containers/${container}/exec`, {
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Cmd: command,
  });
  let id: string;
  try {
    const text = await created.rest();
    if (created.status !== 201) throw problem(container, created.status, text);
    id = (JSON.parse(text) as { Id: string }).Id;
  } finally {
    created.connection.close();
  }
  const started = await openRequest(dockerHost, `/exec/${id}/start`, { Detach: false, Tty: false }, true);
  if (started.status !== 101 && started.status !== 200) {
    const error = problem(container, started.status, await started.rest());
    started.connection.close();
    throw error;
  }
  const { connection } = started;
  return {
    readable: frames(started.body(), container),
    writable: connection.writable,
    close: () => {
      try {
        connection.close();
      } catch {
        // the streams have closed it
      }
    },
  };
}

interface Answer {
  readonly connection: Deno.Conn;
  readonly status: number;
  /** All that follows the headers. */
  body(): AsyncGenerator<Uint8Array>;
  /** The same as text. */
  rest(): Promise<string>;
}

/** Asks over a connection of its own, which the answer leaves open. */
async function openRequest(
  dockerHost: string | undefined,
  path: string,
  value: unknown,
  upgrade = false,
): Promise<Answer> {
  const connection = await connect(dockerHost || `unix://${SOCKET}`);
  const body = JSON.stringify(value);
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: docker",
    "Content-Type: application/json",
    `Content-Length: ${encoder.encode(body).length}`,
    ...(upgrade ? ["Connection: Upgrade", "Upgrade: tcp"] : ["Connection: close"]),
  ];
  const request = encoder.encode(`${lines.join("\r\n")}\r\n\r\n${body}`);
  for (let at = 0; at < request.length;) at += await connection.write(request.subarray(at));
  let head: Uint8Array = new Uint8Array();
  const chunk = new Uint8Array(64 * 1024);
  let end = -1;
  while (end < 0) {
    const count = await connection.read(chunk);
    if (count === null) throw new DockerError("The Docker engine closed the connection");
    head = joined(head, chunk.subarray(0, count));
    end = decoder.decode(head).indexOf("\r\n\r\n");
  }
  const text = decoder.decode(head.subarray(0, end));
  const first = head.slice(end + 4);
  const chunked = /^transfer-encoding:\s*chunked/im.test(text);
  async function* all() {
    if (first.length > 0) yield first;
    for (;;) {
      const chunk = new Uint8Array(64 * 1024);
      const count = await connection.read(chunk);
      if (count === null) return;
      yield chunk.subarray(0, count);
    }
  }
  return {
    connection,
    status: Number(text.split(" ")[1]),
    body: all,
    async rest() {
      let bytes: Uint8Array = new Uint8Array();
      for await (const chunk of all()) bytes = joined(bytes, chunk);
      const said = decoder.decode(bytes);
      return chunked ? said.replaceAll(/^[0-9a-f]+\r\n|\r\n(?:[0-9a-f]+\r\n)*(?:0\r\n\r\n)?$/gi, "") : said;
    },
  };
}

async function connect(address: string): Promise<Deno.Conn> {
  try {
    if (address.startsWith("unix://")) {
      return await Deno.connect({ transport: "unix", path: address.slice("unix://".length) });
    }
    const { hostname, port } = new URL(address);
    return await Deno.connect({ hostname, port: Number(port) });
  } catch (error) {
    const why = whyFailed(error);
    throw new DockerError(`Cannot reach the Docker engine at "${address}": ${why}`, { cause: error });
  }
}

/** Standard output out of Docker's frames: a byte for the stream, three of nothing, four for the length. */
function frames(body: AsyncIterable<Uint8Array>, container: string): ReadableStream<Uint8Array> {
  return ReadableStream.from((async function* () {
    let held: Uint8Array = new Uint8Array();
    let said = "";
    for await (const chunk of body) {
      held = joined(held, chunk);
      while (held.length >= 8) {
        const length = new DataView(held.buffer, held.byteOffset).getUint32(4);
        if (held.length < 8 + length) break;
        const content = held.slice(8, 8 + length);
        if (held[0] === 2) said += decoder.decode(content);
        else yield content;
        held = held.slice(8 + length);
      }
    }
    if (said !== "") throw new DockerError(`The program in container "${container}" said: ${said.trim()}`);
  })());
}

function problem(container: string, status: number, text: string): DockerError {
  const said = /"message":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.trim().slice(0, 300);
  return new DockerError(`The Docker engine answered ${status} for container "${container}": ${said}`);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b.slice();
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
