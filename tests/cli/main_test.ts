import assert from "node:assert/strict";
import { displayWidth } from "../../cli/width.ts";
import { noTimes } from "../support/times.ts";
import type { Engine } from "../../core/api.ts";
import type { Config } from "../../core/contract/config.ts";
import { EngineError } from "../../core/contract/errors.ts";
import type { EngineEvent, StageRef } from "../../core/contract/events.ts";
import { createEngine } from "../../mod.ts";
import { dapp } from "./support.ts";
import { withTempDir } from "../support/tmp.ts";
import type { BuildResult, BuiltImage, Plan, PlannedStage } from "../../core/contract/results.ts";
import type { Explanation } from "../../core/plan/explain.ts";
import type { RunOptions } from "../../core/build/run_image.ts";
import type { Signature } from "../../core/contract/signature.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const digest = digestFromHex("12ab34cd56ef".padEnd(64, "0"));
const signature = "9f8e7d6c5b4a".padEnd(64, "0") as Signature;
const earlier = "1a2b3c4d5e6f".padEnd(64, "0") as Signature;

function built(...names: string[]): BuildResult {
  const state: BuiltImage["state"] = {
    config: { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [] } },
    layers: [],
  };
  return {
    project: "shop",
    platform: "linux/amd64",
    images: names.map((name) => ({ name, kind: "dimg", signature, digest, state })),
    stagesBuilt: 0,
    stagesReused: 9,
    stages: [],
    times: noTimes,
  };
}

const ready: EngineEvent = {
  type: "image.ready",
  image: "app",
  kind: "dimg",
  digest,
  signature,
  built: 0,
  reused: 9,
  ms: 4,
  preparingMs: 4,
  waitingMs: 0,
  runningMs: 0,
  savingMs: 0,
};

Deno.test("dapp dimg build prints name and digest on stdout, and one line of progress for an image that is up to date", async () => {
  const { code, stdout, stderr, disposed } = await dapp(["dimg", "build"], {
    engine: (emit) => ({
      build() {
        emit(ready);
        return Promise.resolve(built("app"));
      },
    }),
  });
  assert.equal(stdout, `app ${digest}\n`);
  assert.equal(stderr, "app  up to date  (9 stages cached)\n");
  assert.equal(code, 0);
  assert.equal(disposed, 1);
});

Deno.test("dapp dimg build -q prints digests only; a nameless dimg has no name to print", async () => {
  const build = () => Promise.resolve(built("app", ""));
  assert.equal(
    (await dapp(["dimg", "build", "-q"], { engine: () => ({ build }) })).stdout,
    `${digest}\n${digest}\n`,
  );
  assert.equal(
    (await dapp(["dimg", "build"], { engine: () => ({ build }) })).stdout,
    `app ${digest}\n${digest}\n`,
  );
});

Deno.test("dapp dimg build passes every option on", async () => {
  const calls: unknown[] = [];
  const args =
    "--dir d --home h --name n --platform linux/arm64 --parallel 3 --network none --builder native --dev " +
    "--lock-timeout 5 --dry-run --compression zstd:7 dimg build a b* --introspect-error --introspect-before-error " +
    "--introspect-stage s --introspect-before b --introspect-artifact-stage as --introspect-artifact-before ab";
  const { engines, stdout } = await dapp(args.split(" "), {
    env: { HOME: "/h" },
    engine: () => ({
      build: (...given) => {
        calls.push(...given);
        return Promise.resolve({ ...built(), stagesBuilt: 2 });
      },
    }),
  });
  const { onEvent, signal, ...options } = engines[0]!;
  assert(onEvent && signal);
  assert.deepEqual(options, {
    env: { HOME: "/h" },
    dir: "d",
    home: "h",
    name: "n",
    platform: "linux/arm64",
    parallel: 3,
    network: "none",
    builder: "native",
    dev: true,
    lockTimeoutMs: 5000,
    dryRun: true,
    compression: { kind: "zstd", level: 7 },
  });
  assert.deepEqual(calls, [["a", "b*"], {
    introspect: {
      error: true,
      beforeError: true,
      stage: "s",
      before: "b",
      artifactStage: "as",
      artifactBefore: "ab",
    },
  }]);
  assert.equal(stdout, "would build 2, cached 9\n");
});

Deno.test("--json prints one versioned document; --json=events prints events and ends with the result", async () => {
  const engine = (emit: (event: EngineEvent) => void): Partial<Engine> => ({
    build() {
      emit(ready);
      return Promise.resolve(built("app"));
    },
  });
  const one = await dapp(["dimg", "build", "--json"], { engine });
  assert.deepEqual(JSON.parse(one.stdout), { version: 1, ...built("app") });
  const many = await dapp(["dimg", "build", "--json=events"], { engine });
  const lines = many.stdout.trimEnd().split("\n").map((line) => JSON.parse(line) as unknown);
  const [first, { time, ...last }] = lines as [object, { time: string }];
  assert.deepEqual(first, { ...ready, time: "2026-01-02T03:04:05.678Z" });
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(last, { type: "result", version: 1, ...built("app") });
  assert.equal(many.stderr, "");
});

const failedAt: StageRef = { image: "app", kind: "dimg", stage: "install" };

const failureText = 'Cannot build stage "app/install": npm ci ended with 1';

/** An engine whose build prints 30 lines and fails; others run beside it. */
function failingBeside(
  { between = [], after = [], running = [] }: {
    /** Before its line 15. */
    readonly between?: readonly EngineEvent[];
    readonly after?: readonly EngineEvent[];
    readonly running?: readonly StageRef[];
  } = {},
) {
  return (emit: (event: EngineEvent) => void): Partial<Engine> => ({
    build() {
      emit({ type: "stage.started", at: failedAt, signature, reason: "first build for app" });
      for (let i = 1; i <= 30; i++) {
        if (i === 15) between.forEach(emit);
        emit({ type: "stage.output", at: failedAt, stream: "stdout", text: `line ${i}\n` });
      }
      emit({
        type: "stage.failed",
        at: failedAt,
        signature,
        message: failureText,
        running,
        notStarted: [],
      });
      after.forEach(emit);
      throw new EngineError("STAGE_FAILED", failureText);
    },
  });
}

const failing = failingBeside();

const last20 = Array.from({ length: 20 }, (_, i) => `  line ${i + 11}\n`).join("");
const error = `error: ${failureText}
fix: Read the output above; open a shell with --introspect-error
`;
const failure = `
The last output of app/install:
${last20}${error}`;

Deno.test("a failure whose output has just been printed is said once: the error, and the fix last", async () => {
  const { code, stdout, stderr, disposed } = await dapp(["dimg", "build"], { engine: failing });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert(stderr.startsWith("app/install  building  (first build for app)\napp/install │ line 1\n"), stderr);
  assert(stderr.endsWith(`app/install │ line 30\napp/install  failed\n${error}`), stderr);
  assert.equal(disposed, 1);
});

Deno.test("a failure repeats the stage's last 20 lines where they are out of sight", async (t) => {
  const beside: StageRef = { ...failedAt, image: "other" };
  const other: EngineEvent = { type: "stage.output", at: beside, stream: "stdout", text: "noise\n" };
  const said = "app/install  failed  npm ci ended with 1\nstill running: other/install";
  const run = async (engine: ReturnType<typeof failingBeside>, args: string[] = [], env = {}) =>
    (await dapp(["dimg", "build", ...args], { engine, env })).stderr;
  await t.step("another stage printed between them", async () => {
    assert((await run(failingBeside({ between: [other] }))).endsWith(`app/install  failed\n${failure}`));
  });
  await t.step("another stage printed after them; the failure is said at once", async () => {
    const stderr = await run(failingBeside({ after: [other], running: [beside] }));
    assert(stderr.includes(said), stderr);
    assert(stderr.endsWith(`other/install │ noise\n${failure}`), stderr);
  });
  await t.step("another stage printed before more lines than are repeated", async () => {
    const long = failingBeside({ between: [{ ...other, text: "early\n" }] });
    const more = (emit: (event: EngineEvent) => void) =>
      long((event) => {
        emit(
          event.type === "stage.output" && event.at === failedAt
            ? { ...event, text: `${event.text}x\n` }
            : event,
        );
      });
    assert((await run(more)).endsWith(`line 30\napp/install │ x\napp/install  failed\n${error}`));
  });
  await t.step("groups of a CI system may be folded", async () => {
    assert((await run(failing, [], { CI: "1", GITLAB_CI: "1" })).endsWith(`app/install  failed\n${failure}`));
    assert((await run(failing, [], { CI: "1" })).endsWith(`app/install  failed\n${error}`));
  });
  await t.step("a shell was opened since", async () => {
    assert((await run(failing, ["--introspect-error"])).endsWith(`app/install  failed\n${failure}`));
  });
});

Deno.test("--quiet prints nothing but the failure", async () => {
  const { code, stderr } = await dapp(["dimg", "build", "-q"], { engine: failing });
  assert.equal(code, 1);
  assert.equal(stderr, failure);
});

Deno.test("--json prints errors as one document and keeps the exit code", async () => {
  const error = {
    code: "STAGE_FAILED",
    message: failureText,
    fix: "Read the output above; open a shell with --introspect-error",
    problems: [],
  };
  const { code, stdout } = await dapp(["dimg", "build", "--json"], { engine: failing });
  assert.equal(code, 1);
  assert.deepEqual(JSON.parse(stdout), { version: 1, error });
  const events = await dapp(["dimg", "build", "--json=events"], { engine: failing });
  const { time, ...last } = JSON.parse(events.stdout.trimEnd().split("\n").at(-1)!);
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(last, { type: "error", version: 1, error });
  const placed = await dapp(["config", "check", "--json"], {
    engine: () => ({
      config: () => {
        throw new EngineError("STAGE_FAILED", failureText, { at: "dappfile.yaml:7" });
      },
    }),
  });
  assert.deepEqual(JSON.parse(placed.stdout), { version: 1, error: { ...error, at: "dappfile.yaml:7" } });
  const usage = await dapp(["dimg", "bild", "--json"]);
  assert.equal(usage.code, 2);
  assert.equal(JSON.parse(usage.stdout).error.code, "USAGE");
});

Deno.test("problems are printed with their place, the line of the file and a hint", async () => {
  const { code, stderr, readPaths } = await dapp(["config", "check", "--dir", "shop"], {
    files: { "shop/dappfile.yaml": "dimg: app\nfrom: alpine\ngit:\n\t- ad: /\n" },
    engine: () => ({
      config: () => {
        throw new EngineError("CONFIG_INVALID", "Cannot use dappfile.yaml: 3 problems", {
          at: "dappfile.yaml:4:4",
          problems: [
            {
              file: "dappfile.yaml",
              line: 4,
              column: 4,
              document: 1,
              path: "git[0].ad",
              message: "unknown key",
              hint: 'Did you mean "add"?',
            },
            { file: "dappfile.yaml", line: 0, column: 0, message: "no dimg is named" },
            { file: "other.yaml", line: 2, column: 1, message: "unreadable" },
          ],
        });
      },
    }),
  });
  assert.equal(code, 2);
  assert.equal(
    stderr,
    `error: Cannot use dappfile.yaml: 3 problems

  dappfile.yaml:4:4: git[0].ad: unknown key
      4 │ \t- ad: /
        │ \t  ^
      Did you mean "add"?

  dappfile.yaml: no dimg is named

  other.yaml:2:1: unreadable

fix: Correct the lines named above
`,
  );
  assert.deepEqual(readPaths, ["shop/dappfile.yaml", "shop/other.yaml"]);
});

Deno.test("an error without problems says where, and what caused it", async () => {
  const { stderr } = await dapp(["dimg", "list"], {
    engine: () => ({
      list: () => {
        throw new EngineError("PLUGIN_FAILED", 'Plugin "x" failed in hook "tags"', {
          at: "./x.ts",
          cause: new Error("it broke"),
        });
      },
    }),
  });
  assert.equal(
    stderr,
    `error: Plugin "x" failed in hook "tags"
  at ./x.ts
cause: it broke
fix: Read the cause, then report it to the plugin's author
`,
  );
});

Deno.test("an unexpected error shows its stack and asks for a report", async () => {
  const list = () => {
    throw new TypeError("x is not a function");
  };
  const { code, stderr } = await dapp(["dimg", "list"], { engine: () => ({ list }) });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^error: x is not a function\n {2}TypeError\n {4}at .*\n[\s\S]*\n\nthis is a bug in dapp, please report it\n$/,
  );
  const json = await dapp(["dimg", "list", "--json"], { engine: () => ({ list }) });
  assert.equal(JSON.parse(json.stdout).error.code, "BUG");
});

Deno.test("an interrupt ends the wait for a Docker engine that does not answer", async () => {
  await withTempDir(async (dir) => {
    const controller = new AbortController();
    using silent = Deno.listen({ transport: "unix", path: `${dir}/sock` });
    const asked = silent.accept().then((connection) => {
      controller.abort();
      return connection;
    });
    const { code } = await dapp(["builder", "list"], {
      signal: controller.signal,
      env: { DOCKER_HOST: `unix://${dir}/sock` },
    });
    assert.equal(code, 130);
    (await asked).close();
  });
});

Deno.test("an interrupt says that the work stops, and ends with 130", async () => {
  const controller = new AbortController();
  const { code, stderr, stdout } = await dapp(["dimg", "build"], {
    signal: controller.signal,
    engine: (emit) => ({
      build() {
        emit({ type: "stage.started", at: failedAt, signature, reason: "first build for app" });
        emit({ type: "stage.output", at: failedAt, stream: "stdout", text: "working\n" });
        controller.abort();
        emit({ type: "stage.failed", at: failedAt, signature, message: "The operation was aborted" });
        throw new DOMException("The operation was aborted", "AbortError");
      },
    }),
  });
  assert.equal(code, 130);
  assert.equal(stdout, "");
  assert.equal(
    stderr,
    `app/install  building  (first build for app)
app/install │ working
Stopping; press Ctrl-C again to stop now
app/install  failed  The operation was aborted
error: Interrupted
fix: Run the command again: what is finished is kept
`,
  );
});

function stage(name: string, state: PlannedStage["state"], reason: string, hermetic = true): PlannedStage {
  return { stage: name, signature, state, reason, hermetic };
}

const plan: Plan = {
  project: "shop",
  platform: "linux/amd64",
  images: [
    {
      name: "assets",
      kind: "artifact",
      signature,
      stages: [
        stage("from", "cached", "in the store"),
        stage("buildArtifact", "unneeded", "nothing uses it"),
      ],
    },
    {
      name: "app",
      kind: "dimg",
      signature,
      stages: [
        stage("from", "covered", "not needed: install is in the store"),
        stage("install", "cached", "in the store"),
        stage("gitArchive", "build", "1 file changed (/a)", false),
      ],
    },
  ],
};

Deno.test("dapp dimg plan breaks reasons, not words, on narrow terminals, whatever the names are", async () => {
  const [artifact, app] = plan.images as [typeof plan.images[0] & object, typeof plan.images[0] & object];
  const wide: Plan = {
    ...plan,
    images: [artifact, {
      ...app,
      name: "画像",
      stages: [
        stage("setup", "build", "2 files changed (/app/資料.txt, /app/a rather long name.txt), 1 added (/b)"),
        ...app.stages,
      ],
    }],
  };
  for (const columns of [40, 60, 80, 200]) {
    const engine = () => ({ plan: () => Promise.resolve(wide) });
    const { stdout } = await dapp(["dimg", "plan", "--color", "off"], { engine, terminal: true, columns });
    for (const line of stdout.split("\n")) assert.ok(displayWidth(line) <= columns, `${columns}: ${line}`);
    const words = (text: string) => text.split(/\s+/).filter((word) => word !== "");
    const whole = await dapp(["dimg", "plan", "--color", "off"], { engine });
    assert.deepEqual(words(stdout), words(whole.stdout));
  }
});

Deno.test("dapp dimg explain takes a stage as every output names it", async () => {
  const asked: unknown[] = [];
  const engine = () => ({
    list: () => Promise.resolve([{ name: "app", stages: [] }, { name: "team/app", stages: [] }]),
    explain: (...given: unknown[]) => {
      asked.push(given);
      return Promise.resolve({ project: "p", images: [] });
    },
  });
  for (const words of [["app/install"], ["app", "install"], ["team/app"], ["team/app/install"], ["app"]]) {
    await dapp(["dimg", "explain", ...words], { engine });
  }
  assert.deepEqual(asked, [
    ["app", "install"],
    ["app", "install"],
    ["team/app", undefined],
    ["team/app", "install"],
    ["app", undefined],
  ]);
});

Deno.test("--quiet keeps warnings, and drops notes", async () => {
  const engine = (emit: (event: EngineEvent) => void): Partial<Engine> => ({
    build() {
      emit({ type: "note", level: "info", text: "not pinned" });
      emit({ type: "note", level: "warn", text: "uncommitted changes are not included: a" });
      emit(ready);
      return Promise.resolve(built("app"));
    },
  });
  const { stdout, stderr } = await dapp(["dimg", "build", "-q"], { engine });
  assert.deepEqual([stdout, stderr], [`${digest}\n`, "warning: uncommitted changes are not included: a\n"]);
});

Deno.test("dapp dimg plan prints an aligned table with states and reasons", async () => {
  const engine = () => ({ plan: () => Promise.resolve(plan) });
  const { stdout } = await dapp(["dimg", "plan"], { engine });
  assert.equal(
    stdout,
    `artifact assets
  from           cached    in the store
  buildArtifact  unneeded  nothing uses it
app
  from           covered   not needed: install is in the store
  install        cached    in the store
  gitArchive     build     1 file changed (/a)  (not hermetic)

5 stages: 1 to build, 2 cached, 1 covered, 1 unneeded
`,
  );
  assert.equal((await dapp(["dimg", "plan", "-q"], { engine })).stdout, "app/gitArchive\n");
  assert.deepEqual(JSON.parse((await dapp(["dimg", "plan", "--json"], { engine })).stdout), {
    version: 1,
    ...plan,
  });
});

const explanation: Explanation = {
  project: "shop",
  images: [{
    name: "app",
    kind: "dimg",
    stages: [
      {
        stage: "install",
        signature,
        state: "build",
        hermetic: false,
        comparedWith: { signature: earlier, at: "2026-01-02T03:04:05.678Z", commit: "c0ffee00".repeat(5) },
        rippleOnly: false,
        changes: [
          { kind: "commands", key: "commands", diff: [" cd /app", "-npm ci", "+npm ci --omit=dev"] },
          { kind: "value", key: "cacheVersion", before: "1", after: "two words" },
          { kind: "value", key: "mount", after: "/tmp" },
          { kind: "value", key: "base", before: digest },
          {
            kind: "files",
            key: "git[0].files",
            files: [
              {
                path: "/app/a",
                change: "modified",
                before: "ab".repeat(20),
                after: "cd".repeat(20),
                commit: "1234567 Fix",
              },
              {
                path: "/app/run.sh",
                change: "modified",
                before: `${"ab".repeat(20)} (mode 100644)`,
                after: `${"ab".repeat(20)} (mode 100755)`,
              },
              { path: "/app/new", change: "added", after: "ef".repeat(20) },
            ],
          },
        ],
        ripplesTo: ["app/setup", "app/docker"],
      },
      {
        stage: "setup",
        signature,
        state: "build",
        hermetic: true,
        rippleOnly: true,
        changes: [],
        ripplesTo: [],
        comparedWith: { signature: earlier, at: "2026-01-02T03:04:05Z" },
      },
      {
        stage: "docker",
        signature,
        state: "build",
        hermetic: true,
        rippleOnly: false,
        changes: [],
        ripplesTo: [],
        facts: [{ key: "stage", value: "docker" }, { key: "CMD", value: '["run it"]' }],
      },
    ],
  }],
};

Deno.test("dapp dimg explain says what changed in hundreds of thousands of files and lines", async () => {
  const files = Array.from(
    { length: 200_000 },
    (_, i) => ({ path: `/f${i}`, change: "removed", before: "1" }),
  );
  const diff = Array.from({ length: 200_000 }, (_, i) => `-echo ${i}`);
  const facts = [{ key: "commands", value: JSON.stringify(diff) }];
  const changes = [{ kind: "files", key: "git[/].files", files }, {
    kind: "commands",
    key: "commands",
    diff,
  }];
  const stage = { stage: "setup", signature: "0".repeat(64), state: "build", changes, ripplesTo: [], facts };
  const result = { project: "shop", images: [{ name: "app", kind: "dimg", stages: [stage] }] };
  const engine = () => ({ explain: () => Promise.resolve(result as unknown as Explanation) });
  const { stdout } = await dapp(["dimg", "explain", "app", "setup"], { engine });
  const lines = stdout.split("\n");
  assert.ok(lines.includes("    removed   /f199999  1") && lines.includes("    removed   /f0       1"));
  assert.equal(lines.filter((line) => line === "    - echo 199999").length, 1);
  assert.equal(lines.filter((line) => line.endsWith("  -echo 199999")).length, 1);
});

Deno.test("dapp dimg explain says once, of stages in a row, that they were never built", async () => {
  const stage = (name: string, more = {}) => ({
    ...{ stage: name, signature: "9".repeat(64), state: "build", hermetic: true, rippleOnly: false },
    ...{ changes: [], ripplesTo: [], ...more },
  });
  const changed = {
    comparedWith: { signature: "1".repeat(64), at: "2026-01-02T03:04:05Z" },
    rippleOnly: true,
  };
  const image = (name: string, stages: readonly unknown[]) => ({ name, kind: "dimg", stages });
  const images = [
    image("a", [stage("from"), stage("setup")]),
    image("b", [stage("from", { hermetic: false }), stage("setup", changed), stage("docker")]),
  ];
  const engine = () => ({
    explain: () => Promise.resolve({ project: "shop", images } as unknown as Explanation),
  });
  assert.equal(
    (await dapp(["dimg", "explain"], { engine })).stdout,
    `a/from  build  999999999999…
a/setup  build  999999999999…
b/from  build  999999999999…  not hermetic: its commands see undeclared files
  no earlier build here to compare with

b/setup  build  999999999999…
  compared with 111111111111…, built 2026-01-02 03:04 UTC
  only the stage before it changed

b/docker  build  999999999999…
  no earlier build here to compare with
`,
  );
});

Deno.test("dapp dimg explain says what changed, file by file and line by line", async () => {
  const calls: unknown[] = [];
  const engine = () => ({
    explain: (...given: unknown[]) => {
      calls.push(given);
      return Promise.resolve(explanation);
    },
  });
  const { stdout } = await dapp(["dimg", "explain", "app", "install"], { engine });
  assert.deepEqual(calls, [["app", "install"]]);
  assert.equal(
    stdout,
    `app/install  build  9f8e7d6c5b4a…  not hermetic: its commands see undeclared files
  compared with 1a2b3c4d5e6f…, built 2026-01-02 03:04 UTC at commit c0ffee00
  commands:
      cd /app
    - npm ci
    + npm ci --omit=dev
  cacheVersion: 1 → "two words"
  mount: added /tmp
  base: removed, it was sha256:12ab34cd56ef…
  git[0].files: 3 files
    modified  /app/a       abababab → cdcdcdcd  (1234567 Fix)
    modified  /app/run.sh  abababab (mode 100644) → abababab (mode 100755)
    added     /app/new     efefefef
  changes with it: app/setup, app/docker

app/setup  build  9f8e7d6c5b4a…
  compared with 1a2b3c4d5e6f…, built 2026-01-02 03:04 UTC
  only the stage before it changed

app/docker  build  9f8e7d6c5b4a…
  no earlier build here to compare with
  all facts:
    stage  docker
    CMD    "[\\"run it\\"]"
`,
  );
  const none = { explain: () => Promise.resolve({ project: "shop", images: [] }) };
  assert.equal(
    (await dapp(["dimg", "explain"], { engine: () => none })).stdout,
    "Nothing changed: every stage is built\n",
  );
});

Deno.test("dapp dimg list prints names; the nameless dimg only a note when verbose", async () => {
  const list = () => Promise.resolve([{ name: "app", stages: ["from"] }, { name: "web", stages: [] }]);
  assert.equal((await dapp(["dimg", "list"], { engine: () => ({ list }) })).stdout, "app\nweb\n");
  const nameless = { list: () => Promise.resolve([{ name: "", stages: ["from"] }]) };
  const quiet = await dapp(["dimg", "list"], { engine: () => nameless });
  assert.deepEqual([quiet.stdout, quiet.stderr], ["", ""]);
  const verbose = await dapp(["dimg", "list", "-v"], { engine: () => nameless });
  assert.deepEqual([verbose.stdout, verbose.stderr], ["", "note: the dimg here has no name\n"]);
  const json = await dapp(["dimg", "list", "--json"], { engine: () => nameless });
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, dimgs: [{ name: "", stages: ["from"] }] });
});

Deno.test("dapp dimg stage image prints just the name", async () => {
  const stageImage = (image = "", stage = "docker") =>
    Promise.resolve({ image, stage, signature, name: `dimgstage-shop:${signature}`, present: false });
  const { stdout, stderr } = await dapp("dimg stage image app --stage setup".split(" "), {
    engine: () => ({ stageImage }),
  });
  assert.deepEqual([stdout, stderr], [`dimgstage-shop:${signature}\n`, ""]);
});

Deno.test("dapp dimg run lends the terminal to the command and passes its exit code through", async () => {
  const calls: RunOptions[] = [];
  const args =
    "dimg run app --stage install -e A=1 --env B --volume /a:/b:ro -w /src -u 1:2 --entrypoint= -- ls -l";
  const { code, stdout, lent } = await dapp(args.split(" "), {
    engine: () => ({
      run: (options) => {
        calls.push(options);
        return Promise.resolve(37);
      },
    }),
  });
  assert.equal(code, 37);
  assert.equal(stdout, "");
  assert.deepEqual(lent, ["lent", "back"]);
  assert.deepEqual(calls, [{
    pattern: "app",
    stage: "install",
    command: ["ls", "-l"],
    env: ["A=1", "B"],
    volumes: ["/a:/b:ro"],
    workdir: "/src",
    user: "1:2",
    entrypoint: "",
  }]);
});

Deno.test("dapp dimg export prints references and digests; --dry-run writes nothing", async () => {
  const images = [{ name: "app", reference: "app", digest }];
  const exported: unknown[] = [];
  const engine = (): Partial<Engine> => ({
    export: (patterns, destination) => {
      exported.push(patterns, destination);
      return Promise.resolve({ destination, images });
    },
    list: () => Promise.resolve([{ name: "app", stages: [] }]),
  });
  assert.equal((await dapp(["dimg", "export", "app", "oci:out"], { engine })).stdout, `app ${digest}\n`);
  assert.deepEqual(exported.splice(0), [["app"], "oci:out"]);
  const dry = await dapp(["dimg", "export", "oci:out", "-n"], { engine });
  assert.equal(dry.stdout, "would export app to oci:out\n");
  assert.deepEqual(exported, []);
});

Deno.test("dapp dimg lock prints what became of each entry", async () => {
  const entries = [
    { name: "alpine:3", digest, change: "unchanged" as const },
    { name: "debian:12", digest, change: "added" as const },
  ];
  const lock = (options?: { readonly update?: boolean }) =>
    Promise.resolve({ file: options?.update ? "updated.lock" : "dappfile.lock", entries });
  const { stdout, stderr } = await dapp(["dimg", "lock"], { engine: () => ({ lock }) });
  assert.equal(stdout, `unchanged  alpine:3  ${digest}\nadded      debian:12  ${digest}\n`);
  assert.equal(stderr, "Changed 1 line of dappfile.lock\n");
  const dry = await dapp(["dimg", "lock", "--update", "-n"], { engine: () => ({ lock }) });
  assert.equal(dry.stderr, "Would change 1 line of updated.lock\n");
});

Deno.test("dapp config check counts images and prints warnings", async () => {
  const image = (kind: "dimg" | "artifact", name: string) => ({ kind, name });
  const config = {
    file: "dappfile.yaml",
    project: { plugins: [] },
    images: [image("dimg", "app"), image("artifact", "assets"), image("dimg", "web")],
    warnings: ["dappfile.yaml:3: unused"],
  } as unknown as Config;
  const { code, stdout, stderr } = await dapp(["config", "check"], {
    engine: (emit) => ({
      config() {
        for (const text of config.warnings) emit({ type: "note", level: "warn", text });
        return Promise.resolve(config);
      },
      plugins: () => Promise.resolve([]),
    }),
  });
  assert.equal(code, 0);
  assert.equal(stdout, "dappfile.yaml is valid: 2 dimgs, 1 artifact\n");
  assert.equal(stderr, "warning: dappfile.yaml:3: unused\n");
});

Deno.test("dapp config check tells mistakes in cleanup policies, which no build looks at", async () => {
  await withTempDir(async (dir) => {
    const check = async (keep: string) => {
      await Deno.writeTextFile(
        `${dir}/dappfile.yaml`,
        `project: shop\ncleanup:\n  keep:\n    - ${keep}\n---\ndimg: app\nfrom: scratch\n`,
      );
      return await dapp(["config", "check", "--dir", dir], { env: { HOME: dir }, createEngine });
    };
    const good = await check("{ use: keep-git-tags, options: { last: 3 } }");
    assert.equal(good.code, 0, good.stderr);
    const name = await check("keep-git-tagz");
    assert.equal(name.code, 2);
    assert.match(name.stderr, /dappfile\.yaml:4[^]*Did you mean "keep-git-tags"\?/);
    const option = await check("{ use: keep-branches, options: { maxage: 3d } }");
    assert.equal(option.code, 2);
    assert.match(option.stderr, /dappfile\.yaml:4:\d+: options\.maxage[^]*Did you mean `maxAge`\?/);
    const kind = await check("tag-custom");
    assert.equal(kind.code, 2);
  });
});

Deno.test("dapp config schema prints a JSON Schema", async () => {
  const { code, stdout } = await dapp(["config", "schema"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).title, "dappfile.yaml");
});

Deno.test("dapp doctor tells to mend what is missing, and how to use what merely is not set up", async () => {
  const engine = (): Partial<Engine> => ({
    checkMachine: () =>
      Promise.resolve({
        canBuild: false,
        checks: [
          { name: "git", result: "ok", detail: "2.39.5" },
          { name: "store", result: "ok", detail: "/s" },
          { name: "builder native", result: "missing", detail: "no unshare", fix: "Install util-linux" },
          { name: "dappfile", result: "invalid", detail: "it is no YAML", fix: "Correct it" },
          { name: "REPO", result: "unset", detail: "none is named", fix: "Name one with --repo" },
        ],
      }),
  });
  const { code, stdout } = await dapp(["doctor"], { engine });
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `git             ok       2.39.5
store           ok       /s
builder native  missing  no unshare
    fix: Install util-linux
dappfile        invalid  it is no YAML
    fix: Correct it
REPO            unset    none is named
    to use it: Name one with --repo

This machine can build no images with commands.
`,
  );
  assert.equal(
    (await dapp(["doctor", "--quiet"], { engine })).stdout,
    `builder native  missing  no unshare
    fix: Install util-linux
dappfile        invalid  it is no YAML
    fix: Correct it
`,
  );
});

Deno.test("dapp store check fails while something is damaged, and repairs when asked", async () => {
  const report = { blobs: 3, bytes: 1_200_000, stages: 2, problems: ["Blob x has the content of y"] };
  const repairs: boolean[] = [];
  const engine = (): Partial<Engine> => ({
    checkStore: (options) => {
      const repair = options?.repair ?? false;
      repairs.push(repair);
      return Promise.resolve({ ...report, repaired: repair ? ["Removed blob x"] : [] });
    },
  });
  const look = await dapp(["store", "check"], { engine });
  assert.equal(look.code, 1);
  assert.equal(
    look.stdout,
    "Blob x has the content of y\ndamaged: 2 stages, 3 blobs, 1.2 MB\nRemove what is damaged with: dapp store check --repair\n",
  );
  const mended = await dapp(["store", "check", "--repair"], { engine });
  assert.equal(mended.code, 0);
  assert.equal(
    mended.stdout,
    "Blob x has the content of y\nRemoved blob x\nrepaired: 2 stages, 3 blobs, 1.2 MB\n",
  );
  assert.equal((await dapp(["store", "check", "--repair", "-n"], { engine })).code, 1);
  assert.deepEqual(repairs, [false, true, false]);
});

Deno.test("dapp version and dapp --version print the version of deno.json", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  assert.equal((await dapp(["--version"])).stdout, `dapp ${version}\n`);
  assert.equal((await dapp(["version", "-q"])).stdout, `${version}\n`);
  assert.equal(JSON.parse((await dapp(["version", "--json"])).stdout).dapp, version);
});
