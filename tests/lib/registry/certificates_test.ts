import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { hostCertificates } from "../../../lib/registry/certificates.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";

const HOST = "reg.example:5000";

Deno.test("hostCertificates() reads what belongs to a host", async (t) => {
  await withTempDir(async (dir) => {
    const certs = `${dir}/.config/containers/certs.d/${HOST}`;
    await Deno.mkdir(certs, { recursive: true });
    const made = await makeCertificates(dir);
    if (!made) return;
    const { ca, client } = made;
    const two = `${ca}\n# another\n${made.server.cert}`.replaceAll("\n", "\r\n");
    const files = { "b.crt": two, "a.crt": ca, "client.cert": client.cert, "client.key": client.key };
    for (const [name, text] of Object.entries({ ...files, "notes.txt": "notes" })) {
      await Deno.writeTextFile(`${certs}/${name}`, text);
    }
    const env = { HOME: dir };
    await t.step("authorities, and a client certificate with its key", async () => {
      const wanted = { ca: [ca, two], ...client };
      deepStrictEqual(await hostCertificates(env, HOST), wanted);
    });
    await t.step("beside those named by variables", async () => {
      const more = { SSL_CERT_FILE: `${dir}/server.pem`, DENO_CERT: `${certs}/notes.txt` };
      const found = await hostCertificates({ ...env, ...more }, HOST);
      deepStrictEqual(found.ca, [made.server.cert, ca, two]);
      const unusable = [`"${certs}/notes.txt", which DENO_CERT names, holds no certificate`];
      deepStrictEqual(found.unusable, unusable);
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
      strictEqual(cert, client.cert);
    });
    await t.step("nothing for others", async () => {
      deepStrictEqual(await hostCertificates(env, "other.example"), {});
    });
  });
});

Deno.test("hostCertificates() leaves out what cannot be used, and says what is wrong with it", async () => {
  await withTempDir(async (dir) => {
    const made = await makeCertificates(dir);
    if (!made) return;
    const { ca, server, client: { cert, key } } = made;
    const cut = ca.slice(0, ca.length / 2);
    const rows: readonly (readonly [Record<string, string>, string])[] = [
      [{ "ca.crt": "" }, "ca.crt holds no certificate"],
      [{ "ca.crt": "hello\n" }, "ca.crt holds no certificate"],
      [{ "ca.crt": "\u0000\u0001" }, "ca.crt holds no certificate"],
      [{ "ca.crt": key }, "ca.crt holds no certificate"],
      [{ "ca.crt": cut }, "ca.crt holds no certificate"],
      [{ "ca.crt": `${cut}\n-----END CERTIFICATE-----\n` }, "ca.crt holds a damaged certificate"],
      [{ "ca.crt": ca.replace(/\n(?=M)/, "\n!") }, "ca.crt holds a damaged certificate"],
      [{ "ca.crt": `${ca}${cut}\n-----END CERTIFICATE-----` }, "ca.crt holds a damaged certificate"],
      [{ "c.cert": cert }, 'c.cert has no key beside it: "c.key"'],
      [{ "c.key": key }, 'c.key has no certificate beside it: "c.cert"'],
      [{ "c.cert": "x", "c.key": key }, "c.cert holds no certificate"],
      [{ "c.cert": cert, "c.key": "" }, "c.key holds no private key"],
      [{ "c.cert": cert, "c.key": cert }, "c.key holds no private key"],
      [{ "c.cert": cert, "c.key": server.key }, "c.key is the key of another certificate"],
      [{ "c.cert": cert, "c.key": key.replace(/\n(?=M)/, "\nMMMM") }, "c.key holds a damaged key"],
      [
        { "c.cert": cert, "c.key": key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE") },
        "c.key holds a key that wants a password, which cannot be given",
      ],
    ];
    for (const [i, [files, wrong]] of rows.entries()) {
      const certs = `${dir}/${i}/containers/certs.d/${HOST}`;
      await Deno.mkdir(certs, { recursive: true });
      for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${certs}/${name}`, text);
      const [file, ...why] = wrong.split(" ");
      const unusable = [`"${certs}/${file}" ${why.join(" ")}`];
      deepStrictEqual(await hostCertificates({ XDG_CONFIG_HOME: `${dir}/${i}` }, HOST), { unusable });
    }
    const certs = `${dir}/containers/certs.d/${HOST}`;
    await Deno.mkdir(`${certs}/ca.crt`, { recursive: true });
    const unusable = [`"${certs}/ca.crt" is a directory`];
    deepStrictEqual(await hostCertificates({ XDG_CONFIG_HOME: dir }, HOST), { unusable });
  });
});

Deno.test("hostCertificates() takes keys of every common form", async () => {
  const openssl = await peer("openssl");
  if (!openssl) return;
  await withTempDir(async (dir) => {
    const certs = `${dir}/containers/certs.d/${HOST}`;
    await Deno.mkdir(certs, { recursive: true });
    const kinds = [["rsa", "rsa_keygen_bits:2048"], ["ec", "ec_paramgen_curve:secp384r1"], ["ed25519"]];
    for (const [kind, option] of kinds) {
      const how = option === undefined ? [] : ["-pkeyopt", option];
      await run(
        [openssl, "req", "-x509", "-nodes", "-newkey", kind!, ...how, "-days", "2", "-subj", "/CN=me"].concat(
          [
            ...["-keyout", `${certs}/c.key`, "-out", `${certs}/c.cert`],
          ],
        ),
      );
      const { cert, key, unusable } = await hostCertificates({ XDG_CONFIG_HOME: dir }, HOST);
      deepStrictEqual([unusable, cert !== undefined, key !== undefined], [undefined, true, true]);
      if (kind === "ed25519") continue;
      // As tools before PKCS #8 wrote them.
      await run([openssl, "pkey", "-traditional", "-in", `${certs}/c.key`, "-out", `${certs}/old`]);
      await Deno.rename(`${certs}/old`, `${certs}/c.key`);
      const { key: old, unusable: none } = await hostCertificates({ XDG_CONFIG_HOME: dir }, HOST);
      deepStrictEqual([none, /RSA PRIVATE|EC PRIVATE/.test(old!)], [undefined, true]);
    }
  });
});
