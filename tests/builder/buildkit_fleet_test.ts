import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { parseAddress } from "../../plugins/builder/buildkit/address.ts";
import { BuildkitBuilder } from "../../plugins/builder/buildkit/builder.ts";
import { Fleet } from "../../plugins/builder/buildkit/fleet.ts";
import { Placement, ranked } from "../../plugins/builder/buildkit/placement.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { busyboxBase } from "../support/bases.ts";
import { findBuildkitd, startBuildkitd } from "../support/buildkitd.ts";
import { withTempDir } from "../support/tmp.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

const platform = { os: "linux", architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64" };

Deno.test("ranked() is the same for everybody, and moves only the keys of a place that goes", async () => {
  const places = ["a", "b", "c", "d"];
  const counts = new Map<string, number>();
  for (let i = 0; i < 400; i++) {
    const order = await ranked(`key ${i}`, places);
    assert.deepEqual(await ranked(`key ${i}`, places.toReversed()), order);
    assert.deepEqual(
      await ranked(`key ${i}`, places.filter((p) => p !== "c")),
      order.filter((p) => p !== "c"),
    );
    counts.set(order[0]!, (counts.get(order[0]!) ?? 0) + 1);
  }
  for (const place of places) assert.ok(counts.get(place)! > 50, `${place} got ${counts.get(place)} of 400`);
});

Deno.test("Placement gives no place more than its share, keeps a key where it was, and asks no lost one", async () => {
  const placement = new Placement(["a", "b", "c", "d"]);
  const home = (await ranked("k", ["a", "b", "c", "d"]))[0]!;
  for (let i = 0; i < 3; i++) {
    using taken = await placement.take("k");
    assert.equal(taken?.place, home);
  }
  const taken = [];
  for (let i = 0; i < 40; i++) taken.push((await placement.take("k"))!);
  const loads = Map.groupBy(taken, ({ place }) => place);
  assert.equal(loads.size, 4);
  for (const [place, rows] of loads) assert.ok(rows.length <= 13, `${place} has ${rows.length} of 40`);
  for (const one of taken) one[Symbol.dispose]();
  placement.lose(home);
  assert.notEqual((await placement.take("k"))!.place, home);
  for (const place of ["a", "b", "c", "d"]) placement.lose(place);
  assert.equal(await placement.take("k"), undefined);
});

Deno.test("Placement fills daemons by what they take, leaves emulation to itself, and stays where layers are", async () => {
  const placement = new Placement(["a", "b", "c"]);
  placement.describe("a", { room: 6, spare: false });
  placement.describe("b", { room: 2, spare: false });
  placement.describe("c", { room: 8, spare: true });
  assert.equal(placement.room, 8);
  const taken = [];
  for (let i = 0; i < 8; i++) taken.push((await placement.take(`key ${i}`))!);
  const loads = Map.groupBy(taken, ({ place }) => place);
  assert.deepEqual([loads.get("a")?.length, loads.get("b")?.length], [6, 2]);
  const [first] = taken;
  for (const one of taken) one[Symbol.dispose]();
  assert.equal((await placement.take("key 0"))!.place, first!.place);
  assert.equal((await placement.order("key 0"))[0], first!.place);
  placement.lose("a");
  assert.equal(placement.room, 2);
  placement.lose("b");
  assert.deepEqual([placement.room, (await placement.take("key 0"))!.place], [8, "c"]);
});

Deno.test("Placement leaves no daemon idle and none overfull, equal or not, in whatever order steps end", async () => {
  for (const fleet of [[4, 4], [8, 2], [2, 8], [4, 4, 4], [16, 1, 3]]) {
    const placement = new Placement(fleet.map((_, i) => `daemon ${i}`));
    fleet.forEach((room, i) => placement.describe(`daemon ${i}`, { room, spare: false }));
    const slots = fleet.reduce((sum, steps) => sum + steps);
    const running: NonNullable<Awaited<ReturnType<Placement["take"]>>>[] = [];
    for (let i = 0; i < 200; i++) {
      if (running.length === slots) running.splice((i * 7) % slots, 1)[0]![Symbol.dispose]();
      running.push((await placement.take(`step ${i}`))!);
      if (running.length < slots) continue;
      const loads = fleet.map((_, at) => running.filter(({ place }) => place === `daemon ${at}`).length);
      assert.deepEqual(loads, fleet);
    }
  }
});

Deno.test("Fleet adds up what daemons say they take at once", async () => {
  if (await findBuildkitd() === undefined) return;
  const labelled = (steps: string) => [
    'networkMode = "host"',
    "[worker.oci.labels]",
    `"dapp.parallel" = "${steps}"`,
  ];
  await using one = await startBuildkitd({ worker: labelled("3") });
  await using two = await startBuildkitd({ worker: labelled("5") });
  if (!one || !two) return;
  await withTempDir(async (dir) => {
    await using fleet = new Fleet(
      { addresses: [one, two].map(({ address }) => parseAddress(address)), tls: {}, env: {} },
      platform,
      () => Promise.resolve(dir),
    );
    const all = Promise.withResolvers<void>();
    fleet.watchCapacity((steps) => {
      if (steps === 8) all.resolve();
    });
    await all.promise;
    const used = fleet.use({
      key: "k",
      signal: new AbortController().signal,
      placed() {},
      say() {},
    }, ({ platform: own, emulates }) => Promise.resolve([own, emulates]));
    assert.deepEqual(await used, [`linux/${platform.architecture}`, false]);
  });
});

Deno.test("BuildkitBuilder goes on elsewhere when a daemon dies in a step, and names all when none is left", async () => {
  if (await findBuildkitd() === undefined) return;
  await using one = await startBuildkitd();
  await using two = await startBuildkitd();
  if (!one || !two) return;
  const daemons = [one, two];
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    await using builder = new BuildkitBuilder({ platform, store, parallel: 2 }, {
      addresses: daemons.map(({ address }) => parseAddress(address)),
      tls: {},
      env: {},
    });
    const base = await layoutLayers(store, await busyboxBase());
    const runner = new StageRunner(builder, store);
    const places: string[] = [];
    const placed = ({ address = "" }) => void places.push(address);
    let killed: string | undefined;
    let seen = "";
    const ran = await runner.run(base, ["echo on", "sleep 2", "echo done >/done"], {
      placed,
      onOutput(text) {
        seen += text;
        const [place] = places;
        if (killed !== undefined || place === undefined || !/^on$/m.test(seen)) return;
        killed = place;
        Deno.kill(daemons.find(({ address }) => address === place)!.pid, "SIGKILL");
      },
    });
    assert.equal(ran.members.get("done")?.content, "done\n");
    const [first, second] = places;
    assert.equal(first, killed);
    assert.notEqual(second, killed);
    // The one that is left builds upon what was built; the other one is not asked again.
    await runner.run(ran.image, ["cat /done"], { placed });
    assert.deepEqual(places, [first, second, second]);
    Deno.kill(daemons.find(({ address }) => address === second)!.pid, "SIGKILL");
    await assert.rejects(runner.run(ran.image, ["cat /done"]), (error) => {
      assert.ok(error instanceof EngineError, String(error));
      assert.equal(error.code, "BUILDER_UNAVAILABLE");
      for (const { address } of daemons) assert.ok(error.message.includes(address), error.message);
      return true;
    });
  });
});
