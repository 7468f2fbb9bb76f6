import assert from "node:assert/strict";
import type { Engine, Prefetch } from "../../core/api.ts";
import type { Config } from "../../core/contract/config.ts";
import { EngineError } from "../../core/contract/errors.ts";
import type { PublishReport } from "../../core/contract/results.ts";
import { dapp } from "./support.ts";
import type { PushOptions } from "../../core/publish/outgoing.ts";

const report: PublishReport = {
  project: "shop",
  repo: "r.io/shop",
  dryRun: false,
  images: [],
  stages: [],
  bytes: { uploaded: 0, mounted: 0, present: 0 },
};

interface Call {
  readonly patterns: readonly string[];
  readonly options: PushOptions | undefined;
}

interface Project {
  /** `repo:` of the dappfile. */
  readonly repo?: string;
  readonly dappfile?: false;
}

/** An engine whose plugins add --tag-calver and --tag-env ENV, and that keeps what it was asked to push. */
function recording({ repo, dappfile }: Project) {
  const calls: Call[] = [];
  const asked: string[] = [];
  const engine = (): Partial<Engine> => ({
    config() {
      asked.push("config");
      if (dappfile === false) throw new EngineError("CONFIG_NOT_FOUND", "Cannot find a dappfile");
      return Promise.resolve({ project: { plugins: [], ...(repo && { repo }) } } as unknown as Config);
    },
    tagFlags() {
      asked.push("tagFlags");
      return Promise.resolve([
        { name: "tag", value: "TAG", summary: "this tag", plugin: "tag-custom" },
        { name: "tag-branch", summary: "the branch", plugin: "tag-branch" },
        { name: "tag-calver", summary: "the date", plugin: "tag-calver" },
        { name: "tag-env", value: "ENV", summary: "an environment", plugin: "tag-env" },
      ]);
    },
    list(patterns = []) {
      if (patterns.includes("a.b/c")) return Promise.resolve([{ name: "a.b/c", stages: [] }]);
      throw new EngineError("DIMG_UNKNOWN", "Cannot find a dimg");
    },
    push(patterns, options) {
      calls.push({ patterns, options });
      return Promise.resolve(report);
    },
  });
  return { calls, asked, engine };
}

const accepted: readonly {
  readonly line: string;
  readonly project?: Project;
  readonly patterns: readonly string[];
  readonly options: PushOptions;
  /** What the engine was asked before. */
  readonly asked?: readonly string[];
}[] = [
  { line: "push r.io/x", patterns: [], options: { repo: "r.io/x" }, asked: ["config"] },
  { line: "push app web* r.io/x", patterns: ["app", "web*"], options: { repo: "r.io/x" } },
  { line: "push app r.io/x", project: { dappfile: false }, patterns: ["app"], options: { repo: "r.io/x" } },
  { line: "push app web --repo r.io/x", patterns: ["app", "web"], options: {}, asked: [] },
  { line: "push --repo r.io/x", patterns: [], options: {}, asked: [] },
  { line: "push", project: { repo: "r.io/x" }, patterns: [], options: {} },
  { line: "push app web", project: { repo: "r.io/x" }, patterns: ["app", "web"], options: {} },
  { line: "push a.b/c", project: { repo: "r.io/x" }, patterns: ["a.b/c"], options: {} },
  { line: "spush r.io/x", patterns: [], options: { single: true, repo: "r.io/x" } },
  { line: "spush app r.io/x", patterns: ["app"], options: { single: true, repo: "r.io/x" }, asked: [] },
  { line: "spush app", project: { repo: "r.io/x" }, patterns: ["app"], options: { single: true } },
  {
    line: "spush app r.io/y --with-stages",
    project: { repo: "r.io/x" },
    patterns: ["app"],
    options: { single: true, repo: "r.io/y", withStages: true },
  },
  {
    line: "bp app r.io/x --introspect-error",
    patterns: ["app"],
    options: { build: true, introspect: { error: true }, repo: "r.io/x" },
  },
  {
    line: "push --tag-ci app --tag 1.0 r.io/x --tag-plain a --tag=2.0 --tag-branch",
    patterns: ["app"],
    options: {
      repo: "r.io/x",
      tags: [
        { flag: "tag-ci" },
        { flag: "tag", value: "1.0" },
        { flag: "tag-plain", value: "a" },
        { flag: "tag", value: "2.0" },
        { flag: "tag-branch" },
      ],
    },
    asked: ["config"],
  },
  {
    line: "push --tag-branch --tag-commit --no-tag-branch r.io/x",
    patterns: [],
    options: { repo: "r.io/x", tags: [{ flag: "tag-commit" }] },
  },
  {
    line: "push app --tag-calver r.io/x",
    patterns: ["app"],
    options: { repo: "r.io/x", tags: [{ flag: "tag-calver" }] },
    asked: ["tagFlags", "config"],
  },
  {
    line: "push app --tag-env prod r.io/x",
    patterns: ["app"],
    options: { repo: "r.io/x", tags: [{ flag: "tag-env", value: "prod" }] },
  },
  {
    line: "push --tag-env prod --tag-calver app --tag-env=dev --tag 1 r.io/x",
    patterns: ["app"],
    options: {
      repo: "r.io/x",
      tags: [
        { flag: "tag-env", value: "prod" },
        { flag: "tag-calver" },
        { flag: "tag-env", value: "dev" },
        { flag: "tag", value: "1" },
      ],
    },
  },
  {
    line: "push app r.io/x --tag-env prod",
    patterns: ["app"],
    options: { repo: "r.io/x", tags: [{ flag: "tag-env", value: "prod" }] },
  },
  {
    line: "spush --tag-env prod app r.io/x",
    patterns: ["app"],
    options: { single: true, repo: "r.io/x", tags: [{ flag: "tag-env", value: "prod" }] },
    asked: ["tagFlags"],
  },
];

Deno.test("commands that publish tell DIMGs, REPO and tags apart", async (t) => {
  for (const { line, project = {}, patterns, options, asked } of accepted) {
    await t.step(`dapp dimg ${line}${project.repo ? " (REPO in the dappfile)" : ""}`, async () => {
      const made = recording(project);
      const { code, stderr } = await dapp(["dimg", ...line.split(" ")], made);
      assert.equal(stderr, "0 tags; 0 B uploaded\n");
      assert.equal(code, 0);
      assert.deepEqual(made.calls, [{ patterns, options }]);
      if (asked) assert.deepEqual(made.asked, asked);
    });
  }
});

const missing = "Give it as the last word, with --repo, or as `repo:` in the dappfile, such as: dapp";

const rejected: readonly { readonly line: string; readonly project?: Project; readonly message: string }[] = [
  {
    line: "push",
    message: `Cannot run dapp dimg push: REPO is missing. ${missing} dimg push registry.example.com/shop`,
  },
  {
    line: "spush",
    project: { dappfile: false },
    message: `Cannot run dapp dimg spush: REPO is missing. ${missing} dimg spush registry.example.com/shop`,
  },
  {
    line: "push app r.io/y",
    project: { repo: "r.io/x" },
    message:
      'Cannot use argument "r.io/y": REPO is given by the dappfile already, use --repo r.io/y for another one',
  },
  {
    line: "push --repo r.io/x app r.io/y",
    project: {},
    message: 'Cannot use argument "r.io/y": REPO is given by --repo already, leave one of them out',
  },
  {
    line: "push oci:out",
    project: { repo: "r.io/x" },
    message:
      'Cannot use argument "oci:out": REPO is given by the dappfile already, use --repo oci:out for another one',
  },
  {
    line: "push r.io/x --tag-clavers",
    message:
      'Cannot use option "--tag-clavers": dapp dimg push has no such option, and no plugin adds it. Did you mean "--tag-calver"?',
  },
  {
    line: "push r.io/x --tag-something",
    message:
      'Cannot use option "--tag-something": dapp dimg push has no such option, and no plugin adds it. The tag options are --tag, --tag-branch, --tag-calver, --tag-env',
  },
  {
    line: "push r.io/x --tag-calver=2",
    message: 'Cannot use option "--tag-calver=2": it takes no value',
  },
  { line: "push r.io/x --tag-env", message: 'Cannot use option "--tag-env": it needs a value, ENV' },
  {
    line: "push r.io/x --tag-env --quiet",
    message: 'Cannot use option "--tag-env": it needs a value, ENV',
  },
  {
    line: "push r.io/x --tag-env=",
    message: 'Cannot use option "--tag-env": the value is empty, wanted is ENV',
  },
  {
    line: "spush app r.io/x --tag-calver more",
    message: 'Cannot use argument "more": dapp dimg spush takes no more than DIMG and REPO',
  },
];

Deno.test("mistakes that only the project can show are usage errors, and nothing is pushed", async (t) => {
  for (const { line, project = {}, message } of rejected) {
    await t.step(`dapp dimg ${line}`, async () => {
      const made = recording(project);
      const { code, stderr } = await dapp(["dimg", ...line.split(" ")], made);
      const [, command] = /^(\w+)/.exec(line)!;
      assert.equal(stderr, `error: ${message}\nfix: Run: dapp dimg ${command} --help\n`);
      assert.equal(code, 2);
      assert.deepEqual(made.calls, []);
    });
  }
});

Deno.test("git and the registry of REPO are asked ahead once the words are known to be well-formed", async (t) => {
  const rows: readonly (readonly [line: string, ...ahead: Prefetch[]])[] = [
    ["push r.io/x", { git: true, repo: "r.io/x" }],
    ["push --repo r.io/x app", { git: true, repo: "r.io/x" }],
    ["stages pull app r.io/x", { git: true, repo: "r.io/x" }],
    ["tags r.io/x", { git: false, repo: "r.io/x" }],
    ["cleanup repo r.io/x", { git: false, repo: "r.io/x" }],
    // The local Docker engine gets these names, and no registry is asked.
    ["tag r.io/x", { git: true }],
    ["push app", { git: true }],
    ["push localhost:5000/x", { git: true }],
    ["tags app"],
    ["spush app web r.io/x"],
    ["cleanup repo r.io/x --nonsense"],
    ["push r.io/x --help"],
  ];
  for (const [line, ...wanted] of rows) {
    await t.step(`dapp dimg ${line}`, async () => {
      const ahead: unknown[] = [];
      const { engine } = recording({});
      const prefetch = (what?: Prefetch) => Promise.resolve(void ahead.push(what));
      await dapp(["dimg", ...line.split(" ")], { engine: () => ({ ...engine(), prefetch }) });
      assert.deepEqual(ahead, wanted);
    });
  }
});
