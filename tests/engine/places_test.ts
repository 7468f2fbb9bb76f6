import assert from "node:assert/strict";
import { type EngineOptions, use } from "../../mod.ts";
import { Pool, type Turn } from "../../lib/pool.ts";
import { fakeBuilder, FakeBuilderLog, fakeFleet } from "../support/fake_builder.ts";
import { type TestProject, withProject } from "../support/project.ts";

const one = { builder: "fake", address: "tcp://one:1234" };
const two = { builder: "fake", address: "tcp://two:1234", platform: "linux/arm64" };

function engineOf(
  project: TestProject,
  log: FakeBuilderLog,
  options: EngineOptions & { room?: number } = {},
) {
  const { room = 2, ...rest } = options;
  return project.engine({ plugins: [use(fakeFleet(log, [one.address, two.address], room))], ...rest });
}

const dappfile = (text: string) => `
dimg: app
from: scratch
shell: { install: ["write a ${text}"], setup: ["write b 1"] }
docker: { CMD: [/a] }
`;

Deno.test("plan, events, build and explain say where commands run, and where they ran", async () => {
  await withProject({ "dappfile.yaml": dappfile("1") }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log);
    const placed = (await engine.plan()).images[0]!.stages.map((
      { stage, runsAt },
    ) => [stage, runsAt?.address]);
    assert.deepEqual(placed, [
      ["from", undefined],
      ["install", one.address],
      ["setup", one.address],
      ["docker", undefined],
    ]);
    assert.equal(log.disposed, 1);
    const { stages } = await engine.build([], { stages: true });
    assert.deepEqual(
      project.events.flatMap((e) => e.type === "stage.placed" ? [[e.at.stage, e.place.address]] : []),
      ["install", "setup"].flatMap((stage) => [[stage, one.address], [stage, two.address]]),
    );
    // The last place is where it was done.
    const makers = [undefined, two, two, undefined];
    assert.deepEqual(stages.map(({ builtBy }) => builtBy), makers);
    const again = await engine.build([], { stages: true });
    assert.deepEqual(
      again.stages.map(({ state, builtBy }) => [state, builtBy]),
      makers.map((by) => ["reused", by]),
    );
    assert.ok((await engine.plan()).images[0]!.stages.every(({ runsAt }) => runsAt === undefined));
  });
});

Deno.test("explain says where what it compares with was built", async () => {
  await withProject({ "dappfile.yaml": dappfile("1") }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log);
    await engine.build();
    await project.write({ "dappfile.yaml": dappfile("2") });
    await using changed = engineOf(project, log);
    const explanation = await changed.explain("app", "install");
    assert.deepEqual(explanation.images[0]?.stages[0]?.comparedWith?.builtBy, two);
  });
});

Deno.test("a builder of this machine is in the record, and in no event", async () => {
  await withProject({ "dappfile.yaml": dappfile("1") }, async (project) => {
    await using engine = project.engine({ plugins: [use(fakeBuilder(new FakeBuilderLog()))] });
    assert.deepEqual((await engine.plan()).images[0]!.stages[1]?.runsAt, { builder: "fake" });
    const { stages } = await engine.build([], { stages: true });
    assert.equal(stages[1]?.builtBy?.builder, "fake");
    assert.equal(stages[1]?.builtBy?.address, undefined);
    assert.match(stages[1]?.builtBy?.platform ?? "", /^linux\//);
    assert.ok(project.events.every(({ type }) => type !== "stage.placed"));
  });
});

Deno.test("as many stages as the builder takes are built at once, unless the user says how many", async () => {
  const names = Array.from({ length: 7 }, (_, i) => `d${i}`);
  const text = names.map((name) => `dimg: ${name}\nfrom: scratch\nshell: { install: ["meet ${name}"] }\n`);
  await withProject({ "dappfile.yaml": text.join("---\n") }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { room: 7 });
    const done = engine.build();
    await Promise.all(names.map((name) => log.arrived(name)));
    names.forEach((name) => log.open(name));
    await done;
    assert.equal(log.mostRunning, 7);
    const few = new FakeBuilderLog();
    names.forEach((name) => few.open(name));
    await using chosen = engineOf(project, few, { room: 7, parallel: 2, home: `${project.home}2` });
    await chosen.build();
    assert.ok(few.mostRunning <= 2, `${few.mostRunning} at once`);
  });
});

Deno.test("Pool lets more in when it grows, and waits for those inside when it shrinks", async () => {
  const pool = new Pool(1);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const begun: number[] = [];
  const work = gates.map(({ promise }, i) => pool.run(() => (begun.push(i), promise)));
  await Promise.resolve();
  assert.deepEqual(begun, [0]);
  pool.resize(3);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual([begun, pool.full], [[0, 1, 2], true]);
  pool.resize(1);
  gates[0]!.resolve();
  gates[1]!.resolve();
  await Promise.all([work[0], work[1]]);
  assert.deepEqual(begun, [0, 1, 2]);
  gates[2]!.resolve();
  gates[3]!.resolve();
  await Promise.all(work);
  assert.deepEqual([begun.length, pool.full], [4, false]);
});

Deno.test("no room is kept while what commands changed is taken, for as many stages as there is room", async () => {
  const names = Array.from({ length: 5 }, (_, i) => `d${i}`);
  const text = names.map((name) =>
    `dimg: ${name}\nfrom: scratch\nshell: { install: ["meet run-${name}", "ran", "meet take-${name}", "write a 1"] }\n`
  );
  await withProject({ "dappfile.yaml": text.join("---\n") }, async (project) => {
    const log = new FakeBuilderLog();
    await using engine = engineOf(project, log, { room: 2 });
    const begun: string[] = [];
    const arrivals = names.map((name) => log.arrived(`run-${name}`).then(() => begun.push(name)));
    /** The first `count` whose commands run. */
    const first = async (count: number) => {
      while (begun.length < count) await Promise.race(arrivals.filter((_, i) => !begun.includes(names[i]!)));
      return begun;
    };
    const done = engine.build();
    // Two run at a time, and others come while nothing of these has been taken.
    const [a, b] = await first(2);
    assert.equal(log.ran.length, 2);
    log.open(`run-${a}`);
    const [, , c] = await first(3);
    log.open(`run-${b}`);
    await first(4);
    // Two run and two are taken: as much as there is room for, twice.
    log.open(`run-${c}`);
    await log.arrived(`take-${c}`);
    assert.equal(log.running, 4);
    log.open(`take-${a}`);
    await first(5);
    for (const name of names) ["run", "take"].forEach((gate) => log.open(`${gate}-${name}`));
    await done;
    assert.equal(log.mostRunning, 4);
  });
});

Deno.test("Pool lets another one in for one that leaves, until a pool full has left, and for none that enters again", async () => {
  const pool = new Pool(1);
  const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  const turns: Turn[] = [];
  const work = gates.map(({ promise }) => pool.run((turn) => (turns.push(turn), promise)));
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));
  turns[0]!.leave();
  turns[0]!.leave(); // twice is once
  await settled();
  assert.equal(turns.length, 2);
  turns[1]!.leave();
  await settled();
  assert.equal(turns.length, 2); // two have left, room is for one
  gates[1]!.resolve();
  await settled();
  assert.equal(turns.length, 3);
  turns[0]!.enter();
  gates[2]!.resolve();
  await settled();
  assert.equal(turns.length, 3);
  for (const { resolve } of gates) resolve();
  await Promise.all(work);
  assert.deepEqual([turns.length, pool.full], [4, false]);
});
