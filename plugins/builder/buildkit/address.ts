import { EngineError } from "../../../core/contract/plugin.ts";

/** Variables of the run. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a daemon listens. */
export type BuilderAddress =
  | { readonly kind: "unix"; readonly text: string; readonly path: string }
  | { readonly kind: "tcp"; readonly text: string; readonly host: string }
  | { readonly kind: "docker-container"; readonly text: string; readonly container: string };

/** @throws USAGE naming the address */
export function parseAddress(text: string): BuilderAddress {
  const [, scheme, rest = ""] = /^([a-z-]+):\/\/(.*)$/.exec(text) ?? [];
  if (scheme === "unix" && rest.startsWith("/")) return { kind: "unix", text, path: rest };
  if (scheme === "tcp" && URL.canParse(`http://${rest}`)) {
    const { hostname, port, pathname } = new URL(`http://${rest}`);
    if (port !== "" && pathname === "/") return { kind: "tcp", text, host: `${hostname}:${port}` };
  }
  if (scheme === "docker-container" && /^[A-Za-z0-9][\w.-]*$/.test(rest)) {
    return { kind: "docker-container", text, container: rest };
  }
  throw new EngineError(
    "USAGE",
    `Cannot use BuildKit at "${text}": wanted is unix:///PATH, tcp://HOST:PORT or docker-container://NAME`,
    { fix: "Correct BUILDKIT_HOST or `addresses` of builder-buildkit" },
  );
}
