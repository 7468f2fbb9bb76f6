import assert from "node:assert/strict";
import type { Engine } from "../../core/api.ts";
import { dapp, type FakeWorld } from "./support.ts";
import type {
  LocalCleanupPlan,
  LocalCleanupReport,
  LocalCleanupRequest,
} from "../../core/cleanup/local/model.ts";

const plan: LocalCleanupPlan = {
  home: "/h",
  request: { what: "leftovers" },
  rows: [
    { kind: "stage", name: "aa", verdict: "keep", why: "r.io/shop/app:1 stands on it", title: "app/install" },
    { kind: "stage", name: "bb", verdict: "delete", why: "no image", title: "app/setup", bytes: 4_200_000 },
    { kind: "docker image", name: "r.io/shop/app:1", verdict: "delete", why: "of project shop" },
    { kind: "directory", name: "/h/tmp/x", verdict: "delete", why: "scratch", bytes: 10 },
    { kind: "directory", name: "/h/tmp/y", verdict: "delete", why: "scratch", bytes: 10 },
  ],
  freedBytes: 4_200_020,
  notes: ["1 stage is young"],
};

const report: LocalCleanupReport = {
  removed: plan.rows.slice(1, 4),
  freedBytes: 4_200_010,
  spared: [{ name: "/h/tmp/y", why: "a build uses it" }],
};

/** What is said of the plan. */
const summary = `note: 1 stage is young
/h: 1 stage, 1 docker image, 2 directories to delete, 1 stage to keep; 4.2 MB will be free
`;

/** An engine that plans `made`, and keeps what it was asked. */
function cleaning(made: LocalCleanupPlan = plan, done = report, repo?: string) {
  const requests: LocalCleanupRequest[] = [];
  const applied: LocalCleanupPlan[] = [];
  const engine = (): Partial<Engine> => ({
    config: () =>
      Promise.resolve({ project: { plugins: [], ...(repo && { repo }) } } as unknown as Awaited<
        ReturnType<Engine["config"]>
      >),
    planLocalCleanup(request) {
      requests.push(request);
      return Promise.resolve(made);
    },
    applyLocalCleanup(given) {
      applied.push(given);
      return Promise.resolve(done);
    },
  });
  return { requests, applied, engine };
}

const requests: readonly {
  readonly line: string;
  readonly request: LocalCleanupRequest;
  /** `repo:` of the dappfile. */
  readonly repo?: string;
  readonly note?: RegExp;
}[] = [
  { line: "cleanup", request: { what: "leftovers" } },
  { line: "cleanup --lock-timeout 60", request: { what: "leftovers" } },
  { line: "flush local", request: { what: "flush", images: true, stages: false } },
  { line: "flush local --with-stages", request: { what: "flush", images: true, stages: true } },
  {
    line: "flush local app web*",
    request: { what: "flush", images: true, stages: false, patterns: ["app", "web*"] },
  },
  { line: "stages flush local", request: { what: "flush", images: false, stages: true } },
  {
    line: "stages cleanup local --improper-repo-cache r.io/x",
    request: { what: "stages", improperRepoCache: "r.io/x" },
  },
  {
    line: "stages cleanup local --improper-repo-cache --repo r.io/x --force",
    request: { what: "stages", improperRepoCache: "r.io/x", force: true },
  },
  {
    line: "stages cleanup local --improper-repo-cache",
    repo: "r.io/y",
    request: { what: "stages", improperRepoCache: "r.io/y" },
  },
  {
    line: "stages cleanup local --improper-cache-version --improper-repo-cache r.io/x",
    request: { what: "stages", improperRepoCache: "r.io/x", improperCacheVersion: true },
  },
  {
    line: "stages cleanup local --improper-git-commit",
    request: { what: "stages" },
    note: /^note: --improper-git-commit is not needed any more: .*; nothing is removed for it\n/,
  },
  {
    line: "stages cleanup local --improper-cache-version r.io/x",
    request: { what: "stages", improperCacheVersion: true },
    note: /^note: REPO is used with --improper-repo-cache only\n/,
  },
  { line: "mrproper --all", request: { what: "everything" } },
  {
    line: "mrproper --improper-cache-version-stages --improper-dev-mode-cache",
    request: { what: "everything", only: "dev" },
  },
  {
    line: "mrproper --improper-cache-version-stages",
    request: { what: "everything", only: "cache-version" },
  },
  { line: "mrproper --improper-dev-mode-cache --all", request: { what: "everything" } },
];

Deno.test("commands that clean this machine up ask for this, unattended, and do the whole plan", async (t) => {
  for (const { line, request, repo, note } of requests) {
    await t.step(`dapp dimg ${line}`, async () => {
      const made = cleaning(plan, report, repo);
      const { code, stderr } = await dapp(["dimg", ...line.split(" ")], made);
      assert.deepEqual(made.requests, [request]);
      assert.deepEqual(made.applied, [plan]);
      assert.equal(code, 0);
      assert(stderr.endsWith(summary), stderr);
      if (note) assert.match(stderr, note);
      else assert.equal(stderr, summary);
    });
  }
});

Deno.test("a dry run of a local cleanup prints each thing with its reason and size, and applies nothing", async () => {
  const made = cleaning();
  const { code, stdout } = await dapp(["dimg", "cleanup", "-n"], made);
  assert.equal(
    stdout,
    `delete  stage         app/setup bb     4.2 MB  no image
delete  docker image  r.io/shop/app:1          of project shop
delete  directory     /h/tmp/x         10 B    scratch
delete  directory     /h/tmp/y         10 B    scratch
1 stage to keep: r.io/shop/app:1 stands on it
${summary}`,
  );
  const verbose = await dapp(["dimg", "cleanup", "-nv"], made);
  assert.match(verbose.stdout, /^keep {4}stage {9}app\/install aa {11}r.io\/shop\/app:1 stands on it\n/);
  assert.deepEqual([code, made.applied], [0, []]);
  const quiet = await dapp(["dimg", "cleanup", "-nq"], made);
  assert.equal(quiet.stdout, "bb\nr.io/shop/app:1\n/h/tmp/x\n/h/tmp/y\n");
  const json = await dapp(["dimg", "cleanup", "-n", "--json"], made);
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...plan });
});

Deno.test("a local cleanup prints what was deleted, what was spared and what is free", async () => {
  const { stdout } = await dapp(["dimg", "cleanup"], cleaning());
  assert.equal(
    stdout,
    `deleted  stage         app/setup bb     4.2 MB  no image
deleted  docker image  r.io/shop/app:1          of project shop
deleted  directory     /h/tmp/x         10 B    scratch
spared   /h/tmp/y  a build uses it
1 stage, 1 docker image, 1 directory deleted, 1 spared; 4.2 MB freed
`,
  );
  assert.equal((await dapp(["dimg", "cleanup", "-q"], cleaning())).stdout, "bb\nr.io/shop/app:1\n/h/tmp/x\n");
  const json = await dapp(["dimg", "cleanup", "--json"], cleaning());
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, plan, report });
});

Deno.test("a terminal is asked before mrproper and flush, not before cleanups that keep what is needed", async (t) => {
  const world: FakeWorld = { terminal: true, typed: ["n"], env: { NO_COLOR: "1" } };
  for (const line of ["mrproper --all", "flush local", "stages flush local"]) {
    await t.step(line, async () => {
      const made = cleaning();
      const { code, stderr, stdout } = await dapp(["dimg", ...line.split(" ")], { ...made, ...world });
      assert.equal(
        stderr,
        `  delete  stage         app/setup bb     4.2 MB  no image
  delete  docker image  r.io/shop/app:1          of project shop
  delete  directory     /h/tmp/x         10 B    scratch
  delete  directory     /h/tmp/y         10 B    scratch
${summary}Delete 1 stage, 1 docker image, 2 directories from this machine? [y/N] Nothing was deleted
`,
      );
      assert.deepEqual([code, stdout, made.applied], [1, "", []]);
      const agreed = cleaning();
      await dapp(["dimg", ...line.split(" ")], { ...agreed, ...world, typed: ["y"] });
      await dapp(["dimg", ...line.split(" "), "--yes"], { ...agreed, ...world });
      assert.deepEqual(agreed.applied, [plan, plan]);
    });
  }
  for (const line of ["cleanup", "stages cleanup local --improper-cache-version"]) {
    await t.step(line, async () => {
      const made = cleaning();
      const { stderr } = await dapp(["dimg", ...line.split(" ")], { ...made, ...world });
      assert.deepEqual([stderr, made.applied], [summary, [plan]]);
    });
  }
});

Deno.test("with nothing to delete, nobody is asked", async () => {
  const made = cleaning({ ...plan, rows: [], freedBytes: 0, notes: [] }, {
    removed: [],
    freedBytes: 0,
    spared: [],
  });
  const outcome = await dapp(["dimg", "mrproper", "--all"], { ...made, terminal: true, typed: [] });
  assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [
    0,
    "nothing deleted; 0 B freed\n",
    "/h: nothing to delete, nothing to keep; 0 B will be free\n",
  ]);
});

Deno.test("stages cleanup local needs a REPO with --improper-repo-cache, and no second one", async () => {
  const none = await dapp(["dimg", "stages", "cleanup", "local", "--improper-repo-cache"], cleaning());
  assert.match(none.stderr, /^error: Cannot run dapp dimg stages cleanup local: REPO is missing/);
  const two = await dapp(
    ["dimg", "stages", "cleanup", "local", "--improper-cache-version", "a", "b"],
    cleaning(),
  );
  assert.match(
    two.stderr,
    /^error: Cannot use argument "b": dapp dimg stages cleanup local takes no more than REPO/,
  );
  assert.deepEqual([none.code, two.code], [2, 2]);
});
