/** Git repositories of strangers: as they are checked out here, and as servers send them. */
import assert from "node:assert/strict";
import { type EngineError, type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { freePort } from "../support/free_port.ts";
import { imageTree } from "../support/image_tree.ts";
import { endDaemon, run } from "../support/process.ts";
import { openProject, startProject, type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";

const plain = "dimg: app\nfrom: scratch\ngit: [{ to: /app, excludePaths: [dappfile.yaml] }]\n";

async function treeOf(project: TestProject, options: EngineOptions = {}) {
  const plugins = [use(fakeBuilder(new FakeBuilderLog()))];
  await using engine = project.engine({ plugins, untrusted: true, ...options });
  const { images } = await engine.build();
  return await imageTree(project.home, images[0]!.state.layers);
}

async function failure(project: TestProject, options: EngineOptions = {}): Promise<EngineError> {
  return await treeOf(project, options).then(
    () => assert.fail("The build did not fail"),
    (error) => error as EngineError,
  );
}

/** Repositories below a directory, which anybody may read at `url`. */
async function withServer(body: (dir: string, url: string) => Promise<void>): Promise<void> {
  const programs = (await run(["git", "--exec-path"])).stdout.trim();
  await withTempDir(async (dir) => {
    const port = freePort();
    const daemon = new Deno.Command(`${programs}/git-daemon`, {
      args: [
        "--export-all",
        "--reuseaddr",
        "--listen=127.0.0.1",
        `--port=${port}`,
        `--base-path=${dir}`,
        dir,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const connects = () => Deno.connect({ hostname: "127.0.0.1", port }).then((c) => c.close() ?? true);
      await until(() => connects().catch(() => false), "the daemon of git does not listen");
      await body(dir, `git://127.0.0.1:${port}`);
    } finally {
      await endDaemon(daemon);
    }
  });
}

Deno.test("submodules of a repository elsewhere are read as strangers read them, and not by this user's keys", async () => {
  await withServer(async (dir, url) => {
    const secret = await startProject(`${dir}/secret`, { s: "CANARY" });
    const commit = await secret.git("rev-parse", "HEAD");
    const evil = await startProject(`${dir}/evil`, {
      f: "f",
      ".gitmodules": '[submodule "s"]\n\tpath = s\n\turl = ssh://keys.invalid/secret\n',
    });
    await evil.git("update-index", "--add", "--cacheinfo", `160000,${commit},s`);
    await evil.git("commit", "-q", "-m", "s");
    const ssh = `${dir}/ssh`;
    await Deno.writeTextFile(ssh, `#!/bin/sh\ntouch ${dir}/used\nexec git-upload-pack ${secret.dir}\n`);
    await Deno.chmod(ssh, 0o755);
    const env = { ...Deno.env.toObject(), GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: "simple" };
    const dappfile = `dimg: app\nfrom: scratch\ngit: [{ url: "${url}/evil/project", to: /e }]\n`;
    const project = await startProject(`${dir}/own`, { "dappfile.yaml": dappfile });
    const error = await failure(project, { env });
    assert.match(error.message, /transport 'ssh' not allowed/);
    assert.equal(await Deno.stat(`${dir}/used`).catch(() => undefined), undefined);
    // What was brought for those who are trusted is not found by the id of its commit either.
    assert.equal((await treeOf(project, { env, untrusted: false }))["e/s/s"], "644 0:0 CANARY");
    const git = `git: [{ url: "${url}/evil/project", commit: ${commit}, to: /e }]`;
    await project.write({ "dappfile.yaml": `dimg: app\nfrom: scratch\n${git}\n` });
    assert.equal((await failure(project, { env })).code, "GIT_FAILED");
  });
});

Deno.test("git runs nothing that the configuration of a strangers' submodule names", async (t) => {
  await withProject({ "dappfile.yaml": plain }, async (project) => {
    const above = project.dir.slice(0, project.dir.lastIndexOf("/"));
    const inner = await startProject(`${above}/inner`, { ".gitattributes": "f filter=evil\n", f: "text" });
    await project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", inner.dir, "sub");
    await project.commit();
    const mark = `${above}/ran`;
    const sub = openProject(`${project.dir}/sub`, project.home);
    await sub.git("config", "filter.evil.clean", `touch ${mark}; cat`);
    await sub.git("config", "core.fsmonitor", `touch ${mark}; false`);
    await sub.write({ f: "TEXT" }); // as long as before, so that git has to look
    for (const dev of [false, true]) {
      await t.step(dev ? "with --dev" : "as committed", async () => {
        assert.equal((await treeOf(project, { dev }))["app/sub/f"], "644 0:0 text");
        assert.equal(await Deno.stat(mark).catch(() => undefined), undefined);
      });
    }
  });
});

Deno.test("objects of a strangers' repository that are not what their ids say reach nobody who is trusted", async (t) => {
  const files = { "dappfile.yaml": plain, f: "good\n", "d/g": "g\n", empty: "" };
  const original = (await treeOfTrusted(files)).tree;
  const cases: readonly (readonly [string, string, (content: string) => string])[] = [
    ["a file", "HEAD:f", () => "evil\n"],
    ["a file, longer", "HEAD:d/g", () => "evil".repeat(100_000)],
    ["an empty file", "HEAD:empty", () => "evil"],
    ["a file that is empty", "HEAD:f", () => ""],
    [
      "a directory, of which it can be told only who reads it",
      "HEAD:d",
      (tree) => tree.replace(" g\0", " x\0"),
    ],
  ];
  for (const [what, name, change] of cases) {
    for (const dev of [false, true]) {
      await t.step(`${what}${dev ? ", with --dev" : ""}`, async () => {
        const { tree } = await treeOfTrusted(files, async (project) => {
          await withTempDir(async (dir) => {
            await run(["cp", "-r", project.dir, `${dir}/project`]);
            const copy = openProject(`${dir}/project`, project.home);
            await forge(copy, await copy.git("rev-parse", name), change);
            if (dev) await copy.write({ more: "1" });
            const result = await treeOf(copy, { dev }).catch((error: EngineError) => error);
            if (what.includes("file")) assert.match(String(result), /is not what its name says/);
          });
        });
        assert.deepEqual(tree, original);
      });
    }
  }
});

/** What a trusted build of a project gives, in the store of a build before it. */
async function treeOfTrusted(
  files: Readonly<Record<string, string>>,
  before: (project: TestProject) => Promise<void> = () => Promise.resolve(),
) {
  let tree: Record<string, string> = {};
  await withProject(files, async (project) => {
    await before(project);
    tree = await treeOf(project, { untrusted: false });
  });
  return { tree };
}

/** Puts another content in place of a loose object. */
async function forge(project: TestProject, id: string, change: (content: string) => string): Promise<void> {
  const path = `${project.dir}/.git/objects/${id.slice(0, 2)}/${id.slice(2)}`;
  const pass = async (bytes: Uint8Array<ArrayBuffer>, through: CompressionStream | DecompressionStream) =>
    new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(through)).arrayBuffer());
  // Bytes as characters, since trees hold ids.
  const old = Array.from(
    await pass(await Deno.readFile(path), new DecompressionStream("deflate")),
    (byte) => String.fromCharCode(byte),
  ).join("");
  const content = change(old.slice(old.indexOf("\0") + 1));
  const object = `${old.slice(0, old.indexOf(" "))} ${content.length}\0${content}`;
  const bytes = Uint8Array.from(object, (character) => character.charCodeAt(0));
  await Deno.chmod(path, 0o644);
  await Deno.writeFile(path, await pass(bytes, new CompressionStream("deflate")));
}
