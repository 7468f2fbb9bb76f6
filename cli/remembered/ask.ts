import type { Environment } from "../../lib/environment.ts";
import { hasMembers, isJust } from "../../lib/guard.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";
import { sendWire } from "../../lib/registry/wire.ts";
import type { Asked } from "./answer.ts";

/** Names of one registry that are asked for at once, each over a connection of its own. */
const FEW = 8;
const PROXIES = ["HTTP_PROXY", "http_proxy"];

/** Whether registries say the same now. @throws what went wrong, or the signal's reason */
export async function saySame(
  registries: readonly Asked[],
  env: Environment,
  signal: AbortSignal,
): Promise<boolean> {
  const same = registries.map(async (each) => {
    if (isPlain(each, env)) return await saysSame(each, signal);
    const { clientSaysSame } = await import("./ask_client.ts");
    signal.throwIfAborted();
    return await clientSaysSame(each, env, signal);
  });
  return (await Promise.all(same)).every(Boolean);
}

const isOpen = hasMembers({ scheme: isJust("http:") });

/** Whether a registry is asked by plain http and wants no login: then a bare request does, in half of the time. */
function isPlain({ host, found }: Asked, env: Readonly<Record<string, string | undefined>>): boolean {
  return isOpen(host) && !("challenge" in host) && found.length <= FEW && PROXIES.every((name) => !env[name]);
}

async function saysSame({ domain, found }: Asked, signal: AbortSignal): Promise<boolean> {
  const headers = { "user-agent": "dapp", "accept": MANIFEST_TYPES.join(", ") };
  const same = found.map(async ([path, reference, digest]) => {
    const url = new URL(`http://${domain}/v2/${path}/manifests/${reference}`);
    const answer = await sendWire({ method: "HEAD", url, headers, small: true, signal });
    await answer.discard();
    return answer.status === 200 && answer.header("docker-content-digest") === digest;
  });
  return (await Promise.all(same)).every(Boolean);
}
