import assert from "node:assert/strict";
import type { ClusterAccess } from "../../../plugins/cleanup/kubernetes/access.ts";
import { findClusters, type FoundClusters } from "../../../plugins/cleanup/kubernetes/find_clusters.ts";
import { withTempDir } from "../../support/tmp.ts";
import { never } from "../support/publish.ts";

interface Case {
  /** Files below the home, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** `~` is the home. */
  readonly env?: Readonly<Record<string, string>>;
  readonly contexts?: readonly string[];
  /** The option `kubeconfig`; it starts in the home. */
  readonly file?: string;
  readonly required?: boolean;
  /** How long a plugin may take. */
  readonly execMs?: number;
}

/** What is found, with `~` for the home. */
async function find(
  { files = {}, env = {}, contexts, file, required = true, ...exec }: Case,
): Promise<FoundClusters> {
  return await withTempDir(async (dir) => {
    const home = await Deno.realPath(dir);
    for (const [name, text] of Object.entries(files)) {
      const path = `${home}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(path, text, { mode: 0o755 });
    }
    const full = Object.entries({ HOME: "~", ...env }).map(([name, value]) => [
      name,
      value.replaceAll("~", home),
    ]);
    const own = { ...Object.fromEntries(full), PATH: Deno.env.get("PATH")! };
    try {
      const found = await findClusters(
        { env: own, projectDir: home, file },
        { contexts, required, exec: { env: own, signal: never, emit: () => {}, ...exec } },
      );
      return JSON.parse(JSON.stringify(found).replaceAll(home, "~"));
    } catch (error) {
      throw new Error((error as Error).message.replaceAll(home, "~"));
    }
  });
}

async function clusters(given: Case): Promise<readonly ClusterAccess[]> {
  const found = await find(given);
  assert.ok(found.kind === "clusters", found.kind);
  return found.clusters;
}

const one = (cluster: string, user = "{}", context = "x") => `
clusters: [{ name: c, cluster: ${cluster} }]
users: [{ name: u, user: ${user} }]
contexts: [{ name: ${context}, context: { cluster: c, user: u } }]
`;
const server = (name: string) => `{ server: "https://${name}" }`;

/** As tools make them: all files have the same three names. */
const kubeadm = (host: string) => `
clusters: [{ name: kubernetes, cluster: { server: "https://${host}" } }]
users: [{ name: admin, user: { token: of-${host} } }]
contexts: [{ name: admin@kubernetes, context: { cluster: kubernetes, user: admin } }]
`;

Deno.test("findClusters() reads kubeconfigs as kubectl does", async (t) => {
  const cases: Record<string, [Case, readonly string[]]> = {
    "the usual place": [{ files: { ".kube/config": one(server("a")) } }, ["https://a"]],
    "JSON": [{
      files: {
        ".kube/config": JSON.stringify({
          clusters: [{ name: "c", cluster: { server: "https://a" } }],
          contexts: [{ name: "x", context: { cluster: "c" } }],
        }),
      },
    }, ["https://a"]],
    "all contexts, each way once": [{
      files: {
        ".kube/config": `
clusters: [{ name: a, cluster: ${server("a")} }, { name: b, cluster: ${server("b")} }]
users: [{ name: u, user: { token: t } }, { name: v, user: { token: t } }]
contexts:
- { name: 1a, context: { cluster: a, user: u } }
- { name: 1b, context: { cluster: b, user: u } }
- { name: again, context: { cluster: a, user: u, namespace: other } }
- { name: same, context: { cluster: a, user: v } }
`,
      },
    }, ["https://a", "https://b"]],
    "names that join alike": [{
      files: {
        ".kube/config": `
clusters: [{ name: a, cluster: ${server("a")} }, { name: a b, cluster: ${server("b")} }]
users: [{ name: b c, user: { token: t } }, { name: c, user: { token: t } }]
contexts: [{ name: x, context: { cluster: a, user: b c } }, { name: y, context: { cluster: a b, user: c } }]
`,
      },
    }, ["https://a", "https://b"]],
    "contexts that are named": [
      { files: { k: one(server("a"), "{}", "y") }, env: { KUBECONFIG: "~/k" }, contexts: ["y"] },
      ["https://a"],
    ],
    "a file of the options instead of all others": [
      {
        files: { k: one(server("a")), ".kube/config": one(server("b")) },
        env: { KUBECONFIG: "~/no" },
        file: "k",
      },
      ["https://a"],
    ],
    "parts in several files": [{
      files: {
        clusters: `clusters: [{ name: c, cluster: ${server("a")} }]`,
        users: "users: [{ name: u, user: { token: t } }]",
        contexts: "contexts: [{ name: x, context: { cluster: c, user: u } }]",
      },
      env: { KUBECONFIG: "~/contexts:~/clusters:~/users" },
    }, ["https://a"]],
    "the first file that has a name overrides": [{
      files: { over: `clusters: [{ name: c, cluster: ${server("tunnel")} }]`, base: one(server("a")) },
      env: { KUBECONFIG: "~/over:~/base" },
    }, ["https://tunnel"]],
    "two files with the same names": [
      { files: { a: kubeadm("a"), b: kubeadm("b") }, env: { KUBECONFIG: "~/a:~/b" } },
      ["https://a", "https://b"],
    ],
    "two files with the same names, that context named": [
      {
        files: { a: kubeadm("a"), b: kubeadm("b") },
        env: { KUBECONFIG: "~/a:~/b" },
        contexts: ["admin@kubernetes"],
      },
      ["https://a", "https://b"],
    ],
    "two files where only the clusters have the same name": [{
      files: { a: one(server("a"), "{}", "x"), b: one(server("b"), "{ token: t }", "y") },
      env: { KUBECONFIG: "~/a:~/b" },
    }, ["https://a", "https://b"]],
    "a part that other files use, and a file with a meaning of its own": [{
      files: {
        part: `clusters: [{ name: kubernetes, cluster: ${server("a")} }]`,
        contexts: "contexts: [{ name: x, context: { cluster: kubernetes } }]",
        own: kubeadm("b"),
      },
      env: { KUBECONFIG: "~/part:~/contexts:~/own" },
    }, ["https://a", "https://b"]],
    "the same file twice, and a copy": [
      { files: { a: kubeadm("a"), b: kubeadm("a") }, env: { KUBECONFIG: "~/a:~/a:~/b:" } },
      ["https://a"],
    ],
    "an address without scheme": [{
      files: { ".kube/config": one("{ server: 'a:6443', insecure-skip-tls-verify: true }") },
    }, ["https://a:6443"]],
    "an address without scheme, and no word of certificates": [{
      files: { ".kube/config": one("{ server: 'a:8080' }") },
    }, ["http://a:8080"]],
    "a path below the server": [{
      files: { ".kube/config": one("{ server: 'https://a/k8s/clusters/c-1/' }") },
    }, ["https://a/k8s/clusters/c-1"]],
  };
  for (const [name, [given, servers]] of Object.entries(cases)) {
    await t.step(
      name,
      async () => assert.deepEqual((await clusters(given)).map((each) => each.server), servers),
    );
  }
});

Deno.test("findClusters() does not take what it cannot find out for nothing", async (t) => {
  const usual = (text: string): Case => ({ files: { ".kube/config": text } });
  const cases: Record<string, [Case, RegExp]> = {
    "no file anywhere": [{}, /there is no kubeconfig, wanted is one in KUBECONFIG or ~/],
    "KUBECONFIG names a missing file": [
      { env: { KUBECONFIG: "~/k" } },
      /KUBECONFIG names "~\/k", which does not exist/,
    ],
    "one of two is missing": [
      { files: { a: kubeadm("a") }, env: { KUBECONFIG: "~/a:~/b" } },
      /KUBECONFIG names "~\/b", which does not exist/,
    ],
    "KUBECONFIG names no file": [{ ...usual(kubeadm("a")), env: { KUBECONFIG: ":" } }, /KUBECONFIG is ":"/],
    "the file of the options is missing": [{ file: "k" }, /there is no file "~\/k"/],
    "no contexts": [usual("contexts: []"), /there is no context in "~\/.kube\/config"/],
    "an empty file": [usual(""), /there is no context in "~\/.kube\/config"/],
    "nothing filled in": [
      usual("apiVersion: v1\nkind: Config\nclusters:\nusers:\ncontexts:\n"),
      /there is no context in/,
    ],
    "the current context was removed": [
      usual("contexts: []\ncurrent-context: prod"),
      /there is no context in "~\/.kube\/config", where "prod" is the current one/,
    ],
    "a file without contexts in a pod with a current context": [
      { ...usual("current-context: prod"), env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } },
      /there is no context in/,
    ],
    "a pod without an account": [
      { env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } },
      /this is a pod without an account/,
    ],
    "contexts are named in a pod": [
      { contexts: ["prod"], env: { KUBERNETES_SERVICE_HOST: "10.0.0.1" } },
      /there is no context "prod"/,
    ],
    "another context": [
      { ...usual(one(server("a"))), contexts: ["y"] },
      /no context "y" in "~\/.kube\/config", there are x/,
    ],
    "a context name that is a number": [
      usual(one(server("a"), "{}", "1")),
      /contexts\[0\]\.name: .*expected string, received number/,
    ],
    "a context name that is a date": [
      usual(one(server("a"), "{}", "2024-01-01")),
      /contexts\[0\]\.name: .*expected string/,
    ],
    "a context name that is empty": [
      usual(one(server("a"), "{}", "''")),
      /contexts\[0\]\.name: a name is empty/,
    ],
    "a context without a name": [
      usual("contexts: [{ context: { cluster: c } }]"),
      /contexts\[0\]\.name: .*expected string/,
    ],
    "two contexts of one name": [
      usual("contexts: [{ name: x, context: { cluster: a } }, { name: x, context: { cluster: b } }]"),
      /contexts: the name "x" is there twice/,
    ],
    "two clusters of one name": [
      usual(`clusters: [{ name: c, cluster: ${server("a")} }, { name: c, cluster: ${server("b")} }]`),
      /clusters: the name "c" is there twice/,
    ],
    "contexts that are no list": [usual("contexts: { x: { cluster: c } }"), /contexts: .*expected array/],
    "no YAML": [usual("a: [b"), /"~\/.kube\/config" is damaged/],
    "two documents": [usual(`${kubeadm("a")}---\n${kubeadm("b")}`), /is damaged: .*single document/],
    "something else": [usual("kind: Secret"), /kind: wanted is "Config"/],
    "a text": [usual("hello"), /no valid kubeconfig/],
    "a context whose cluster is gone": [
      usual("contexts: [{ name: x, context: { cluster: c } }]"),
      /context "x" of "~\/.kube\/config" names cluster "c", which is nowhere/,
    ],
    "a context whose user is gone": [
      usual(
        `clusters: [{ name: c, cluster: ${
          server("a")
        } }]\ncontexts: [{ name: x, context: { cluster: c, user: u } }]`,
      ),
      /context "x" .* names user "u", which is nowhere/,
    ],
    "a context without a cluster": [
      usual("contexts: [{ name: x, context: }]"),
      /context "x" .* names no cluster/,
    ],
    "a cluster without a server": [
      usual(one("{ server: '' }")),
      /context "x" .* names a cluster without `server`/,
    ],
    "a server that is none": [
      usual(one("{ server: 'ftp://a' }")),
      /"ftp:\/\/a" of context "x" .* is no address/,
    ],
    "a flag that is a text": [
      usual(one("{ server: 'https://a', insecure-skip-tls-verify: 'true' }")),
      /insecure-skip-tls-verify: .*expected boolean/,
    ],
    "a proxy that nobody speaks": [
      usual(one("{ server: 'https://a', proxy-url: 'ftp://p' }")),
      /`proxy-url` of context "x"/,
    ],
    "bad base64": [
      usual(one("{ server: 'https://a', certificate-authority-data: '%%' }")),
      /certificate-authority-data of context "x" of "~\/.kube\/config" is no base64/,
    ],
    "a missing certificate": [
      usual(one("{ server: 'https://a', certificate-authority: ca.pem }")),
      /cannot read certificate-authority "~\/.kube\/ca.pem" of context "x"/,
    ],
    "a certificate without its key": [
      usual(one(server("a"), "{ client-certificate-data: YQ== }")),
      /has a client certificate and no key/,
    ],
    "a key without its certificate": [
      usual(one(server("a"), "{ client-key-data: YQ== }")),
      /has a client key and no certificate/,
    ],
    "a missing token": [
      usual(one(server("a"), "{ tokenFile: t }")),
      /cannot read the token "~\/.kube\/t" of context "x"/,
    ],
    "a provider that is gone": [
      usual(one(server("a"), "{ auth-provider: { name: gcp } }")),
      /auth provider "gcp"/,
    ],
    "groups of nobody": [
      usual(one(server("a"), "{ as-groups: [g] }")),
      /as-groups or as-user-extra, and no `as`/,
    ],
  };
  for (const [name, [given, message]] of Object.entries(cases)) {
    await t.step(name, async () => await assert.rejects(find(given), message));
  }
});

Deno.test("findClusters() knows when nothing speaks of Kubernetes, and when that is lost", async () => {
  assert.deepEqual(await find({ required: false }), { kind: "none" });
  const lost = { kind: "lost", path: "~/k" };
  assert.deepEqual(await find({ required: false, env: { KUBECONFIG: "~/k" } }), lost);
  const second = { files: { a: kubeadm("a") }, env: { KUBECONFIG: "~/a:~/k" }, required: false };
  assert.deepEqual(await find(second), lost);
});

Deno.test("findClusters() looks for relative files of KUBECONFIG in the working directory, for the option in the project", async () => {
  const relative = `dapp-${crypto.randomUUID()}`;
  await assert.rejects(find({ env: { KUBECONFIG: relative } }), (error: Error) => {
    assert.ok(error.message.includes(`"${Deno.cwd()}/${relative}"`), error.message);
    return true;
  });
  await assert.rejects(find({ file: relative }), new RegExp(`"~/${relative}"`));
});

Deno.test("accessTo() takes what a user has, as kubectl does", async (t) => {
  const [cert, key] = ["client-certificate-data: Y2VydA==", "client-key-data: a2V5"];
  const cases: Record<string, [string, Partial<ClusterAccess["tls"]>, ClusterAccess["headers"]]> = {
    "nobody": ["{}", {}, {}],
    "empty texts": [
      "{ token: '', tokenFile: '', username: '', as: '', as-groups: [], client-certificate: '', client-key-data: '' }",
      {},
      {},
    ],
    "a token": ["{ token: t }", {}, { authorization: "Bearer t" }],
    "a token in a file": ["{ tokenFile: tok }", {}, { authorization: "Bearer from-file" }],
    "a file is newer than a token": ["{ token: t, tokenFile: tok }", {}, {
      authorization: "Bearer from-file",
    }],
    "a token whose file is gone": ["{ token: t, tokenFile: no }", {}, { authorization: "Bearer t" }],
    "a name and a password beyond ASCII": ["{ username: ü, password: ß }", {}, {
      authorization: "Basic w7w6w58=",
    }],
    "a certificate": [`{ ${cert}, ${key} }`, { cert: "cert", key: "key" }, {}],
    "a certificate in files": [
      "{ client-certificate: cert, client-key: key }",
      { cert: "cert", key: "key" },
      {},
    ],
    "data counts over files": [`{ ${cert}, client-certificate: no, ${key}, client-key: no }`, {
      cert: "cert",
      key: "key",
    }, {}],
    "a certificate and a token": [`{ ${cert}, ${key}, token: t }`, { cert: "cert", key: "key" }, {
      authorization: "Bearer t",
    }],
    "an id token": ["{ auth-provider: { name: oidc, config: { id-token: t } } }", {}, {
      authorization: "Bearer t",
    }],
    "a plugin gives a token": [
      "{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login, args: [a b], env: [{ name: X, value: y }] } }",
      {},
      { authorization: "Bearer a b y" },
    ],
    "a plugin gives a certificate": [
      "{ exec: { apiVersion: client.authentication.k8s.io/v1beta1, command: ./sign } }",
      { cert: "c", key: "k" },
      {},
    ],
    "a token counts over a plugin": [
      "{ token: t, exec: { apiVersion: client.authentication.k8s.io/v1, command: ./no } }",
      {},
      { authorization: "Bearer t" },
    ],
    "somebody else": [
      "{ token: t, as: me, as-uid: '7', as-groups: [a, b], as-user-extra: { Reason/x: [r] } }",
      {},
      {
        authorization: "Bearer t",
        "impersonate-user": "me",
        "impersonate-uid": "7",
        "impersonate-group": ["a", "b"],
        "impersonate-extra-reason%2Fx": ["r"],
      },
    ],
  };
  const files = {
    ".kube/tok": "from-file\n",
    ".kube/cert": "cert",
    ".kube/key": "key",
    ".kube/login": `#!/bin/sh\necho '{"kind":"ExecCredential","status":{"token":"'"$1 $X"'"}}'\n`,
    ".kube/sign": `#!/bin/sh\necho '{"status":{"clientCertificateData":"c","clientKeyData":"k"}}'\n`,
  };
  for (const [name, [user, tls, headers]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const [found] = await clusters({ files: { ...files, ".kube/config": one(server("a"), user) } });
      assert.deepEqual([found!.tls, found!.headers], [{ rejectUnauthorized: true, ...tls }, headers]);
    });
  }
});

Deno.test("accessTo() tells what the cluster needs", async () => {
  const cluster =
    `{ server: "https://a", certificate-authority-data: Y2E=, insecure-skip-tls-verify: true, tls-server-name: n, proxy-url: "socks5://p:1", disable-compression: true }`;
  const [found] = await clusters({ files: { ".kube/config": one(cluster) } });
  assert.deepEqual(found, {
    name: 'context "x" of "~/.kube/config"',
    server: "https://a",
    tls: { rejectUnauthorized: false, ca: "ca", servername: "n" },
    headers: {},
    proxy: "socks5://p:1",
    compression: false,
  });
});

Deno.test("execCredential() stops what gives no credentials, with a word for people", async (t) => {
  const cases: Record<string, [string, RegExp, string?]> = {
    "it fails": [
      "echo no such account >&2; exit 3",
      /the credential plugin "~\/.kube\/login" of context "x" of .* failed: no such account/,
    ],
    "it says nothing": ["exit 3", /failed: it ended with code 3/],
    "no JSON": ["echo hello", /gave an answer that is not JSON/],
    "no status": ['echo \'{"kind":"ExecCredential"}\'', /no ExecCredential with a status/],
    "an empty status": ['echo \'{"status":{"token":""}}\'', /neither a token nor a certificate/],
    "a certificate without a key": [
      'echo \'{"status":{"clientCertificateData":"c"}}\'',
      /a client certificate and no key/,
    ],
    "it must ask somebody": ["echo", /wants to ask somebody/, "interactiveMode: Always"],
  };
  for (const [name, [script, message, extra]] of Object.entries(cases)) {
    await t.step(name, async () => {
      const user = `{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login, ${
        extra ?? ""
      } } }`;
      const files = { ".kube/config": one(server("a"), user), ".kube/login": `#!/bin/sh\n${script}\n` };
      await assert.rejects(find({ files }), message);
    });
  }
  await t.step("it hangs, and so does what it started", async () => {
    const user = "{ exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login } }";
    const files = { ".kube/config": one(server("a"), user), ".kube/login": "#!/bin/sh\nsleep 1000\necho\n" };
    await assert.rejects(
      find({ files, execMs: 50 }),
      /"~\/\.kube\/login" .* gave no answer within 0\.05 seconds/,
    );
  });
  await t.step("it is not installed", async () => {
    const user =
      "{ exec: { apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, installHint: Get it at x } }";
    await assert.rejects(
      find({ files: { ".kube/config": one(server("a"), user) } }),
      /"no-such-plugin" .* cannot be run: .*Get it at x/,
    );
  });
  await t.step("a version that nobody speaks", async () => {
    const user = "{ exec: { apiVersion: client.authentication.k8s.io/v9, command: x } }";
    await assert.rejects(find({ files: { ".kube/config": one(server("a"), user) } }), /exec\.apiVersion/);
  });
});
