import type { Environment } from "../../lib/environment.ts";
import { hasMembers, isJust } from "../../lib/guard.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import type { Asked } from "./answer.ts";

/** Names of one registry that are asked for at once, each over a connection of its own. */
const FEW = 8;
const PROXIES = ["HTTP_PROXY", "http_proxy"];
/** Bytes of an answer's head; one that is longer is for the whole program to read. */
const HEAD_ROOM = 16 * 1024;
const HEADERS = ["user-agent: dapp", `accept: ${MANIFEST_TYPES.join(", ")}`, "connection: close"];

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Whether registries say the same now. @throws what went wrong, or the signal's reason */
export async function saySame(
  registries: readonly Asked[],
  env: Environment,
  signal: AbortSignal,
): Promise<boolean> {
  const same = registries.map(async (each) => {
    if (isPlain(each, env)) return await allSame(each, signal);
    const { clientSaysSame } = await import("./ask_client.ts");
    signal.throwIfAborted();
    return await clientSaysSame(each, env, signal);
  });
  return (await Promise.all(same)).every(Boolean);
}

const isOpen = hasMembers({ scheme: isJust("http:") });

/** Whether a registry is asked by plain http and wants no login: then a bare request does. */
function isPlain({ host, found }: Asked, env: Readonly<Record<string, string | undefined>>): boolean {
  return isOpen(host) && !("challenge" in host) && found.length <= FEW && PROXIES.every((name) => !env[name]);
}

async function allSame({ domain, found }: Asked, signal: AbortSignal): Promise<boolean> {
  return (await Promise.all(found.map((name) => saysSame(domain, name, signal)))).every(Boolean);
}

/**
 * Sends one HEAD, by what is loaded already, and understands nothing but the very answer that is hoped for (HTTP/1.1, RFC
 * 9112): each other one is asked for again by the whole program. @throws what went wrong
 */
async function saysSame(
  domain: string,
  [path, reference, digest]: Asked["found"][number],
  signal: AbortSignal,
): Promise<boolean> {
  const { hostname, host, port, pathname } = new URL(`http://${domain}/v2/${path}/manifests/${reference}`);
  const address = { hostname: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80), signal };
  const connection = await Deno.connect(address);
  const stop = () => connection.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const request = encoder.encode(
      [`HEAD ${pathname} HTTP/1.1`, `host: ${host}`, ...HEADERS, "", ""].join("\r\n"),
    );
    if (await connection.write(request) < request.length) return false;
    const [status = "", ...headers] = await headOf(connection);
    const said = headers.flatMap((line) =>
      /^docker-content-digest:[ \t]*(.*?)[ \t]*$/i.exec(line)?.[1] ?? []
    );
    return /^HTTP\/1\.1 200( |$)/.test(status) && said.length === 1 && said[0] === digest;
  } finally {
    signal.removeEventListener("abort", stop);
    if (!signal.aborted) stop();
  }
}

/** The lines of an answer's head; empty where there is none. */
async function headOf(connection: Deno.Conn): Promise<string[]> {
  const room = new Uint8Array(HEAD_ROOM);
  let text = "";
  for (let end = 0; !text.includes("\r\n\r\n");) {
    const more = await connection.read(room.subarray(end));
    if (!more) return []; // it has ended, or is too long
    text = decoder.decode(room.subarray(0, end += more));
  }
  return text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
}
