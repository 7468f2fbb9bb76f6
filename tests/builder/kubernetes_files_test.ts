/** The files for Kubernetes against what they name: each other, dapp's options, and the real buildkitd where it is found. */
import assert from "node:assert/strict";
import { credentials } from "@grpc/grpc-js";
import { parseAllDocuments } from "yaml";
import { helpText } from "../../cli/help.ts";
import { createStyle } from "../../cli/style.ts";
import { table } from "../../cli/table.ts";
import { BuildkitClient } from "../../lib/buildkit/client.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd } from "../support/buildkitd.ts";
import { freePort } from "../support/free_port.ts";
import { kill, run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";

const folder = new URL("../../deploy/kubernetes/", import.meta.url);
const read = (file: string) => Deno.readTextFile(new URL(file, folder));

/** The value at a path of keys in a document of a kind. */
async function valueIn(file: string, kind: string, ...path: (string | number)[]): Promise<unknown> {
  const documents = parseAllDocuments(await read(file));
  assert.ok(Array.isArray(documents));
  for (const document of documents) {
    assert.deepEqual(document.errors, []);
    if (document.get("kind") === kind) return document.getIn(path);
  }
  assert.fail(`${file} has no ${kind}`);
}

Deno.test("the service, the set and the jobs of the files for Kubernetes name each other", async () => {
  const name = await valueIn("buildkitd.yaml", "Service", "metadata", "name");
  assert.equal(await valueIn("buildkitd.yaml", "StatefulSet", "spec", "serviceName"), name);
  assert.equal(await valueIn("buildkitd.yaml", "Service", "spec", "clusterIP"), "None");
  const port = await valueIn("buildkitd.yaml", "Service", "spec", "ports", 0, "port");
  const jobs = await read("dapp.yaml");
  const hosts = [...jobs.matchAll(/BUILDKIT_HOST, value: "(.*?)"/g)].map(([, host]) => host);
  assert.deepEqual(hosts, Array(2).fill(`tcp://${name}.ci.svc:${port}`));
});

Deno.test("the jobs for Kubernetes use commands and options that dapp has", async () => {
  const commands = [...(await read("dapp.yaml")).matchAll(/^ +dapp (dimg \w+(?: repo)?) (.*)$/gm)];
  assert.deepEqual(commands.map(([, path]) => path), ["dimg bp", "dimg cleanup repo"]);
  for (const [, path, words] of commands) {
    const help = helpText(path!, createStyle(false), table);
    for (const [option] of words!.matchAll(/(?<= )--[a-z-]+/g)) {
      assert.ok(help.includes(option), `${path} ${option}`);
    }
  }
});

/** A user namespace with the ids that an ordinary user has; lasts until it is disposed of. */
async function userNamespace(): Promise<AsyncDisposable & { readonly pid: number }> {
  const holder = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "KILL", "unshare", "--user", "sleep", "infinity"],
    stdin: "null",
  }).spawn();
  const { pid } = holder;
  const own = await Deno.readLink("/proc/self/ns/user");
  await until(async () => await Deno.readLink(`/proc/${pid}/ns/user`) !== own);
  for (const ids of ["uid_map", "gid_map"]) await Deno.writeTextFile(`/proc/${pid}/${ids}`, "0 100000 65536");
  return {
    pid,
    async [Symbol.asyncDispose]() {
      kill(holder, "SIGKILL");
      await holder.status;
    },
  };
}

Deno.test("the real buildkitd runs steps as the files for Kubernetes start it: without root, with mTLS and limits", async () => {
  const buildkitd = await findBuildkitd();
  if (buildkitd === undefined || Deno.uid() !== 0) return;
  await withTempDir(async (dir) => {
    await Deno.chmod(dir, 0o755);
    for (const part of ["run", "home", "etc"]) await Deno.mkdir(`${dir}/${part}`);
    await run(["sh", new URL("certificates.sh", folder).pathname, `${dir}/certs`, "buildkitd.ci.svc"]);
    // As docs/cluster.md puts them into the secret.
    for (const kind of ["pem", "key"]) {
      await Deno.copyFile(
        `${dir}/certs/server.${kind}`,
        `${dir}/certs/${kind === "pem" ? "cert" : "key"}.pem`,
      );
    }
    const toml = await valueIn("buildkitd.yaml", "ConfigMap", "data", "buildkitd.toml");
    await Deno.writeTextFile(`${dir}/etc/buildkitd.toml`, String(toml));
    await run(["chown", "-R", "100000:100000", dir]);
    const port = freePort();
    const given = [...(await read("buildkitd.yaml")).matchAll(/^ +- (--[a-z-]+.*)$/gm)].map(([, flag]) =>
      flag!
    );
    const flags = given.map((flag) =>
      flag.replace("/run/user/1000", `${dir}/run`).replace("0.0.0.0:1234", `127.0.0.1:${port}`)
        .replace("=/certs/", `=${dir}/certs/`).replace("=/etc/buildkit/", `=${dir}/etc/`)
    );
    const socket = `${dir}/run/buildkit/buildkitd.sock`;
    assert.ok(flags.includes(`--addr=unix://${socket}`), flags.join(" "));
    await using namespace = await userNamespace();
    const inside = ["nsenter", "--user", "--target", `${namespace.pid}`, "-S", "0", "-G", "0"];
    const daemon = new Deno.Command("sh", {
      args: [
        "-c",
        'exec "$@" >"$0" 2>&1',
        `${dir}/log`,
        ...inside,
        "unshare",
        "--mount",
        buildkitd,
        ...flags,
      ],
      // of the image, whose directories are those of an ordinary user
      env: { HOME: `${dir}/home`, USER: "user", XDG_RUNTIME_DIR: `${dir}/run` },
      stdin: "null",
    }).spawn();
    let ended = false;
    const end = daemon.status.then(() => ended = true);
    try {
      await until(async () => {
        if (ended) assert.fail(await Deno.readTextFile(`${dir}/log`));
        return await Deno.stat(socket).then(() => true, () => false);
      });
      const client = new BuildkitClient(`unix://${socket}`, credentials.createInsecure());
      const [worker] = await client.workers(new AbortController().signal);
      client[Symbol.dispose]();
      assert.equal(worker?.Labels["dapp.parallel"], "4");
      const { maxUsedSpace, reservedSpace, minFreeSpace } = worker!.GCPolicy.at(-1)!;
      const gigabytes = [maxUsedSpace, reservedSpace, minFreeSpace].map((bytes) =>
        Math.floor(Number(bytes) / 1e9)
      );
      assert.deepEqual(gigabytes, [42, 5, 5]);
      const lines = ["dimg: app", `from: oci:${await busyboxBase()}:latest`];
      lines.push('shell: { install: ["echo kept >/kept && chown nobody /kept && id -u"] }');
      await withProject({ "dappfile.yaml": lines.join("\n") }, async (project) => {
        await using engine = project.engine({
          env: {
            BUILDKIT_HOST: `tcp://127.0.0.1:${port}`,
            BUILDKIT_TLS_CA: `${dir}/certs/ca.pem`,
            BUILDKIT_TLS_CERT: `${dir}/certs/client.pem`,
            BUILDKIT_TLS_KEY: `${dir}/certs/client.key`,
            BUILDKIT_TLS_SERVER_NAME: "buildkitd.ci.svc",
          },
        });
        const { images } = await engine.build();
        assert.equal(images[0]!.state.layers.length, 2);
        assert.ok(project.events.some((event) => event.type === "stage.output" && /^0$/m.test(event.text)));
      });
    } finally {
      kill(daemon, "SIGTERM");
      await end;
    }
  });
});
