/** The network of a step that asks for none in particular, and what it finds about names. */
import assert from "node:assert/strict";
import { networkFiles } from "../../plugins/builder/native/network_files.ts";
import { find } from "../../lib/programs.ts";
import { NetworkChoice } from "../../plugins/builder/native/step_network.ts";
import { whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";
import { run } from "../support/process.ts";
import type { BrokenNetworkReport } from "./broken_network_main.ts";
import { nativeFixture } from "./native_fixture.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

const here = whyNoPrivateNetwork(Deno.env.toObject()) === undefined;

Deno.test("a step that asks for no network has a private one where that works", async () => {
  await using fixture = await nativeFixture();
  const runner = new StageRunner(fixture.builder, fixture.store);
  const machine = `${await Deno.readLink("/proc/self/ns/net")}\n`;
  const seen = await runner.ask(fixture.base, "readlink /proc/self/ns/net", { network: "default" });
  assert.equal(seen === machine, !here);
});

Deno.test("NetworkChoice.make() takes this machine's network where there is no other, and says so once", async () => {
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const broken = new NetworkChoice(
    () => Promise.reject(new Error("it is broken")),
    Deno.env.toObject(),
    note,
  );
  assert.equal(broken.likely, here ? "private" : "host");
  assert.equal(await broken.make(), "host");
  assert.equal(await broken.make(), "host");
  assert.equal(broken.likely, "host");
  assert.equal(notes.length, 1);
  if (here) assert.match(notes[0]!, /^Commands have this machine's network .*it is broken$/);
  const works = new NetworkChoice(() => Promise.resolve(), Deno.env.toObject(), () => {});
  assert.equal(await works.make(), here ? "private" : "host");
});

/** Runs steps where a program is this script, in a process of its own: PATH is one for all tests of a process. */
async function withBroken(
  script: string,
  networks: readonly string[],
  program = "slirp4netns",
): Promise<BrokenNetworkReport> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/${program}`, `#!/bin/sh\n${script}`, { mode: 0o755 });
    const main = new URL("./broken_network_main.ts", import.meta.url).pathname;
    const { stdout } = await run([Deno.execPath(), "run", "-A", "--quiet", "--no-check", main, ...networks], {
      env: { PATH: `${dir}:${Deno.env.get("PATH")}` },
    });
    return JSON.parse(stdout);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a private network that cannot be connected is an error when it was asked for", async () => {
  if (!here) return;
  const { outcomes: [asked, left], notes } = await withBroken("echo no network today >&2\nexit 1\n", [
    "private",
    "default",
  ]);
  assert.match(asked!, /^BUILDER_UNAVAILABLE .*network "private": no network today$/);
  assert.equal(left, await Deno.readLink("/proc/self/ns/net"));
  assert.match(notes.join("\n"), /^Commands have this machine's network .*no network today$/);
});

Deno.test("a step whose network is killed under it says so", async () => {
  if (!here) return;
  // says what slirp4netns says first, and is killed
  const { outcomes } = await withBroken("echo received tapfd=5 >&2\nkill -KILL $$\n", ["private"]);
  assert.match(outcomes[0]!, /^BUILDER_UNAVAILABLE .*slirp4netns was ended by SIGKILL$/);
});

Deno.test("a step whose network has no program that can be started says so, and others have this machine's", async () => {
  if (!here) return;
  const setpriv = find("setpriv", Deno.env.toObject());
  if (!setpriv) return;
  // starts helpers, and from then on nothing
  const once =
    `printf '#!/absent\\n' >"$0.new"\nchmod 755 "$0.new"\nmv "$0.new" "$0"\nexec ${setpriv} "$@"\n`;
  const { outcomes: [asked] } = await withBroken(once, ["private"], "setpriv");
  assert.match(asked!, /^BUILDER_UNAVAILABLE .*network "private": Failed to spawn .*setpriv/);
  const { outcomes: [left], notes } = await withBroken(once, ["default"], "setpriv");
  assert.match(left!, /setpriv/, "its next helper cannot be started either");
  assert.match(notes.join("\n"), /^Commands have this machine's network .*setpriv/);
});

Deno.test("networkFiles() keeps what holds in a network of its own", () => {
  const machine = (path: string) =>
    path === "/etc/hosts"
      ? "127.0.0.1 localhost\n127.0.1.1\tbuilder\n::1 ip6-loopback\n# 10.0.0.1 old\n 10.0.0.7 registry.corp registry\nfd00::7 six\n"
      : "# by hand\nnameserver 10.1.1.1\nsearch corp example.com\nnameserver 10.1.1.2\noptions ndots:2\n";
  const own = "127.0.0.1\tlocalhost dapp\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  assert.deepEqual(networkFiles("private", machine), {
    hosts: `${own} 10.0.0.7 registry.corp registry\nfd00::7 six\n`,
    "resolv.conf": "nameserver 10.0.2.3\nsearch corp example.com\noptions ndots:2\n",
  });
  assert.deepEqual(networkFiles("none", machine), { hosts: own });
  assert.equal(networkFiles("host", machine)["resolv.conf"], machine("/etc/resolv.conf"));
});
