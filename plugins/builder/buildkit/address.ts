import { EngineError } from "../../../core/contract/plugin.ts";

/** Variables of the run. */
export type { Environment } from "../../../lib/environment.ts";

/** Where a daemon listens. */
export type BuilderAddress =
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | {
    readonly kind: "tcp";
    readonly text: string;
    readonly host: string;
    /** The name that certificates have, when the host is one of its addresses. */
    readonly serverName?: string;
  }
  | { readonly kind: "docker-container"; readonly text: string; readonly container: string }
  | {
    readonly kind: "kube-pod";
    readonly text: string;
    readonly pod: string;
    readonly namespace?: string;
    readonly container?: string;
    readonly context?: string;
  };

/** @throws USAGE naming the address */
export function parseAddress(text: string): BuilderAddress {
  const [, scheme, rest = ""] = /^([a-z-]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "unix" && rest.startsWith("/")) return { kind: "unix", text, path: rest };
  if (scheme === "tcp" && URL.canParse(`http://${rest}`)) {
    const { hostname, port, pathname, username, password, search, hash } = new URL(`http://${rest}`);
    const more = username + password + search + hash;
    if (port !== "" && pathname === "/" && more === "") {
      return { kind: "tcp", text, host: `${hostname}:${port}` };
    }
  }
  if (scheme === "docker-container" && /^[A-Za-z0-9][\w.-]*$/.test(rest)) {
    return { kind: "docker-container", text, container: rest };
  }
  const pod = scheme === "kube-pod" ? kubePod(text, rest) : undefined;
  if (pod) return pod;
  throw new EngineError(
    "USAGE",
    `Cannot use BuildKit at "${
      text.replace(/\/\/[^/@]*@/, "//***@")
    }": wanted is unix:///PATH, tcp://HOST:PORT, ` +
      "docker-container://NAME or kube-pod://[NAMESPACE/]POD[?container=NAME&context=NAME]",
    { fix: "Correct BUILDKIT_HOST or `addresses` of builder-buildkit" },
  );
}

const KUBE_NAME = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?";

function kubePod(text: string, rest: string): BuilderAddress | undefined {
  const [, namespace, pod, query = ""] =
    new RegExp(`^(?:(${KUBE_NAME})/)?(${KUBE_NAME})(?:\\?(.*))?$`).exec(rest) ?? [];
  if (pod === undefined) return undefined;
  const given = new URLSearchParams(query);
  if ([...given].some(([key, value]) => !["container", "context"].includes(key) || value === "")) {
    return undefined;
  }
  const container = given.get("container");
  const context = given.get("context");
  return {
    kind: "kube-pod",
    text,
    pod,
    ...(namespace !== undefined && { namespace }),
    ...(container !== null && { container }),
    ...(context !== null && { context }),
  };
}
