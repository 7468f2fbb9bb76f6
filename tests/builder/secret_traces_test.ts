/** Values of secrets are in memory alone: nothing that the native builder writes has them. */
import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";
import { nativeFixture } from "./native_fixture.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

Deno.test("no file has the value of a secret, neither while its step runs nor afterwards", async () => {
  await using fixture = await nativeFixture();
  const { builder, store, base } = fixture;
  const runner = new StageRunner(builder, store);
  const value = `canary-${crypto.randomUUID()}`;
  const spellings = [value, btoa(value).slice(0, -4), new TextEncoder().encode(value).toHex()];
  const options = {
    secretEnv: { S: "s" },
    secret: () => new TextEncoder().encode(value),
  };
  const secret = { kind: "secret", id: "s", target: "/run/secrets/s" } as const;
  const traces = async () => {
    const patterns = spellings.flatMap((text) => ["-e", text]);
    return (await run(["grep", "-rlaF", "-D", "skip", ...patterns, store.path], { allowFailure: true }))
      .stdout;
  };
  await withTempDir(async (dir) => {
    await run(["mkfifo", "-m", "666", `${dir}/go`]);
    await Deno.chmod(dir, 0o755);
    const sync = { kind: "host", source: dir, target: "/run/sync", readOnly: false } as const;
    const reads = 'test "$S" = "$(cat /run/secrets/s)" && echo se"en"';
    const seen = Promise.withResolvers<void>();
    const step = runner.run(base, [`${reads}; read x </run/sync/go; echo kept >/kept`], {
      ...options,
      mounts: [secret, sync],
      onOutput: (text) => void (/^seen$/m.test(text) && seen.resolve()),
    });
    await Promise.race([seen.promise, step]);
    const during = await traces();
    await Deno.writeTextFile(`${dir}/go`, "go\n");
    assert.match((await step).output, /^seen$/m);
    assert.equal(during, "");
  });
  assert.equal(await traces(), "");
  await assert.rejects(
    runner.run(base, ["cat /run/secrets/s", "false"], { ...options, mounts: [secret] }),
    /"false"/,
  );
  assert.equal(await traces(), "");
});
