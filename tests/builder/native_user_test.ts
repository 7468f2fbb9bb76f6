/** The native builder's tests once more, as an ordinary user with a range of subordinate ids. */
import assert from "node:assert/strict";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { removeTree } from "../support/tmp.ts";

const USER = "dapp-test";
const project = new URL("../../", import.meta.url).pathname;

/** Runs a script as the user, in a directory of its own with a copy of the sources. */
async function asUser(script: string, allowFailure = false) {
  const known = await run(["id", "-u", USER], { allowFailure: true });
  // useradd gives the user its ranges in /etc/subuid and /etc/subgid
  if (known.code !== 0) await run(["useradd", "--create-home", "--shell", "/bin/sh", USER]);
  const dir = await Deno.makeTempDir({ prefix: "dapp-user-" });
  try {
    await run([
      "sh",
      "-c",
      `cp -r ${["core", "lib", "plugins", "tests"].map((n) => project + n).join(" ")} ${dir}`,
    ]);
    await run(["chown", "-R", `${USER}:`, dir]);
    const env = {
      HOME: dir,
      TMPDIR: dir,
      PATH: Deno.env.get("PATH") ?? "",
      DENO_DIR: `${dir}/.deno`,
      DENO: Deno.execPath(),
      NO_COLOR: "1",
    };
    const argv = [
      "setpriv",
      "--reuid",
      USER,
      "--regid",
      USER,
      "--clear-groups",
      "sh",
      "-ec",
      `cd ${dir}; ${script}`,
    ];
    return await run(argv, { env, inheritEnv: false, allowFailure });
  } finally {
    await removeTree(dir);
  }
}

async function available(): Promise<boolean> {
  if (Deno.uid() !== 0) return false; // the tests of an ordinary user run as they are
  for (const tool of ["useradd", "setpriv", "newuidmap", "unshare"]) if (!await peer(tool)) return false;
  return true;
}

Deno.test({
  name: "NativeBuilder does the same for an ordinary user",
  async fn() {
    if (!await available()) return;
    const { code, stdout, stderr } = await asUser(
      "$DENO test --allow-all --no-check --no-config tests/builder/native_test.ts tests/builder/native_process_test.ts",
      true,
    );
    assert.equal(code, 0, stdout + stderr);
  },
});

Deno.test({
  name: "NativeBuilder says what an ordinary user lacks",
  async fn(t) {
    if (!await available()) return;
    const open = `cat > t.ts <<'X'
import { NativeBuilder } from "./plugins/builder/native/builder.ts";
const store = { path: Deno.cwd() + "/store", scratch: () => Deno.cwd() };
const builder = await NativeBuilder.open({ platform: { os: "linux", architecture: "amd64" }, store, parallel: 1 });
const step = { label: "a/b", parents: [], commands: ["true"], env: {}, mounts: [], network: "host", epoch: 0, compression: { kind: "gzip", level: 6 } };
await builder.run(step, { output() {}, signal: new AbortController().signal }).catch((e) => console.log(e.code, e.message, "=>", e.fix));
await builder[Symbol.asyncDispose]();
X
`;
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
    await t.step("subordinate ids", async () => {
      // a user namespace in which this user is another one, without an entry in /etc/subuid
      const { stdout } = await asUser(`${open}unshare --user --map-user=4321 $DENO run -A --no-check t.ts`);
      assert.match(stdout, /BUILDER_UNAVAILABLE.*no range of ids in \/etc\/subuid.*usermod --add-subuids/);
    });
  },
});
