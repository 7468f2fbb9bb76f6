import assert from "node:assert/strict";
import type { ImageDifference, ImageFile, ImageListing } from "../../core/api.ts";
import { parseDigest } from "../../lib/oci/digest.ts";
import { dapp } from "./support.ts";

const digest = parseDigest(`sha256:${"a".repeat(64)}`);
const file = (path: string, more: Partial<ImageFile> = {}): ImageFile => ({
  ...{ path, type: "file", mode: "0644", uid: 0, gid: 0, size: 1, mtime: 0, digest, layer: 0 },
  ...more,
});
const image = { image: "web", platform: "linux/amd64", size: 2_000, bytes: 3_000, wastedBytes: 1_500 };
const listing: ImageListing = {
  ...image,
  digest,
  layers: [
    {
      layer: 0,
      createdBy: "ADD \x1b[2J x",
      digest,
      diffId: digest,
      size: 1_000,
      bytes: 2_000,
      wastedBytes: 1_500,
      files: 2,
    },
    {
      layer: 1,
      stage: "setup",
      createdBy: "dapp setup: x",
      digest,
      diffId: digest,
      size: 1_000,
      bytes: 1_000,
      wastedBytes: 0,
      files: 3,
    },
  ],
  files: [
    file("/two\nlines\x1b]0;title\x07", { size: 3_000, mode: "4755" }),
    file("/odd\udcff", { type: "symlink", mode: "0777", target: "\x9b1m", layer: 1, stage: "setup" }),
    file("/hard", { hardlink: "/a\r", mode: "7644" }),
    file("/tmp", { type: "dir", mode: "1777" }),
  ],
  wasted: [{ path: "/was\x1bhere", size: 1_500, how: "repeated", layer: 0, by: 1, byStage: "setup" }],
};
const ask = (args: readonly string[], found: ImageListing = listing) =>
  dapp(["dimg", "files", ...args], { engine: () => ({ files: () => Promise.resolve(found) }) });

Deno.test("dimg files prints what is in an image, and no byte of it as it is", async () => {
  const { code, stdout } = await ask(["web"]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `web  linux/amd64  sha256:aaaaaaaaaaaa…: 2 layers of 2.0 kB, 4 paths with 3.0 kB, 1.5 kB wasted

LAYER  SIZE    BYTES   WASTED  FILES  FROM
0      1.0 kB  2.0 kB  1.5 kB  2      ADD \\x1b[2J x
1      1.0 kB  1.0 kB  0 B     3      setup: x

WASTED  FROM     BY     HOW       PATH
1.5 kB  layer 0  setup  repeated  /was\\x1bhere

BYTES   MODE        OWNER  FROM     PATH
3.0 kB  -rwsr-xr-x  0:0    layer 0  /two\\x0alines\\x1b]0;title\\x07
1 B     lrwxrwxrwx  0:0    setup    /odd\\xff -> \\x9b1m
1 B     -rwSr-Sr-T  0:0    layer 0  /hard = /a\\x0d
1 B     drwxrwxrwt  0:0    layer 0  /tmp
`,
  );
  assert.equal((await ask(["web", "-q"])).stdout.split("\n")[1], "/odd\\xff");
  const json = (await ask(["web", "--json"])).stdout;
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(json, /[\x00-\x09\x0b-\x1f\x7f]|\\x/);
  assert.deepEqual(JSON.parse(json), { version: 1, ...listing });
});

Deno.test("dimg files prints long tables whole with --verbose", async () => {
  const many = { ...listing, files: Array.from({ length: 100 }, (_, i) => file(`/f${i}`)) };
  const lines = (await ask([], many)).stdout.trimEnd().split("\n");
  assert.equal(lines.at(-1), "and 60 more: --verbose prints all");
  assert.equal((await ask(["-v"], many)).stdout.trimEnd().split("\n").at(-1)!.endsWith("/f99"), true);
});

const difference: ImageDifference = {
  before: { ...image, image: "oci:a" },
  after: { ...image, size: 4_000 },
  sameLayers: 1,
  files: [
    { path: "/new\x1b", change: "added", what: [], after: file("/new\x1b", { stage: "setup", layer: 1 }) },
    { path: "/gone", change: "removed", what: [], before: file("/gone") },
    {
      path: "/both",
      change: "changed",
      what: ["content", "mode", "owner", "time"],
      before: file("/both"),
      after: file("/both", { size: 2_000, mode: "0600", uid: 5, mtime: 1.5, stage: "setup" }),
    },
    {
      path: "/touched",
      change: "changed",
      what: ["time"],
      before: file("/touched"),
      after: file("/touched", { mtime: 1e30, stage: "setup" }),
    },
  ],
  config: [{ key: "Env A", before: "1", after: "2\x1b" }, { key: "Cmd", after: "x" }, {
    key: "User",
    before: "y",
  }],
};

Deno.test("dimg diff prints what differs, by stage, and counts what differs in time alone", async () => {
  const asked: unknown[] = [];
  const run = (...args: readonly string[]) =>
    dapp(["dimg", "diff", "oci:a", "web", ...args], {
      engine: () => ({
        diff: (...words) => {
          asked.push(words);
          return Promise.resolve(difference);
        },
      }),
    });
  assert.equal(
    (await run()).stdout,
    `oci:a → web
  2.0 kB → 4.0 kB in layers, 3.0 kB → 3.0 kB in files; the lowest 1 layer the same
  setup: 1 added, 1 changed, 1 of another time
  layer 0: 1 removed

+  setup    /new\\x1b  1 B
-  layer 0  /gone     1 B
~  setup    /both     content 1 B → 2.0 kB, mode 0644 → 0600, owner 0:0 → 5:0, time 1970-01-01T00:00:00.000Z → 1970-01-01T00:00:01.500Z
and 1 path of another time: --verbose prints them

~ Env A: 1 → 2\\x1b
+ Cmd: x
- User: y
`,
  );
  assert.deepEqual(asked, [["oci:a", "web"]]);
  assert.match((await run("-v")).stdout, /\/touched +time 1970-01-01T00:00:00.000Z → 1e\+30\n/);
  assert.equal((await run("-q")).stdout, "/new\\x1b\n/gone\n/both\n");
});

Deno.test("dimg diff counts labels that publishing adds", async () => {
  const config: ImageDifference["config"] = [
    { key: "Labels dapp", before: "shop", published: true },
    { key: "Labels dapp-commit", before: "1", published: true },
    { key: "Labels own", before: "1" },
  ];
  const engine = () => ({ diff: () => Promise.resolve({ ...difference, files: [], config }) });
  const lines = async (...args: readonly string[]) =>
    (await dapp(["dimg", "diff", "a", "b", ...args], { engine })).stdout.trimEnd().split("\n").slice(3);
  assert.deepEqual(await lines(), [
    "- Labels own: 1",
    "and 2 labels that publishing adds: --verbose prints them",
  ]);
  assert.deepEqual(await lines("-v"), ["- Labels dapp: shop", "- Labels dapp-commit: 1", "- Labels own: 1"]);
});

Deno.test("dimg diff shows that two sizes differ", async () => {
  const grown = (from: number, to: number): ImageDifference => ({
    ...difference,
    config: [],
    files: [{
      ...{ path: "/f", change: "changed", what: ["content"] },
      ...{ before: file("/f", { size: from }), after: file("/f", { size: to }) },
    }],
  });
  const last = async (found: ImageDifference) =>
    (await dapp(["dimg", "diff"], { engine: () => ({ diff: () => Promise.resolve(found) }) })).stdout
      .trimEnd()
      .split("  ").at(-1);
  assert.equal(await last(grown(26_000, 26_002)), "content 26000 B → 26002 B");
  assert.equal(await last(grown(26_000, 27_000)), "content 26 kB → 27 kB");
});
