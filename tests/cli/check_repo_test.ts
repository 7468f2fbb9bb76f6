import assert from "node:assert/strict";
import type { RepoCheck } from "../../core/api.ts";
import { EngineError } from "../../core/contract/errors.ts";
import { parseDigest } from "../../lib/oci/digest.ts";
import { dapp } from "./support.ts";

const repo = "r.io/shop";
const digest = parseDigest(`sha256:${"a".repeat(64)}`);
type Part = RepoCheck["damaged"][number]["missing"][number];
const layer: Part = { part: "layer", digest, size: 1_000, state: "lost", here: false };

function run(missing: readonly Part[], ...args: readonly string[]) {
  const found: RepoCheck = {
    project: "shop",
    repo,
    tags: 1,
    stages: 0,
    blobs: 2,
    bytes: 1_200,
    read: false,
    damaged: missing.length === 0 ? [] : [{ reference: `${repo}/app:v1`, image: "app", missing }],
    unknown: [],
  };
  const noDappfile = () => Promise.reject(new EngineError("CONFIG_NOT_FOUND", "There is no dappfile"));
  return dapp(["dimg", "check", "repo", ...args], {
    engine: () => ({ config: noDappfile, checkRepo: () => Promise.resolve(found) }),
  });
}

const bp = `dapp dimg bp ${repo}; stages of earlier states are built again when somebody needs them`;
const cases:
  readonly (readonly [what: string, missing: readonly Part[], flags: readonly string[], last: string])[] = [
    ["nothing missing", [], [], "whole: 1 tag, 0 stages, 2 blobs (1.2 kB), looked up"],
    [
      "a layer of which this machine has none",
      [layer],
      [],
      `Build and publish again what is missing, with the tags named above: ${bp}`,
    ],
    [
      "layers of which it has one",
      [layer, { ...layer, here: true }],
      [],
      `Send again what this machine has with: dapp dimg check repo ${repo} --repair`,
    ],
    [
      "one that was repaired, and one left",
      [layer, { ...layer, here: true, repaired: true }],
      ["--repair"],
      `Build and publish again what is still missing, with the tags named above: ${bp}`,
    ],
  ];

Deno.test("dapp dimg check repo advises what helps on this machine, for the REPO that was named", async (t) => {
  for (const [what, missing, flags, last] of cases) {
    await t.step(what, async () => {
      const { code, stdout, stderr } = await run(missing, repo, ...flags);
      assert.equal(stderr, "");
      assert.equal(stdout.trimEnd().split("\n").at(-1), last);
      assert.equal(code, missing.length === 0 ? 0 : 1);
    });
  }
});
