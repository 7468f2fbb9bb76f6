/** What a build says of its times, its stages, and of a failure. */
import assert from "node:assert/strict";
import { Stopwatch } from "../../core/build/stopwatch.ts";
import { type BuildTimes, type EngineEvent, type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { type TestProject, withProject } from "../support/project.ts";

function engineOf(project: TestProject, log: FakeBuilderLog, options: EngineOptions = {}) {
  return project.engine({ plugins: [use(fakeBuilder(log))], ...options });
}

function sumOf({ preparingMs, waitingMs, runningMs, savingMs, publishingMs }: BuildTimes): number {
  return preparingMs + waitingMs + runningMs + savingMs + publishingMs;
}

function events<T extends EngineEvent["type"]>(project: TestProject, type: T) {
  return project.events.filter((event): event is EngineEvent & { type: T; time: string } =>
    event.type === type
  );
}

Deno.test("Stopwatch: any activities in any order leave parts that add up to what has passed", () => {
  let seed = 7;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 200; round++) {
    let now = random(1000);
    const start = now;
    const watch = new Stopwatch(() => now);
    const open: (() => void)[] = [];
    const expected = { running: 0, saving: 0, publishing: 0, preparing: 0, waiting: 0 };
    const going: ("running" | "saving" | "publishing" | "preparing")[] = [];
    for (let step = 0; step < 30; step++) {
      const passed = random(50);
      now += passed;
      const order = ["running", "saving", "publishing", "preparing"] as const;
      expected[order.find((each) => going.includes(each)) ?? "waiting"] += passed;
      if (random(2) === 0 || open.length === 0) {
        const activity = order[random(4)]!;
        going.push(activity);
        open.push(watch.begin(activity));
      } else {
        const which = random(open.length);
        const [end] = open.splice(which, 1);
        going.splice(which, 1);
        end!();
        end!(); // a second time changes nothing
      }
    }
    const { ms, ...parts } = watch.times;
    assert.equal(ms, now - start);
    assert.deepEqual(parts, {
      preparingMs: expected.preparing,
      waitingMs: expected.waiting,
      runningMs: expected.running,
      savingMs: expected.saving,
      publishingMs: expected.publishing,
    });
    const fork = watch.fork();
    watch.stop();
    now += 100;
    assert.equal(watch.times.ms, ms);
    assert.equal(fork.times.waitingMs, parts.waitingMs + 100);
  }
});

const dappfile = `
artifact: tool
from: scratch
shell: { buildArtifact: ["write t 1"] }
---
dimg: app
from: scratch
import: [{ artifact: tool, add: /t, to: /t, after: setup }]
shell: { install: ["write i 1"], setup: ["write s 1"] }
---
dimg: web
from: scratch
shell: { install: ["write w 1"] }
`;

Deno.test("times of stages, images and the build are sums of their parts, and every event says when", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = engineOf(project, new FakeBuilderLog(), { repo: `oci:${project.dir}/../repo` });
    const { times, stages } = await engine.build();
    assert.equal(times.ms, sumOf(times));
    for (const stage of stages) {
      assert.equal(stage.state, stage.times ? "built" : "reused");
      if (stage.times) assert.equal(stage.times.ms, stage.times.runningMs + stage.times.savingMs);
    }
    const finished = events(project, "stage.finished");
    assert.equal(finished.length, 6);
    for (const { ms, runningMs, savingMs, waitingMs } of finished) {
      assert.equal(ms, runningMs + savingMs);
      assert.ok(waitingMs >= 0 && runningMs >= 0 && savingMs >= 0);
    }
    const ready = events(project, "image.ready");
    assert.deepEqual(ready.map(({ image }) => image), ["app", "web"]);
    for (const { ms, preparingMs, waitingMs, runningMs, savingMs } of ready) {
      assert.equal(ms, preparingMs + waitingMs + runningMs + savingMs);
      assert.ok(ms <= times.ms);
    }
    const [summary] = events(project, "build.finished");
    assert.equal(summary!.ms, times.ms);
    assert.deepEqual([summary!.images, summary!.stagesBuilt], [2, 6]);
    assert.deepEqual(
      summary!.slowest.map(({ ms }) => ms),
      summary!.slowest.map(({ ms }) => ms).sort((a, b) => b - a),
    );
    const moments = project.events.map((event) => "time" in event ? String(event.time) : "");
    for (const time of moments) assert.equal(new Date(time).toISOString(), time);
    assert.deepEqual(moments, [...moments].sort());
  });
});

Deno.test("build.started names what is to be made, and each of it ends", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    await using engine = engineOf(project, new FakeBuilderLog());
    await engine.build();
    const [started] = events(project, "build.started");
    const ended = events(project, "stage.finished").map(({ signature }) => signature);
    assert.deepEqual(started!.stages.map(({ signature }) => signature).sort(), ended.sort());
    project.events.length = 0;
    await using again = engineOf(project, new FakeBuilderLog());
    const { stages } = await again.build();
    assert.deepEqual(events(project, "build.started"), []);
    assert.deepEqual(stages, []);
  });
});

Deno.test("build() tells of every stage what became of it, where it came from, its size and digest", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const repo = `oci:${project.dir}/../repo`;
    await using engine = engineOf(project, new FakeBuilderLog(), { repo });
    const first = await engine.build([], { stages: true });
    const named = (rows: typeof first.stages) =>
      rows.map(({ image, kind, stage, state, from }) => [kind, image, stage, state, from ?? ""].join(" "));
    assert.deepEqual(named(first.stages), [
      "artifact tool from built ",
      "artifact tool buildArtifact built ",
      // stages with the same signature are one stage
      "dimg app from built ",
      "dimg app install built ",
      "dimg app setup built ",
      "dimg app import:after-setup built ",
      "dimg web from built ",
      "dimg web install built ",
    ]);
    assert.equal(first.stages[5]!.digest, first.images[0]!.digest);
    assert.ok(first.stages[3]!.size! > 0);
    assert.equal(first.stages[2]!.size, 0);

    await using second = engineOf(project, new FakeBuilderLog(), { repo });
    const again = await second.build([], { stages: true });
    assert.deepEqual(new Set(again.stages.map(({ state }) => state)), new Set(["reused"]));
    assert.deepEqual(
      again.stages.map(({ size, digest }) => [size, digest]),
      first.stages.slice(2).map(({ size, digest }) => [size, digest]),
    );

    const home = `${project.home}2`;
    await using third = engineOf(project, new FakeBuilderLog(), { repo, home });
    const { stages } = await third.build(["app"], { stages: true });
    assert.deepEqual(stages.map(({ stage, state }) => `${stage} ${state}`), [
      "from covered",
      "install covered",
      "setup covered",
      "import:after-setup fetched",
    ]);
    assert.equal(stages[3]!.from, (await third.published()).repo);
    assert.equal(stages[3]!.digest, first.images[0]!.digest);

    await project.write({ "dappfile.yaml": dappfile.replace("write s 1", "write s 2") });
    await using dry = engineOf(project, new FakeBuilderLog(), { dryRun: true });
    assert.deepEqual(
      (await dry.build(["app"])).stages.map(({ stage, state }) => `${stage} ${state}`).slice(-4),
      [
        "from reused",
        "install reused",
        "setup would build",
        "import:after-setup would build",
      ],
    );
  });
});

const failing = `
dimg: slow
from: scratch
shell: { install: ["meet go", "write s 1"], setup: ["write never 1"] }
---
dimg: broken
from: scratch
shell: { install: ["meet slow", "fail now"], setup: ["write b 1"] }
`;

Deno.test("the first failure says what still runs, which may end, and what was not started", async () => {
  await withProject({ "dappfile.yaml": failing }, async (project) => {
    const log = new FakeBuilderLog();
    log.arrived("go").then(() => log.open("slow"));
    await using engine = engineOf(project, log, {
      parallel: 2,
      onEvent(event) {
        project.events.push(event);
        if (event.type === "stage.failed") log.open("go");
      },
    });
    await assert.rejects(engine.build(), /broken\/install/);
    assert.deepEqual(log.ran.sort(), ["broken/install", "slow/install"]);
    assert.ok(
      events(project, "stage.finished").some(({ at }) => `${at.image}/${at.stage}` === "slow/install"),
    );
    const [failed, ...others] = events(project, "stage.failed");
    assert.deepEqual(others, []);
    assert.deepEqual(failed!.running!.map(({ image, stage }) => `${image}/${stage}`), ["slow/install"]);
    assert.deepEqual(failed!.notStarted!.map(({ image, stage }) => `${image}/${stage}`).sort(), [
      "broken/setup",
      "slow/setup",
    ]);
    assert.deepEqual(events(project, "stage.stopped"), []);
  });
});

Deno.test("failFast stops what runs when a stage fails; the failure is the news, and what is done is kept", async () => {
  await withProject({ "dappfile.yaml": failing }, async (project) => {
    const log = new FakeBuilderLog();
    log.arrived("go").then(() => log.open("slow")); // nobody opens "go"
    await using engine = engineOf(project, log, { parallel: 2 });
    await assert.rejects(engine.build([], { failFast: true }), /broken\/install/);
    assert.deepEqual(events(project, "stage.failed").length, 1);
    assert.deepEqual(events(project, "stage.stopped").map(({ at }) => `${at.image}/${at.stage}`), [
      "slow/install",
    ]);
    const kept = events(project, "stage.finished").map(({ at }) => at.stage);
    assert.deepEqual(kept, ["from"]);
  });
});
