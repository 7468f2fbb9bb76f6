import { ok, strictEqual, throws } from "node:assert/strict";
import { endGroup, startGroup } from "../../lib/process_group.ts";
import { until } from "../support/until.ts";

const env = { PATH: Deno.env.get("PATH")! };
const silent = { env, stdin: "null", stdout: "null", stderr: "null" } as const;

Deno.test("a process of startGroup() ends with all that it started, also at once", async () => {
  const child = startGroup("sh", ["-c", "sleep 60 & echo $!; wait"], { ...silent, stdout: "piped" });
  const reader = child.stdout.getReader();
  const started = Number(new TextDecoder().decode((await reader.read()).value));
  ok(started > 0);
  endGroup(child);
  strictEqual((await child.status).signal, "SIGKILL");
  await reader.cancel();
  await until(() => !isRunning(started));

  const early = startGroup("sleep", ["60"], silent);
  endGroup(early, "SIGTERM");
  strictEqual((await early.status).signal, "SIGTERM");
  endGroup(early); // it has ended
});

Deno.test("a program that is not there is told as Deno tells it", () => {
  throws(() => startGroup("no-such-program-of-dapp", [], silent), Deno.errors.NotFound);
  throws(() => startGroup("/no-such/program", [], silent), Deno.errors.NotFound);
});

function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
