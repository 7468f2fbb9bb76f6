/** Every row of SECURITY.md's table, probed inside a step of the native builder and inside `docker run`. */
import assert from "node:assert/strict";
import type { StepNetwork } from "../../core/contract/plugin.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { peer } from "../support/peers.ts";
import { withTempDir } from "../support/tmp.ts";
import { layoutLayers, makeLayer } from "./images.ts";
import { isolationRows, namespaceRow, networkRow, PRELUDE, probePrograms } from "./isolation_rows.ts";
import { StageRunner } from "./stage_runner.ts";

const user = Deno.uid() !== 0;

/** Whether this machine has what a private network needs; some keep /dev/net/tun to root. */
async function privateNetwork(): Promise<boolean> {
  return await peer("slirp4netns") !== undefined && whyNoPrivateNetwork() === undefined;
}

Deno.test(`isolation of a step (${user ? "ordinary user" : "root"})`, async (t) => {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };
    await using builder = new NativeBuilder({ platform, store, parallel: 1 });
    const runner = new StageRunner(builder, store);
    const programs = Object.entries(probePrograms()).map(([name, bytes]) => ({
      ...{ path: `probe/${name}`, bytes, mode: 0o755 },
    }));
    const image = [...await layoutLayers(store, await busyboxBase()), await makeLayer(store, programs)];
    const own = await privateNetwork() ? "private" : "none";
    const env = { PATH: "/bin", HOST_PATH: dir };
    const ask = async (probe: string, network: StepNetwork = own) =>
      (await runner.ask(image, `${PRELUDE}{ ${probe}; } || true`, { env, network })).trim();
    for (const { title, probe, cells, network } of isolationRows) {
      await t.step(
        title,
        async () => assert.equal(await ask(probe, network), user ? cells.user : cells.root),
      );
    }
    await t.step(namespaceRow.title, async () => {
      const names = (await ask(namespaceRow.probe)).split("\n").map((row) => row.split(" ")).filter(
        ([name, inode]) => Deno.readLinkSync(`/proc/self/ns/${name}`) !== `${name}:[${inode}]`,
      ).map(([name]) => name);
      assert.equal(names.join(" "), user ? namespaceRow.cells.user : namespaceRow.cells.root);
    });
    await t.step(networkRow.title, async () => {
      const name = `dapp-${crypto.randomUUID()}`;
      using port = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      using _socket = Deno.listen({ transport: "unix", path: `\0${name}` });
      const answering = (async () => {
        for await (const connection of port) connection.close();
      })();
      const env = { PATH: "/bin", PORT: String(port.addr.port), NAME: name };
      const seen = async (network: StepNetwork) =>
        (await runner.ask(image, `{ ${networkRow.probe}; } || true`, { env, network })).trim();
      assert.equal(await seen("host"), "port\nsocket");
      assert.equal(await seen("none"), "");
      assert.equal(await seen(own), "");
      port.close();
      await answering;
    });
  });
});

Deno.test("a private network reaches other machines, and not what this one keeps to itself", async () => {
  const address = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  )?.address;
  if (!await privateNetwork() || address === undefined) return;
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };
    await using builder = new NativeBuilder({ platform, store, parallel: 1 });
    const base = await layoutLayers(store, await busyboxBase());
    await using server = Deno.serve(
      { hostname: address, port: 0, onListen() {} },
      () => new Response("hello"),
    );
    const { port } = server.addr;
    const ask = (command: string) =>
      new StageRunner(builder, store).ask(base, command, { network: "private", env: { PATH: "/bin" } });
    assert.equal(await ask(`wget -q -O - http://${address}:${port}/`), "hello");
    assert.equal(
      await ask("grep nameserver /etc/resolv.conf; ls /sys/class/net"),
      "nameserver 10.0.2.3\nlo\ntap0\n",
    );
    // slirp4netns has addresses for this machine, which lead nowhere
    using local = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    local.unref();
    for (const gateway of ["10.0.2.2", "10.0.2.3", "127.0.0.1"]) {
      const command =
        `nc -w 1 ${gateway} ${local.addr.port} </dev/null >/dev/null 2>&1 && echo open || echo closed`;
      assert.equal(await ask(command), "closed\n", gateway);
    }
  });
});

const docker = useDocker();

Deno.test("isolation of docker run, which the table compares with", async (t) => {
  const daemon = docker();
  if (!daemon) return;
  await withTempDir(async (dir) => {
    await daemon.load(await busyboxBase(), "isolation");
    for (const [name, bytes] of Object.entries(probePrograms())) {
      await Deno.writeFile(`${dir}/${name}`, bytes, { mode: 0o755 });
    }
    await Deno.chmod(dir, 0o755);
    for (const { title, probe, cells, dockerMay, notInDocker } of isolationRows) {
      if (notInDocker) continue;
      await t.step(title, async () => {
        const args = ["run", "--rm", "--network", "host", "--volume", `${dir}:/probe:ro`, "isolation"];
        const { stdout } = await daemon.docker([...args, "sh", "-c", PRELUDE + probe], {
          allowFailure: true,
        });
        const seen = stdout.trim();
        if (dockerMay?.test(seen)) return;
        assert.equal(seen, cells.docker);
      });
    }
  });
});
