/** Certificates for tests of TLS, made with openssl. PEM texts. */
import { peer } from "./peers.ts";
import { run } from "./process.ts";

export interface TestCertificates {
  readonly ca: string;
  /** Of a server at 127.0.0.1, localhost and api.test. */
  readonly server: { readonly cert: string; readonly key: string };
  /** Of somebody called "me". */
  readonly client: { readonly cert: string; readonly key: string };
}

/**
 * Undefined when there is no openssl. Its files stay in `dir`: ca.pem, server.pem, server.key, client.pem, client.key.
 *
 * @param address one more that the server is at
 */
export async function makeCertificates(
  dir: string,
  address = "127.0.0.1",
): Promise<TestCertificates | undefined> {
  const openssl = await peer("openssl");
  if (!openssl) return undefined;
  const make = (args: readonly string[]) => run([openssl, ...args], { cwd: dir });
  const key = (
    name: string,
  ) => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name];
  await make(["req", "-x509", ...key("ca.key"), "-out", "ca.pem", "-days", "2", "-subj", "/CN=tests"]);
  const sign = async (name: string, subject: string, extension: string) => {
    await Deno.writeTextFile(`${dir}/${name}.ext`, extension);
    await make(["req", ...key(`${name}.key`), "-out", `${name}.csr`, "-subj", subject]);
    await make(
      ["x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
        .concat(["-days", "2", "-out", `${name}.pem`, "-extfile", `${name}.ext`]),
    );
    const [cert, own] = [`${name}.pem`, `${name}.key`].map((file) => Deno.readTextFile(`${dir}/${file}`));
    return { cert: await cert!, key: await own! };
  };
  const names = `IP:127.0.0.1,IP:${address},DNS:localhost,DNS:api.test`;
  const server = await sign("server", "/CN=server", `subjectAltName=${names}`);
  const client = await sign("client", "/CN=me", "extendedKeyUsage=clientAuth");
  return { ca: await Deno.readTextFile(`${dir}/ca.pem`), server, client };
}
