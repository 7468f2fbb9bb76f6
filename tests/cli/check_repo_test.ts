import assert from "node:assert/strict";
import type { RepoCheck } from "../../core/api.ts";
import { EngineError } from "../../core/contract/errors.ts";
import { parseDigest } from "../../lib/oci/digest.ts";
import { dapp } from "./support.ts";

const repo = "r.io/shop";
const digest = parseDigest(`sha256:${"a".repeat(64)}`);
type Part = RepoCheck["damaged"][number]["missing"][number];
const layer: Part = { part: "layer", digest, size: 1_000, state: "lost", here: false };

const looked: RepoCheck = {
  project: "shop",
  repo,
  tags: 2,
  stages: 3,
  blobs: 2,
  bytes: 1_200,
  read: false,
  damaged: [],
  unknown: [],
};

function run(damaged: RepoCheck["damaged"], ...args: readonly string[]) {
  return runOn({ ...looked, damaged }, ...args);
}

function runOn(found: RepoCheck, ...args: readonly string[]) {
  const noDappfile = () => Promise.reject(new EngineError("CONFIG_NOT_FOUND", "There is no dappfile"));
  return dapp(["dimg", "check", "repo", ...args], {
    engine: () => ({ config: noDappfile, checkRepo: () => Promise.resolve(found) }),
  });
}

type Row = RepoCheck["damaged"][number];
const image = (...missing: readonly Part[]): Row => ({
  reference: `${repo}/app:v1`,
  kind: "image",
  image: "app",
  missing,
});
const stage = (...missing: readonly Part[]): Row => ({
  reference: `${repo}:dimgstage-1`,
  kind: "stage",
  missing,
});
const command = `dapp dimg check repo ${repo} --repair`;
const elsewhere = `Other machines that build this project may have it: run there ${command}`;
const cases: readonly (readonly [
  what: string,
  damaged: RepoCheck["damaged"],
  flags: readonly string[],
  last: readonly string[],
])[] = [
  ["nothing missing", [], [], ["whole: 2 tags, 3 stages, 2 blobs (1.2 kB), looked up"]],
  [
    "a layer of which this machine has none",
    [image(layer)],
    [],
    [
      "damaged: 1 of 2 tags, 2 blobs (1.2 kB), looked up",
      elsewhere,
      "What no machine has is published anew from here: check out what it was built from, then, with each tag: " +
      `dapp dimg bp ${repo} --tag TAG`,
    ],
  ],
  [
    "layers of which it has one",
    [image(layer, { ...layer, here: true })],
    [],
    [
      "damaged: 1 of 2 tags, 2 blobs (1.2 kB), looked up",
      `Send again what this machine has with: ${command}`,
    ],
  ],
  [
    "a stage that this machine can make again",
    [stage({ ...layer, part: "manifest", state: "absent", here: true })],
    [],
    [
      "  manifest sha256:aaaaaaaaaaaa… (1.0 kB) is not there; this machine can make it again",
      "damaged: 1 of 3 stages, 2 blobs (1.2 kB), looked up",
      `Send again what this machine has with: ${command}`,
    ],
  ],
  [
    "a stage of which this machine has nothing, and on which no image stands",
    [{ ...stage(layer), neededBy: [] }],
    [],
    [
      "damaged: 1 of 3 stages, 2 blobs (1.2 kB), looked up",
      elsewhere,
      "Stages are built again by who needs them, and published whole. To make them anew now: " +
      `check out their commit, then: dapp dimg build --repo ${repo}`,
      `Those that no image stands on go with: ${command}`,
    ],
  ],
  [
    "tags that lack the same",
    Array.from(
      { length: 25 },
      (_, i) => ({ ...image({ ...layer, here: true }), reference: `${repo}/app:${i}` }),
    ),
    [],
    [
      `${repo}/app:19`,
      "and 5 more (--quiet names all)",
      "  layer sha256:aaaaaaaaaaaa… (1.0 kB) is lost: the registry says that it has it, and does not give it; this machine has it",
      "damaged: 25 of 2 tags, 2 blobs (1.2 kB), looked up",
      `Send again what this machine has with: ${command}`,
    ],
  ],
  [
    "what a registry keeps although it is something else",
    [image({ ...layer, state: "damaged", here: true })],
    ["--repair"],
    [
      "damaged: 1 of 2 tags, 2 blobs (1.2 kB), looked up",
      "What is damaged may stay until its file is removed from the registry's disk (docker-registry: " +
      `…/blobs/sha256/XX/XX…/data, after which it is restarted). Then: ${command}`,
    ],
  ],
  [
    "what was repaired, and a stage that is left",
    [image({ ...layer, here: true, repaired: true }), stage(layer)],
    ["--repair"],
    [
      "damaged: 1 of 2 tags, 1 of 3 stages, 2 blobs (1.2 kB), looked up",
      elsewhere,
      "Stages are built again by who needs them, and published whole. To make them anew now: " +
      `check out their commit, then: dapp dimg build --repo ${repo}`,
    ],
  ],
  [
    "stages that images stand on, or none",
    [
      {
        ...stage(layer),
        stage: "setup",
        neededBy: [`${repo}/app:v1`, `${repo}/app:v2`],
        commit: "c".repeat(40),
      },
      { ...stage(layer), stage: "install", neededBy: [] },
    ],
    ["--repair"],
    [
      `${repo}:dimgstage-1 (stage setup, of ${repo}/app:v1 and 1 more, of commit cccccccccccc)`,
      `${repo}:dimgstage-1 (stage install)`,
      "  layer sha256:aaaaaaaaaaaa… (1.0 kB) is lost: the registry says that it has it, and does not give it",
      "damaged: 2 of 3 stages, 2 blobs (1.2 kB), looked up",
      elsewhere,
      "Stages are built again by who needs them, and published whole. To make them anew now: " +
      `check out the commit (cccccccccccc), then: dapp dimg build --repo ${repo}`,
      `Those that no image stands on go with: dapp dimg stages cleanup repo --improper-repo-cache ${repo}`,
    ],
  ],
  [
    "a mark, which is no stage",
    [{ reference: `${repo}:dappservice-dimg-old`, kind: "mark", missing: [layer] }],
    ["--repair"],
    ["damaged: 1 of the marks, 2 blobs (1.2 kB), looked up", elsewhere],
  ],
  [
    "a signature",
    [{ reference: `${repo}/app:sha256-1.sig`, kind: "image", missing: [layer] }],
    ["--repair"],
    [
      "damaged: 1 of 2 tags, 2 blobs (1.2 kB), looked up",
      elsewhere,
      "Signatures and SBOMs are made again by what made them, such as: cosign sign REPO@DIGEST",
    ],
  ],
];

Deno.test("dapp dimg check repo advises what helps on this machine, for the REPO that was named", async (t) => {
  for (const [what, damaged, flags, last] of cases) {
    await t.step(what, async () => {
      const { code, stdout, stderr } = await run(damaged, repo, ...flags);
      assert.equal(stderr, "");
      assert.deepEqual(stdout.trimEnd().split("\n").slice(-last.length), last);
      assert.equal(code, damaged.length === 0 ? 0 : 1);
    });
  }
});

Deno.test("dapp dimg check repo says what it took away, and that is no failure", async () => {
  const { code, stdout } = await run([{ ...stage(layer), neededBy: [], removed: true }], repo, "--repair");
  assert.equal(code, 0);
  assert.deepEqual(stdout.trimEnd().split("\n").slice(2), [
    "  was taken away: nobody can use it, and no image in REPO stands on it",
    "repaired: 1 of 3 stages, 2 blobs (1.2 kB), looked up",
  ]);
});

Deno.test("dapp dimg check repo does not call whole what is not there", async () => {
  const { code, stdout } = await runOn({ ...looked, tags: 0, stages: 0, blobs: 0, bytes: 0 }, repo);
  assert.deepEqual(
    [code, stdout],
    [0, "nothing of the project is there, neither images nor stages: check the name of REPO\n"],
  );
});
