import assert from "node:assert/strict";
import { Exchange } from "../../core/hooks/apart/exchange.ts";
import { withTempDir } from "../support/tmp.ts";

/** Lets Deno refuse to make directories with such a name, until it is disposed of. */
function fullFor(name: string): Disposable {
  const { mkdir } = Deno;
  Deno.mkdir = async (path, options) => {
    if (String(path).endsWith(`/${name}`)) {
      throw Object.assign(new Error("No space left"), { code: "ENOSPC" });
    }
    await mkdir(path, options);
  };
  return { [Symbol.dispose]: () => void (Deno.mkdir = mkdir) };
}

Deno.test("Exchange lends files once there is room again, whatever there was no room for", async (t) => {
  for (const name of ["exchange", "lent", "handed"]) {
    await t.step(name, () =>
      withTempDir(async (dir) => {
        await Deno.writeTextFile(`${dir}/file`, "text");
        const root = `${dir}/exchange`;
        {
          await using exchange = new Exchange({ root, isOwn: true });
          {
            using _disk = fullFor(name);
            await assert.rejects(exchange.lend(`${dir}/file`), { code: "ENOSPC" });
          }
          using lent = await exchange.lend(`${dir}/file`);
          assert.equal(await Deno.readTextFile(lent.path), "text");
        }
        assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), ["file"]);
      }));
  }
});
