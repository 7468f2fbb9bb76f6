import assert from "node:assert/strict";
import type { Engine } from "../../core/api.ts";
import { dapp } from "./support.ts";
import type { RestoreReport } from "../../core/cleanup/run.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const digest = digestFromHex("12ab34cd56ef".padEnd(64, "0"));
const run = "2026-01-02T03:04:05Z";
const done: RestoreReport = {
  repo: "r.io/shop",
  dryRun: false,
  tags: [
    { reference: "r.io/shop/app:1", digest, outcome: "restored", run },
    { reference: "r.io/shop/app:22", digest, outcome: "present", run },
    { reference: "r.io/shop/app:3", digest, outcome: "taken", why: "it names something newer", run },
  ],
};

/** An engine that restores what `report` says, and keeps what it was asked. */
function restoring(report: RestoreReport = done, repo?: string) {
  const calls: unknown[][] = [];
  const engine = (): Partial<Engine> => ({
    config: () =>
      Promise.resolve({ project: { plugins: [], ...(repo && { repo }) } } as unknown as Awaited<
        ReturnType<Engine["config"]>
      >),
    restore(...given) {
      calls.push(given);
      return Promise.resolve(report);
    },
  });
  return { calls, engine };
}

const accepted: readonly {
  readonly line: string;
  /** `repo:` of the dappfile. */
  readonly repo?: string;
  readonly call: readonly [tags: readonly string[] | undefined, options: { readonly repo?: string }];
}[] = [
  { line: "r.io/shop", call: [undefined, { repo: "r.io/shop" }] },
  { line: "localhost:5000/shop 1 2", call: [["1", "2"], { repo: "localhost:5000/shop" }] },
  { line: "oci:out app-1", call: [["app-1"], { repo: "oci:out" }] },
  { line: "r.io/shop r.io/shop/app:1", call: [["r.io/shop/app:1"], { repo: "r.io/shop" }] },
  { line: "--repo r.io/shop", call: [undefined, {}] },
  { line: "1 --repo r.io/shop 2", call: [["1", "2"], {}] },
  { line: "", repo: "r.io/shop", call: [undefined, {}] },
  { line: "1 r.io/shop/app:2", repo: "r.io/shop", call: [["1", "r.io/shop/app:2"], {}] },
  { line: "r.io/other 1", repo: "r.io/shop", call: [["1"], { repo: "r.io/other" }] },
];

Deno.test("dapp dimg restore takes REPO first, from --repo, or from the dappfile", async (t) => {
  for (const { line, repo, call } of accepted) {
    await t.step(`restore ${line}${repo ? " (REPO in the dappfile)" : ""}`, async () => {
      const made = restoring(done, repo);
      const { code, stderr } = await dapp(["dimg", "restore", ...line.split(" ").filter(Boolean)], made);
      assert.equal(code, 0, stderr);
      assert.deepEqual(made.calls, [call]);
    });
  }
});

const rejected: readonly (readonly [line: string, message: string])[] = [
  ["", "Cannot run dapp dimg restore: REPO is missing. Give it as the first word, with --repo"],
  ["1", "Cannot run dapp dimg restore: REPO is missing. Give it as the first word"],
  ["r.io/shop/app:1", "Cannot run dapp dimg restore: REPO is missing. Give it as the first word"],
  ["1 2 r.io/shop", 'Cannot restore "r.io/shop": REPO comes first: dapp dimg restore r.io/shop 1 2'],
  ["r.io/x r.io/shop", 'Cannot restore "r.io/shop": there is one REPO already, and what follows it are tags'],
  ["r.io/x 1 --repo r.io/x", 'Cannot restore "r.io/x": there is one REPO already'],
];

Deno.test("dapp dimg restore says where REPO belongs", async (t) => {
  for (const [line, message] of rejected) {
    await t.step(line, async () => {
      const made = restoring();
      const { code, stderr } = await dapp(["dimg", "restore", ...line.split(" ").filter(Boolean)], made);
      assert(stderr.startsWith(`error: ${message}`), stderr);
      assert.deepEqual([code, made.calls], [2, []]);
    });
  }
});

Deno.test("dapp dimg restore prints what became of each tag, and fails when one is lost or failed", async () => {
  const args = ["dimg", "restore", "r.io/shop"];
  const all = await dapp(args, restoring());
  assert.equal(
    all.stdout,
    `restored  r.io/shop/app:1   sha256:12ab34cd56ef…
present   r.io/shop/app:22  sha256:12ab34cd56ef…
taken     r.io/shop/app:3   it names something newer
`,
  );
  assert.deepEqual([all.code, all.stderr], [0, ""]);
  assert.equal((await dapp([...args, "-q"], restoring())).stdout, "r.io/shop/app:1\n");
  const json = await dapp([...args, "--json"], restoring());
  assert.deepEqual(JSON.parse(json.stdout), { version: 1, ...done });
  for (const outcome of ["lost", "failed"] as const) {
    const tags = [...done.tags, {
      reference: "r.io/shop/app:4",
      digest,
      outcome,
      why: "blobs are gone",
      run,
    }];
    const { code, stdout } = await dapp(args, restoring({ ...done, tags }));
    assert.equal(code, 1);
    assert(stdout.endsWith(`${outcome.padEnd(8)}  r.io/shop/app:4   blobs are gone\n`), stdout);
  }
  const dry = { ...done, dryRun: true, tags: [{ ...done.tags[0]!, outcome: "would restore" as const }] };
  const would = await dapp([...args, "-n"], restoring(dry));
  assert.equal(would.stdout, "would restore  r.io/shop/app:1  sha256:12ab34cd56ef…\n");
  assert.equal(would.engines[0]!.dryRun, true);
  const none = await dapp(args, restoring({ ...done, tags: [] }));
  assert.deepEqual([none.code, none.stdout, none.stderr], [
    0,
    "",
    "note: nothing to restore: no cleanup from this machine deleted anything in r.io/shop\n",
  ]);
});

Deno.test("dapp dimg restore --list says when what was deleted, and how much can be put back", async () => {
  const later = "2026-02-02T00:00:00Z";
  const tag = (n: number, outcome: RestoreReport["tags"][number]["outcome"], at = later) => ({
    reference: `r.io/shop:${n}`,
    digest,
    outcome,
    run: at,
  });
  const tags = [
    tag(1, "would restore"),
    tag(2, "lost", run),
    tag(3, "would restore"),
    tag(4, "present"),
    tag(5, "taken", run),
  ];
  const made = restoring({ ...done, dryRun: true, tags });
  const { code, stdout, engines } = await dapp(["dimg", "restore", "r.io/shop", "--list"], made);
  assert.equal(
    stdout,
    `2026-01-02 03:04 UTC  2 tags deleted  1 taken by something newer, 1 lost
2026-02-02 00:00 UTC  3 tags deleted  2 can be put back, 1 there again
`,
  );
  assert.deepEqual([code, engines[0]!.dryRun], [0, true]);
  const json = await dapp(["dimg", "restore", "r.io/shop", "--list", "--json"], made);
  const { runs } = JSON.parse(json.stdout);
  assert.deepEqual(runs.map((each: { restorable: number }) => each.restorable), [0, 2]);
});
