import assert from "node:assert/strict";
import { use } from "../../../core/contract/plugin.ts";
import { keepKubernetes } from "../../../plugins/cleanup/kubernetes/mod.ts";
import { makeCertificates, type TestCertificates } from "../../support/certificates.ts";
import { withTempDir } from "../../support/tmp.ts";
import { startConnectProxy, startSocksProxy } from "../../support/tunnel_proxy.ts";
import { type KubeAnswer, type KubeRequest, startKube, status } from "../support/kube_server.ts";
import { MemoryRegistry } from "../support/memory_registry.ts";
import { putImage } from "../support/publish.ts";
import { keptTags } from "../support/run.ts";

const image = (tag: string) => `registry.test/shop:${tag}`;
const pod = (name: string, namespace = "shop") => ({
  metadata: { namespace, name },
  spec: { containers: [{ image: name }] },
});

/** A registry with these tags. */
async function registryOf(...tags: readonly string[]): Promise<MemoryRegistry> {
  const registry = new MemoryRegistry();
  for (const tag of tags) await putImage(registry, { tag, salt: tag });
  return registry;
}

interface Asker {
  readonly registry: MemoryRegistry;
  readonly dir: string;
  readonly certificates: TestCertificates;
  /** What the policy keeps with this kubeconfig. */
  ask(
    kubeconfig: string,
    options?: Readonly<Record<string, unknown>>,
    env?: Readonly<Record<string, string>>,
  ): Promise<string[]>;
}

/** Images that are there are called a, b, c and unused. */
async function withCluster(body: (asker: Asker) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const certificates = await makeCertificates(dir);
    if (!certificates) return;
    const registry = await registryOf("a", "b", "c", "unused");
    await body({
      registry,
      dir,
      certificates,
      async ask(kubeconfig, options = {}, env = {}) {
        await Deno.writeTextFile(`${dir}/config`, kubeconfig);
        const policies = [use(keepKubernetes as never, options as never)];
        return await keptTags(registry, { env: { KUBECONFIG: `${dir}/config`, ...env }, policies });
      },
    });
  });
}

const configOf = (server: string, more = "", user = "{}") => `
clusters: [{ name: c, cluster: { server: "${server}", certificate-authority: ca.pem ${more} } }]
users: [{ name: u, user: ${user} }]
contexts: [{ name: x, context: { cluster: c, user: u } }]
`;

Deno.test("keep-kubernetes keeps what objects of all contexts name, wherever they name it", async () => {
  await withCluster(async ({ registry, certificates, ask, dir }) => {
    const tags = [
      "page1",
      "page2",
      "init",
      "volume",
      "cron",
      "history",
      "rollout",
      "env",
      "elsewhere",
      "mirror",
    ];
    const digest = await putImage(registry, { tag: "pinned", salt: "pinned" });
    for (const tag of tags) await putImage(registry, { tag, salt: tag });
    const many = Array.from({ length: 250 }, (_, i) => pod(`nginx:${i}`));
    await using one = await startKube({
      certificates,
      tokens: ["secret"],
      lists: {
        "/api/v1/pods": [
          pod(image("page1")),
          ...many,
          {
            spec: {
              initContainers: [{ image: image("init") }],
              volumes: [{ image: { reference: image("volume") } }],
            },
          },
          { status: { containerStatuses: [{ imageID: `docker-pullable://x@${digest}` }] } },
          { spec: { containers: [{ env: [{ name: "RELATED_IMAGES", value: `x:1,${image("env")}` }] }] } },
          pod(image("page2")),
        ],
        "/apis/batch/v1beta1/cronjobs": [{ spec: { jobTemplate: pod(image("cron")) } }],
        "/apis/x.io/v1/rollouts": [{ spec: { deploy: [{ what: image("rollout") }] } }],
      },
      // A cluster from before the list had this name.
      answer: ({ path }) =>
        path === "/apis/batch/v1/cronjobs" ? { status: 404, body: "404 page not found\n" } : undefined,
    });
    await using two = await startKube({
      certificates,
      lists: {
        "/apis/apps/v1/controllerrevisions": [{ data: { spec: { template: pod(image("history")) } } }],
        "/api/v1/pods": [pod("other.test:5000/shop:elsewhere"), pod("cache.test/proxy/shop:mirror")],
      },
    });
    await Deno.writeTextFile(
      `${dir}/login`,
      `#!/bin/sh\necho '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"secret"}}'\n`,
      { mode: 0o755 },
    );
    const config = `
clusters:
- { name: one, cluster: { server: "${one.url}", certificate-authority: ca.pem } }
- { name: two, cluster: { server: "${two.url}", certificate-authority: ca.pem } }
users: [{ name: u, user: { exec: { apiVersion: client.authentication.k8s.io/v1, command: ./login } } }]
contexts: [{ name: a, context: { cluster: one, user: u } }, { name: b, context: { cluster: two } }]
`;
    const resources = [
      { path: "/apis/x.io/v1/rollouts", images: "spec.deploy[*].what" },
      { path: "/api/v1/pods", images: "..env[*].value" },
    ];
    assert.deepEqual(
      await ask(config, { resources: resources, contexts: "a" }),
      ["cron", "env", "init", "page1", "page2", "pinned", "rollout", "volume"],
    );
    assert.deepEqual(await ask(config, { contexts: "b", aliases: ["cache.test/proxy/shop"] }), [
      "elsewhere",
      "history",
      "mirror",
    ]);
    assert.deepEqual(
      await ask(config),
      ["cron", "elsewhere", "history", "init", "page1", "page2", "pinned", "volume"],
    );
  });
});

Deno.test("keep-kubernetes ends with a message when a server that speaks HTTP/2 refuses one of many lists", async () => {
  await withCluster(async ({ certificates, ask }) => {
    for (const refused of ["/api/v1/pods", "/apis/apps/v1/replicasets", "/apis/batch/v1/jobs"]) {
      // What is asked for later is still being answered when the refusal comes.
      const gate = Promise.withResolvers<undefined>();
      let refusing = false;
      await using kube = await startKube({
        certificates,
        lists: {},
        answer: ({ path }) => {
          refusing ||= path === refused;
          if (path !== refused) return refusing ? gate.promise : undefined;
          return status(
            403,
            "Forbidden",
            `${path} is forbidden: User "me" cannot list it at the cluster scope`,
          );
        },
      });
      await assert.rejects(ask(configOf(kube.url)), (error: Error & { fix: string }) => {
        const { message, fix } = error;
        assert.match(message, /^Cannot find out what runs in Kubernetes: context "x" of ".*\/config": /);
        assert.match(message, /answered 403: .* is forbidden: User "me" cannot list it/);
        assert.match(fix, /ClusterRole `view`.*`namespaces`/);
        return true;
      });
      gate.resolve(undefined);
    }
  });
});

Deno.test("keep-kubernetes waits for a busy server, asks again after a cut, and begins a forgotten list anew", async (t) => {
  await withCluster(async ({ certificates, ask }) => {
    /** The first `times` requests for pods that `which` is about get this answer. */
    const faulty = (
      answer: KubeAnswer,
      times: number,
      which: (request: KubeRequest) => boolean = () => true,
    ) => {
      let left = times;
      return (request: KubeRequest) =>
        request.path === "/api/v1/pods" && which(request) && left-- > 0 ? answer : undefined;
    };
    const expired = status(
      410,
      "Expired",
      "The provided continue parameter is too old to display a consistent list result.",
      { continue: "other" },
    );
    const continued = ({ query }: KubeRequest) => query.has("continue");
    const pods = [pod(image("a")), ...Array.from({ length: 1_200 }, () => pod("nginx:1")), pod(image("b"))];
    const cases: Record<string, [(request: KubeRequest) => KubeAnswer | undefined, number]> = {
      "too many requests": [
        faulty({
          status: 429,
          body: "Too many requests, please try again later.\n",
          headers: { "retry-after": "1" },
        }, 2),
        0,
      ],
      "a server that starts": [faulty(status(503, "ServiceUnavailable", "apiserver is shutting down"), 1), 0],
      "a cut connection": [faulty("cut", 2), 0],
      "a list that was forgotten once": [faulty(expired, 1, continued), 0],
      "a list that is forgotten again and again": [faulty(expired, 1_000, continued), 1],
    };
    for (const [name, [answer, whole]] of Object.entries(cases)) {
      await t.step(name, async () => {
        await using kube = await startKube({ certificates, lists: { "/api/v1/pods": pods }, answer });
        assert.deepEqual(await ask(configOf(kube.url)), ["a", "b"]);
        assert.equal(kube.asked.filter(({ query }) => !query.has("limit")).length, whole);
      });
    }
  });
});

Deno.test("keep-kubernetes stops at every answer that is no list", async (t) => {
  await withCluster(async ({ certificates, ask }) => {
    const cases: Record<string, [KubeAnswer, RegExp]> = {
      "credentials that are refused": [
        status(401, "Unauthorized", "Unauthorized"),
        /\/api\/v1\/pods answered 401: Unauthorized/,
      ],
      "a list that is not there": [
        { status: 404, body: "404 page not found\n" },
        /it does not know \/api\/v1\/pods/,
      ],
      "a page of a portal": [
        { status: 200, body: "<html>Log in</html>" },
        /\/api\/v1\/pods answered with no list/,
      ],
      "one object": [
        { status: 200, body: { kind: "Pod", metadata: { name: "x" } } },
        /answered with no list/,
      ],
      "items that are none": [{ status: 200, body: { kind: "PodList", items: {} } }, /answered with no list/],
      "half a list": [{ status: 200, body: '{"items":[' }, /answered with no list/],
      "a coding that nobody knows": [
        { status: 200, body: "{}", headers: { "content-encoding": "secret" } },
        /does not answer/,
      ],
      "a redirect": [{ status: 302, body: "", headers: { location: "https://login.test" } }, /answered 302/],
    };
    for (const [name, [answer, message]] of Object.entries(cases)) {
      await t.step(name, async () => {
        await using kube = await startKube({
          certificates,
          lists: {},
          answer: ({ path }) => path === "/api/v1/pods" ? answer : undefined,
        });
        await assert.rejects(ask(configOf(kube.url)), message);
      });
    }
    await t.step("a page later on", async () => {
      await using kube = await startKube({
        certificates,
        lists: { "/api/v1/pods": Array.from({ length: 300 }, () => pod(image("a"))) },
        answer: ({ query }) =>
          query.has("continue") ? { status: 404, body: "404 page not found\n" } : undefined,
      });
      await assert.rejects(ask(configOf(kube.url)), /\/api\/v1\/pods answered 404/);
    });
    await t.step("nobody there", async () => {
      await assert.rejects(
        ask(configOf("https://127.0.0.1:1")),
        /context "x" of .*: https:\/\/127\.0\.0\.1:1 does not answer: .*refused/i,
      );
    });
  });
});

Deno.test("keep-kubernetes can be limited to namespaces, which must exist", async (t) => {
  await withCluster(async ({ certificates, ask }) => {
    const forbidden = status(403, "Forbidden", 'namespaces "x" is forbidden');
    let mayGet = true;
    await using kube = await startKube({
      certificates,
      namespaces: ["shop", "web", "empty"],
      lists: {
        "/api/v1/pods": [pod(image("a")), pod(image("b"), "web"), pod(image("c"), "other")],
        "/apis/x.io/v1/things": [{ metadata: { namespace: "web" }, spec: { image: image("unused") } }],
      },
      // Rights in these namespaces alone, as a RoleBinding gives them.
      answer: ({ path }) => {
        if (!path.includes("/namespaces/")) return forbidden;
        return !mayGet && /\/namespaces\/[^/]+$/.test(path) ? forbidden : undefined;
      },
    });
    const run = (options: Readonly<Record<string, unknown>>) => ask(configOf(kube.url), options);
    await t.step("all of it is refused", async () => await assert.rejects(run({}), /answered 403/));
    await t.step("one", async () => assert.deepEqual(await run({ namespaces: "shop" }), ["a"]));
    await t.step("several, with a list of one's own", async () => {
      const resources = [{ path: "/apis/x.io/v1/things" }];
      assert.deepEqual(await run({ namespaces: ["shop", "web", "empty"], resources }), ["a", "b", "unused"]);
    });
    await t.step("one that is not there", async () => {
      await assert.rejects(
        run({ namespaces: ["shop", "shpo"] }),
        /context "x" of .*: there is no namespace "shpo"/,
      );
    });
    await t.step("one that must not be looked at", async () => {
      mayGet = false;
      assert.deepEqual(await run({ namespaces: "shop" }), ["a"]);
      await assert.rejects(
        run({ namespaces: "shpo" }),
        /namespace "shpo" seems empty, and this user may not see whether there is one/,
      );
    });
  });
});

Deno.test("keep-kubernetes refuses lists of one's own that say nothing", async () => {
  await withCluster(async ({ certificates, ask }) => {
    await using kube = await startKube({
      certificates,
      lists: {
        "/apis/x.io/v1/things": [
          {
            spec: {
              main: image("a"),
              count: 3,
              parts: { image: { repository: "registry.test/shop", tag: "b" } },
            },
          },
        ],
        "/apis/x.io/v1/none": [],
      },
    });
    const run = (path: string, images?: string) =>
      ask(configOf(kube.url), { resources: [{ path, ...(images && { images }) }] });
    assert.deepEqual(await run("/apis/x.io/v1/things", "spec.main"), ["a"]);
    assert.deepEqual(await run("/apis/x.io/v1/none", "spec.main"), []);
    const nothing = /nothing in \/apis\/x\.io\/v1\/things names an image .*\(1 there\)/;
    for (const path of ["spec.mian", "spec.count", "spec", "items[*].spec.main", undefined]) {
      await assert.rejects(run("/apis/x.io/v1/things", path), nothing);
    }
    await assert.rejects(run("/apis/y.io/v1/things"), /it does not know \/apis\/y\.io\/v1\/things/);
    // The tag stands elsewhere, so any may be meant.
    assert.deepEqual(await run("/apis/x.io/v1/things", "spec.parts.image.repository"), [
      "a",
      "b",
      "c",
      "unused",
    ]);
  });
});

Deno.test("keep-kubernetes reaches clusters the ways that kubeconfigs describe", async (t) => {
  await withCluster(async ({ certificates, ask, dir }) => {
    await using kube = await startKube({ certificates, lists: { "/api/v1/pods": [pod(image("a"))] } });
    const reaches = async (config: string, env: Readonly<Record<string, string>> = {}) => {
      assert.deepEqual(await ask(config, {}, env), ["a"]);
      return kube.asked.at(-1)!;
    };
    const user = "{ client-certificate: client.pem, client-key: client.key }";
    const other = `https://api.test:${kube.port}`;
    await t.step("a certificate of the client", async () => {
      assert.equal((await reaches(configOf(kube.url, "", user))).client, "me");
    });
    await t.step("somebody else's name", async () => {
      const { headers } = await reaches(configOf(kube.url, "", "{ token: t, as: me, as-groups: [g, h] }"));
      const { authorization, "impersonate-user": as, "impersonate-group": groups } = headers;
      assert.deepEqual([authorization, as, groups], ["Bearer t", "me", "g, h"]);
    });
    await t.step("a certificate of nobody", async () => {
      const unknown = configOf(kube.url).replace("certificate-authority: ca.pem", "");
      await assert.rejects(ask(unknown), /does not answer: .*certificate/i);
      await reaches(unknown.replace(/\}/, ", insecure-skip-tls-verify: true }"));
    });
    await t.step("a certificate for another name", async () => {
      const [, port] = kube.url.split(/:(?=\d+$)/);
      const here = `https://127.0.0.2:${port}`;
      await using proxy = startConnectProxy(kube.port);
      const through = `, proxy-url: "http://127.0.0.1:${proxy.port}"`;
      await assert.rejects(
        ask(configOf(here, through)),
        /does not answer through the proxy http:\/\/127\.0\.0\.1:\d+: /,
      );
      await reaches(configOf(here, `${through}, tls-server-name: api.test`));
    });
    await t.step("a proxy of the kubeconfig, also for this machine", async () => {
      await using proxy = startConnectProxy(kube.port);
      await reaches(configOf(kube.url, `, proxy-url: "http://127.0.0.1:${proxy.port}"`, user));
      assert.equal(proxy.asked[0], `127.0.0.1:${kube.port}`);
    });
    await t.step("a SOCKS proxy, by name and by address", async () => {
      for (const [url, host] of [[other, "api.test"], [kube.url, "127.0.0.1"]] as const) {
        await using proxy = startSocksProxy(kube.port);
        await reaches(configOf(url, `, proxy-url: "socks5://127.0.0.1:${proxy.port}"`, user));
        assert.equal(proxy.asked[0], `${host}:${kube.port}`);
        const gone = configOf(url, `, proxy-url: "socks5://127.0.0.1:1"`);
        await assert.rejects(ask(gone), /does not answer through the proxy socks5:\/\/127\.0\.0\.1:1: /);
      }
    });
    await t.step("a proxy of the environment", async () => {
      await using proxy = startConnectProxy(kube.port);
      const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
      await reaches(configOf(other), env);
      assert.equal(proxy.asked[0], `api.test:${kube.port}`);
      const tunnels = proxy.asked.length;
      await reaches(configOf(kube.url), env);
      await assert.rejects(
        ask(configOf(other), {}, { ...env, NO_PROXY: ".test" }),
        /api\.test:\d+ does not answer/,
      );
      assert.equal(proxy.asked.length, tunnels);
    });
    await t.step("compressed answers, unless the kubeconfig says no", async () => {
      const big = { ...pod(image("b")), metadata: { annotations: { x: "y".repeat(200_000) } } };
      await using large = await startKube({
        certificates,
        lists: { "/api/v1/pods": [big, pod(image("c"))] },
      });
      const encoding = () => large.asked.at(-1)!.headers["accept-encoding"];
      assert.deepEqual(await ask(configOf(large.url)), ["b", "c"]);
      assert.equal(encoding(), "gzip");
      assert.deepEqual(await ask(configOf(large.url, ", disable-compression: true")), ["b", "c"]);
      assert.equal(encoding(), undefined);
    });
    await t.step("a working directory", async () => {
      assert.deepEqual(await ask(configOf(kube.url), { kubeconfig: `${dir}/config` }, { KUBECONFIG: "" }), [
        "a",
      ]);
    });
  });
});

Deno.test("keep-kubernetes as a default: silent where nothing speaks of Kubernetes, all stays where KUBECONFIG is lost", async () => {
  const registry = await registryOf("a", "b");
  const policies = [use(keepKubernetes, { required: false })];
  assert.deepEqual(await keptTags(registry, { policies }), []);
  assert.deepEqual(await keptTags(registry, { policies, env: { KUBECONFIG: "/nonexistent/config" } }), [
    "a",
    "b",
  ]);
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/config`, "contexts: []");
    await assert.rejects(
      keptTags(registry, { policies, env: { KUBECONFIG: `${dir}/config` } }),
      /there is no context in/,
    );
  });
});
