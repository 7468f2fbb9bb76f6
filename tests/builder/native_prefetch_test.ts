import assert from "node:assert/strict";
import { HelperPool } from "../../plugins/builder/native/pool.ts";
import { withTempDir } from "../support/tmp.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { busyboxLayers, createTestStore, makeLayer } from "../../testing/mod.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";
import { processesWith } from "../../testing/processes.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";
import type { Store } from "../../core/contract/store.ts";
import { nativeDirectory } from "../../plugins/builder/native/cache.ts";
import { isRootless } from "../../plugins/builder/native/namespaces.ts";
import { until } from "../support/until.ts";
import { run } from "../support/process.ts";

/** Where builders of this user work. */
function runsOf(store: Pick<Store, "path">): string {
  return `${nativeDirectory(store.path, isRootless())}/run`;
}

/** Helpers with a flag in their command line. */
function helpers(flag: string): number {
  return processesWith(flag).filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).startsWith(`${Deno.execPath()}\0`);
    } catch {
      return false; // it has ended
    }
  }).length;
}

Deno.test("NativeBuilder.prefetch() starts a helper for each layer while they come, as many as there may be", async () => {
  await using store = await createTestStore();
  const [base] = await busyboxLayers(store);
  const layer = await base!.stored;
  const seed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  const flag = `--seed=${seed}`;
  await using builder = new NativeBuilder(
    { platform: { os: "linux", architecture: "amd64" }, store, parallel: 2, network: "host" },
    { env: Deno.env.toObject(), helperFlags: [flag] },
  );
  const here = Promise.withResolvers<typeof layer>();
  const gone = Promise.withResolvers<typeof layer>();
  const lost = ["0", "1"].map((digit) => ({
    diffId: digestFromHex(digit.repeat(64)),
    stored: gone.promise,
  }));
  const unpacking = builder.prefetch([{ diffId: layer.diffId, stored: here.promise }, ...lost]);
  await until(() => helpers(flag) === 2);
  here.resolve(layer);
  gone.reject(new Error("It does not come"));
  await unpacking;
  assert.equal(helpers(flag), 2);
});

Deno.test("NativeBuilder.expectLayers() starts helpers where nothing is unpacked", async () => {
  await using store = await createTestStore();
  const base = await busyboxLayers(store);
  const open = (flag: string) =>
    new NativeBuilder(
      { platform: { os: "linux", architecture: "amd64" }, store, parallel: 3, network: "private" },
      { env: Deno.env.toObject(), helperFlags: [flag] },
    );
  const flag = () => `--seed=${crypto.getRandomValues(new Uint32Array(1))[0]!}`;
  const [first, second] = [flag(), flag()];
  {
    await using builder = open(first);
    await builder.expectLayers();
    await until(() => helpers(first) === 2);
    await builder.prefetch(base);
    assert.equal(helpers(first), 2);
    const lines = await Promise.all(
      processesWith(first).map((pid) => Deno.readTextFile(`/proc/${pid}/cmdline`)),
    );
    // What only unpacks needs no way out.
    assert.deepEqual(lines.filter((line) => !line.endsWith("\0none\0")), []);
  }
  await using builder = open(second);
  await builder.expectLayers();
  assert.deepEqual(processesWith(second), []);
});

Deno.test("NativeBuilder.prefetch() unpacks a small layer beside the commands of a helper, which answers for both", async () => {
  await using store = await createTestStore();
  const base = await busyboxLayers(store);
  const flag = `--seed=${crypto.getRandomValues(new Uint32Array(1))[0]!}`;
  await withTempDir(async (gate) => {
    await using builder = new NativeBuilder(
      { platform: { os: "linux", architecture: "amd64" }, store, parallel: 2, network: "host" },
      { env: Deno.env.toObject(), helperFlags: [flag] },
    );
    const stages = new StageRunner(builder, store);
    const printed = Promise.withResolvers<void>();
    const running = stages.run(
      base,
      ["echo here; until [ -e /gate/open ]; do sleep 0.01; done; echo a > /a"],
      {
        mounts: [{ kind: "host", source: gate, target: "/gate", readOnly: true }],
        onOutput: () => printed.resolve(),
      },
    );
    await Promise.race([printed.promise, running]);
    const next = await makeLayer(store, [{ path: "next", content: "b" }]);
    await builder.prefetch([next]);
    assert.equal(helpers(flag), 1);
    await Deno.writeTextFile(`${gate}/open`, "");
    const { image } = await running;
    const { members } = await stages.run([...image, next], ["cat /a /next > /both"]);
    assert.equal(members.get("both")?.content, "a\nb");
    assert.equal(helpers(flag), 1);
  });
});

Deno.test("NativeBuilder is given up with a signal while layers are unpacked, and leaves nothing", async () => {
  await using store = await createTestStore();
  const flag = `--seed=${crypto.getRandomValues(new Uint32Array(1))[0]!}`;
  const stop = new AbortController();
  await withTempDir(async (dir) => {
    const tar = `${dir}/endless`;
    await run(["mkfifo", tar]);
    const builder = new NativeBuilder(
      { platform: { os: "linux", architecture: "amd64" }, store, parallel: 1, network: "host" },
      { env: Deno.env.toObject(), helperFlags: [flag], signal: stop.signal },
    );
    const stored = new Promise<never>(() => {});
    const waiting = ["0", "1"].map((digit) => ({ diffId: digestFromHex(digit.repeat(64)), tar, stored }));
    const unpacking = builder.prefetch(waiting);
    using source = await Deno.open(tar, { write: true }); // settles when a helper reads it
    await source.write(new Uint8Array(512 * 3));
    stop.abort();
    await unpacking;
    await builder[Symbol.asyncDispose]();
  });
  assert.deepEqual(processesWith(flag), []);
  const left = await Array.fromAsync(Deno.readDir(runsOf(store)), ({ name }) => name);
  assert.deepEqual(left, [".gate"]);
});

Deno.test("NativeBuilder.shell() removes what builders that were killed worked on", async () => {
  await using store = await createTestStore();
  const runs = runsOf(store);
  await Deno.mkdir(`${runs}/killed/0/c`, { recursive: true });
  await Deno.writeTextFile(`${runs}/killed/lock`, "");
  {
    await using builder = new NativeBuilder(
      { platform: { os: "linux", architecture: "amd64" }, store, parallel: 1, network: "host" },
      { env: Deno.env.toObject() },
    );
    const step = { label: "app", argv: ["/bin/true"], env: {}, cwd: "/", user: "", mounts: [] };
    const parents = await busyboxLayers(store);
    const { signal } = new AbortController();
    assert.equal(await builder.shell({ ...step, parents, network: "host" }, signal), 0);
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(runs), ({ name }) => name), [".gate"]);
});

Deno.test("helpers that cannot start say so to whoever comes later, however many were started ahead", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/unshare`, "#!/bin/sh\necho 'unshare failed: no' >&2; exit 1\n", {
      mode: 0o755,
    });
    const mark = `--seed=${crypto.getRandomValues(new Uint32Array(1))[0]!}`;
    const env = { ...Deno.env.toObject(), PATH: `${dir}:${Deno.env.get("PATH")}` };
    await using pool = new HelperPool(2, { rootless: Deno.uid() !== 0, network: "host" }, env, [mark]);
    pool.warmUp(2);
    await until(() => processesWith(mark).length === 0);
    for (let i = 0; i < 3; i++) {
      await assert.rejects(pool.use(() => Promise.resolve()), { code: "BUILDER_UNAVAILABLE" });
    }
  });
});
