/** The native builder's tests once more, as an ordinary user with a range of subordinate ids. */
import assert from "node:assert/strict";
import { peer } from "../support/peers.ts";
import { run, type RunResult } from "../support/process.ts";
import { removeTree } from "../support/tmp.ts";

const project = new URL("../../", import.meta.url).pathname;
const SOURCES = [
  "core",
  "lib",
  "plugins",
  "testing",
  "tests",
  "types",
  "mod.ts",
  "plugin.ts",
  "deno.json",
  "deno.lock",
];

/** Runs a script in a fresh directory and gives what it printed. */
type AsUser = (script: string, allowFailure?: boolean) => Promise<RunResult>;

/**
 * An ordinary user, who is gone afterwards, with copies of the sources and of Deno: those of this process may lie in a
 * home that nobody else can enter, as `npx` keeps them in root's.
 */
async function withUser(body: (asUser: AsUser) => Promise<void>): Promise<void> {
  const user = `dapp-${crypto.randomUUID().slice(0, 8)}`;
  const dir = await Deno.makeTempDir({ prefix: "dapp-user-" });
  try {
    // useradd gives the user its ranges in /etc/subuid and /etc/subgid
    await run(["useradd", "--no-create-home", "--home-dir", dir, "--shell", "/bin/sh", user]);
    await run(["cp", "-r", ...SOURCES.map((name) => project + name), dir]);
    await run(["cp", Deno.execPath(), `${dir}/deno`]);
    const { npmCache } = JSON.parse((await run([Deno.execPath(), "info", "--json"])).stdout);
    await run(["cp", "-r", npmCache, `${dir}/.cache-npm`]);
    await run(["chown", "-R", `${user}:`, dir]);
    let runs = 0;
    await body(async (script, allowFailure = false) => {
      const own = `${dir}/${++runs}`;
      const env = {
        HOME: own,
        TMPDIR: own,
        PATH: Deno.env.get("PATH") ?? "",
        DENO_DIR: `${own}/.deno`,
        DENO: `${dir}/deno`,
        SOURCES: dir,
        NO_COLOR: "1",
      };
      const become = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups"];
      // packages are there already: a home of somebody else does not say how this machine reaches its registry
      const packages = `mkdir ${own}/.deno; ln -s ${dir}/.cache-npm ${own}/.deno/npm`;
      const argv = [...become, "sh", "-ec", `mkdir ${own}; ${packages}; cd ${own}; ${script}`];
      return await run(argv, { env, inheritEnv: false, allowFailure });
    });
  } finally {
    await run(["userdel", "--force", user], { allowFailure: true });
    await removeTree(dir);
  }
}

async function available(): Promise<boolean> {
  if (Deno.uid() !== 0) return false; // the tests of an ordinary user run as they are
  for (const tool of ["useradd", "userdel", "setpriv", "newuidmap", "unshare"]) {
    if (!await peer(tool)) return false;
  }
  return true;
}

Deno.test("NativeBuilder does the same for an ordinary user", async () => {
  if (!await available()) return;
  await withUser(async (asUser) => {
    const files = [
      "native",
      "whiteouts",
      "native_process",
      "process_limit",
      "isolation",
      "secret_traces",
      "step_network",
      "odd_images",
    ];
    const tests = files.map((name) => `tests/builder/${name}_test.ts`).join(" ");
    const command = `cd $SOURCES; $DENO test --allow-all --no-check ${tests}`;
    const { code, stdout, stderr } = await asUser(command, true);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^ok \| [1-9][0-9]* passed .* 0 failed \(/m);
  });
});

Deno.test("NativeBuilder says what an ordinary user lacks", async (t) => {
  if (!await available()) return;
  const open = `cat > t.ts <<X
import { NativeBuilder } from "$SOURCES/plugins/builder/native/builder.ts";
const store = { path: Deno.cwd() + "/store", blobs: { scratch: () => Deno.cwd() } };
const builder = new NativeBuilder({ platform: { os: "linux", architecture: "amd64" }, store, parallel: 1 }, { env: Deno.env.toObject() });
const step = { label: "a/b", parents: [], commands: ["true"], env: {}, mounts: [], network: "host", epoch: 0, compression: { kind: "gzip", level: 6 } };
await builder.run(step, { output() {}, signal: new AbortController().signal }).catch((e) => console.log(e.code, e.message, "=>", e.fix));
await builder[Symbol.asyncDispose]();
X
`;
  await withUser(async (asUser) => {
    await t.step("newuidmap", async () => {
      const path =
        "mkdir bin; ln -s $(command -v unshare) $(command -v setpriv) bin; PATH=$PWD/bin $DENO run -A --no-check t.ts";
      const { stdout } = await asUser(open + path);
      assert.match(stdout, /BUILDER_UNAVAILABLE.*"newuidmap".*=> Install the package uidmap/);
    });
    await t.step("unshare", async () => {
      const { stdout } = await asUser(`${open}mkdir bin; PATH=$PWD/bin $DENO run -A --no-check t.ts`);
      assert.match(stdout, /BUILDER_UNAVAILABLE.*"unshare".*=> Install the package util-linux/);
    });
    await t.step("doctor says the same, and that nothing is missing where nothing is", async () => {
      const trial = `cat > d.ts <<X
import { createHookRunner } from "$SOURCES/core/hooks/runner.ts";
import { usedBuilder } from "$SOURCES/core/machine_check/use_builder.ts";
import { builderNative } from "$SOURCES/plugins/builder/native/mod.ts";
import { storeLocal } from "$SOURCES/plugins/store/local/mod.ts";
const signal = new AbortController().signal;
await using hooks = createHookRunner({ projectDir: ".", env: Deno.env.toObject() }, { signal, dryRun: false, emit() {} });
for (const plugin of [storeLocal, builderNative]) await hooks.add({ plugin }, { builtin: true });
const { value: store } = await hooks.first("openStore", { home: Deno.cwd() + "/store" });
await using _ = store;
const options = { platform: "linux/amd64", epoch: 0, compression: { kind: "gzip", level: 6 }, signal };
console.log(JSON.stringify((await usedBuilder("native", { hooks, store, options }))[0]));
X
$DENO run -A --no-check d.ts
mkdir bin; ln -s $(command -v unshare) $(command -v setpriv) bin; PATH=$PWD/bin $DENO run -A --no-check d.ts`;
      const { stdout } = await asUser(trial);
      const [whole, lacking] = stdout.trim().split("\n").map((line) => JSON.parse(line));
      assert.equal(whole.result, "ok", stdout);
      assert.match(whole.detail, /as an ordinary user \(uid \d+\)/);
      assert.equal(lacking.result, "missing");
      assert.match(lacking.detail, /"newuidmap"/);
      assert.match(lacking.fix, /Install the package uidmap/);
    });
    await t.step("subordinate ids", async () => {
      // a user namespace in which this user is another one, without an entry in /etc/subuid
      const { stdout } = await asUser(`${open}unshare --user --map-user=4321 $DENO run -A --no-check t.ts`);
      assert.match(stdout, /BUILDER_UNAVAILABLE.*no range of ids in \/etc\/subuid.*usermod --add-subuids/);
    });
  });
});
