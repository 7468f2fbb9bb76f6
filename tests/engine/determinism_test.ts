import assert from "node:assert/strict";
import { run } from "../support/process.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";

const dappfile = `project: shop
---
artifact: assets
from: scratch
git:
  - add: /web
    to: /web
---
dimg: [app, worker]
from: scratch
git:
  - add: /src
    to: /app
    owner: 5
    excludePaths: [skip]
    stageDependencies: { setup: ["*.ts"] }
  - { add: /web, to: /app/web, owner: 6, stageDependencies: { setup: [i] } }
  - { add: /web, to: /both, owner: 7, includePaths: [i] }
  - { add: /web, to: /both, owner: 8, includePaths: [j] }
import:
  - { artifact: assets, add: /web, to: /www, after: setup }
  - { artifact: assets, add: /web/i, to: /www/here/i, after: setup, owner: 9 }
shell: { setupCacheVersion: 3, setup: [] }
docker: { CMD: [a], ENV: { B: "1", A: "2" }, LABEL: { z: "1", y: "2" } }
`;

/** The same with other order of keys and entries, comments, quoting and white space. */
const reordered = `# a comment
project:   "shop"
---
docker:
  LABEL: {y: "2", z: '1'}
  ENV:
    A: 2
    B: 1
  CMD: ["a"]
shell:
  setup: []
  setupCacheVersion: "3"
import:
  - {owner: "9", to: /www/here/i, after: setup, add: /web/i, artifact: assets}
  - {to: /www, after: setup, add: /web/, artifact: assets}
git:
  - {add: /web, owner: 8, to: /both, includePaths: j}
  - {add: /web, to: /both, owner: 7, includePaths: i}
  - {to: /app/web, owner: 6, add: /web, stageDependencies: {setup: i}}
  - stageDependencies: {setup: "*.ts"}
    excludePaths: skip
    owner: "5"
    to: /app/
    add: /src
from: scratch
dimg:
  - app
  - worker
---
git: [{to: /web, add: /web}]
from: scratch
artifact: assets
`;

const files = {
  "src/a.ts": "a",
  "src/b.ts": "b",
  "src/I.ts": "locale",
  "src/ı.ts": "locale",
  "src/skip": "s",
  "src/run": { text: "x", mode: 0o755 },
  "src/l": { link: "a.ts" },
  "web/i": "i",
  "web/j": "j",
};

async function print(
  dir: string,
  home: string,
  shell = "",
  env: Record<string, string> = {},
): Promise<string> {
  const script = new URL("../support/print_build.ts", import.meta.url).pathname;
  const command = `${shell} exec "$0" run -A --quiet "$1" "$2" "$3"`;
  return (await run(["sh", "-c", command, Deno.execPath(), script, dir, home], { env })).stdout;
}

Deno.test("same inputs give the same signatures and digests on any machine", async (t) => {
  await withProject({ "dappfile.yaml": dappfile, ...files }, async (project) => {
    const wanted = await print(project.dir, project.home);
    assert.equal(JSON.parse(wanted).digests.length, 2);
    const same = (name: string, make: (root: string, clone: TestProject) => Promise<string>) =>
      t.step(name, () =>
        withTempDir(async (root) => {
          await run(["git", "clone", "-q", `file://${project.dir}`, `${root}/elsewhere/deep er`]);
          assert.equal(await make(root, openProject(`${root}/elsewhere/deep er`, `${root}/h`)), wanted);
        }));
    await same("another path, an empty store", (_, p) => print(p.dir, p.home));
    await same(
      "time zone and locale",
      (_, p) => print(p.dir, p.home, "", { TZ: "Asia/Kathmandu", LC_ALL: "tr_TR.UTF-8", LANG: "tr" }),
    );
    await same("umask", (_, p) => print(p.dir, p.home, "umask 077;"));
    await same("work tree modes and times", async (_, p) => {
      await run(["sh", "-c", "chmod -R go-rwx . ; touch -d 2001-01-01 src/*"], { cwd: p.dir });
      await p.git("config", "core.fileMode", "false");
      return await print(p.dir, p.home);
    });
    await same("clone depth", async (root, p) => {
      await run(["git", "clone", "-q", "--depth", "1", `file://${project.dir}`, `${root}/shallow`]);
      return await print(`${root}/shallow`, p.home);
    });
    await same(
      "host name, user and home",
      (root, p) =>
        print(p.dir, p.home, "", { HOSTNAME: "elsewhere", USER: "nobody", HOME: root, TMPDIR: root }),
    );
    await same("uncommitted changes", async (_, p) => {
      await p.write({ "src/a.ts": "not committed", "src/new": "not committed" });
      return await print(p.dir, p.home);
    });
    await same("key order, quoting and comments of the dappfile", async (_, p) => {
      await p.write({ "dappfile.yaml": reordered });
      return await print(p.dir, p.home);
    });
    await t.step("an epoch of its own is another image", async () => {
      await withTempDir(async (root) => {
        const other = await print(project.dir, `${root}/h`, "", { SOURCE_DATE_EPOCH: "1000000000" });
        assert.notEqual(other, wanted);
      });
    });
  });
});
