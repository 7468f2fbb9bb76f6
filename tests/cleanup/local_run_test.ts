import assert from "node:assert/strict";
import { thinOut } from "../../plugins/store/local/thin_out.ts";
import { withTempDir } from "../support/tmp.ts";
import { digestOf } from "../../core/contract/plugin.ts";
import { withProject } from "../support/project.ts";

const dappfile = `project: shop
---
dimg: app
from: scratch
git: [{ add: /, to: /app }]
`;

Deno.test("planLocalCleanup() counts what nothing names with all else that goes", async (t) => {
  const requests = [
    { what: "leftovers" },
    { what: "stages", improperCacheVersion: true },
    { what: "flush", stages: true, images: false },
  ] as const;
  for (const request of requests) {
    await t.step(
      request.what,
      () =>
        withProject({ "dappfile.yaml": dappfile, "index.html": "hi" }, async ({ engine, home }) => {
          {
            await using building = engine();
            await building.build();
          }
          const orphan = new Uint8Array(12_345);
          await Deno.writeFile(`${home}/blobs/sha256/${(await digestOf(orphan)).slice(7)}`, orphan);
          await using cleaning = engine();
          const plan = await cleaning.planLocalCleanup(request);
          assert.ok(plan.freedBytes >= orphan.length, `${plan.freedBytes}`);
          const report = await cleaning.applyLocalCleanup(plan);
          assert.deepEqual(report.removed, plan.rows.filter(({ verdict }) => verdict === "delete"));
          assert.ok(report.removed.some(({ kind }) => kind === "directory"));
          // Texts of file listings go too and are not counted before.
          assert.ok(plan.freedBytes <= report.freedBytes, `${plan.freedBytes} and ${report.freedBytes}`);
        }),
    );
  }
});

Deno.test("a local cleanup says that directories went only when they did", async () => {
  await withProject({ "dappfile.yaml": dappfile, "index.html": "hi" }, async ({ engine, home }) => {
    {
      await using building = engine();
      await building.build();
    }
    const orphan = new Uint8Array(12_345);
    const path = `${home}/blobs/sha256/${(await digestOf(orphan)).slice(7)}`;
    await Deno.writeFile(path, orphan);
    const request = { what: "flush", stages: true, images: false } as const;
    await using looking = engine(); // has the store open
    await looking.planLocalCleanup(request);
    await using cleaning = engine();
    const plan = await cleaning.planLocalCleanup(request);
    const { removed, freedBytes, spared } = await cleaning.applyLocalCleanup(plan);
    const kinds = (rows: typeof plan.rows) => Map.groupBy(rows, ({ kind }) => kind);
    assert.deepEqual([...kinds(plan.rows).keys()], ["stage", "directory"]);
    assert.deepEqual(removed, kinds(plan.rows).get("stage"));
    assert.deepEqual([freedBytes, spared.map(({ name }) => name)], [0, [home]]);
    assert.equal((await Deno.stat(path)).size, orphan.length);
  });
});

Deno.test("cleanups of this machine remove what was found out before and not used for 30 days, and say so", async () => {
  await withProject({ "dappfile.yaml": dappfile, "index.html": "hi" }, async ({ engine, home }) => {
    {
      await using building = engine();
      await building.build();
    }
    const day = (ago: number) => new Date(Date.now() - ago * 86400_000);
    const add = async (name: string, [read, written]: readonly [number, number], size = 10) => {
      await Deno.mkdir(`${home}/memo/${name.split("/")[0]}`, { recursive: true });
      await Deno.writeFile(`${home}/memo/${name}`, new Uint8Array(size));
      await Deno.utime(`${home}/memo/${name}`, day(read), day(written));
    };
    await add("old/a", [31, 31], 12_345);
    await add("old/b", [40, 400], 55);
    await add("old/read", [29, 400]);
    await add("answers/old", [31, 31], 100);
    const before = await memosOf(home);
    const gone = ["answers/old", "old/a", "old/b"];
    {
      await using looking = engine({ dryRun: true });
      const [row, ...others] = (await looking.planLocalCleanup({ what: "leftovers" })).rows
        .filter(({ name }) => name === `${home}/memo`);
      assert.deepEqual(others, []);
      assert.deepEqual([row?.verdict, row?.bytes], ["delete", 12_500]);
      assert.match(row!.why, /^3 answers .* not used for long$/);
      assert.deepEqual(await memosOf(home), before);
    }
    await using cleaning = engine();
    const report = await cleaning.applyLocalCleanup(await cleaning.planLocalCleanup({ what: "leftovers" }));
    assert.ok(report.freedBytes >= 12_500, `${report.freedBytes}`);
    assert.deepEqual(await memosOf(home), before.filter((name) => !gone.includes(name)));
    // A reset takes the rest, told once.
    const reset = await cleaning.planLocalCleanup({ what: "everything" });
    assert.equal(reset.rows.filter(({ name }) => name === `${home}/memo`).length, 1);
    await cleaning.applyLocalCleanup(reset);
    assert.deepEqual(await memosOf(home), []);
  });
});

Deno.test("thinOut() keeps the most recently used of a kind that has too many", async () => {
  await withTempDir(async (dir) => {
    for (const [kind, count] of [["few", 2], ["many", 5]] as const) {
      await Deno.mkdir(`${dir}/${kind}`);
      for (let i = 0; i < count; i++) {
        await Deno.writeTextFile(`${dir}/${kind}/${i}`, "x");
        await Deno.utime(`${dir}/${kind}/${i}`, i, i);
      }
    }
    const options = { now: 5000, most: 3 };
    assert.deepEqual(await thinOut(dir, { ...options, dryRun: true }), { count: 2, bytes: 2 });
    assert.deepEqual(await thinOut(dir, { ...options, dryRun: false }), { count: 2, bytes: 2 });
    const left = (kind: string) => Array.from(Deno.readDirSync(`${dir}/${kind}`), ({ name }) => name).sort();
    assert.deepEqual([left("few"), left("many")], [["0", "1"], ["2", "3", "4"]]);
    assert.deepEqual(await thinOut(`${dir}/absent`, { dryRun: false }), { count: 0, bytes: 0 });
  });
});

async function memosOf(home: string): Promise<readonly string[]> {
  const found: string[] = [];
  try {
    for await (const kind of Deno.readDir(`${home}/memo`)) {
      for await (const { name } of Deno.readDir(`${home}/memo/${kind.name}`)) {
        found.push(`${kind.name}/${name}`);
      }
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found.sort();
}

Deno.test("thinOut() passes over what only another user may look into", async () => {
  await withTempDir(async (dir) => {
    for (const kind of ["theirs", "ours"]) {
      await Deno.mkdir(`${dir}/${kind}`);
      for (const name of ["a", "b"]) await Deno.writeTextFile(`${dir}/${kind}/${name}`, "1");
    }
    const { readDir } = Deno;
    Deno.readDir = (path) => {
      if (path === `${dir}/theirs`) throw new Deno.errors.PermissionDenied("readdir"); // as for others than root
      return readDir(path);
    };
    try {
      assert.deepEqual(await thinOut(dir, { most: 1, dryRun: false }), { count: 1, bytes: 1 });
    } finally {
      Deno.readDir = readDir;
    }
  });
});
