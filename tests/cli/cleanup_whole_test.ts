import assert from "node:assert/strict";
import { createEngine } from "../../mod.ts";
import { withProject } from "../support/project.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";
import { dapp, type FakeWorld } from "./support.ts";

const dappfile = `project: shop
cleanup:
  defaults: false
  keep:
    - use: keep-branches
---
dimg: app
from: scratch
git: [{ add: /, to: /app }]
`;

Deno.test("dapp dimg cleanup repo, --plan, restore and flush repo work on an OCI layout from end to end", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async ({ dir, home, git, commit }) => {
    const repo = `oci:${dir}/../repo`;
    const env = { HOME: home, PATH: Deno.env.get("PATH") ?? "" };
    const call = async (line: string, world: FakeWorld = {}) => {
      const args = [...line.split(" "), "-C", dir, "--home", home, "--repo", repo];
      return await dapp(args, { env, createEngine, ...world });
    };
    // The branches of a clone's origin count.
    await git("clone", "-q", "--bare", dir, `${dir}/../origin`);
    await git("remote", "add", "origin", `${dir}/../origin`);
    await git("checkout", "-q", "-b", "feature");
    await call("dimg bp --tag-branch");
    await git("checkout", "-q", "main");
    await commit("second");
    await git("push", "-q", "origin", "main");
    await call("dimg bp --tag-branch");

    const dry = await call("dimg cleanup repo -nq");
    assert.deepEqual([dry.code, dry.stdout], [0, `${repo}:app-feature\n`], dry.stderr);
    const plan = (await call("dimg cleanup repo -n --json")).stdout;
    const refused = await call("dimg cleanup repo", {
      terminal: true,
      typed: ["n"],
      env: { ...env, NO_COLOR: "1" },
    });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Delete 1 tag\? \[y\/N\] Nothing was deleted\n$/);

    const applied = await call("dimg cleanup repo --plan p.json", { files: { "p.json": plan } });
    assert.equal(applied.code, 0, applied.stderr);
    assert.match(applied.stderr, /^deleted {2}oci:.*:app-feature {2}\S/m);
    assert.match(applied.stdout, /^1 tag: 1 deleted\n/);
    const again = await call("dimg cleanup repo --plan p.json", { files: { "p.json": plan } });
    assert.deepEqual([again.code, again.stdout], [0, "1 tag: 1 gone\n"]);

    const restored = await call("dimg restore app-feature");
    assert.equal(restored.code, 0, restored.stderr);
    assert.match(restored.stdout, /^restored {2}oci:.*:app-feature {2}sha256:[0-9a-f]{12}…\n$/);

    const flushed = await call("dimg flush repo -q");
    assert.deepEqual(
      [flushed.code, flushed.stdout.trim().split("\n").sort()],
      [0, [`${repo}:app-feature`, `${repo}:app-main`]],
      flushed.stderr,
    );
    assert.equal((await call("dimg flush repo")).stdout, "nothing to delete\n");
  });
});

/** Has a registry answer for another one, with a clock that is so many milliseconds ahead of it. */
function withClock(registry: MemoryRegistry, behind: MemoryRegistry, aheadMs: number): void {
  registry.fault(async (request, url) => {
    const { method, headers } = request;
    const body = await request.arrayBuffer();
    const target = new URL(url.pathname + url.search, `http://${behind.host}`);
    const answer = await fetch(target, { method, headers, ...(body.byteLength > 0 && { body }) });
    const told = new Headers(answer.headers);
    told.set("date", new Date(Date.now() + aheadMs).toUTCString());
    const bytes = await answer.arrayBuffer();
    return new Response(bytes.byteLength > 0 ? bytes : null, { status: answer.status, headers: told });
  }, Infinity);
}

Deno.test("images of a living branch stay that are young by the registry's clock alone, and a note says why", async () => {
  await using hidden = new MemoryRegistry();
  await using registry = new MemoryRegistry();
  const DAY = 86_400_000;
  const keep = "- { use: keep-branches, options: { maxAge: 0s } }";
  const file = dappfile.replace("- use: keep-branches", keep);
  await withProject({ "dappfile.yaml": file }, async ({ dir, home }) => {
    const env = { HOME: home, PATH: Deno.env.get("PATH") ?? "" };
    const call = async (line: string, repo: string) => {
      const args = [...line.split(" "), "-C", dir, "--home", home, "--repo", repo];
      return await dapp(args, { env, createEngine });
    };
    const pushed = await call("dimg bp --tag-branch", `${hidden.host}/shop`);
    assert.equal(pushed.code, 0, pushed.stderr);
    const old = await call("dimg cleanup repo -n", `${hidden.host}/shop`);
    assert.match(old.stdout, /delete {2}app:main {2}.*branch "main" exists, but older than 0s/, old.stderr);
    assert.doesNotMatch(old.stdout, /note:/);

    withClock(registry, hidden, -2 * DAY);
    const note = new RegExp(
      `Ages are counted from .*, so that nothing goes too early: .* that of ${registry.host} .*ahead.*behind`,
    );
    for (const line of ["dimg cleanup repo -n", "dimg cleanup repo"]) {
      const { code, stdout, stderr } = await call(line, `${registry.host}/shop`);
      assert.equal(code, 0, stderr);
      assert.match(stdout + stderr, note);
      assert.match(stdout + stderr, /nothing to delete/);
    }
    const json = JSON.parse((await call("dimg cleanup repo -n --json", `${registry.host}/shop`)).stdout);
    assert.match(json.notes.join(), note);
    assert.ok("main" in hidden.tagsOf("shop/app"));
  });
});

Deno.test("stages of the old tool go with --improper-cache-version, by a plan from a file too", async () => {
  await using registry = new MemoryRegistry();
  const old = "dimgstage-" + "1".repeat(64);
  const other = "dimgstage-" + "2".repeat(64);
  const version = { "dapp-cache-version": "2.1" };
  await registry.addImage("shop", old, { labels: { dapp: "shop", ...version } });
  await registry.addImage("shop", other, { labels: { dapp: "blog", ...version } });
  await registry.addImage("shop", "latest", { labels: { dapp: "shop" } });
  const repo = `${registry.host}/shop`;
  const file = dappfile.replace("---", `plugins: [${SETTLED}]\n---`);
  await withProject({ "dappfile.yaml": file, ...settledFile }, async ({ dir, home }) => {
    const env = { HOME: home, PATH: Deno.env.get("PATH") ?? "" };
    const call = async (line: string, world: FakeWorld = {}) => {
      const args = [...line.split(" "), "-C", dir, "--home", home, "--repo", repo];
      return await dapp(args, { env, createEngine, ...world });
    };
    const all = [other, old, "latest"].sort();
    const tags = () =>
      Object.keys(registry.tagsOf("shop")).filter((tag) => !tag.startsWith("dappservice-")).sort();
    const line = "dimg stages cleanup repo --improper-cache-version";
    const dry = await call(`${line} -nq`);
    assert.deepEqual([dry.code, dry.stdout], [0, `${repo}:${old}\n`], dry.stderr);
    assert.deepEqual(tags(), all);
    const plan = (await call(`${line} -n --json`)).stdout;
    const applied = await call("dimg cleanup repo --plan p.json", { files: { "p.json": plan } });
    assert.equal(applied.code, 0, applied.stderr);
    assert.deepEqual(tags(), all.filter((tag) => tag !== old));

    assert.equal((await call(`dimg restore ${old}`)).code, 0);
    const direct = await call(line);
    assert.equal(direct.code, 0, direct.stderr);
    assert.deepEqual(tags(), all.filter((tag) => tag !== old));

    const edited = plan.replace('"rule": "old stage"', '"rule": "old"');
    const refused = await call("dimg cleanup repo --plan p.json", { files: { "p.json": edited } });
    assert.match(refused.stderr, /is not the project's/);
  });
});
