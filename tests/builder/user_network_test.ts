import assert from "node:assert/strict";
import { connectNetwork, whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";
import { processesWith } from "../../testing/processes.ts";
import { statusOf } from "../support/proc.ts";

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
      const [pid] = own();
      assert.ok(pid);
      await connection?.end();
      assert.equal(statusOf(pid, "State"), "", "it was waited for");
    } finally {
      alone.kill("SIGKILL");
      await alone.status;
    }
  },
});
