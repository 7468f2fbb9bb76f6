import assert from "node:assert/strict";
import { ConfigurationFiles } from "../../../core/git/configuration.ts";
import {
  type FileSpec,
  openProject,
  type TestProject,
  withProject,
  writeFiles,
} from "../../support/project.ts";
import { withTempDir } from "../../support/tmp.ts";
import { memoryMemo, open } from "./fixture.ts";

/**
 * What of `files`, relative to the project directory `at` of the repository, HEAD does not hold as it is: when git is
 * asked for that, and the same when the files of HEAD are known.
 */
async function missing(dir: string, files: readonly string[], memo = memoryMemo()) {
  const found = await missingIn(dir, files, memo, { listed: false });
  assert.deepEqual(await missingIn(dir, files, memoryMemo(), { listed: true }), found);
  return found;
}

async function missingIn(
  dir: string,
  files: readonly string[],
  memo: ReturnType<typeof memoryMemo>,
  { listed }: { readonly listed: boolean },
) {
  const repository = await open(dir, { memo });
  const { commit, uncommitted } = await repository.head();
  const tree = listed ? await repository.tree() : undefined;
  assert.equal(await repository.listed(commit!), tree);
  const paths = files.map((file) => file.startsWith("/") ? file : `${dir}/${file}`);
  return await (await ConfigurationFiles.of(repository, paths)).missing(commit!, uncommitted, memo);
}

const main = ["dappfile.yaml", "dappfile.lock"];

interface Case {
  readonly title: string;
  readonly committed: Readonly<Record<string, FileSpec>>;
  readonly change?: (project: TestProject) => Promise<unknown>;
  /** Below the root of the repository. */
  readonly dir?: string;
  readonly files?: readonly string[];
  readonly want: readonly string[];
}

const cases: readonly Case[] = [
  { title: "all is committed", committed: { "dappfile.yaml": "a", "dappfile.lock": "l" }, want: [] },
  { title: "there is no lock file", committed: { "dappfile.yaml": "a" }, want: [] },
  {
    title: "other files do not matter",
    committed: { "dappfile.yaml": "a", "b": "b" },
    change: (p) => p.write({ b: "2", c: "c", "x/dappfile.yaml": "x" }),
    want: [],
  },
  {
    title: "a changed dappfile",
    committed: { "dappfile.yaml": "a" },
    change: (p) => p.write({ "dappfile.yaml": "b" }),
    want: ["dappfile.yaml"],
  },
  {
    title: "a staged dappfile",
    committed: { "dappfile.yaml": "a" },
    change: (p) => p.write({ "dappfile.yaml": "b" }).then(() => p.git("add", "-A")),
    want: ["dappfile.yaml"],
  },
  {
    title: "a dappfile and a lock file that were never added",
    committed: { b: "b" },
    change: (p) => p.write({ "dappfile.yaml": "b", "dappfile.lock": "l" }),
    want: ["dappfile.lock", "dappfile.yaml"],
  },
  {
    title: "a lock file that was removed",
    committed: { "dappfile.yaml": "a", "dappfile.lock": "l" },
    change: (p) => p.remove("dappfile.lock"),
    want: ["dappfile.lock"],
  },
  {
    title: "an ignored dappfile",
    committed: { ".gitignore": "dappfile.*\n" },
    change: (p) => p.write({ "dappfile.yaml": "b" }),
    want: ["dappfile.yaml"],
  },
  {
    title: "a dappfile in an untracked directory",
    committed: { b: "b" },
    change: (p) => p.write({ "ops/x/d.yaml": "b" }),
    files: ["ops/x/d.yaml", "dappfile.lock"],
    want: ["ops/x/d.yaml"],
  },
  {
    title: "a project below the root",
    committed: { "svc/a/dappfile.yaml": "a", "dappfile.yaml": "a" },
    change: (p) => p.write({ "svc/a/dappfile.yaml": "b", "dappfile.yaml": "b" }),
    dir: "svc/a",
    want: ["dappfile.yaml"],
  },
  {
    title: "committed files above the project",
    committed: { "svc/a/b": "b", "ops/d.yaml": "a", "ops/plugin.ts": "a" },
    change: (p) => p.write({ "ops/other": "b" }),
    dir: "svc/a",
    files: ["../../ops/d.yaml", "../../ops/plugin.ts"],
    want: [],
  },
  {
    title: "changed and new files above the project",
    committed: { "svc/a/b": "b", "ops/d.yaml": "a" },
    change: (p) => p.write({ "ops/d.yaml": "b", "ops/plugin.ts": "b" }),
    dir: "svc/a",
    files: ["../../ops/d.yaml", "../../ops/plugin.ts"],
    want: ["ROOT/ops/d.yaml", "ROOT/ops/plugin.ts"],
  },
  {
    title: "a link whose target is committed",
    committed: { "dappfile.yaml": { link: "conf/d.yaml" }, conf: { link: "ops" }, "ops/d.yaml": "a" },
    want: [],
  },
  {
    title: "a link whose target was changed",
    committed: { "dappfile.yaml": { link: "conf/d.yaml" }, conf: { link: "ops" }, "ops/d.yaml": "a" },
    change: (p) => p.write({ "ops/d.yaml": "b" }),
    want: ["ops/d.yaml"],
  },
  {
    title: "a linked directory that now leads elsewhere",
    committed: { conf: { link: "ops" }, "ops/d.yaml": "a", "dev/d.yaml": "b" },
    change: (p) => p.remove("conf").then(() => p.write({ conf: { link: "dev" } })),
    files: ["conf/d.yaml"],
    want: ["conf"],
  },
  {
    title: "files of no repository",
    committed: { "dappfile.yaml": { link: "/etc/hostname" } },
    files: ["dappfile.yaml", "/etc/passwd"],
    want: ["/etc/hostname", "/etc/passwd"],
  },
  ...["--assume-unchanged", "--skip-worktree"].map((flag): Case => ({
    title: `files that git was told to look at no more by ${flag}`,
    committed: { "dappfile.yaml": "a", "dappfile.lock": "l", "same.ts": "s", "link.ts": { link: "same.ts" } },
    change: async (p) => {
      await p.git("update-index", flag, "dappfile.yaml", "dappfile.lock", "same.ts", "link.ts");
      await p.write({ "dappfile.yaml": "b" });
      await p.remove("dappfile.lock");
    },
    files: [...main, "link.ts"],
    want: ["dappfile.lock", "dappfile.yaml"],
  })),
  {
    title: "files that git checks out in another form",
    committed: { ".gitattributes": "*.yaml text eol=crlf\n", "dappfile.yaml": "a\n", "b.yaml": "b\n" },
    change: async (p) => {
      await p.remove("dappfile.yaml");
      await p.git("checkout", "--", "dappfile.yaml");
      assert.equal(await Deno.readTextFile(`${p.dir}/dappfile.yaml`), "a\r\n");
      await p.git("update-index", "--assume-unchanged", "b.yaml");
      await p.write({ "b.yaml": "c\r\n" });
    },
    files: ["dappfile.yaml", "b.yaml"],
    want: ["b.yaml"],
  },
  {
    title: "a detached HEAD",
    committed: { "dappfile.yaml": "a" },
    change: (p) => p.git("checkout", "-q", "--detach").then(() => p.write({ "dappfile.yaml": "b" })),
    want: ["dappfile.yaml"],
  },
];

Deno.test("a commit holds a configuration when every file and link on the way is in it as it is", async (t) => {
  for (const { title, committed, change, dir = "", files = main, want } of cases) {
    await t.step(title, async () => {
      await withProject(committed, async (project) => {
        await change?.(project);
        const root = await Deno.realPath(project.dir);
        const found = await missing(dir ? `${root}/${dir}` : root, files);
        assert.deepEqual([...found].sort(), want.map((path) => path.replace("ROOT", root)));
      });
    });
  }
});

Deno.test("a configuration in a submodule is committed as far as the submodule is", async () => {
  await withTempDir(async (root) => {
    const project = openProject(`${root}/p`, `${root}/h`);
    const inner = openProject(`${root}/p/ops`, `${root}/h`);
    for (const { dir, git } of [project, inner]) {
      await Deno.mkdir(dir);
      await git("init", "-q", "-b", "main");
    }
    await inner.write({ "d.yaml": "a" });
    await inner.commit();
    await project.commit();
    const dir = await Deno.realPath(project.dir);
    assert.deepEqual(await missing(dir, ["ops/d.yaml"]), []);
    assert.deepEqual(await missing(`${dir}/ops`, ["d.yaml"]), []);
    await writeFiles(inner.dir, { "d.yaml": "b" });
    assert.deepEqual(await missing(dir, ["ops/d.yaml"]), ["ops/d.yaml"]);
    assert.deepEqual(await missing(`${dir}/ops`, ["d.yaml"]), ["d.yaml"]);
    // However git was told to look at it.
    await project.git("config", "submodule.ops.ignore", "all");
    await project.write({
      ".gitmodules": '[submodule "ops"]\n\tpath = ops\n\turl = ./ops\n\tignore = all\n',
    });
    await project.commit();
    assert.equal(await project.git("status", "--porcelain"), "");
    assert.deepEqual(await missing(dir, ["ops/d.yaml"]), ["ops/d.yaml"]);
    await inner.commit();
    assert.equal(await project.git("status", "--porcelain"), "");
    assert.deepEqual(await missing(dir, ["ops/d.yaml"]), ["ops/d.yaml"]);
  });
});

Deno.test("what a commit lacks is remembered, and what is changed is not", async () => {
  await withProject({ "dappfile.yaml": "a", ".gitignore": "*.lock\n" }, async (project) => {
    await project.write({ "dappfile.lock": "l" });
    const memo = memoryMemo();
    for (const text of ["a", "b", "a"]) {
      await project.write({ "dappfile.yaml": text });
      const want = text === "a" ? ["dappfile.lock"] : ["dappfile.yaml", "dappfile.lock"];
      assert.deepEqual(await missing(project.dir, main, memo), want);
      assert.equal(memo.values.size, 1);
    }
  });
});
