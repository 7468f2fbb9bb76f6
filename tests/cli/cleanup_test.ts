import assert from "node:assert/strict";
import type { ApplyEvent, ApplyReport, CleanupPlan } from "../../core/api.ts";
import { EngineError } from "../../core/contract/errors.ts";
import { cleaning, complete, emptyPlan, plan, repo, report, summary } from "./cleanup_support.ts";
import { dapp } from "./support.ts";
import type { CleanupRequest } from "../../core/cleanup/run.ts";

const requests: readonly (readonly [line: string, request: CleanupRequest])[] = [
  ["cleanup repo r.io/x", { repo: "r.io/x", stages: "none" }],
  ["cleanup repo web* app r.io/x", { repo: "r.io/x", patterns: ["web*", "app"], stages: "none" }],
  ["cleanup repo app --repo r.io/x --with-stages", { patterns: ["app"], stages: "unneeded" }],
  ["cleanup --with-stages repo r.io/x --without-kube", {
    repo: "r.io/x",
    stages: "unneeded",
    withoutKube: true,
  }],
  ["cleanup repo --kubernetes-timeout 60 --lock-timeout 5 r.io/x", { repo: "r.io/x", stages: "none" }],
  ["flush repo r.io/x", { repo: "r.io/x", flush: true, stages: "none" }],
  ["flush repo app r.io/x --with-stages", { repo: "r.io/x", patterns: ["app"], flush: true, stages: "all" }],
  ["stages cleanup repo --improper-repo-cache r.io/x", { repo: "r.io/x", images: false, stages: "unneeded" }],
  ["stages cleanup repo r.io/x --improper-cache-version", {
    repo: "r.io/x",
    images: false,
    stages: "none",
    legacy: "all",
  }],
  ["stages cleanup repo --improper-git-commit r.io/x", {
    repo: "r.io/x",
    images: false,
    stages: "none",
    legacy: "lost commits",
  }],
  ["stages cleanup repo --improper-git-commit --improper-cache-version --improper-repo-cache r.io/x", {
    repo: "r.io/x",
    images: false,
    stages: "unneeded",
    legacy: "all",
  }],
  ["stages flush repo r.io/x", { repo: "r.io/x", images: false, flush: true, stages: "all" }],
];

Deno.test("commands that clean REPO up ask for this, unattended, and do the whole plan", async (t) => {
  for (const [line, request] of requests) {
    await t.step(`dapp dimg ${line}`, async () => {
      const made = cleaning();
      const { code, stderr } = await dapp(["dimg", ...line.split(" ")], made);
      assert.deepEqual(made.requests, [request]);
      assert.deepEqual(made.applied, [plan]);
      assert.equal(code, 0, stderr);
      assert.equal(stderr.includes("--improper-git-commit is not needed"), line.includes("git-commit"));
    });
  }
});

Deno.test("a dry run prints what goes with its reason, counts what stays by rule, and applies nothing", async () => {
  const made = cleaning();
  const args = ["dimg", "cleanup", "repo", repo, "-n"];
  const { code, stdout, stderr, engines } = await dapp(args, { ...made, terminal: true, typed: [] });
  assert.equal(
    stdout.replaceAll(new RegExp("\x1b\\[\\d+m", "g"), ""),
    `keep: 1 image
  1  branch  app:main: branch "main" is there

keep: 1 stage
  1  used by an image  dimgstage-1: r.io/shop/app:main stands on it

keep: 1 tag of others
  1  not the project's  theirs: it has no label

delete: 2 images
  delete  app:old    no policy keeps it
  delete  app:older  no policy keeps it

delete: 1 stage
  delete  dimgstage-2  no image needs it

${summary}`,
  );
  assert.deepEqual([code, stderr, engines[0]!.dryRun, made.applied], [0, "", true, []]);
  const verbose = await dapp([...args, "-v"], made);
  assert.match(
    verbose.stdout,
    /is there\n {6}branch main > commit 12ab {2}by keep-branches\n {6}also newest: 1 of 3 {2}by keep-last\n/,
  );
  assert.match(verbose.stdout, /no policy keeps it\n {6}branch old\n/);
  const quiet = await dapp([...args, "-q"], made);
  assert.equal(quiet.stdout, "r.io/shop/app:old\nr.io/shop/app:older\nr.io/shop:dimgstage-2\n");
  const json = await dapp([...args, "--json"], made);
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...plan });
});

Deno.test("of a directory it is said when it gives space back, not of a registry", async () => {
  const here = { ...plan, repo: "oci:out" };
  const later = "; files younger than an hour go with a later cleanup\n";
  const dry = await dapp(["dimg", "cleanup", "repo", "--dry-run", "oci:out"], cleaning(here, complete));
  assert.ok(dry.stdout.endsWith(`deleting them frees 4.2 MB${later}`), dry.stdout);
  const { stdout } = await dapp(["dimg", "cleanup", "repo", "oci:out"], cleaning(here, complete));
  assert.ok(stdout.endsWith(`4.2 MB freed${later}`), stdout);
});

Deno.test("where nothing is, REPO may be misspelt: that is said, of a dry run and of a cleanup", async () => {
  const made = { ...emptyPlan, tags: [], counts: { ...emptyPlan.counts, keep: emptyPlan.counts.delete } };
  const done = report([], { outcome: "complete", exitCode: 0 });
  const said = "r.io/shop: nothing is there, neither images nor stages; check the name of REPO\n";
  const dry = await dapp(["dimg", "cleanup", "repo", repo, "--dry-run"], cleaning(made, done));
  assert.deepEqual([dry.code, dry.stdout], [0, said]);
  const wet = await dapp(["dimg", "cleanup", "repo", repo], cleaning(made, done));
  assert.deepEqual([wet.code, wet.stdout, wet.stderr], [0, "", said]);
});

Deno.test("an engine that cannot decide ends the command before anything is asked or deleted", async () => {
  const engine = () => ({
    planCleanup: () => Promise.reject(new EngineError("GIT_FAILED", "Cannot trust a shallow clone")),
  });
  const { code, stderr } = await dapp(["dimg", "cleanup", "repo", "--repo", repo], {
    engine,
    terminal: true,
    typed: ["y"],
    env: { NO_COLOR: "1" },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot trust a shallow clone\n/);
});

const questions: readonly {
  readonly what: string;
  readonly typed?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly terminal?: boolean;
  readonly asked: boolean;
  readonly applied: boolean;
}[] = [
  { what: "y", typed: ["y"], asked: true, applied: true },
  { what: "Yes", typed: [" Yes "], asked: true, applied: true },
  { what: "n", typed: ["n"], asked: true, applied: false },
  { what: "Enter alone", typed: [""], asked: true, applied: false },
  { what: "something else", typed: ["yesterday"], asked: true, applied: false },
  { what: "the end of input", typed: [], asked: true, applied: false },
  { what: "--yes", typed: [], args: ["--yes"], asked: false, applied: true },
  { what: "-y", typed: [], args: ["-y"], asked: false, applied: true },
  { what: "standard input that is no terminal", asked: false, applied: true },
  { what: "stderr that is no terminal", typed: [], terminal: false, asked: false, applied: true },
  { what: "CI", typed: [], env: { CI: "true" }, asked: false, applied: true },
  { what: "CI=false", typed: ["y"], env: { CI: "false" }, asked: true, applied: true },
];

Deno.test("a terminal is asked once before tags are deleted", async (t) => {
  for (const { what, typed, args = [], env = {}, terminal = true, asked, applied } of questions) {
    await t.step(what, async () => {
      const made = cleaning();
      const { code, stderr, stdout } = await dapp(["dimg", "flush", "repo", repo, ...args], {
        ...made,
        terminal,
        env: { NO_COLOR: "1", ...env },
        ...(typed && { typed }),
      });
      assert.equal(stderr.includes("Delete 3 tags? [y/N] "), asked, stderr);
      assert.equal(made.applied.length, applied ? 1 : 0);
      assert.equal(code, applied ? 0 : 1);
      assert.equal(stderr.endsWith("Nothing was deleted\n"), !applied);
      if (!applied) assert.equal(stdout, "");
    });
  }
});

Deno.test("the question comes after the first names and the numbers", async () => {
  const { stderr } = await dapp(["dimg", "cleanup", "repo", repo], {
    ...cleaning(),
    terminal: true,
    typed: ["n"],
    env: { NO_COLOR: "1" },
  });
  assert.equal(
    stderr,
    `  app:old  not kept: no policy keeps it
  app:older  not kept: no policy keeps it
  dimgstage-2  not kept: no image needs it
${summary}Delete 3 tags? [y/N] Nothing was deleted
`,
  );
  const many = {
    ...plan,
    tags: Array.from({ length: 12 }, (_, i) => ({ ...plan.tags[1]!, reference: `${repo}/app:${i}` })),
  };
  const long = await dapp(["dimg", "cleanup", "repo", repo], {
    ...cleaning(many),
    terminal: true,
    typed: ["n"],
    env: { NO_COLOR: "1" },
  });
  assert.match(long.stderr, /app:9 .*\n {2}and 2 more\n/);
  const json = await dapp(["dimg", "cleanup", "repo", repo, "--json"], {
    ...cleaning(),
    terminal: true,
    typed: ["n"],
  });
  assert.deepEqual([json.code, JSON.parse(json.stdout)], [1, { version: 1, plan }]);
});

Deno.test("an empty plan asks nothing and says so", async () => {
  const nothing: ApplyReport = { ...complete, tags: [], counts: report([], complete).counts };
  const { code, stdout, stderr } = await dapp(["dimg", "cleanup", "repo", repo], {
    ...cleaning(emptyPlan, nothing),
    terminal: true,
    typed: [],
  });
  assert.deepEqual([code, stdout, stderr], [
    0,
    "nothing to delete\n",
    "r.io/shop: nothing to delete; 1 image to keep\n",
  ]);
});

const [old, older, stage] = ["r.io/shop/app:old", "r.io/shop/app:older", "r.io/shop:dimgstage-2"] as const;

Deno.test("while a plan is applied, each tag is one line with its reason, and waits are said", async () => {
  const events: readonly ApplyEvent[] = [
    { type: "tag", result: { reference: old, outcome: "deleted" } },
    { type: "progress", done: 1, total: 3, perSecond: 12, etaMs: 200 },
    { type: "limited", parallel: 4, waitMs: 3000 },
    { type: "waiting", ms: 900_000, why: "builds may still rely on 1 stage" },
    { type: "tag", result: { reference: older, outcome: "gone", why: "it was not there any more" } },
    { type: "tag", result: { reference: stage, outcome: "spared", why: "a build uses it" } },
    { type: "progress", done: 3, total: 3, perSecond: 12, etaMs: 0 },
  ];
  const done = report([["deleted"], ["gone"], ["spared", "a build uses it"]], {
    outcome: "complete",
    exitCode: 0,
  });
  const args = ["dimg", "cleanup", "repo", repo];
  const { code, stdout, stderr } = await dapp(args, cleaning(plan, done, events));
  assert.equal(
    stderr,
    `${summary}deleted  r.io/shop/app:old  not kept: no policy keeps it
waiting  the registry asks to slow down: 4 at once, going on in 3.0s
waiting  15m 00s: builds may still rely on 1 stage
spared   r.io/shop:dimgstage-2  a build uses it
`,
  );
  assert.equal(
    stdout,
    `spared   r.io/shop:dimgstage-2  a build uses it
3 tags: 1 deleted, 1 gone, 1 spared
at most 4.2 MB freed once the registry has collected its garbage
`,
  );
  assert.equal(code, 0);
  const quiet = await dapp([...args, "-q"], cleaning(plan, done, events));
  assert.deepEqual([quiet.stdout, quiet.stderr], ["r.io/shop/app:old\n", ""]);
  const json = await dapp([...args, "--json"], cleaning(plan, done, events));
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, plan, report: done });
  const stream = await dapp([...args, "--json=events"], cleaning(plan, done, events));
  const lines = stream.stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ type }) => type), [
    "note",
    "note",
    "note",
    "cleanup.tag",
    "cleanup.progress",
    "cleanup.limited",
    "cleanup.waiting",
    "cleanup.tag",
    "cleanup.tag",
    "cleanup.progress",
    "result",
  ]);
  const { time, ...limited } = lines[5];
  assert.equal(new Date(time).toISOString(), time);
  assert.deepEqual(limited, { type: "cleanup.limited", parallel: 4, waitMs: 3000 });
});

const ends: readonly {
  readonly report: ApplyReport;
  readonly stdout: string;
  readonly stderr: string;
}[] = [
  {
    report: complete,
    stdout: "3 tags: 2 deleted, 1 gone\n4.2 MB freed once the registry has collected its garbage\n",
    stderr: "",
  },
  {
    report: report([["deleted"], ["failed", "HTTP 500"], ["refused", "it is protected"]], {
      outcome: "partial",
      exitCode: 1,
    }),
    stdout: `failed   r.io/shop/app:older  HTTP 500
refused  r.io/shop:dimgstage-2  it is protected
3 tags: 1 deleted, 1 refused, 1 failed
at most 4.2 MB freed once the registry has collected its garbage
`,
    stderr: "error: Some tags could not be deleted\nfix: Run the same command again to try the rest\n",
  },
  {
    report: report([["refused", "405"], ["not tried"], ["not tried"]], {
      outcome: "impossible",
      exitCode: 1,
      message: "Cannot delete from r.io/shop: this registry deletes nothing",
    }),
    stdout: "3 tags: 1 refused, 2 not tried\n",
    stderr: `error: Cannot delete from r.io/shop: this registry deletes nothing
fix: See what the registry can do with: dapp registry check REPO; deleting may need another login, or a setting there
`,
  },
  {
    report: report([["deleted"], ["not tried"], ["not tried"]], {
      outcome: "interrupted",
      exitCode: 130,
      message: "Interrupted",
    }),
    stdout:
      "3 tags: 1 deleted, 2 not tried\nat most 4.2 MB freed once the registry has collected its garbage\n",
    stderr: "error: Interrupted\nfix: Run the same command again to go on\n",
  },
];

Deno.test("the end of a cleanup is said with numbers, advice and an exit code", async (t) => {
  for (const { report, stdout, stderr } of ends) {
    await t.step(report.outcome, async () => {
      const outcome = await dapp(["dimg", "cleanup", "repo", repo], cleaning(plan, report));
      assert.deepEqual([outcome.stdout, outcome.stderr, outcome.code], [
        stdout,
        summary + stderr,
        report.exitCode,
      ]);
      const quiet = await dapp(["dimg", "cleanup", "repo", repo, "-q", "--json"], cleaning(plan, report));
      assert.deepEqual([quiet.stderr, quiet.code], ["", report.exitCode]);
    });
  }
});

Deno.test("--plan applies what a dry run printed, whatever made it, and what was applied before", async (t) => {
  const printed = (await dapp(["dimg", "flush", "repo", repo, "-n", "--json"], cleaning())).stdout;
  const line = (await dapp(["dimg", "flush", "repo", repo, "-n", "--json=events"], cleaning())).stdout;
  const applied = (await dapp(["dimg", "cleanup", "repo", repo, "--json"], cleaning())).stdout;
  const files = { printed, line, applied, bare: JSON.stringify(plan) };
  for (const file of Object.keys(files)) {
    for (const where of [[], [repo], ["--repo", repo]]) {
      await t.step(`${file} ${where.join(" ")}`, async () => {
        const made = cleaning();
        const { code, stderr } = await dapp(["dimg", "cleanup", "repo", "--plan", file, ...where], {
          ...made,
          files,
        });
        assert.equal(code, 0, stderr);
        assert.deepEqual(made.requests, []);
        assert.deepEqual(made.applied, [plan]);
      });
    }
  }
  await t.step("asks as well", async () => {
    const made = cleaning();
    const { code } = await dapp(["dimg", "cleanup", "repo", "--plan", "printed"], {
      ...made,
      files,
      terminal: true,
      typed: ["n"],
    });
    assert.deepEqual([code, made.applied], [1, []]);
  });
  await t.step("with --dry-run prints it as a table", async () => {
    const made = cleaning();
    const args = ["dimg", "cleanup", "repo", "--plan", "printed", "-n"];
    assert.match((await dapp(args, { ...made, files })).stdout, /^keep: 1 image\n/);
    assert.deepEqual(made.applied, []);
  });
});

const badPlans: readonly (readonly [args: string, message: RegExp])[] = [
  [
    "--plan missing",
    /^error: Cannot read the plan "missing": there is no file that can be read, wanted is one that --dry-run --json printed\n/,
  ],
  ["--plan text", /^error: Cannot read the cleanup plan: it is not JSON\n/],
  [
    "--plan list",
    /^error: Cannot read the cleanup plan: it is not what --dry-run --json prints at format: .*\nfix: /,
  ],
  ["--plan number", /^error: Cannot read the cleanup plan: /],
  ["--plan newer", /^error: Cannot read the cleanup plan: .* at version: Unknown key "version"\nfix: /],
  ["--plan edited", /^error: Cannot read the cleanup plan: .*to be kept/],
  [
    "--plan good r.io/other",
    /^error: Cannot use "r.io\/other" with the plan "good": it is for REPO "r.io\/shop"/,
  ],
  ["--plan good --repo r.io/other", /^error: Cannot use "r.io\/other" with the plan "good"/],
  ["--plan good app r.io/shop", /^error: Cannot use "r.io\/shop" with the plan "good"/],
  [
    "--plan good --with-stages",
    /^error: Cannot use option "--with-stages" with "--plan": the plan says what goes\n/,
  ],
  ["--plan good --without-kube", /^error: Cannot use option "--without-kube" with "--plan"/],
];

Deno.test("--plan refuses what is no plan, or says something else", async (t) => {
  const edited = {
    ...plan,
    tags: plan.tags.map((tag) => tag.tag === "old" ? { ...tag, verdict: "keep" } : tag),
  };
  const files = {
    text: "delete everything",
    list: "[]",
    number: "7",
    newer: JSON.stringify({ version: 2, ...plan }),
    edited: JSON.stringify(edited),
    good: JSON.stringify(plan),
  };
  for (const [args, message] of badPlans) {
    await t.step(args, async () => {
      const made = cleaning();
      const { code, stderr } = await dapp(["dimg", "cleanup", "repo", ...args.split(" ")], {
        ...made,
        files,
      });
      assert.match(stderr, message);
      assert.equal(code, 2);
      assert.deepEqual(made.applied, []);
    });
  }
});

Deno.test("the old password of cleanup jobs is used for dimg cleanup repo alone, and after options", async () => {
  const env = { DAPP_DIMG_CLEANUP_REGISTRY_PASSWORD: "old-secret" };
  const login = async (line: string) =>
    (await dapp(["dimg", ...line.split(" ")], { ...cleaning(), env })).engines[0]!.registry;
  assert.deepEqual(await login(`cleanup repo ${repo}`), {
    username: "dapp-cleanup-repo",
    password: "old-secret",
  });
  assert.deepEqual(await login(`cleanup repo ${repo} --registry-username u --registry-password p`), {
    username: "u",
    password: "p",
  });
  assert.equal(await login(`flush repo ${repo}`), undefined);
});

Deno.test("REPO must be somewhere", async () => {
  const { code, stderr } = await dapp(["dimg", "cleanup", "repo"], cleaning());
  assert.match(
    stderr,
    /^error: Cannot run dapp dimg cleanup repo: REPO is missing\. Give it as the last word/,
  );
  assert.equal(code, 2);
});

Deno.test("the table of a large plan counts what stays by rule and dimg, cuts signatures and fits the terminal", async () => {
  const hex = "0123456789abcdef".repeat(4);
  const image = plan.tags[0]!;
  const named = (n: number, row: Partial<CleanupPlan["tags"][number]>) => ({
    ...image,
    tag: `t${n}`,
    reference: `${repo}/app:t${n}`,
    dimg: n % 3 === 0 ? "" : "app",
    time: "2026-01-01T00:00:00Z",
    bytes: 4_200_000,
    ...row,
  });
  const why = "the remote has no branch with a name that is as long as names of branches of robots are";
  const large: CleanupPlan = {
    ...plan,
    tags: [
      ...Array.from({ length: 9 }, (_, n) => named(n, n > 6 ? { rule: "recent" } : {})),
      named(10, { verdict: "delete", why }),
      named(11, { verdict: "delete", kind: "stage", reference: `${repo}:dimgstage-${hex}`, why }),
    ],
    counts: {
      keep: { image: 9, stage: 0, foreign: 0, service: 0, broken: 0 },
      delete: { image: 1, stage: 1, foreign: 0, service: 0, broken: 0 },
    },
  };
  const { engine } = cleaning(large);
  const args = ["dimg", "cleanup", "repo", repo, "-n"];
  const env = { NO_COLOR: "1" };
  const { stdout, stderr } = await dapp(args, { engine, terminal: true, typed: [], env });
  assert.equal(stderr, "");
  const lines = stdout.split("\n");
  assert.ok(lines.includes("  7  branch  (nameless) 3, app 4"), stdout);
  assert.ok(lines.includes("  2  recent  app 2"), stdout);
  const going = lines.filter((line) => line.startsWith("  delete"));
  assert.match(going[0]!, /^ {2}delete {2}app:t10 {2}9d ago {2}4\.2 MB {2}the remote has no branch .*…$/);
  assert.match(going[1]!, /^ {2}delete {2}dimgstage-0123456789ab… {2}9d ago {2}4\.2 MB /);
  assert.ok(going.every((line) => line.length <= 80));
  assert.ok(!stdout.includes(hex));
  // In a pipe nothing is cut, and -v lists all.
  const piped = await dapp([...args, "-v"], { engine, env });
  assert.equal(piped.stdout.split("\n").filter((line) => /^ {2}(keep|delete) /.test(line)).length, 11);
  assert.ok(piped.stdout.includes(why));
  const quiet = await dapp([...args, "-q"], { engine, env });
  assert.ok(quiet.stdout.includes(`${repo}:dimgstage-${hex}\n`));
});
