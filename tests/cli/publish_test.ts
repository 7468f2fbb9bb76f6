import assert from "node:assert/strict";
import { displayWidth } from "../../cli/width.ts";
import { noTimes } from "../support/times.ts";
import type { Engine } from "../../core/api.ts";
import { EngineError } from "../../core/contract/errors.ts";
import type { EngineEvent } from "../../core/contract/events.ts";
import type { MovedStage, PublishedTag, PublishReport } from "../../core/contract/results.ts";
import { dapp } from "./support.ts";
import type { EngineOptions } from "../../core/settings/options.ts";
import type { StageMoves } from "../../core/share/move_stages.ts";
import type { PublishedTags } from "../../core/publish/list_published.ts";
import type { RegistryCard } from "../../core/registry_check/check.ts";
import type { Signature } from "../../core/contract/signature.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const digest = digestFromHex("12ab34cd56ef".padEnd(64, "0"));
const signature = "9f8e7d6c5b4a".padEnd(64, "0") as Signature;
const repo = "r.io/shop";

function tag(name: string, tag: string, state: PublishedTag["state"]): PublishedTag {
  const reference = `${repo}/${name}:${tag}`;
  const known = state === "would push" ? {} : { digest };
  return { reference, tag, scheme: "custom", value: tag, plugin: "tag-custom", ...known, state };
}

function stage(name: string, state: MovedStage["state"], kind: MovedStage["kind"] = "dimg"): MovedStage {
  return {
    image: "app",
    kind,
    stage: name,
    signature,
    reference: `${repo}:dimgstage-${name}`,
    state,
  };
}

const report: PublishReport = {
  project: "shop",
  repo,
  dryRun: false,
  images: [
    { name: "app", signature, tags: [tag("app", "1.0", "pushed"), tag("app", "main", "exists")] },
    { name: "web", signature, tags: [tag("web", "1.0", "pushed")] },
  ],
  stages: [],
  bytes: { uploaded: 4_200_000, mounted: 12_000_000, present: 0 },
};

const dry: PublishReport = {
  ...report,
  dryRun: true,
  images: [{ name: "app", signature, tags: [tag("app", "1.0", "would push"), tag("app", "main", "exists")] }],
  stages: [stage("from", "exists"), stage("install", "would push"), stage("setup", "not built")],
};

Deno.test("dapp dimg push prints reference and digest of each tag, and what was moved on stderr", async () => {
  const engine = (emit: (event: EngineEvent) => void): Partial<Engine> => ({
    push() {
      emit({ type: "tag.published", image: "app", reference: `${repo}/app:1.0`, digest, state: "pushed" });
      return Promise.resolve(report);
    },
  });
  const args = ["dimg", "push", "--repo", repo];
  const { code, stdout, stderr, disposed } = await dapp(args, { engine });
  assert.equal(
    stdout,
    `r.io/shop/app:1.0 ${digest}\nr.io/shop/app:main ${digest}\nr.io/shop/web:1.0 ${digest}\n`,
  );
  assert.equal(
    stderr,
    "app  pushed  r.io/shop/app:1.0  sha256:12ab34cd56ef…\n" +
      "3 tags, 1 of them there before; 4.2 MB uploaded, 12 MB mounted\n",
  );
  assert.deepEqual([code, disposed], [0, 1]);
  const again: PublishReport = {
    ...report,
    images: [{ name: "app", signature, tags: [tag("app", "1.0", "exists")] }],
    bytes: { uploaded: 0, mounted: 0, present: 0 },
  };
  const repeated = await dapp(args, { engine: () => ({ push: () => Promise.resolve(again) }) });
  assert.equal(repeated.stderr, "1 tag, all there before; 0 B uploaded\n");
  const quiet = await dapp([...args, "-q"], { engine });
  assert.deepEqual([quiet.stdout, quiet.stderr], [
    "r.io/shop/app:1.0\nr.io/shop/app:main\nr.io/shop/web:1.0\n",
    "",
  ]);
  const json = await dapp([...args, "--json"], { engine });
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...report });
});

Deno.test("a dry run of a push names exactly what would be written", async () => {
  const engine = () => ({ push: () => Promise.resolve(dry), tag: () => Promise.resolve(dry) });
  const args = ["--repo", repo, "-n"];
  const { stdout, stderr, engines } = await dapp(["dimg", "push", "--with-stages", ...args], { engine });
  assert.equal(stdout, "would push r.io/shop:dimgstage-install\nwould push r.io/shop/app:1.0\n");
  assert.equal(stderr, "");
  assert.equal(engines[0]!.dryRun, true);
  assert.equal(
    (await dapp(["dimg", "bp", "-q", ...args], { engine })).stdout,
    "r.io/shop:dimgstage-install\nr.io/shop/app:1.0\n",
  );
});

Deno.test("dapp dimg tag prints references; a local engine has no digests", async () => {
  const { digest: _, ...local } = tag("app", "1.0", "pushed");
  const tagged: PublishReport = {
    ...report,
    repo: "docker",
    images: [{ name: "app", signature, tags: [local] }],
    bytes: { uploaded: 0, mounted: 0, present: 29_000_000 },
  };
  const calls: unknown[] = [];
  const engine = (): Partial<Engine> => ({
    tag: (...given) => {
      calls.push(given);
      return Promise.resolve(tagged);
    },
  });
  const { stdout, stderr } = await dapp(["dimg", "tag", "app", "--repo", repo, "--tag", "1.0"], { engine });
  assert.equal(stdout, "r.io/shop/app:1.0\n");
  assert.equal(stderr, "1 tag\n");
  assert.deepEqual(calls, [[["app"], { tags: [{ flag: "tag", value: "1.0" }] }]]);
  const wanted = await dapp(["dimg", "tag", "--repo", repo, "-n"], {
    engine: () => ({ tag: () => Promise.resolve({ ...tagged, dryRun: true, images: dry.images }) }),
  });
  assert.equal(wanted.stdout, "would tag r.io/shop/app:1.0\n");
});

Deno.test("a failed push keeps the engine's code and fix", async () => {
  const push = () => {
    throw new EngineError("REPO_INVALID", 'Cannot use REPO "app:1.0": it has a tag');
  };
  const { code, stdout, stderr } = await dapp(["dimg", "push", "--repo", "app:1.0"], {
    engine: () => ({ push }),
  });
  assert.deepEqual([code, stdout], [2, ""]);
  assert.equal(
    stderr,
    'error: Cannot use REPO "app:1.0": it has a tag\nfix: Name a repository: host/path without tag, or oci:DIR\n',
  );
});

const options: readonly (readonly [line: string, wanted: EngineOptions, stdin?: string])[] = [
  ["dimg build", {}],
  [
    "dimg build --repo r.io/x --repo-read-only --cache-from r.io/y --cache-from oci:z",
    { repo: "r.io/x", repoReadOnly: true, cacheFrom: ["r.io/y", "oci:z"] },
  ],
  [
    "dimg build --platform linux/amd64,linux/arm64 --platform linux/riscv64",
    { platform: "linux/amd64,linux/arm64,linux/riscv64" },
  ],
  [
    "dimg bp --repo r.io/x --registry-kind harbor --registry-username me --registry-password=a=b --naming flat " +
    "--insecure-registry localhost:5000 --insecure-registry [::1]:5000",
    {
      repo: "r.io/x",
      registry: {
        kind: "harbor",
        username: "me",
        password: "a=b",
        insecure: ["localhost:5000", "[::1]:5000"],
        naming: "flat",
      },
    },
  ],
  [
    "dimg push --repo r.io/x --registry-username me --registry-password-stdin",
    { repo: "r.io/x", registry: { username: "me", password: " two\nlines " } },
    " two\nlines \r\n",
  ],
];

Deno.test("options on registries reach the engine, a password from standard input without its line end", async (t) => {
  for (const [line, wanted, stdin] of options) {
    await t.step(line, async () => {
      const build = () =>
        Promise.resolve({
          project: "",
          platform: "",
          images: [],
          stagesBuilt: 0,
          stagesReused: 0,
          stages: [],
          times: noTimes,
        });
      const { engines, code } = await dapp(line.split(" "), {
        engine: () => ({ build, push: () => Promise.resolve(report) }),
        ...(stdin !== undefined && { stdin }),
      });
      const { env: _env, signal: _signal, onEvent: _onEvent, ...made } = engines[0]!;
      assert.deepEqual(made, wanted);
      assert.equal(code, 0);
    });
  }
});

Deno.test("an empty standard input is no password", async () => {
  const args = ["dimg", "push", "--repo", repo, "--registry-username", "me", "--registry-password-stdin"];
  const { code, stderr, engines } = await dapp(args, { stdin: "\n" });
  assert.deepEqual([code, engines], [2, []]);
  assert.equal(
    stderr,
    'error: Cannot use option "--registry-password-stdin": standard input holds no password\n' +
      "fix: Run: dapp dimg push --help\n",
  );
});

Deno.test("a terminal is asked for a password that is not given, and nothing else is", async (t) => {
  const push = { engine: () => ({ push: () => Promise.resolve(report) }) };
  const args = ["dimg", "push", "--repo", repo, "--registry-username", "me"];
  const question = 'Password of "me" at the registry:';
  const refused =
    'error: Cannot use option "--registry-username" without a password: give --registry-password-stdin or --registry-password as well\n';
  await t.step("what was typed is the password", async () => {
    const { code, stderr, engines } = await dapp(args, { ...push, terminal: true, typed: ["my word"] });
    assert.equal(code, 0, stderr);
    assert.ok(stderr.startsWith(question), stderr);
    assert.deepEqual(engines[0]!.registry, { username: "me", password: "my word" });
  });
  for (
    const [title, world] of Object.entries({
      "nothing was typed": { terminal: true, typed: [""] },
      "no terminal": { typed: ["my word"] },
      "standard input is no terminal": { terminal: true },
      "in CI": { terminal: true, typed: ["my word"], env: { CI: "true" } },
    })
  ) {
    await t.step(title, async () => {
      const { code, stderr, engines } = await dapp([...args, "--color=never"], { ...push, ...world });
      assert.deepEqual([code, engines], [2, []]);
      assert.equal(stderr.startsWith(question), title === "nothing was typed");
      assert.ok(stderr.includes(refused), stderr);
    });
  }
});

function moves(...stages: MovedStage[]): StageMoves {
  return { repo, dryRun: stages.some(({ state }) => state.startsWith("would ")), stages };
}

const movesCases: readonly {
  readonly line: string;
  readonly moves: StageMoves;
  readonly stdout: string;
  readonly quiet: string;
  readonly note?: string;
}[] = [
  {
    line: "push",
    moves: moves(
      stage("from", "exists"),
      stage("install", "pushed"),
      stage("buildArtifact", "not built", "artifact"),
    ),
    stdout: `exists     app/from  r.io/shop:dimgstage-from
pushed     app/install  r.io/shop:dimgstage-install
not built  artifact app/buildArtifact  r.io/shop:dimgstage-buildArtifact
`,
    quiet: "r.io/shop:dimgstage-install\n",
  },
  {
    line: "push -n",
    moves: moves(stage("from", "exists"), stage("install", "would push")),
    stdout: "would push r.io/shop:dimgstage-install\n",
    quiet: "r.io/shop:dimgstage-install\n",
  },
  {
    line: "push -n",
    moves: { ...moves(stage("from", "exists")), dryRun: true },
    stdout: "",
    quiet: "",
    note: "note: nothing to push: r.io/shop has every stage that is built here\n",
  },
  {
    line: "push",
    moves: moves(stage("from", "not built")),
    stdout: "not built  app/from  r.io/shop:dimgstage-from\n",
    quiet: "",
    note: "note: nothing to push: no stage of the current state is built\n",
  },
  {
    line: "pull",
    moves: moves(stage("setup", "absent"), stage("install", "pulled")),
    stdout:
      "absent  app/setup  r.io/shop:dimgstage-setup\npulled  app/install  r.io/shop:dimgstage-install\n",
    quiet: "r.io/shop:dimgstage-install\n",
  },
  {
    line: "pull --all -n",
    moves: moves(stage("setup", "absent"), stage("install", "would pull")),
    stdout: "would pull r.io/shop:dimgstage-install\n",
    quiet: "r.io/shop:dimgstage-install\n",
  },
  {
    line: "pull",
    moves: moves(stage("setup", "absent"), stage("install", "exists")),
    stdout:
      "absent  app/setup  r.io/shop:dimgstage-setup\nexists  app/install  r.io/shop:dimgstage-install\n",
    quiet: "",
    note: "note: nothing to pull: r.io/shop has none of the stages that are missing here\n",
  },
  {
    line: "pull",
    moves: moves(stage("setup", "exists")),
    stdout: "exists  app/setup  r.io/shop:dimgstage-setup\n",
    quiet: "",
    note: "note: nothing to pull: every stage is here\n",
  },
];

Deno.test("dapp dimg stages push and pull print what became of each stage; finding none is no failure", async (t) => {
  for (const { line, moves, stdout, quiet, note = "" } of movesCases) {
    await t.step(`${line}: ${moves.stages.map(({ state }) => state)}`, async () => {
      const calls: unknown[] = [];
      const move = (...given: unknown[]) => {
        calls.push(given);
        return Promise.resolve(moves);
      };
      const engine = () => ({ pushStages: move, pullStages: move });
      const args = ["dimg", "stages", ...line.split(" "), "app", "--repo", repo];
      const outcome = await dapp(args, { engine });
      assert.deepEqual([outcome.code, outcome.stdout, outcome.stderr], [0, stdout, note]);
      assert.deepEqual(calls, [[["app"], line.includes("--all") ? { all: true } : {}]]);
      const short = await dapp([...args, "-q"], { engine });
      assert.deepEqual([short.code, short.stdout, short.stderr], [0, quiet, ""]);
      const json = await dapp([...args, "--json"], { engine });
      assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...moves });
    });
  }
});

const published: PublishedTags = {
  project: "shop",
  repo,
  images: [
    {
      name: "app",
      tags: [
        {
          reference: `${repo}/app:feature-x-81644ed0`,
          tag: "feature-x-81644ed0",
          digest,
          scheme: "git_branch",
          value: "feature/日本\x1b[2J",
          commit: "c0ffee00".repeat(5),
          publishedAt: "2026-01-09T22:00:00Z",
          size: 29_000_000,
          signature,
        },
        {
          reference: `${repo}/app:1.0`,
          tag: "1.0",
          digest,
          scheme: "custom",
          value: "1.0",
          publishedAt: "long ago",
          size: 999,
          signature,
        },
      ],
    },
    { name: "", tags: [] },
  ],
};

Deno.test("dapp dimg tags prints a table of what is published", async () => {
  const calls: unknown[] = [];
  const engine = (): Partial<Engine> => ({
    config: () => Promise.reject(new EngineError("CONFIG_NOT_FOUND", "Cannot find a dappfile")),
    published: (...given) => {
      calls.push(given);
      return Promise.resolve(published);
    },
  });
  const { stdout } = await dapp(["dimg", "tags", "app", repo], { engine });
  assert.equal(
    stdout,
    `DIMG  TAG                 SCHEME      VALUE                COMMIT    PUBLISHED                      SIZE   DIGEST
app   feature-x-81644ed0  git_branch  feature/日本\\x1b[2J  c0ffee00  2h ago (2026-01-09 22:00 UTC)  29 MB  sha256:12ab34cd56ef…
app   1.0                 custom      1.0                  -         long ago                       999 B  sha256:12ab34cd56ef…
`,
  );
  assert.deepEqual(calls, [[["app"], { repo }]]);
  assert.equal(
    (await dapp(["dimg", "tags", repo, "-q"], { engine })).stdout,
    "r.io/shop/app:feature-x-81644ed0\nr.io/shop/app:1.0\n",
  );
  const json = await dapp(["dimg", "tags", repo, "--json"], { engine });
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...published });
});

Deno.test("dapp dimg tags leaves columns out on narrow terminals, and the tag last", async () => {
  const engine = (): Partial<Engine> => ({
    config: () => Promise.reject(new EngineError("CONFIG_NOT_FOUND", "Cannot find a dappfile")),
    published: () => Promise.resolve(published),
  });
  const show = async (columns: number) =>
    (await dapp(["dimg", "tags", repo, "--color", "off"], { engine, terminal: true, columns })).stdout
      .trimEnd().split(
        "\n",
      );
  for (const columns of [20, 40, 60, 80, 100, 130, 200]) {
    const lines = await show(columns);
    assert.equal(lines.length, 3);
    for (const line of lines) assert.ok(displayWidth(line) <= columns, `${columns}: ${line}`);
    if (columns >= 40) assert.match(lines[1]!, /feature-x-81644ed0/);
  }
  assert.match((await show(200))[1]!, /2026-01-09 22:00 UTC/);
  assert.match((await show(110))[0]!, /DIGEST/);
});

Deno.test("dapp dimg tags says when there are none", async () => {
  const none = () => Promise.resolve({ project: "shop", repo, images: [] });
  const { code, stdout, stderr } = await dapp(["dimg", "tags", "--repo", repo], {
    engine: () => ({ published: none }),
  });
  assert.deepEqual([code, stdout], [0, ""]);
  assert.equal(stderr, "note: project shop has published nothing in r.io/shop\n");
  const some = await dapp(["dimg", "tags", "web", "--repo", repo], { engine: () => ({ published: none }) });
  assert.equal(some.stderr, "note: project shop has published no such dimg in r.io/shop\n");
});

const card: RegistryCard = {
  repo,
  plugin: "registry-oci",
  kind: "oci",
  capabilities: { naming: "nested", nested: true, deletion: "unknown", listing: "names", pulls: false },
  probes: [
    { name: "push", result: "yes", detail: "A manifest and its blobs were stored" },
    { name: "tag deletion", result: "no", detail: "The registry answers 405" },
    { name: "referrers", result: "failed", detail: "The registry answers 500" },
    { name: "mount", result: "skipped", detail: "There is one repository only" },
  ],
};

Deno.test("dapp registry check prints a card and exits with 1 when a trial failed", async () => {
  const calls: unknown[] = [];
  const engine = (): Partial<Engine> => ({
    checkRegistry: (...given) => {
      calls.push(given);
      return Promise.resolve(card);
    },
  });
  const { code, stdout } = await dapp(["registry", "check", repo], {
    engine: () => ({
      ...engine(),
      config: () => Promise.reject(new EngineError("CONFIG_NOT_FOUND", "Cannot find a dappfile")),
    }),
  });
  assert.equal(code, 1);
  assert.equal(
    stdout,
    `r.io/shop
  served by     registry-oci, kind oci
  naming        nested, repositories below REPO are possible
  deletion      shows at the first deletion
  listing       names of tags

  push          yes      A manifest and its blobs were stored
  tag deletion  no       The registry answers 405
  referrers     failed   The registry answers 500
  mount         skipped  There is one repository only
`,
  );
  const quiet = await dapp(["registry", "check", "--repo", repo, "-q"], { engine });
  assert.equal(quiet.stdout, "push yes\ntag deletion no\nreferrers failed\nmount skipped\n");
  assert.deepEqual(calls, [[{ repo }], [{}]]);
  const able = { ...card, probes: card.probes.filter(({ result }) => result !== "failed") };
  const fine = await dapp(["registry", "check", "--repo", repo], {
    engine: () => ({ checkRegistry: () => Promise.resolve(able) }),
  });
  assert.equal(fine.code, 0);
  const json = await dapp(["registry", "check", "--repo", repo, "--json"], { engine });
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...card });
});

Deno.test("dapp registry check fails when the registry cannot be reached", async () => {
  const checkRegistry = () => {
    throw new EngineError("REGISTRY_FAILED", 'Cannot reach "r.io": connection refused');
  };
  const { code, stdout } = await dapp(["registry", "check", repo], { engine: () => ({ checkRegistry }) });
  assert.deepEqual([code, stdout], [1, ""]);
});

Deno.test("dapp slug prints the slug without an engine", async () => {
  const { stdout, engines } = await dapp(["slug", "feature/using_cache"]);
  assert.deepEqual([stdout, engines], ["feature-using-cache-81644ed0\n", []]);
  assert.equal((await dapp(["slug", "rework-cache"])).stdout, "rework-cache\n");
  const json = await dapp(["slug", "a_b_c_d", "--json"]);
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, text: "a_b_c_d", slug: "a-b-c-d-9736323a" });
});
