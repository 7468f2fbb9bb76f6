import { isLoopback } from "./hosts.ts";

/** Whether a text looks like a REPO on another machine: `registry.example.com/shop`. Told by its look alone. */
export function isFar(text: string): boolean {
  const slash = text.indexOf("/");
  if (slash <= 0 || text.startsWith(".")) return false;
  const [name = "", port] = text.slice(0, slash).split(":");
  const isHost = port === undefined ? name.includes(".") : /^\d+$/.test(port);
  return isHost && !isLoopback(name);
}
