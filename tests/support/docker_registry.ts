/** The real `docker-registry` (distribution) of Debian, with a directory of its own. */
import { peer } from "./peers.ts";
import { type RealServer, startServer } from "./real_server.ts";

export type DockerRegistry = RealServer;

export interface DockerRegistryOptions {
  /** @default true */
  readonly deletion?: boolean;
  /** Which blobs it has, as in Debian's configuration and that of the official image. @default true */
  readonly remembers?: boolean;
  /** Its data is in a directory of its own below this. @default $TMPDIR */
  readonly dir?: string;
  /** @default that of Debian */
  readonly binary?: string;
  /** Where it keeps what it is sent. @default a directory of its own */
  readonly data?: string;
  /** The token server that it sends clients to: distribution's `auth.token`. */
  readonly token?: Readonly<Record<string, string>>;
  /** Files for TLS; with `ca`, clients need a certificate of it. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
}

/** Starts a registry, with deletion unless told otherwise, or returns undefined when it is not installed. */
export async function startDockerRegistry(
  { deletion = true, remembers = true, dir: below, binary, data, token, tls }: DockerRegistryOptions = {},
): Promise<DockerRegistry | undefined> {
  const path = binary ?? await peer("docker-registry");
  if (path === undefined) return undefined;
  return await startServer({
    binary: path,
    below,
    async args({ host, dir }) {
      const config = {
        version: 0.1,
        log: { level: "error" },
        storage: {
          ...(remembers && { cache: { blobdescriptor: "inmemory" } }),
          filesystem: { rootdirectory: data ?? `${dir}/data` },
          delete: { enabled: deletion },
        },
        ...(token && { auth: { token } }),
        http: {
          addr: host,
          ...(tls &&
            { tls: { certificate: tls.cert, key: tls.key, ...(tls.ca && { clientcas: [tls.ca] }) } }),
        },
      };
      await Deno.writeTextFile(`${dir}/config.yml`, JSON.stringify(config));
      return ["serve", `${dir}/config.yml`];
    },
  });
}
