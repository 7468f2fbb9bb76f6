/** What steps find about names and addresses. */
import type { StepNetwork } from "../../../core/contract/plugin.ts";
import { isLoopback } from "../../../lib/loopback.ts";
import { NAME_SERVER } from "./user_network.ts";
import { unreachable } from "../../../lib/unreachable.ts";

/** Host name of every step, so that none gets into a layer. */
export const HOSTNAME = "dapp";

/** What stands in /etc/hosts and /etc/resolv.conf; an image's own resolv.conf stays where there is no network. */
export function networkFiles(
  network: StepNetwork,
  machine: (path: string) => string = readMachine,
): Record<string, string> {
  const own = `127.0.0.1\tlocalhost ${HOSTNAME}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
  switch (network) {
    case "none":
      return { hosts: own };
    case "private":
      return {
        hosts: own + lines(machine("/etc/hosts"), (line) => !isLoopback(line.trim().split(/\s/)[0]!)),
        "resolv.conf": `nameserver ${NAME_SERVER}\n` +
          lines(machine("/etc/resolv.conf"), (line) => /^\s*(search|domain|options)\s/.test(line)),
      };
    case "host":
      return {
        hosts: machine("/etc/hosts") + `127.0.0.1\t${HOSTNAME}\n`,
        "resolv.conf": machine("/etc/resolv.conf"),
      };
    default:
      return unreachable(network);
  }
}

/** The lines of a text that are wanted, without comments. */
function lines(text: string, wanted: (line: string) => boolean): string {
  return text.split("\n").filter((line) => /^\s*[^\s#;]/.test(line) && wanted(line))
    .map((line) => `${line}\n`).join("");
}

function readMachine(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
