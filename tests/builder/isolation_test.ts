/** Every row of SECURITY.md's table, probed inside a step of the native builder and inside containers of other tools. */
import assert from "node:assert/strict";
import type { StepNetwork } from "../../core/contract/plugin.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { peer } from "../support/peers.ts";
import { withTempDir } from "../support/tmp.ts";
import { run } from "../support/process.ts";
import { layoutLayers, makeLayer } from "../../testing/builder/layers.ts";
import { isolationPeers } from "./isolation_peers.ts";
import {
  isolationRows,
  namespaceRow,
  networkRow,
  type OtherTool,
  PRELUDE,
  probePrograms,
} from "./isolation_rows.ts";
import { nativeFixture } from "./native_fixture.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

const user = Deno.uid() !== 0;

/** Whether this machine has what a private network needs; some keep /dev/net/tun to root. */
async function privateNetwork(): Promise<boolean> {
  return await peer("slirp4netns") !== undefined && whyNoPrivateNetwork(Deno.env.toObject()) === undefined;
}

Deno.test(`isolation of a step (${user ? "ordinary user" : "root"})`, async (t) => {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };
    await using builder = new NativeBuilder({ platform, store, parallel: 1 }, { env: Deno.env.toObject() });
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
      const names = (await ask(namespaceRow.probe)).split("\n").map((row) => row.split(" "))
        .filter((row) => !isHost(row)).map(([name]) => name);
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
    await using builder = new NativeBuilder({ platform, store, parallel: 1 }, { env: Deno.env.toObject() });
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

Deno.test("a step changes modes, owners and times of its own devices, and of none of the machine", async () => {
  const look = () =>
    ["null", "zero", "full", "random", "urandom", "tty"].map((name) => {
      const { mode, uid, gid, mtime } = Deno.lstatSync(`/dev/${name}`);
      return [name, mode, uid, gid, name === "tty" ? "of who writes to it" : Number(mtime)];
    });
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const before = look();
  // Not of /dev/null, without which a machine does little; /proc/keys is hidden behind one.
  const change = "chmod 640 /dev/full; chown 1:1 /dev/full; touch -d 2001-01-01 /dev/full /proc/keys";
  const uses = "echo x >/dev/null; head -c 3 /dev/zero | wc -c; (echo x >/dev/full) 2>&1 | sed 's/.*: //'";
  const said = await runner.ask(fixture.base, `{ ${change}; } 2>/dev/null || true; ${uses}`, {
    network: "none",
  });
  assert.equal(said.trim(), "3\nNo space left on device");
  assert.deepEqual(look(), before);
});

Deno.test("a step has a session keyring of its own", async () => {
  const keyrings = async () =>
    (await Deno.readTextFile("/proc/keys")).split("\n").filter((row) => /keyring +_ses/.test(row))
      .map((row) => row.split(" ")[0]!);
  await using fixture = await nativeFixture();
  await withTempDir(async (dir) => {
    await run(["mkfifo", "-m", "666", `${dir}/go`]);
    await Deno.chmod(dir, 0o755);
    const before = new Set(await keyrings());
    const started = Promise.withResolvers<void>();
    const step = new StageRunner(fixture.builder, fixture.store).run(
      fixture.base,
      ["echo sta''rted; read x </run/sync/go"],
      {
        mounts: [{ kind: "host", source: dir, target: "/run/sync", readOnly: false }],
        onOutput: (text) => void (/^started$/m.test(text) && started.resolve()),
      },
    );
    await Promise.race([started.promise, step]);
    const during = await keyrings();
    await Deno.writeTextFile(`${dir}/go`, "go\n");
    await step;
    assert.notDeepEqual(during.filter((key) => !before.has(key)), []);
  });
});

const isHost = ([name, inode]: readonly string[]) =>
  Deno.readLinkSync(`/proc/self/ns/${name}`) === `${name}:[${inode}]`;

for (const [tool, open] of Object.entries(isolationPeers)) {
  Deno.test(`isolation of ${tool}, which the table compares with`, async (t) => {
    await using other = await open();
    if (!other) return;
    const column = tool as OtherTool;
    const name = `dapp-${crypto.randomUUID()}`;
    using port = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const answering = (async () => {
      for await (const connection of port) connection.close();
    })();
    using _socket = Deno.listen({ transport: "unix", path: `\0${name}` });
    const services = networkRow.probe.replace("$PORT", `${port.addr.port}`).replace("$NAME", name);
    for (const network of ["none", "host"] as const) {
      const rows = isolationRows.filter((row) => !row.ownOnly && (row.network ?? "none") === network);
      const probes = Object.fromEntries(rows.map(({ title, probe }) => [title, probe]));
      const own = { [namespaceRow.title]: namespaceRow.probe, [networkRow.title]: services };
      const seen = await other.probe(network, { ...probes, ...own });
      for (const { title, cells, may } of rows) {
        await t.step(title, () => {
          if (!may?.[column]?.test(seen[title]!)) assert.equal(seen[title], cells[column]);
        });
      }
      await t.step(`${networkRow.title} (network ${network})`, () => {
        assert.equal(seen[networkRow.title], network === "none" ? "" : "port\nsocket");
      });
      if (network === "host") continue;
      await t.step(namespaceRow.title, () => {
        const names = seen[namespaceRow.title]!.split("\n").map((row) => row.split(" "));
        assert.match(names.filter((row) => !isHost(row)).map(([name]) => name).join(" "), namespaceRow.may);
      });
    }
    port.close();
    await answering;
  });
}
