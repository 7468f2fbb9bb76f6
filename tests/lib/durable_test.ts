import assert from "node:assert/strict";
import { renameDurably } from "../../lib/durable.ts";
import { LayoutDirectory } from "../../lib/oci/layout_dir.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { failingFlush } from "../support/failing_flush.ts";
import { withTempDir } from "../support/tmp.ts";

const names = (dir: string) => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();

Deno.test("renameDurably() leaves a name as it was when the disk does not take the file or its name", async (t) => {
  for (const what of ["file", "directory"] as const) {
    await t.step(what, () =>
      withTempDir(async (dir) => {
        await Deno.writeTextFile(`${dir}/temp`, "new");
        {
          using _disk = failingFlush(what);
          await assert.rejects(renameDurably(`${dir}/temp`, `${dir}/name`), { code: "EIO" });
        }
        assert.deepEqual(names(dir), what === "file" ? ["temp"] : []);
        await Deno.writeTextFile(`${dir}/temp`, "old");
        await renameDurably(`${dir}/temp`, `${dir}/name`);
        await Deno.writeTextFile(`${dir}/temp`, "new");
        {
          using _disk = failingFlush(what);
          await assert.rejects(renameDurably(`${dir}/temp`, `${dir}/name`), { code: "EIO" });
        }
        assert.equal(await Deno.readTextFile(`${dir}/name`), "old");
        await Deno.writeTextFile(`${dir}/temp`, "new");
        await renameDurably(`${dir}/temp`, `${dir}/name`);
        assert.equal(await Deno.readTextFile(`${dir}/name`), "new");
        assert.deepEqual(names(dir), ["name"]);
      }));
  }
});

Deno.test("renameDurably() keeps the new file where the old one can have no second name", () =>
  withTempDir(async (dir) => {
    const { link } = Deno;
    Deno.link = () => Promise.reject(new Deno.errors.NotSupported("no links here"));
    try {
      await Deno.writeTextFile(`${dir}/name`, "old");
      await Deno.writeTextFile(`${dir}/temp`, "new");
      using _disk = failingFlush("directory");
      await assert.rejects(renameDurably(`${dir}/temp`, `${dir}/name`), { code: "EIO" });
      assert.equal(await Deno.readTextFile(`${dir}/name`), "new");
    } finally {
      Deno.link = link;
    }
  }));

Deno.test("LayoutDirectory has neither blobs nor an index that it said it could not keep", () =>
  withTempDir(async (dir) => {
    const layout = new LayoutDirectory(`${dir}/layout`);
    const { signal } = new AbortController();
    const content = new TextEncoder().encode("blob");
    const blob = { digest: await digestOf(content), size: content.length };
    const index = await layout.index();
    await layout.locked(signal, () => layout.writeIndex(index));
    const changed = { ...index, annotations: { changed: "yes" } };
    {
      using _disk = failingFlush("directory");
      await assert.rejects(layout.putBlob(blob, content, signal), { code: "EIO" });
      await assert.rejects(layout.locked(signal, () => layout.writeIndex(changed)), { code: "EIO" });
    }
    assert.equal(await layout.blobSize(blob.digest), undefined);
    assert.deepEqual(await layout.index(), index);
    await layout.putBlob(blob, content, signal);
    await layout.locked(signal, () => layout.writeIndex(changed));
    assert.ok(await layout.hasBlob(blob, signal));
    assert.deepEqual(await layout.index(), changed);
    assert.deepEqual(names(`${dir}/layout`).filter((name) => name.includes(".tmp")), []);
  }));

Deno.test("LayoutDirectory takes blobs once its directory can be made", () =>
  withTempDir(async (dir) => {
    const content = new TextEncoder().encode("blob");
    const blob = { digest: await digestOf(content), size: content.length };
    const { signal } = new AbortController();
    await Deno.writeTextFile(`${dir}/layout`, "in the way");
    const layout = new LayoutDirectory(`${dir}/layout`);
    await assert.rejects(layout.putBlob(blob, content, signal), /a file is there/);
    await Deno.remove(`${dir}/layout`);
    await layout.putBlob(blob, content, signal);
    assert.ok(await layout.hasBlob(blob, signal));
  }));

Deno.test("LayoutDirectory removes what writes that were killed have left, before the next one", () =>
  withTempDir(async (dir) => {
    const layout = new LayoutDirectory(dir);
    const { signal } = new AbortController();
    const write = () => layout.locked(signal, async () => await layout.writeIndex(await layout.index()));
    await write();
    await write();
    const whole = names(dir);
    for (const left of ["index.json.01234567.tmp", "oci-layout.89abcdef.tmp.old", ".dapp-reserve.old"]) {
      await Deno.writeTextFile(`${dir}/${left}`, "");
    }
    await Deno.writeTextFile(`${dir}/index.json.tmp`, "of others");
    await write();
    assert.deepEqual(names(dir), [...whole, "index.json.tmp"].sort());
  }));
