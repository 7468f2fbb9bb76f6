import assert from "node:assert/strict";
import { readBlob, readBlobs } from "../../../core/git/blobs.ts";
import { commit, contents, git, inTemp, makeRepository, open, write } from "./fixture.ts";

Deno.test("readBlobs() gives contents in the order asked, repeats and empty files included", () =>
  inTemp(async (dir) => {
    const files: Record<string, string> = { "empty": "", "also empty": "", "line": "\n", "nul": "a\0b\n" };
    for (let i = 0; i < 1500; i++) files[`many/${i}`] = `content ${i}\n`.repeat(i % 40);
    await makeRepository(dir, files);
    const repository = await open(dir);
    const { files: listed } = await repository.tree();
    const order = [...listed].reverse();
    const read = await contents(repository, order);
    assert.deepEqual(Object.keys(read), order.map((f) => f.path));
    assert.deepEqual(read, files);
    const twice = await contents(repository, [listed[0]!, listed[0]!]);
    assert.equal(Object.keys(twice).length, 1);
    assert.deepEqual(await contents(repository, []), {});
  }));

Deno.test("readBlobs() skips what is not read and ends git when the reader stops", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "x".repeat(3_000_000), "b": "second", "c": "y".repeat(3_000_000) });
    const repository = await open(dir);
    const { files } = await repository.tree();
    const sizes: number[] = [];
    for await (const { size } of readBlobs(repository, files)) sizes.push(size);
    assert.deepEqual(sizes, [3_000_000, 6, 3_000_000]);
    for await (const { chunks } of readBlobs(repository, files)) {
      for await (const chunk of chunks) {
        assert(chunk.length > 0);
        break;
      }
      break;
    }
    assert.equal(new TextDecoder().decode(await readBlob(repository, files[1]!)), "second");
  }));

Deno.test("readBlobs() holds a few chunks of a large file at a time", () =>
  inTemp(async (dir) => {
    await makeRepository(dir);
    await Deno.writeFile(`${dir}/large`, new Uint8Array(100_000_000));
    await git(dir, "config", "core.bigFileThreshold", "1m");
    await commit(dir);
    const repository = await open(dir);
    const { files } = await repository.tree();
    let [bytes, largest] = [0, 0];
    for await (const { size, chunks } of readBlobs(repository, files)) {
      assert.equal(size, 100_000_000);
      for await (const chunk of chunks) {
        [bytes, largest] = [bytes + chunk.length, Math.max(largest, chunk.buffer.byteLength)];
      }
    }
    assert.equal(bytes, 100_000_000);
    assert(largest <= 4_000_000, `a chunk of ${largest} bytes`);
  }));

Deno.test("readBlobs() names path and object of a missing blob", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "1", "d/b": "2", "z": "3" });
    const oid = await git(dir, "rev-parse", "HEAD:d/b");
    await Deno.remove(`${dir}/.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`);
    await assert.rejects(contents(await open(dir)), {
      code: "GIT_MISSING_OBJECT",
      message: new RegExp(`"d/b" .*${oid} is not in the repository`),
    });
  }));

Deno.test("a partial clone fetches what it lacks, and names it when the origin is gone", () =>
  inTemp(async (dir) => {
    const files = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`d/${i + 10}`, `content ${i}`]));
    const origin = await makeRepository(`${dir}/origin`, files);
    await git(origin, "config", "uploadpack.allowFilter", "true");
    for (const name of ["one", "two"]) {
      await git(dir, "clone", "--quiet", "--no-checkout", "--filter=blob:none", `file://${origin}`, name);
    }
    assert.deepEqual(await contents(await open(`${dir}/one`)), files);
    // One request for all of them: one pack beside that of the clone.
    const packs = [...Deno.readDirSync(`${dir}/one/.git/objects/pack`)].filter((e) =>
      e.name.endsWith(".pack")
    );
    assert.equal(packs.length, 2);
    await Deno.rename(origin, `${dir}/gone`);
    await assert.rejects(contents(await open(`${dir}/two`)), {
      code: "GIT_MISSING_OBJECT",
      message: /"d\/10"/,
    });
  }));

Deno.test("tree() says that a tree object is missing", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "d/b": "2" });
    const oid = await git(dir, "rev-parse", "HEAD:d");
    await Deno.remove(`${dir}/.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`);
    await assert.rejects((await open(dir)).tree(), { code: "GIT_MISSING_OBJECT", message: new RegExp(oid) });
  }));

Deno.test("an aborted run ends with the signal's reason", () =>
  inTemp(async (dir) => {
    await makeRepository(dir, { "a": "x".repeat(5_000_000) });
    const { openLocal } = await import("../../../core/git/repository.ts");
    const stop = new AbortController();
    const memo = { get: () => Promise.resolve(undefined), put: () => Promise.resolve() };
    const repository = await openLocal(dir, {
      dev: false,
      env: Deno.env.toObject(),
      memo,
      scratch: () => Promise.reject(),
      signal: stop.signal,
    });
    const { files } = await repository!.tree();
    const reason = new Error("stopped");
    await assert.rejects(async () => {
      for await (const { chunks } of readBlobs(repository!, files)) {
        for await (const _ of chunks) stop.abort(reason);
      }
    }, reason);
    await write(dir, { "b": "" });
  }));
