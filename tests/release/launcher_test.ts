import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

const root = new URL("../../", import.meta.url).pathname;
/** What a helper of a dapp with such an environment has of the flags. */
const CHILD = `import { helperEnvironment } from "${root}plugins/builder/native/namespaces.ts";
console.log(helperEnvironment(Deno.env.toObject()).DENO_V8_FLAGS ?? "none");`;

Deno.test("the launcher gives V8 its flags before those of the user, and helpers have the same", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/bin`);
    await Deno.mkdir(`${dir}/node_modules/deno`, { recursive: true });
    await Deno.copyFile(`${root}release/dapp.sh`, `${dir}/bin/dapp`);
    const deno = `#!/bin/sh\nexec "${Deno.execPath()}" eval '${CHILD}'\n`;
    await Deno.writeTextFile(`${dir}/node_modules/deno/deno`, deno, { mode: 0o755 });

    const flags = async (env: Readonly<Record<string, string>>) =>
      (await run(["sh", `${dir}/bin/dapp`, "--version"], { env })).stdout.trim();
    const own = await flags({ DENO_V8_FLAGS: "" });
    assert.match(own, /^--[\w=-]+$/);
    assert.equal(await flags({ DENO_V8_FLAGS: "--max-lazy" }), `${own},--max-lazy`);
  });
});
