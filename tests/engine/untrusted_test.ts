/** Repositories of strangers, who want what this machine has. */
import assert from "node:assert/strict";
import { type EngineError, type EngineOptions, use } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { imageTree } from "../support/image_tree.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { run } from "../support/process.ts";

function engineOf(project: TestProject, options: EngineOptions = {}, log = new FakeBuilderLog()) {
  return project.engine({ plugins: [use(fakeBuilder(log))], untrusted: true, ...options });
}

async function refusal(project: TestProject, options: EngineOptions = {}): Promise<EngineError> {
  await using engine = engineOf(project, options);
  try {
    await engine.build();
  } catch (error) {
    return error as EngineError;
  }
  throw new Error("The build was not refused");
}

const plain = `
dimg: app
from: scratch
git: [{ to: /app, excludePaths: [dappfile.yaml] }]
shell: { install: ["write a 1"] }
`;

Deno.test("a dappfile of strangers is refused with the line of everything that it may not want", async () => {
  const base = await busyboxBase();
  const dappfile = `
plugins:
  - ./evil.ts
  - use: npm:evil
cleanup: { keep: [./policy.ts, keep-recent] }
---
dimg: app
from: oci:${base}:latest
git:
  - { to: /app, stageDependencies: { visible: all } }
  - { url: /srv/private, to: /p }
  - { url: "git@example.com:me/private.git", to: /q }
  - { url: file:///srv/private, to: /r }
mount:
  - { to: /root, fromPath: /root }
  - { to: /tmp/x, from: tmp_dir }
secrets:
  - { id: t, env: TOKEN }
ssh: default
network: host
shell: { install: ["write a 1"] }
---
artifact: b
from: archive:../b.tar
`;
  await withProject({ "dappfile.yaml": dappfile, "evil.ts": `throw new Error("ran");` }, async (project) => {
    const error = await refusal(project, { env: { TOKEN: "x" } });
    assert.equal(error.code, "UNTRUSTED_REFUSED");
    assert.deepEqual(error.details.problems?.map(({ line, message }) => [line, message]), [
      [3, 'Plugin "./evil.ts" would run as this user'],
      [4, 'Plugin "npm:evil" would run as this user'],
      [5, 'Policy "./policy.ts" would run as this user'],
      [7, `Base image "oci:${base}:latest" is outside of the project`],
      [15, 'Mount of "/root" would show files of this machine'],
      [18, 'Secret "t" would be shown to its commands'],
      [7, "`ssh` would let its commands use the keys of the ssh agent"],
      [7, "`network: host` would let its commands reach what is on this machine"],
      [
        10,
        "`visible: all` lets commands see what signatures do not cover: trusted builds would take their stages",
      ],
      [11, 'Repository "/srv/private" is on this machine'],
      [12, 'Repository "git@example.com:me/private.git" would be read with this user\'s ssh keys'],
      [13, 'Repository "file:///srv/private" is on this machine'],
      [23, 'Base image "archive:../b.tar" is outside of the project'],
    ]);
  });
});

Deno.test("a dappfile of strangers sees no environment, and nothing is remembered for those who trust it", async () => {
  const dappfile =
    `dimg: app\nfrom: scratch\ndocker: { LABEL: { a: "\${{ env.TOKEN }}", b: "\${{ env.TOKEN || 'none' }}" } }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const env = { TOKEN: "CANARY" };
    const error = await refusal(project, { env });
    assert.equal(error.code, "CONFIG_INVALID");
    assert.deepEqual(error.details.problems?.map(({ line, message }) => [line, message]), [[
      3,
      'Environment variable "TOKEN" is not set for a dappfile read with --untrusted',
    ]]);
    await project.write({ "dappfile.yaml": dappfile.replace(/a: "[^"]*", /, "") });
    const labels = async (untrusted: boolean) => {
      await using engine = engineOf(project, { env, untrusted });
      return (await engine.build()).images[0]!.state.config.config?.Labels;
    };
    assert.deepEqual(await labels(true), { b: "none" });
    assert.deepEqual(await labels(false), { b: "CANARY" });
    assert.deepEqual(await labels(true), { b: "none" });
  });
});

Deno.test("what strangers leave in build_dir is found by nobody, and proxies come without logins", async () => {
  const dappfile =
    `dimg: app\nfrom: scratch\nmount: [{ to: /c, from: build_dir }]\nshell: { install: ["write a 1"] }\n`;
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    const log = new FakeBuilderLog();
    const env = { https_proxy: "http://user:CANARY@proxy:1", HTTP_PROXY: "user:CANARY@proxy:1" };
    await using engine = engineOf(project, { env }, log);
    await engine.build();
    assert.deepEqual(log.steps[0]?.mounts, [{ kind: "tmp", target: "/c" }]);
    assert.deepEqual([log.steps[0].env.https_proxy, log.steps[0].env.HTTP_PROXY], [
      "http://proxy:1",
      "proxy:1",
    ]);
  });
});

Deno.test("dappfile and lock file of strangers are files of their own", async (t) => {
  await withProject({ "dappfile.yaml": plain }, async (project) => {
    const outside = `${project.dir}/../outside`;
    await Deno.writeTextFile(outside, "CANARY: [\n");
    const cases: readonly (readonly [string, (path: string) => Promise<unknown>])[] = [
      ["a link", (path) => Deno.symlink(outside, path)],
      ["a link to nothing", (path) => Deno.symlink("/nonexistent", path)],
      ["a FIFO", (path) => run(["mkfifo", path])],
      ["a directory", (path) => Deno.mkdir(path)],
      ["a file of a terabyte", (path) =>
        Deno.open(path, { create: true, write: true }).then(async (file) => {
          using own = file;
          await own.truncate(1e12);
        })],
    ];
    for (const name of ["dappfile.yaml", "dappfile.lock"]) {
      for (const [what, make] of cases) {
        await t.step(`${name} is ${what}`, async () => {
          const path = `${project.dir}/${name}`;
          const before = await Deno.readFile(path).catch(() => undefined);
          await Deno.remove(path, { recursive: true }).catch(() => {});
          await make(path);
          const error = await refusal(project);
          assert.equal(error.code, "UNTRUSTED_REFUSED");
          assert.doesNotMatch(JSON.stringify([error.message, error.details]), /CANARY/);
          await Deno.remove(path, { recursive: true });
          if (before) await Deno.writeFile(path, before);
        });
      }
    }
    await t.step("below a link", async () => {
      await Deno.mkdir(`${project.dir}/../elsewhere`);
      await Deno.writeTextFile(`${project.dir}/../elsewhere/d.yaml`, plain);
      await Deno.symlink("../elsewhere", `${project.dir}/sub`);
      const error = await refusal(project, { config: "sub/d.yaml" });
      assert.match(error.message, /sub" is a link/);
      await Deno.remove(`${project.dir}/sub`);
    });
  });
});

Deno.test("git runs nothing that the configuration of a strangers' repository names", async (t) => {
  for (const dev of [false, true]) {
    await t.step(dev ? "with --dev" : "as committed", async () => {
      await withProject({ "dappfile.yaml": plain, f: "text\n", g: "second\n" }, async (project) => {
        const mark = `${project.dir}/../ran`;
        const evil = `${project.dir}/../evil`;
        await Deno.writeTextFile(evil, `#!/bin/sh\necho "$0 $*" >>${mark}\ncat\n`);
        await Deno.chmod(evil, 0o755);
        await project.write({ ".gitattributes": "f filter=evil diff=evil\ng filter=evil\n" });
        await project.commit();
        await Deno.writeTextFile(
          `${project.dir}/../included`,
          `[filter "evil"]\nclean = ${evil}\nsmudge = ${evil}\nrequired = true\n`,
        );
        for (
          const [key, value] of [
            ["include.path", `${project.dir}/../included`],
            ["core.fsmonitor", evil],
            ["core.hooksPath", `${project.dir}/../`],
            ["core.sshCommand", evil],
            ["core.pager", evil],
            ["core.gitProxy", evil],
            ["diff.evil.textconv", evil],
            ["remote.origin.url", `ext::${evil}`],
            ["remote.origin.promisor", "true"],
            ["remote.origin.uploadpack", evil],
            ["extensions.partialClone", "origin"],
            ["protocol.ext.allow", "always"],
            ["core.worktree", "/"],
            ["core.attributesFile", evil],
            ["log.showSignature", "true"],
            ["gpg.program", evil],
            ["credential.helper", `!${evil}`],
          ] as const
        ) await run(["git", "config", "-f", `${project.dir}/.git/config`, key, value]);
        for (const hook of ["post-index-change", "pre-commit", "reference-transaction"]) {
          await Deno.copyFile(evil, `${project.dir}/.git/hooks/${hook}`);
        }
        await project.write({ f: "changed\n", h: "untracked\n" });
        const { images, tree } = await (async () => {
          await using engine = engineOf(project, { dev });
          const { images } = await engine.build();
          await engine.explain();
          return { images, tree: await imageTree(project.home, images[0]!.state.layers) };
        })();
        assert.equal(images.length, 1);
        assert.equal(tree["app/f"], `644 0:0 ${dev ? "changed" : "text"}\n`);
        assert.equal("app/h" in tree, dev);
        assert.equal(await Deno.readTextFile(mark).catch(() => ""), "");
      });
    });
  }
});

Deno.test("a strangers' repository holds its own objects", async (t) => {
  await withProject({ "dappfile.yaml": plain, f: "1" }, async (project) => {
    const dir = project.dir.slice(0, project.dir.lastIndexOf("/"));
    await withProject({ secret: "CANARY" }, async (victim) => {
      const git = `${project.dir}/.git`;
      const cases: readonly (readonly [string, () => Promise<unknown>, () => Promise<unknown>])[] = [
        [
          "by alternates",
          () => Deno.writeTextFile(`${git}/objects/info/alternates`, `${victim.dir}/.git/objects\n`),
          () => Deno.remove(`${git}/objects/info/alternates`),
        ],
        [
          "by a link to objects",
          async () => {
            await Deno.rename(`${git}/objects`, `${dir}/objects`);
            await Deno.symlink(`${victim.dir}/.git/objects`, `${git}/objects`);
          },
          async () => {
            await Deno.remove(`${git}/objects`);
            await Deno.rename(`${dir}/objects`, `${git}/objects`);
          },
        ],
        [
          "by a link to packs",
          () => Deno.symlink(`${victim.dir}/.git/objects/pack`, `${git}/objects/more`),
          () => Deno.remove(`${git}/objects/more`),
        ],
        [
          "by a link to HEAD",
          async () => {
            await Deno.rename(`${git}/HEAD`, `${dir}/HEAD`);
            await Deno.symlink(`${victim.dir}/.git/HEAD`, `${git}/HEAD`);
          },
          async () => {
            await Deno.remove(`${git}/HEAD`);
            await Deno.rename(`${dir}/HEAD`, `${git}/HEAD`);
          },
        ],
        [
          "by a .git file",
          async () => {
            await Deno.rename(git, `${dir}/git`);
            await Deno.writeTextFile(git, `gitdir: ${victim.dir}/.git\n`);
          },
          async () => {
            await Deno.remove(git);
            await Deno.rename(`${dir}/git`, git);
          },
        ],
        [
          "by a link to .git",
          async () => {
            await Deno.rename(git, `${dir}/git`);
            await Deno.symlink(`${victim.dir}/.git`, git);
          },
          async () => {
            await Deno.remove(git);
            await Deno.rename(`${dir}/git`, git);
          },
        ],
      ];
      for (const [what, make, undo] of cases) {
        await t.step(what, async () => {
          await make();
          assert.equal((await refusal(project)).code, "UNTRUSTED_REFUSED");
          await undo();
        });
      }
    });
    await using engine = engineOf(project);
    assert.equal((await engine.build()).images.length, 1);
  });
});

Deno.test("a harmless project gives strangers the same image as everybody, of SHA-256 repositories and layouts too", async (t) => {
  const base = await busyboxBase();
  await withProject(
    { "dappfile.yaml": plain, "d/f": { text: "#!x", mode: 0o755 }, l: { link: "d/f" } },
    async (project) => {
      const digest = async (untrusted: boolean, dev = false) => {
        await using engine = engineOf(project, { untrusted, dev });
        return (await engine.build()).images[0]!.digest;
      };
      assert.equal(await digest(true), await digest(false));
      await project.git("gc", "-q");
      await project.git("checkout", "-q", "--detach");
      await project.write({ "d/g": "new" });
      assert.equal(await digest(true, true), await digest(false, true));
      await t.step("a layout in the project", async () => {
        await run(["cp", "-r", base, `${project.dir}/base`]);
        await project.write({ "dappfile.yaml": plain.replace("from: scratch", "from: oci:./base:latest") });
        await digest(true);
        await Deno.rename(`${project.dir}/base/index.json`, `${project.dir}/../index.json`);
        await Deno.symlink("../../index.json", `${project.dir}/base/index.json`);
        assert.equal((await refusal(project)).code, "UNTRUSTED_REFUSED");
      });
      await t.step("SHA-256", async () => {
        const dir = `${project.dir}/../other`;
        await run(["git", "init", "-q", "--object-format=sha256", dir]);
        const other = openProject(dir, project.home);
        await other.write({ "dappfile.yaml": plain, f: "x" });
        await other.commit();
        await using engine = engineOf(other);
        assert.equal((await engine.build()).images.length, 1);
      });
    },
  );
});
