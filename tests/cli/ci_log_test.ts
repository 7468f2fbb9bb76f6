/** What CI systems get in their logs beside text, as their documentation says; none of them was here to read it. */
import assert from "node:assert/strict";
import { EngineError, type EngineEvent, type StageRef } from "../../mod.ts";
import { ciLogOf, withoutCommands } from "../../cli/ci/log.ts";
import { dapp } from "./support.ts";

const a: StageRef = { image: "a", kind: "dimg", stage: "install" };
const b: StageRef = { image: "b", kind: "dimg", stage: "setup" };
const started = (at: StageRef): EngineEvent => ({ type: "stage.started", at, signature: "s", reason: "new" });
const output = (at: StageRef, text: string): EngineEvent => ({
  type: "stage.output",
  at,
  stream: "stdout",
  text,
});
const times = { ms: 1500, runningMs: 1500, savingMs: 0, waitingMs: 0 };
const finished = (at: StageRef): EngineEvent => ({
  type: "stage.finished",
  at,
  signature: "s",
  size: 10,
  ...times,
});

function build(events: readonly EngineEvent[], env: Readonly<Record<string, string>>, failure?: EngineError) {
  return dapp(["dimg", "build", "-C", "services/x"], {
    env: { CI: "true", ...env },
    engine: (emit) => ({
      build() {
        for (const event of events) emit(event);
        if (failure) return Promise.reject(failure);
        return Promise.resolve({ images: [], stagesBuilt: 2, stagesReused: 0 } as never);
      },
    }),
  });
}

const twoStages = [
  started(a),
  started(b),
  output(a, "a1\n"),
  output(b, "b1\n"),
  output(a, "a2\n"),
  finished(a),
  output(b, "b2\n"),
  finished(b),
];

Deno.test("output of stages is in groups that do not mix, whatever runs at the same time", async (t) => {
  const groups: Readonly<Record<string, readonly [variable: string, lines: readonly string[]]>> = {
    GitHub: ["GITHUB_ACTIONS", ["::group::a/install", "::endgroup::", "::group::b/setup", "::endgroup::"]],
    GitLab: ["GITLAB_CI", [
      "\x1b[0Ksection_start:1768003200:dapp_a_install[collapsed=true]\r\x1b[0Ka/install",
      "\x1b[0Ksection_end:1768003200:dapp_a_install\r\x1b[0K",
      "\x1b[0Ksection_start:1768003200:dapp_b_setup[collapsed=true]\r\x1b[0Kb/setup",
      "\x1b[0Ksection_end:1768003200:dapp_b_setup\r\x1b[0K",
    ]],
    Azure: ["TF_BUILD", ["##[group]a/install", "##[endgroup]", "##[group]b/setup", "##[endgroup]"]],
    TeamCity: ["TEAMCITY_VERSION", [
      "##teamcity[blockOpened name='a/install']",
      "##teamcity[blockClosed name='a/install']",
      "##teamcity[blockOpened name='b/setup']",
      "##teamcity[blockClosed name='b/setup']",
    ]],
    Travis: ["TRAVIS", [
      "travis_fold:start:dapp_a_install\r\x1b[0Ka/install",
      "travis_fold:end:dapp_a_install\r\x1b[0K",
      "travis_fold:start:dapp_b_setup\r\x1b[0Kb/setup",
      "travis_fold:end:dapp_b_setup\r\x1b[0K",
    ]],
  };
  for (const [system, [variable, [openA, closeA, openB, closeB]]] of Object.entries(groups)) {
    await t.step(system, async () => {
      const { stderr } = await build(twoStages, { [variable]: "true" });
      assert.deepEqual(stderr.split("\n").slice(0, -1), [
        "a/install  building  (new)",
        "b/setup  building  (new)",
        openA,
        "a/install │ a1",
        "a/install │ a2",
        closeA,
        openB,
        "b/setup │ b1",
        "a/install  built  1.5s  +10 B",
        "b/setup │ b2",
        closeB,
        "b/setup  built  1.5s  +10 B",
      ]);
    });
  }
  await t.step("no CI system: as they come", async () => {
    const { stderr } = await build(twoStages, {});
    assert.deepEqual(stderr.split("\n").filter((line) => line.includes("│")), [
      "a/install │ a1",
      "b/setup │ b1",
      "a/install │ a2",
      "b/setup │ b2",
    ]);
  });
});

Deno.test("what is held back is printed when a build breaks off", async () => {
  const failed: EngineEvent = { type: "stage.failed", at: b, signature: "s", message: "no" };
  const { stderr } = await build([output(a, "a1\nrest"), output(b, "b1\n"), failed], {
    GITHUB_ACTIONS: "true",
  });
  assert.match(
    stderr,
    /::group::a\/install\na\/install │ a1\n.*failed.*\n::endgroup::\n::group::b\/setup\nb\/setup │ b1\n::endgroup::\n$/s,
  );
});

Deno.test("errors and warnings mark their places, from where dapp was started", async () => {
  const warning: EngineEvent = { type: "note", level: "warn", text: "dappfile.yaml:3: odd: 100%\nmore" };
  const plain: EngineEvent = { type: "note", level: "warn", text: "nowhere" };
  const stage = new EngineError("STAGE_FAILED", "It failed", { at: "images/a,b.yaml:12", fix: "Mend it" });
  const github = await build([warning, plain], { GITHUB_ACTIONS: "true" }, stage);
  assert.equal(github.code, 1);
  assert.ok(github.stderr.includes("::warning file=services/x/dappfile.yaml,line=3::odd: 100%25%0Amore\n"));
  assert.ok(github.stderr.includes("::warning::nowhere\n"));
  assert.ok(
    github.stderr.endsWith("::error file=services/x/images/a%2Cb.yaml,line=12::It failed%0Afix: Mend it\n"),
  );
  const azure = await build([warning], { TF_BUILD: "True" }, stage);
  assert.ok(azure.stderr.endsWith(
    "##vso[task.logissue type=error;sourcepath=services/x/images/a,b.yaml;linenumber=12;]It failed%0Afix: Mend it\n",
  ));
  const teamcity = await build([], { TEAMCITY_VERSION: "2026.1" }, stage);
  assert.ok(teamcity.stderr.endsWith(
    "##teamcity[message text='services/x/images/a,b.yaml:12: It failed|nfix: Mend it' status='ERROR']\n",
  ));
  const gitlab = await build([plain], { GITLAB_CI: "true" }, stage);
  assert.match(gitlab.stderr, /^warning: nowhere\n/);
  assert.match(gitlab.stderr, /fix: Mend it\n$/);

  const config = new EngineError("CONFIG_INVALID", "Wrong", {
    problems: [
      { file: "dappfile.yaml", line: 2, column: 5, path: "from", message: "Bad", hint: "Better" },
      { file: "b.yaml", line: 0, column: 0, message: "Empty" },
    ],
  });
  const several = await build([], { GITHUB_ACTIONS: "true" }, config);
  assert.ok(several.stderr.endsWith(
    "::error file=services/x/dappfile.yaml,line=2,col=5::from: Bad%0ABetter\n::error file=services/x/b.yaml::Empty\n",
  ));
});

Deno.test("output of programs gives no commands to a CI system", () => {
  const harmless = [
    "x ##[set-env name=A]b",
    "##vso[task.setvariable variable=x]y",
    "##teamcity[buildStop]",
    "::set-output::",
  ];
  for (const line of harmless) {
    const safe = withoutCommands(line);
    assert.doesNotMatch(safe, /##\[|##vso\[|##teamcity\[|^::/);
    assert.equal(safe.replaceAll(" ", ""), line.replaceAll(" ", ""));
  }
  assert.equal(withoutCommands("## [x] a::b"), "## [x] a::b");
});

Deno.test("nothing that strangers name gives commands to a CI system, or looks like a line of dapp's", async () => {
  const evil =
    "a\n::add-mask::x ##[set-env name=A]b ##vso[task.setvariable variable=x]y ##teamcity[buildStop]\x1b[2J";
  const note = (level: "info" | "warn"): EngineEvent => ({ type: "note", level, text: evil });
  const events: readonly EngineEvent[] = [
    note("info"),
    note("warn"),
    { ...started(a), reason: evil } as EngineEvent,
    { type: "stage.failed", at: a, signature: "s", message: evil },
    { type: "tag.published", image: "a", reference: evil, state: "pushed" },
    { type: "lock.waiting", resource: "a stage", holder: evil },
    { type: "transfer.started", id: "t", what: evil, total: 0 },
  ];
  const failure = new EngineError("CONFIG_INVALID", evil, {
    fix: evil,
    problems: [{ file: evil, line: 2, column: 5, path: evil, message: evil, hint: evil }],
  });
  const at = new EngineError("STAGE_FAILED", evil, { fix: evil, at: evil, cause: new Error(evil) });
  const systems = {
    GITHUB_ACTIONS: "true",
    GITLAB_CI: "true",
    TF_BUILD: "True",
    TEAMCITY_VERSION: "1",
    TRAVIS: "1",
  };
  for (const [variable, value] of Object.entries(systems)) {
    for (const error of [failure, at, new TypeError(evil)]) {
      const { stderr } = await build(events, { [variable]: value }, error as EngineError);
      // What dapp says to the system itself is at the beginning of a line.
      const own =
        /^(?:::(?:warning|error|group|endgroup)[^\n]*?::|::endgroup::|##vso\[task\.logissue [^\]]*\]|##teamcity\[(?:message|blockOpened|blockClosed) |##\[(?:group|endgroup)\])/;
      for (const line of stderr.split("\n").map((each) => each.replace(own, ""))) {
        assert.doesNotMatch(line, /##\[|##vso\[|##teamcity\[|^\s*::|^a$/);
        assert.ok(!line.replaceAll("\x1b[0K", "").includes("\x1b"));
      }
    }
  }
  const { stdout } = await dapp(["dimg", "list", "--json"], {
    env: { CI: "true", TF_BUILD: "True" },
    engine: () => ({ list: () => Promise.resolve([{ name: evil }] as never) }),
  });
  assert.doesNotMatch(stdout, /##|^::/m);
  assert.ok(JSON.stringify(JSON.parse(stdout)).includes("##vso[task"));
});

Deno.test("a variable that means no is no CI system", () => {
  assert.equal(ciLogOf({ GITHUB_ACTIONS: "false", GITLAB_CI: "" }), undefined);
});

Deno.test("the summary of a job has images with digests and tags, and why stages were built", async () => {
  const events: readonly EngineEvent[] = [
    started(a),
    finished(a),
    { ...started(b), reason: "changed `x|y` <script>" } as EngineEvent,
    {
      type: "image.ready",
      image: "a",
      kind: "dimg",
      digest: "sha256:1234" as never,
      signature: "s",
      built: 1,
      reused: 3,
      ...times,
      ms: 2000,
      preparingMs: 500,
    },
    { type: "tag.published", image: "a", reference: "r.example/a:main", state: "pushed" },
  ];
  const { appended } = await build(events, { GITHUB_STEP_SUMMARY: "/summary.md" });
  assert.deepEqual(appended.map(([path]) => path), ["/summary.md"]);
  assert.equal(
    appended[0]![1],
    `### dapp dimg build

| Image | Digest | Stages | Time | Tags |
| --- | --- | --- | --- | --- |
| a | <code>sha256:1234</code> | 1 built, 3 cached | 2.0s | <code>r.example/a:main</code> |

| Stage built | Why | Result |
| --- | --- | --- |
| a/install | new | 1.5s, +10 B |
| b/setup | changed &#96;x&#124;y&#96; &#60;script&#62; | not finished |

`,
  );
  assert.deepEqual((await build([], { GITHUB_STEP_SUMMARY: "/s" })).appended, []);
  const failed = await build([], { GITHUB_STEP_SUMMARY: "/s" }, new EngineError("GIT_FAILED", "No git"));
  assert.deepEqual(failed.appended, [["/s", "### dapp dimg build\n\n**Failed:** No git\n\n"]]);
});
