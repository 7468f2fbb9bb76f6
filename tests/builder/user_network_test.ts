import assert from "node:assert/strict";
import { find } from "../../lib/programs.ts";
import { connectNetwork, whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";
import { runInteractive } from "../../plugins/builder/native/shell.ts";
import { processesWith } from "../../testing/processes.ts";
import { statusOf } from "../support/proc.ts";
import { until } from "../support/until.ts";
import { withTempDir } from "../support/tmp.ts";

const here = whyNoPrivateNetwork(Deno.env.toObject()) === undefined;

Deno.test({
  name: "a connection of a network has ended when it was ended",
  ignore: !here || Deno.uid() !== 0,
  async fn() {
    const alone = new Deno.Command("unshare", { args: ["--net", "sleep", "60"] }).spawn();
    // Not those that it starts for a moment.
    const own = () =>
      processesWith(`/proc/${alone.pid}/ns/net`).filter((pid) => statusOf(pid, "PPid") === String(Deno.pid));
    try {
      const connection = await connectNetwork(alone.pid, false, Deno.env.toObject());
      await until(() => own().length > 0); // setpriv becomes it, and has no arguments meanwhile
      const [pid] = own();
      await connection?.end();
      assert.equal(statusOf(pid!, "State"), "", "it was waited for");
    } finally {
      alone.kill("SIGKILL");
      await alone.status;
    }
  },
});

Deno.test({
  name: "a shell whose network has no program that can be started is ended, and says so",
  ignore: !here || Deno.uid() !== 0,
  fn: () =>
    withTempDir(async (dir) => {
      // Starts the helper, and from then on nothing.
      const script = `#!/bin/sh\nprintf '#!/absent\\n' >"$0.new"; chmod 755 "$0.new"; mv "$0.new" "$0"\n` +
        `exec ${find("setpriv", Deno.env.toObject())} "$@"\n`;
      await Deno.writeTextFile(`${dir}/setpriv`, script, { mode: 0o755 });
      const env = { ...Deno.env.toObject(), PATH: `${dir}:${Deno.env.get("PATH")}` };
      const rootfs = { native: dir, run: `${dir}/run`, lower: [], mounts: [], rootless: false } as const;
      const root = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
      const shell = {
        label: "app",
        argv: ["true"],
        env: {},
        cwd: "/",
        user: "",
        network: "private",
      } as const;
      await assert.rejects(runInteractive({ ...rootfs, root, ...shell }, env, new AbortController().signal), {
        code: "BUILDER_UNAVAILABLE",
        message: /network "private": Failed to spawn/,
      });
      await until(() => processesWith(`${dir}/run/request`).length === 0); // it ends with the one that was waited for
    }),
});

Deno.test("find() passes over what nobody may start, as shells do", () =>
  withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/a/tool`, { recursive: true });
    await Deno.mkdir(`${dir}/b`);
    await Deno.mkdir(`${dir}/c`);
    await Deno.writeTextFile(`${dir}/b/tool`, "", { mode: 0o644 });
    await Deno.writeTextFile(`${dir}/c/tool`, "", { mode: 0o755 });
    assert.equal(find("tool", { PATH: `${dir}/absent:${dir}/a:${dir}/b:${dir}/c` }), `${dir}/c/tool`);
    assert.equal(find("tool", { PATH: `${dir}/a:${dir}/b` }), undefined);
  }));
