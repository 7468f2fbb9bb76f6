/** An engine has the environment that it is given, and nothing of the process around it: programs, git, proxies, logins. */
import assert from "node:assert/strict";
import { MemoryRegistry } from "../../testing/mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { denoDir, run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import type { OwnEnvAnswer, OwnEnvRequest } from "./own_env_main.ts";

const program = new URL("./own_env_main.ts", import.meta.url).pathname;
const REAL = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

async function inProcess(
  request: OwnEnvRequest,
  env: Readonly<Record<string, string>>,
): Promise<OwnEnvAnswer> {
  const { stdout } = await run(
    [Deno.execPath(), "run", "-A", "--no-check", program, JSON.stringify(request)],
    { env: { DENO_DIR: await denoDir(), ...env } },
  );
  return JSON.parse(stdout);
}

async function withWorld(
  body: (
    world: { readonly request: OwnEnvRequest; readonly registry: MemoryRegistry; readonly dir: string },
  ) => Promise<void>,
): Promise<void> {
  const base = await busyboxBase();
  const files = {
    "dappfile.yaml":
      `project: shop\n---\ndimg: app\nfrom: oci:${base}:latest\ngit: [{ add: /src, to: /app }]\nshell: { install: "echo hi > /hi" }\n`,
    "src/a": "a",
  };
  await withProject(files, async ({ dir, home }) => {
    await using registry = new MemoryRegistry();
    const env = { PATH: REAL, HOME: dir, GIT_CONFIG_SYSTEM: "/dev/null" };
    await body({ registry, dir, request: { dir, home, env, repo: `${registry.host}/shop` } });
  });
}

/** A proxy that lets nothing through, and notes what it was asked for. */
function refusingProxy(): AsyncDisposable & { readonly url: string; readonly asked: readonly string[] } {
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const asked: string[] = [];
  const running = (async () => {
    for await (const client of listener) {
      const bytes = new Uint8Array(4096);
      const read = await client.read(bytes) ?? 0;
      asked.push(new TextDecoder().decode(bytes.subarray(0, read)).split("\r\n")[0]!);
      await client.write(new TextEncoder().encode("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
      client.close();
    }
  })();
  return {
    url: `http://127.0.0.1:${listener.addr.port}`,
    asked,
    async [Symbol.asyncDispose]() {
      listener.close();
      await running;
    },
  };
}

Deno.test("what the process has leads an engine with an own environment nowhere", async () => {
  await withWorld(async ({ request, dir, registry }) => {
    const bin = `${dir}/../bin`;
    await Deno.mkdir(bin);
    const programs = ["git", "unshare", "setpriv", "slirp4netns", "newuidmap", "docker-credential-x"];
    for (const name of programs) {
      await Deno.writeTextFile(`${bin}/${name}`, `#!/bin/sh\necho ${name} >> ${dir}/../used\nexit 3\n`, {
        mode: 0o755,
      });
    }
    await Deno.mkdir(`${dir}/../config`);
    await Deno.writeTextFile(
      `${dir}/../config/config.json`,
      JSON.stringify({ credHelpers: { [registry.host]: "x" } }),
    );
    const nowhere = "http://127.0.0.1:9";
    const { published, error } = await inProcess(request, {
      PATH: bin,
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "extensions.nonsense",
      GIT_CONFIG_VALUE_0: "true",
      GIT_CONFIG_GLOBAL: "/nonexistent/config",
      GIT_TRACE: `${dir}/../used`,
      DOCKER_CONFIG: `${dir}/../config`,
      DAPP_HOME: "/nonexistent/home",
      HTTP_PROXY: nowhere,
      http_proxy: nowhere,
      ALL_PROXY: nowhere,
    });
    assert.equal(error, undefined);
    assert.deepEqual(published, [`${request.repo}/app:latest`]);
    await assert.rejects(Deno.stat(`${dir}/../used`), Deno.errors.NotFound);
  });
});

Deno.test("what an engine is given rules: PATH, git's variables, proxies", async () => {
  await withWorld(async ({ request, dir }) => {
    const env = { PATH: REAL, HOME: dir };
    const at = (more: Readonly<Record<string, string>>) =>
      inProcess({ ...request, env: { ...request.env, ...more } }, env);
    await Deno.mkdir(`${dir}/../empty`);
    assert.match((await at({ PATH: `${dir}/../empty` })).error ?? "", /Cannot run git: it is not in PATH/);
    assert.match(
      (await at({ GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "core.bare", GIT_CONFIG_VALUE_0: "nonsense" }))
        .error ?? "",
      /bad boolean config value 'nonsense'/,
    );
    await using proxy = refusingProxy();
    const repo = "registry.test:1/shop";
    const proxied = { ...request.env, HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url };
    const { error } = await inProcess({ ...request, repo, env: proxied }, env);
    assert.match(error ?? "", /registry\.test:1/);
    assert.deepEqual([...new Set(proxy.asked)], ["CONNECT registry.test:1 HTTP/1.1"]);
  });
});

Deno.test("an engine without any variable builds, with the programs of the system", async () => {
  await withWorld(async ({ request }) => {
    const { published, error } = await inProcess({ ...request, env: {} }, { PATH: "/nonexistent" });
    assert.equal(error, undefined);
    assert.equal(published?.length, 1);
  });
});
