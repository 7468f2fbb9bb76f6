/** An interrupt of the whole program, which needs the packages that it imports. */
import assert from "node:assert/strict";
import { processesWith } from "../../testing/processes.ts";
import { helpersOf } from "../support/proc.ts";
import { until } from "../support/until.ts";
import { withStore } from "./native_store.ts";

Deno.test("an interrupt ends dapp also when a helper process does not answer", async (t) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await t.step(signal, async () =>
      await withStore(async (home, layout) => {
        const mark = `mark-${crypto.randomUUID()}`;
        const project = `${home}-project`;
        await Deno.mkdir(project);
        await Deno.writeTextFile(
          `${project}/dappfile.yaml`,
          `dimg: app\nfrom: oci:${layout}:latest\nshell: { setup: ["sh -c 'echo started; sleep 1000; :' ${mark}"] }\n`,
        );
        const cli = new URL("../../cli.ts", import.meta.url).pathname;
        const child = new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", cli, "dimg", "build"],
          cwd: project,
          env: { DAPP_HOME: home, NO_COLOR: "1", CI: "1" },
          stdin: "null",
          stdout: "null",
          stderr: "piped",
        }).spawn();
        let stderr = "";
        for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
          const before = stderr.includes("│ started");
          stderr += text;
          if (before || !stderr.includes("│ started")) continue;
          const helpers = helpersOf(child.pid);
          assert.ok(helpers.length > 0);
          for (const pid of helpers) Deno.kill(pid, "SIGSTOP");
          child.kill(signal);
        }
        assert.equal((await child.status).code, 130, stderr);
        assert.match(stderr, /error: Interrupted/);
        await until(() => processesWith(mark).length === 0);
      }));
  }
});
