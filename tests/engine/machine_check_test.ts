/** What `dapp doctor` finds out, on machines that lack something. */
import assert from "node:assert/strict";
import { rowOfStore } from "../../core/machine_check/check.ts";
import { createEngine } from "../../mod.ts";
import { withTempDir } from "../support/tmp.ts";
import { denoDir, run } from "../support/process.ts";

type Files = Readonly<Record<string, string>>;

/** The rows for a project with these files, by name; `env` has HOME in a fresh directory. */
async function rowsOf(
  files: Files,
  options: {
    readonly env?: (dir: string) => Readonly<Record<string, string>>;
    readonly repo?: string;
    readonly config?: string;
    readonly prepare?: (dir: string) => Promise<unknown>;
  } = {},
) {
  return await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/project`);
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${dir}/${name}`, text);
    await options.prepare?.(dir);
    await using engine = createEngine({
      dir: `${dir}/project`,
      home: `${dir}/store`,
      env: { HOME: dir, ...options.env?.(dir) },
      ...(options.repo !== undefined && { repo: options.repo }),
      ...(options.config !== undefined && { config: options.config }),
    });
    const { canBuild, checks } = await engine.checkMachine();
    return { canBuild, row: (name: string) => checks.find((check) => check.name === name) };
  });
}

Deno.test("a store without room for a base image is none to build in", () => {
  assert.deepEqual(rowOfStore("/s", 20 * 2 ** 20), {
    name: "store",
    result: "missing",
    detail: "/s has no room: 20 MiB free",
    fix: "Free space there, such as with: dapp dimg cleanup; or name another directory with --home",
  });
  assert.match(rowOfStore("/s", 3 * 2 ** 30).detail, /^\/s, 3\.0 GiB free/);
  assert.equal(rowOfStore("/s", undefined).result, "ok");
});

Deno.test("checkMachine() needs no project; what nobody asked for is unset, with what to do", async () => {
  const { row } = await rowsOf({});
  assert.equal(row("git")?.result, "ok");
  assert.equal(row("store")?.result, "ok");
  assert.equal(row("logins")?.result, "ok");
  assert.deepEqual(
    [row("dappfile"), row("REPO"), row("builder buildkit")].map((each) => [
      each?.result,
      each?.fix?.split(",")[0],
    ]),
    [
      ["unset", "Write one with: dapp init"],
      ["unset", "Name one with --repo"],
      ["unset", "Set BUILDKIT_HOST"],
    ],
  );
  assert.equal(
    row("builder buildkit")?.detail,
    "not set up; Dockerfiles need it, all else works without",
  );
});

Deno.test("checkMachine() says what of git is there for the images of a project", async () => {
  const dappfile = { "project/dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /a, to: /a }]\n" };
  const outside = await rowsOf(dappfile);
  assert.equal(outside.row("repository")?.result, "unset");
  assert.match(outside.row("repository")?.fix ?? "", /git init, then commit/);

  const git = (dir: string, ...args: readonly string[]) =>
    run(["git", "-C", `${dir}/project`, "-c", "user.name=T", "-c", "user.email=t@example.com", ...args]);
  const empty = await rowsOf(dappfile, { prepare: (dir) => git(dir, "init", "--quiet", "-b", "trunk") });
  assert.equal(empty.row("repository")?.result, "unset");
  assert.match(empty.row("repository")?.detail ?? "", /no commits yet/);

  const made = await rowsOf(dappfile, {
    prepare: async (dir) => {
      await git(dir, "init", "--quiet", "-b", "trunk");
      await git(dir, "add", ".");
      await git(dir, "commit", "--quiet", "-m", "first");
    },
  });
  assert.equal(made.row("repository")?.result, "ok");
  assert.match(made.row("repository")?.detail ?? "", /^commit [0-9a-f]{8} of trunk$/);
});

Deno.test("checkMachine() misses BuildKit where images of the project are Dockerfiles, and there alone", async () => {
  const dockerfiles =
    "dimg: web\ndockerfile: Dockerfile\n---\nartifact: api\ndockerfile: x\n---\ndimg: c\nfrom: scratch\n";
  const { canBuild, row } = await rowsOf({ "project/dappfile.yaml": dockerfiles });
  assert.equal(canBuild, false);
  const { result, detail, fix } = row("builder buildkit")!;
  assert.deepEqual([result, detail], [
    "missing",
    "not set up, and web and 1 more are built from Dockerfiles",
  ]);
  assert.match(fix ?? "", /Set BUILDKIT_HOST/);
  const without = await rowsOf({ "project/dappfile.yaml": "dimg: c\nfrom: scratch\n" });
  assert.equal(without.row("builder buildkit")?.result, "unset");
  assert.equal(without.canBuild, without.row("builder native")?.result === "ok");
});

Deno.test("checkMachine() says of a BuildKit that is not there what a build says", async () => {
  const { row } = await rowsOf({}, { env: (dir) => ({ BUILDKIT_HOST: `unix://${dir}/none.sock` }) });
  const buildkit = row("builder buildkit");
  assert.equal(buildkit?.result, "missing");
  assert.match(buildkit?.detail ?? "", /none\.sock/);
  assert.ok(buildkit?.fix);
});

Deno.test("checkMachine() goes on where the dappfile, the logins or REPO are broken", async () => {
  const broken = await rowsOf({ "project/dappfile.yaml": "dimg: app\nform: scratch\n" });
  assert.equal(broken.row("dappfile")?.result, "invalid");
  assert.equal(broken.row("dappfile")?.fix, "See the lines with: dapp config check");
  assert.equal(broken.row("REPO")?.result, "unset");
  assert.equal(broken.row("store")?.result, "ok");

  const helper = JSON.stringify({ credHelpers: { "registry.example.com": "dapp-absent" } });
  const logins = await rowsOf({ "config.json": helper }, { env: (dir) => ({ DOCKER_CONFIG: dir }) });
  assert.equal(logins.row("logins")?.result, "invalid");
  assert.match(logins.row("logins")?.detail ?? "", /docker-credential-dapp-absent.*not installed/);

  const unnamed = await rowsOf({}, { repo: "registry.example.com/Shop" });
  assert.equal(unnamed.row("REPO")?.result, "invalid");

  const elsewhere = await rowsOf({}, { config: "none.yaml" });
  assert.equal(elsewhere.row("dappfile")?.result, "missing");

  const layout = await rowsOf({ "project/dappfile.yaml": "dimg: app\nfrom: scratch\n" }, { repo: "oci:out" });
  assert.equal(layout.row("dappfile")?.result, "ok");
  assert.equal(layout.row("REPO")?.result, "ok");

  // A port that was free a moment ago, with nobody behind it.
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const lost = await rowsOf({
    "project/dappfile.yaml": `project: p\nrepo: 127.0.0.1:${port}/p\n---\ndimg: app\nfrom: scratch\n`,
  });
  assert.equal(lost.row("REPO")?.result, "missing");
  assert.match(lost.row("REPO")?.detail ?? "", new RegExp(`127\\.0\\.0\\.1:${port}`));
});

Deno.test("dapp doctor without any program in PATH names what to install, and ends with 1", async () => {
  await withTempDir(async (dir) => {
    const cli = new URL("../../cli.ts", import.meta.url).pathname;
    const argv = [Deno.execPath(), "run", "-A", "--no-check", cli, "doctor", "--json", "--dir", dir];
    const env = { PATH: `${dir}/bin`, HOME: dir, DENO_DIR: await denoDir() };
    const { code, stdout } = await run(argv, { cwd: dir, env, inheritEnv: false, allowFailure: true });
    const { canBuild, checks }: { canBuild: boolean; checks: { name: string; fix?: string }[] } = JSON.parse(
      stdout,
    );
    const fix = (name: string) => checks.find((check) => check.name === name)?.fix;
    assert.deepEqual([code, canBuild], [1, false]);
    assert.match(fix("git") ?? "", /Install git/);
    assert.match(fix("builder native") ?? "", /Install the package util-linux/);
  });
});
