import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { hostCertificates } from "../../../lib/registry/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";

const HOST = "reg.example:5000";

Deno.test("hostCertificates() reads what belongs to a host", async (t) => {
  await withTempDir(async (dir) => {
    const certs = `${dir}/.config/containers/certs.d/${HOST}`;
    await Deno.mkdir(certs, { recursive: true });
    for (const name of ["b.crt", "a.crt", "client.cert", "client.key", "lonely.cert", "notes.txt"]) {
      await Deno.writeTextFile(`${certs}/${name}`, name);
    }
    const env = { HOME: dir };
    await t.step("authorities, and a client certificate with its key", async () => {
      const wanted = { ca: ["a.crt", "b.crt"], cert: "client.cert", key: "client.key" };
      deepStrictEqual(await hostCertificates(env, HOST), wanted);
    });
    await t.step("beside those named by variables", async () => {
      const { ca } = await hostCertificates({ ...env, SSL_CERT_FILE: `${certs}/notes.txt` }, HOST);
      deepStrictEqual(ca, ["notes.txt", "a.crt", "b.crt"]);
    });
    await t.step("but not where such a file cannot be read", async () => {
      for (const [file, why] of [[`${dir}/absent`, "does not exist"], [dir, "is a directory"]] as const) {
        for (const variable of ["SSL_CERT_FILE", "DENO_CERT"] as const) {
          const message = `Cannot reach registries: ${variable} names "${file}", which ${why}`;
          await rejects(hostCertificates({ ...env, [variable]: file }, HOST), { message, kind: "refused" });
        }
      }
    });
    await t.step("from the directory of XDG_CONFIG_HOME", async () => {
      const { cert } = await hostCertificates({ XDG_CONFIG_HOME: `${dir}/.config` }, HOST);
      strictEqual(cert, "client.cert");
    });
    await t.step("nothing for others", async () => {
      deepStrictEqual(await hostCertificates(env, "other.example"), {});
    });
  });
});
