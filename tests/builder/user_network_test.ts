import assert from "node:assert/strict";
import { connectNetwork, whyNoPrivateNetwork } from "../../plugins/builder/native/user_network.ts";

const here = whyNoPrivateNetwork(Deno.env.toObject()) === undefined;

// That nothing is left of it is what Deno's sanitizers look for.
Deno.test({
  name: "a connection of a network has ended when it was ended",
  ignore: !here || Deno.uid() !== 0,
  async fn() {
    const alone = new Deno.Command("unshare", { args: ["--net", "sleep", "60"] }).spawn();
    try {
      const connection = await connectNetwork(alone.pid, false, Deno.env.toObject());
      assert.ok(connection);
      await connection.end();
    } finally {
      alone.kill("SIGKILL");
      await alone.status;
    }
  },
});
