import assert from "node:assert/strict";
import type { Engine } from "../../core/api.ts";
import type { Digest } from "../../core/contract/digest.ts";
import { dapp } from "./support.ts";
import type { RestoreReport } from "../../core/cleanup/run.ts";

const digest = `sha256:${"12ab34cd56ef".padEnd(64, "0")}` as Digest;
const done: RestoreReport = {
  repo: "r.io/shop",
  dryRun: false,
  tags: [
    { reference: "r.io/shop/app:1", digest, outcome: "restored" },
    { reference: "r.io/shop/app:22", digest, outcome: "present" },
    { reference: "r.io/shop/app:3", digest, outcome: "taken", why: "it names something newer" },
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
    const tags = [...done.tags, { reference: "r.io/shop/app:4", digest, outcome, why: "blobs are gone" }];
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
