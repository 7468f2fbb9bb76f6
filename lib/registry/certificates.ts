import type { Env } from "./http.ts";

/** What a TLS connection to one host needs beside the certificates that are always trusted. PEM texts. */
export interface HostCertificates {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Authorities from `SSL_CERT_FILE`, `DENO_CERT` and `<host[:port]>/*.crt`, and the client certificate `*.cert` with the
 * `*.key` of the same name, from the directories of docker and podman (containers-certs.d(5), the user's first). Those
 * that this user may not read are passed over.
 *
 * @throws {Deno.errors.NotFound} when a file named by a variable does not exist
 */
export async function hostCertificates(env: Env, host: string): Promise<HostCertificates> {
  const named = [env.SSL_CERT_FILE, env.DENO_CERT].filter((file): file is string => !!file);
  const ca = await Promise.all(named.map((file) => Deno.readTextFile(file)));
  let pair: Pick<HostCertificates, "cert" | "key"> = {};
  for (const dir of directories(env).map((base) => `${base}/${host}`)) {
    const files = await readDir(dir);
    for (const name of files.filter((name) => name.endsWith(".crt"))) {
      const text = await readable(`${dir}/${name}`);
      if (text) ca.push(text);
    }
    for (const name of files.filter((name) => name.endsWith(".cert"))) {
      const [cert, key] = [
        await readable(`${dir}/${name}`),
        await readable(`${dir}/${name.replace(/cert$/, "key")}`),
      ];
      if (cert && key && !pair.cert) pair = { cert, key };
    }
  }
  return { ...(ca.length > 0 && { ca }), ...pair };
}

function directories(env: Env): string[] {
  const user = env.XDG_CONFIG_HOME || (env.HOME && `${env.HOME}/.config`);
  return [
    ...(user ? [`${user}/containers/certs.d`] : []),
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ];
}

async function readDir(dir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(dir)) names.push(name);
  } catch {
    // nothing for this host, or nothing that this user may read
  }
  return names.sort();
}

async function readable(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch {
    return undefined;
  }
}
