import assert from "node:assert/strict";
import { cleanupGit } from "../../core/cleanup/git_facts.ts";
import { openPolicies } from "../../core/cleanup/policies.ts";
import type { EngineError } from "../../core/contract/errors.ts";
import { definePlugin, use } from "../../core/contract/plugin.ts";
import { parseJsonPath, textsAt } from "../../plugins/cleanup/_json_path.ts";
import { keepBranches } from "../../plugins/cleanup/branches.ts";
import { keepCommits } from "../../plugins/cleanup/commits.ts";
import { keepCustom } from "../../plugins/cleanup/custom.ts";
import { keepDocker } from "../../plugins/cleanup/docker.ts";
import { keepLast } from "../../plugins/cleanup/last.ts";
import { keepListed } from "../../plugins/cleanup/listed.ts";
import { defaultPolicies, policies } from "../../plugins/builtin/policies.ts";
import { keepPulled } from "../../plugins/cleanup/pulled.ts";
import { keepRecent } from "../../plugins/cleanup/recent.ts";
import { keepSemver } from "../../plugins/cleanup/semver.ts";
import keepDeployed from "../../examples/keep_deployed.ts";
import { commit, git, inTemp, makeRepository } from "../core/git/fixture.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { ago, DAY, HOUR, never, putImage, putMarker } from "./support/publish.ts";
import { keptTags as kept, planFor } from "./support/run.ts";

const env = Deno.env.toObject();

Deno.test("keep-branches keeps branches of the remote, by pattern, age and number for each branch", async () => {
  const registry = new MemoryRegistry();
  const add = (tag: string, value: string, ageMs: number) =>
    putImage(registry, { tag, scheme: "git_branch", value, ageMs });
  await add("main-1", "main", 3 * DAY);
  await add("main-2", "main", 2 * DAY);
  await add("dev", "dev", 50 * DAY);
  await add("gone", "gone", DAY);
  const git = { branches: ["main", "dev"] };
  assert.deepEqual(await kept(registry, { git, policies: [use(keepBranches)] }), ["dev", "main-1", "main-2"]);
  assert.deepEqual(await kept(registry, { git, policies: [use(keepBranches, { perBranch: 1 })] }), [
    "dev",
    "main-2",
  ]);
  assert.deepEqual(await kept(registry, { git, policies: [use(keepBranches, { maxAge: "30d" })] }), [
    "main-1",
    "main-2",
  ]);
  assert.deepEqual(await kept(registry, { git, policies: [use(keepBranches, { branches: "d*" })] }), ["dev"]);
});

Deno.test("keep-commits follows a squash by its tree", async () => {
  const registry = new MemoryRegistry();
  const add = (value: string, tree: string) =>
    putImage(registry, { tag: value, scheme: "git_commit", value, commit: value, tree, ageMs: DAY });
  await add("aaa", "t1");
  await add("bbb", "t2");
  await add("ccc", "t3");
  const git = { commits: { aaa: "t1", squashed: "t2" } };
  assert.deepEqual(await kept(registry, { git, policies: [use(keepCommits)] }), ["aaa", "bbb"]);
});

Deno.test("keep-semver keeps the newest versions of each line, by version and not by date", async () => {
  const registry = new MemoryRegistry();
  const versions = ["1.0.0", "v1.0.10", "1.0.9", "1.1.0", "2.0.0-rc.1", "2.0.0", "x", "1.0"];
  for (const tag of versions) await putImage(registry, { tag, ageMs: DAY });
  const run = (
    options: Parameters<
      typeof use<{ line?: "minor" | "major"; perLine?: number; lines?: number; prereleases?: boolean }>
    >[1],
  ) => kept(registry, { policies: [use(keepSemver as never, options as never)] });
  assert.deepEqual(await run({ perLine: 1 }), ["1.1.0", "2.0.0", "v1.0.10"]);
  assert.deepEqual(await run({ perLine: 2, line: "major" }), ["1.1.0", "2.0.0", "v1.0.10"]);
  assert.deepEqual(await run({ perLine: 2, lines: 1, prereleases: true }), ["2.0.0", "2.0.0-rc.1"]);
});

Deno.test("keep-recent, keep-last, keep-listed and keep-pulled keep what their names say", async () => {
  const registry = new MemoryRegistry({ pulls: true, listing: "times" });
  for (const [tag, ageMs] of [["new", HOUR], ["mid", DAY], ["old", 9 * DAY]] as const) {
    await putImage(registry, { tag, ageMs });
  }
  assert.deepEqual(await kept(registry, { policies: [use(keepRecent)] }), ["new"]);
  assert.deepEqual(await kept(registry, { policies: [use(keepLast, { count: 2 })] }), ["mid", "new"]);
  registry.pulledAt.set(":old", ago(2 * DAY));
  assert.deepEqual(await kept(registry, { policies: [use(keepPulled, { within: "7d" })] }), ["old"]);
  registry.capabilities = { ...registry.capabilities, pulls: false };
  await assert.rejects(kept(registry, { policies: [use(keepPulled)] }), /does not say when/);
  await inTemp(async (projectDir) => {
    await Deno.writeTextFile(`${projectDir}/keep.txt`, "# by hand\nregistry.test/shop:o*  # oldest\n\nmid\n");
    assert.deepEqual(await kept(registry, { projectDir, policies: [use(keepListed)] }), ["mid", "old"]);
    const missing = kept(registry, { projectDir, policies: [use(keepListed, { file: "no.txt" })] });
    await assert.rejects(missing, /Cannot read the list of images to keep/);
  });
});

Deno.test("rules about tags hold where flat names put the dimg before them", async () => {
  for (const [repository, before] of [["", "app-"], ["app", ""]] as const) {
    const registry = new MemoryRegistry();
    await putMarker(registry, "app");
    for (const version of ["nightly-1", "1.2.0", "1.3.0", "other"]) {
      const tag = `${before}${version}`;
      await putImage(registry, { dimg: "app", repository, tag, version, value: "x", ageMs: DAY });
    }
    // Somebody's own tag on one of them: nothing stands before it.
    await putImage(registry, { dimg: "app", repository, tag: "app-mine", version: "other", ageMs: DAY });
    const tags = async (policy: ReturnType<typeof use>, projectDir?: string) =>
      (await kept(registry, { policies: [policy], ...(projectDir !== undefined && { projectDir }) }))
        .filter((tag) => !tag.startsWith("dappservice-"));
    assert.deepEqual(await tags(use(keepCustom, { tags: "nightly-*" })), [`${before}nightly-1`]);
    assert.deepEqual(await tags(use(keepCustom, { tags: `${before}o*` })), [`${before}other`]);
    assert.deepEqual(await tags(use(keepCustom, { tags: "mine" })), []);
    assert.deepEqual(
      await tags(use(keepLast, { tags: ["1.*", "nightly-*"], count: 3 })),
      [
        `${before}1.2.0`,
        `${before}1.3.0`,
        `${before}nightly-1`,
      ].toSorted(),
    );
    assert.deepEqual(await tags(use(keepSemver, { perLine: 1, line: "major" })), [`${before}1.3.0`]);
    await inTemp(async (projectDir) => {
      await Deno.writeTextFile(`${projectDir}/keep.txt`, "1.2.0\n");
      assert.deepEqual(await tags(use(keepListed), projectDir), [`${before}1.2.0`]);
    });
  }
});

Deno.test("policies refuse options that they do not know", async (t) => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["keep-branches", { maxage: "3d" }],
    ["keep-branches", { maxAge: "soon" }],
    ["keep-git-tags", { last: -1 }],
    ["keep-custom", { tags: [] }],
    ["keep-recent", { within: 3 }],
    ["keep-kubernetes", { resources: [{ path: "rollouts" }] }],
    ["keep-kubernetes", { resources: [{ path: "/apis/a/v1/b", images: "a[" }] }],
    ["keep-kubernetes", { namespaces: ["Shop"] }],
    ["keep-kubernetes", { namespaces: [] }],
    ...[
      "https://mirror.test/shop",
      "mirror.test/shop:1",
      "mirror.test/shop/",
      "mirror.test:5000",
      "Mirror/Shop",
      "m/*",
    ]
      .map((aliases) => ["keep-kubernetes", { aliases }] as const),
    ["keep-docker", { aliases: "mirror.test/shop:1" }],
    ["keep-docker", { socket: "docker.sock" }],
    ["keep-semver", { line: "patch" }],
  ];
  for (const [name, options] of wrong) {
    await t.step(`${name} ${JSON.stringify(options)}`, async () => {
      const plugin = policies.find((p) => p.name === name)!;
      await assert.rejects(plugin.load(options, { projectDir: "/", env: {} }), /Cannot load plugin/);
    });
  }
});

Deno.test("openPolicies() takes what is listed, then defaults not listed, and one policy several times", async () => {
  const open = (config: Parameters<typeof openPolicies>[0]["config"], without: readonly string[] = []) =>
    openPolicies({
      config,
      file: "dappfile.yaml",
      builtins: policies,
      defaults: defaultPolicies,
      without,
      host: { projectDir: "/", env: {} },
      context: { signal: never, dryRun: false, emit: () => {} },
    });
  const namesOf = async (...args: Parameters<typeof open>) => {
    await using runner = await open(...args);
    return (runner as unknown as { plugins: { name: string }[] }).plugins.map(({ name }) => name);
  };
  const entry = (name: string, options?: unknown) => ({
    use: name,
    line: 1,
    ...(options !== undefined && { options }),
  });
  const defaults = defaultPolicies.map(({ plugin }) => plugin.name);
  assert.deepEqual(await namesOf(undefined), defaults);
  assert.deepEqual(
    await namesOf(undefined, ["keep-kubernetes"]),
    defaults.filter((n) => n !== "keep-kubernetes"),
  );
  const keep = [entry("keep-custom", { tags: "a*", last: 1 }), entry("keep-custom", { tags: "b*" })];
  assert.deepEqual(
    await namesOf({ keep, defaults: true }),
    ["keep-custom", "keep-custom#2", ...defaults.filter((n) => n !== "keep-custom")],
  );
  assert.deepEqual(await namesOf({ keep, defaults: false }), ["keep-custom", "keep-custom#2"]);
  await assert.rejects(open({ keep: [entry("keep-nothing")], defaults: true }), /keep-nothing/);
});

Deno.test("openPolicies() takes nothing for a policy that does not answer `keep`", async () => {
  const scheme = definePlugin({ name: "tag-team", api: 1, setup: () => ({ tags: () => [] }) });
  const opened = openPolicies({
    config: { keep: [{ use: "tag-team", line: 7 }], defaults: true },
    file: "dappfile.yaml",
    builtins: [...policies, scheme],
    defaults: defaultPolicies,
    host: { projectDir: "/", env: {} },
    context: { signal: never, dryRun: false, emit: () => {} },
  });
  await assert.rejects(opened, (error: EngineError) => {
    assert.equal(error.code, "PLUGIN_OPTIONS_INVALID");
    assert.match(error.message, /"tag-team".*does not answer the hook "keep"/);
    assert.match(error.fix, /under `plugins`/);
    assert.equal(error.details.at, "dappfile.yaml:7");
    return true;
  });
});

Deno.test("row 9: cleanupGit() asks the remote, completes a stale clone and does not believe a shallow one", async () => {
  await inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { a: "1" });
    await git(origin, "tag", "light");
    const first = await commit(origin, { a: "2" });
    await git(origin, "tag", "--annotate", "--message=x", "full");
    await git(dir, "clone", "--quiet", `file://${origin}`, "stale");
    await git(dir, "clone", "--quiet", "--depth=1", `file://${origin}`, "shallow");
    const last = await commit(origin, { a: "3" });
    await git(origin, "branch", "feature/x");
    for (const name of ["stale", "shallow"]) {
      const scratch = () => Promise.resolve(`${dir}/scratch-${name}`);
      await Deno.mkdir(await scratch());
      const refs = await git(`${dir}/${name}`, "for-each-ref");
      // One engine may be asked for several plans.
      await (await cleanupGit(`${dir}/${name}`, { scratch, env, signal: never }))!.commits();
      const facts = (await cleanupGit(`${dir}/${name}`, { scratch, env, signal: never }))!;
      assert.deepEqual([...(await facts.branches()).keys()].sort(), ["feature/x", "main"]);
      assert.equal((await facts.branches()).get("main"), last);
      assert.equal((await facts.tags()).get("full"), first);
      assert.ok((await facts.tags()).has("light"));
      assert.equal((await facts.commits()).size, 3);
      assert.ok((await facts.trees()).has(await git(origin, "rev-parse", `${first}^{tree}`)));
      assert.equal(await git(`${dir}/${name}`, "for-each-ref"), refs);
    }
    await Deno.rename(origin, `${dir}/moved`);
    const facts = (await cleanupGit(`${dir}/stale`, {
      scratch: () => Promise.resolve(dir),
      env,
      signal: never,
    }))!;
    await assert.rejects(facts.branches(), /Cannot ask the remote for its branches and tags/);
    assert.equal(
      await cleanupGit(`${dir}`, { scratch: () => Promise.resolve(dir), env, signal: never }),
      undefined,
    );
  });
});

Deno.test("row 9: cleanupGit() believes the project's remote, whatever its name, and no repository that knows nothing", async () => {
  await inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { a: "1" });
    await git(origin, "branch", "only-there");
    const facts = (name: string) =>
      cleanupGit(`${dir}/${name}`, { scratch: () => Promise.resolve(dir), env, signal: never });
    await git(dir, "clone", "--quiet", "--origin=upstream", `file://${origin}`, "clone");
    assert.ok((await (await facts("clone"))!.branches()).has("only-there"));
    await git(`${dir}/clone`, "remote", "add", "fork", "file:///nowhere");
    await assert.rejects(facts("clone"), /has the remotes fork, upstream, but no "origin"/);
    await git(dir, "config", "--file=included", "remote.origin.url", `file://${origin}`);
    await git(dir, "init", "--quiet", "--initial-branch=main", "included-url");
    await git(`${dir}/included-url`, "config", "include.path", `${dir}/included`);
    assert.ok((await (await facts("included-url"))!.branches()).has("only-there"));
    await git(dir, "init", "--quiet", "--initial-branch=main", "fetched");
    await git(`${dir}/fetched`, "fetch", "--quiet", "--depth=1", `file://${origin}`, "main");
    await git(`${dir}/fetched`, "checkout", "--quiet", "--detach", "FETCH_HEAD");
    assert.equal(await facts("fetched"), undefined);
    await git(`${dir}/fetched`, "checkout", "--quiet", "-b", "main");
    await assert.rejects((await facts("fetched"))!.branches(), /is shallow and has no remote/);
    assert.ok((await (await facts("origin"))!.branches()).has("only-there"));
  });
});

Deno.test("textsAt() follows JSON paths", () => {
  const object = { spec: { containers: [{ image: "a" }, { image: "b" }], "x.y": { image: "c" } } };
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["$.spec.containers[*].image", ["a", "b"]],
    ["{.spec.containers[1].image}", ["b"]],
    ["spec['x.y'].image", ["c"]],
    ["..image", ["a", "b", "c"]],
    ["spec.nothing[*].image", []],
  ];
  for (const [path, texts] of cases) assert.deepEqual(textsAt(object, parseJsonPath(path)), texts, path);
  for (const path of ["", "$", "a[", "a[x]", "a b"]) {
    assert.throws(() => parseJsonPath(path), SyntaxError, path);
  }
});

/** A server of JSON by path. */
function serve(answers: Readonly<Record<string, unknown>>) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    const answer = answers[new URL(request.url).pathname];
    return typeof answer === "number" ? new Response("x", { status: answer }) : Response.json(answer);
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("row 4: keep-docker only reads, keeps what containers were made from, by the digest they really run, and fails closed", async () => {
  const registry = new MemoryRegistry();
  const moved = await putImage(registry, { tag: "old-name", salt: "1" });
  await putImage(registry, { tag: "named" });
  await putImage(registry, { tag: "unused", salt: "2" });
  await inTemp(async (dir) => {
    const socket = `${dir}/docker.sock`;
    const server = Deno.serve({ path: socket, onListen: () => {} }, (request) => {
      assert.equal(request.method, "GET");
      const id = "sha256:" + "1".repeat(64);
      return Response.json(
        request.url.includes("/containers/")
          ? [{ Names: ["/web"], Image: "registry.test/shop:named", ImageID: "sha256:" + "2".repeat(64) }, {
            Names: ["/db"],
            Image: "registry.test/shop:latest",
            ImageID: id,
          }]
          : [{ Id: id, RepoTags: null, RepoDigests: [`registry.test/shop@${moved}`] }],
      );
    });
    const run = () => kept(registry, { policies: [use(keepDocker, { socket })] });
    assert.deepEqual(await run(), ["named", "old-name"]);
    await server.shutdown();
    await assert.rejects(run(), /Cannot find out what Docker uses on this host/);
  });
});

Deno.test("examples/keep_deployed.ts keeps what the service names and fails closed", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "live" });
  const pinned = await putImage(registry, { tag: "pinned", salt: "1" });
  await putImage(registry, { tag: "idle", salt: "2" });
  const run = (url: string) => kept(registry, { policies: [use(keepDeployed, { url })] });
  await using service = serve({
    "/good": ["registry.test/shop:live", `registry.test/shop@${pinned}`],
    "/odd": { images: [] },
    "/down": 503,
  });
  assert.deepEqual(await run(`${service.url}/good`), ["live", "pinned"]);
  await assert.rejects(run(`${service.url}/odd`), /answered 200 with no list of image references/);
  await assert.rejects(run(`${service.url}/down`), /answered 503/);
});

Deno.test("collectKeeps() refuses a reason for an image that does not exist", async () => {
  const registry = new MemoryRegistry();
  await putImage(registry, { tag: "live" });
  const wrong = use({
    name: "keep-typo",
    optionsSchema: () => Promise.resolve(undefined),
    load: () => Promise.resolve({ keep: () => [{ reference: "shop:live", rule: "x", why: "y" }] }),
  });
  await assert.rejects(planFor(registry, { policies: [wrong] }), /the inventory has no such image or stage/);
});
