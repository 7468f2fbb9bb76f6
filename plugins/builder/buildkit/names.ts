import { lookup } from "node:dns/promises";
import type { BuilderAddress } from "./address.ts";

/** Finds the addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

/** As programs of this machine find names: hosts file, then DNS. Of a name with both families, those of IPv4. */
const resolveName: Resolve = async (name) => {
  const found = await lookup(name, { all: true });
  const four = found.filter(({ family }) => family === 4);
  return [...new Set((four.length > 0 ? four : found).map(({ address }) => address))].sort();
};

/**
 * The daemons behind an address: one for each address that its name has, such as the pods of a headless service; each is
 * known to certificates by the name. `several`: it had more than one before, so one alone is a new one.
 */
export async function daemonsAt(
  address: BuilderAddress,
  resolve: Resolve = resolveName,
  several = false,
): Promise<readonly BuilderAddress[]> {
  if (address.kind !== "tcp") return [address];
  const { hostname, port } = new URL(`http://${address.host}`);
  if (hostname === "localhost" || /^[\d.]+$|^\[/.test(hostname)) return [address];
  const found = await resolve(hostname);
  if (found.length < 2 && !several) return [address];
  return found.map((ip) => ({
    kind: "tcp",
    text: `${address.text} (${ip})`,
    host: `${ip.includes(":") ? `[${ip}]` : ip}:${port}`,
    serverName: hostname,
  }));
}
