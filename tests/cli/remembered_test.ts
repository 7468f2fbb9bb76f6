/**
 * Answers of commands without changes, which are repeated where all that they stood on is as it was. What is kept is
 * forged here, so that it shows whether it was repeated or found out.
 */
import assert from "node:assert/strict";
import { PATIENCE_MS } from "../../cli/remembered/answer.ts";
import { MOST, thinOut } from "../../cli/remembered/thin_out.ts";
import { gitStart } from "../../core/git/process.ts";
import { statusArgs } from "../../core/git/status.ts";
import { readSealed, writeSealed } from "../../lib/sealed.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { denoDir, run, type RunResult } from "../support/process.ts";
import { type FileSpec, startProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";

const PROGRAM = new URL("../../cli.ts", import.meta.url).pathname;
const FORGED = "forged\n";
const DAPPFILE = `project: kept
---
dimg: app
from: scratch
git: [{ add: /src, to: /app }]
docker: { CMD: [serve], ENV: { MODE: '\${{ env.MODE || "none" }}' } }
---
dimg: web
from: scratch
git: [{ add: /web, to: /web }]
`;
const FILES = { "dappfile.yaml": DAPPFILE, "src/a": "a", "web/b": "b" };

interface Kept {
  readonly facts: readonly (readonly [kind: string, path: string, value: string | null])[];
  readonly names: readonly string[];
  output: [1 | 2, string][];
}

/** A project, and dapp as the launcher of the package starts it. */
class Shop {
  #asked = 0;

  constructor(readonly project: TestProject, readonly root: string) {}

  get answers(): string {
    return `${this.project.home}/memo/answers`;
  }

  /** Runs a command line beside a `git status` that has ended. */
  async dapp(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<RunResult> {
    const { dir, home } = this.project;
    const { stdout } = await run(["git", ...gitStart.args, "-C", dir, ...statusArgs, "--", "."], {
      env: gitStart.env,
    });
    const asked = `${this.root}/dapp-${++this.#asked}-git`;
    await Deno.writeTextFile(asked, `.\0\0${stdout}exit 0\0`);
    return await run(["deno", "run", "-A", PROGRAM, `--git-asked=${asked}`, "dimg", ...words], {
      cwd: dir,
      inheritEnv: false,
      allowFailure: true,
      env: {
        PATH: Deno.env.get("PATH")!,
        HOME: this.root,
        DAPP_HOME: home,
        DENO_DIR: await denoDir(),
        ...env,
      },
    });
  }

  /** Builds, waits until nothing is as young as the clock of a file system counts, and has an answer kept. */
  async keep(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<RunResult> {
    await this.dapp(words, env);
    const done = Date.now();
    await until(() => Date.now() > done + 1100);
    const kept = await this.dapp(words, env);
    assert.equal(kept.code, 0, kept.stderr);
    return kept;
  }

  /** Where the answers are. */
  async paths(): Promise<readonly string[]> {
    const rows = await Array.fromAsync(Deno.readDir(this.answers)).catch(() => []);
    return rows.map(({ name }) => `${this.answers}/${name}`);
  }

  /** The one answer. */
  async kept(): Promise<Kept> {
    return JSON.parse((await readSealed((await this.paths())[0]!))!);
  }

  /** Makes every answer that is kept one that nobody would give. */
  async forge(): Promise<void> {
    for (const path of await this.paths()) {
      const kept = JSON.parse((await readSealed(path))!) as Kept;
      kept.output = [[2, FORGED], [1, FORGED]];
      await writeSealed(path, JSON.stringify(kept));
    }
  }
}

async function withShop(
  body: (shop: Shop, project: TestProject) => Promise<void>,
  files: Readonly<Record<string, FileSpec>> = FILES,
): Promise<void> {
  await withTempDir(async (root) => {
    const project = await startProject(root, files);
    await body(new Shop(project, root), project);
  });
}

const isForged = ({ code, stdout, stderr }: RunResult) =>
  code === 0 && stdout === FORGED && stderr === FORGED;

Deno.test("a build without changes is answered by what it printed before, byte for byte", async () => {
  await withShop(async (shop) => {
    const first = await shop.keep(["build"]);
    assert.match(first.stderr, /app {2}up to date/);
    assert.match(first.stdout, /^app sha256:\w+\nweb sha256:\w+\n$/);
    assert.deepEqual(await shop.dapp(["build"]), first);
    await shop.forge();
    assert.ok(isForged(await shop.dapp(["build"])));
    for (const words of [["build", "app"], ["build", "--verbose"], ["build", "--json"]]) {
      assert.equal(isForged(await shop.dapp(words)), false, words.join(" "));
    }
    assert.ok(isForged(await shop.dapp(["build"])));
  });
});

Deno.test("whatever changes of what it stood on, the whole program answers", async () => {
  await withShop(async (shop, project) => {
    const first = await shop.keep(["build"]);
    const { facts } = await shop.kept();
    const files = facts.filter(([kind, path, value]) =>
      ["content", "status", "writable"].includes(kind) && value !== null && value !== "directory" &&
      path !== PROGRAM
    );
    assert.ok(files.length > 8, "a build reads its dappfile, records and memos");
    for (const [, path] of files) {
      await shop.forge();
      assert.ok(isForged(await shop.dapp(["build"])), path);
      const { mode } = await Deno.stat(path);
      await Deno.chmod(path, mode! & 0o777); // changes nothing but the time at which that was said
      const done = Date.now();
      const now = await shop.dapp(["build"]);
      assert.deepEqual([now.code, now.stdout], [0, first.stdout], path);
      await until(() => Date.now() > done + 1100);
      await shop.dapp(["build"]);
    }
    await shop.forge();
    for (const [, path, value] of facts.filter(([, path]) => path.startsWith(`${project.dir}/dapp`))) {
      if (value !== null) continue;
      await Deno.writeTextFile(path, path.endsWith(".lock") ? "{}" : "");
      assert.equal(isForged(await shop.dapp(["build"])), false, path);
      await Deno.remove(path);
      assert.ok(isForged(await shop.dapp(["build"])), path);
    }
  });
});

Deno.test("a commit, a file that is not committed, a store that lost a layer: each is found out", async () => {
  await withShop(async (shop, project) => {
    const first = await shop.keep(["build"]);
    await shop.forge();
    await project.write({ "src/a": "other" });
    const dirty = await shop.dapp(["build"]);
    assert.equal(isForged(dirty), false);
    assert.equal(dirty.stdout, first.stdout);
    await project.commit();
    const next = await shop.dapp(["build"]);
    assert.match(next.stderr, /app\/\w+ {2}built/);
    assert.notEqual(next.stdout, first.stdout);
    const again = await shop.keep(["build"]);
    await shop.forge();
    const blobs = `${project.home}/blobs/sha256`;
    for await (const { name } of Deno.readDir(blobs)) await Deno.remove(`${blobs}/${name}`);
    const whole = await shop.dapp(["build"]);
    assert.match(whole.stderr, /app\/\w+ {2}built/);
    assert.equal(whole.stdout, again.stdout);
  });
});

Deno.test("variables that a command read count, others do not, and their values are not kept", async () => {
  await withShop(async (shop) => {
    const secret = "7d1f-secret";
    const env = { MODE: secret, CI_JOB_ID: "1" };
    await shop.keep(["build"], env);
    const { names } = await shop.kept();
    assert.ok(names.includes("MODE") && !names.includes("CI_JOB_ID"), names.join(" "));
    for (const path of await shop.paths()) {
      assert.equal((await Deno.readTextFile(path)).includes(secret), false);
      assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    }
    await shop.forge();
    assert.ok(isForged(await shop.dapp(["build"], { ...env, CI_JOB_ID: "2" })));
    for (const other of [{ ...env, MODE: "other" }, { CI_JOB_ID: "1" }, { ...env, GIT_DIR: "/x" }]) {
      assert.equal(isForged(await shop.dapp(["build"], other)), false);
    }
  });
});

Deno.test("a push without changes asks the registry for each tag by one HEAD, and believes what it says now", async () => {
  await using registry = new MemoryRegistry();
  await withShop(async (shop) => {
    const repo = `${registry.host}/kept`;
    const push = ["push", repo, "--tag", "v1"];
    await shop.dapp(["build"]);
    const first = await shop.keep(push);
    registry.seen.length = 0;
    assert.deepEqual(await shop.dapp(push), first);
    assert.deepEqual(registry.seen.map(({ method, path }) => `${method} ${path}`).sort(), [
      "HEAD /v2/kept/app/manifests/v1",
      "HEAD /v2/kept/web/manifests/v1",
    ]);
    await shop.forge();
    assert.ok(isForged(await shop.dapp(push)));
    registry.fault(() => new Response(null, { status: 503 }), 4);
    assert.equal(isForged(await shop.dapp(push)), false);
    await shop.keep(push);
    await shop.forge();
    assert.ok(isForged(await shop.dapp(push)));
    await registry.addImage("kept/app", "v1");
    const moved = await shop.dapp(push);
    assert.equal(moved.code, 0, moved.stderr);
    assert.match(moved.stderr, /app {2}pushed/);
    assert.match(moved.stdout, /app:v1 sha256:\w+\n/);
    assert.equal(registry.seen.some(({ method }) => method === "PUT"), true);
  });
});

for (const kind of ["basic", "bearer"] as const) {
  Deno.test(`where a registry wants a login (${kind}), it is asked with the login of now`, async () => {
    await using registry = new MemoryRegistry();
    registry.auth = { kind, user: "me", password: "right" };
    await withShop(async (shop) => {
      const bp = ["bp", `${registry.host}/kept`, "--tag", "v1"];
      const login = (password: string) => ({
        DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth: btoa(`me:${password}`) } } }),
      });
      await shop.keep(bp, login("right"));
      await shop.forge();
      registry.seen.length = 0;
      assert.ok(isForged(await shop.dapp(bp, login("right"))));
      assert.ok(
        registry.seen.every(({ path }) => path.startsWith("/token") || path.includes("/manifests/v1")),
      );
      registry.auth = { kind, user: "me", password: "other" };
      const refused = await shop.dapp(bp, login("right"));
      assert.equal(refused.code, 1);
      assert.equal(refused.stdout, "");
    });
  });
}

Deno.test("a token server that a registry has left is not sent a login, and none of what it stood for is kept", async () => {
  const asked: string[] = [];
  await using old = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    asked.push(request.url);
    return new Response(null, { status: 401 });
  });
  await using registry = new MemoryRegistry();
  const auth = { kind: "bearer", user: "me", password: "right" } as const;
  registry.auth = auth;
  await withShop(async (shop) => {
    const bp = ["bp", `${registry.host}/kept`, "--tag", "v1"];
    const env = {
      DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [registry.host]: { auth: btoa("me:right") } } }),
    };
    await shop.keep(bp, env);
    // What was kept is of the time when its tokens came from elsewhere.
    const moved = async () => {
      for (const path of await shop.paths()) {
        const kept = JSON.parse((await readSealed(path))!);
        for (const { host } of kept.registries) {
          host.challenge.params.realm = `http://127.0.0.1:${old.addr.port}/`;
        }
        kept.facts[0][2] = "other";
        await writeSealed(path, JSON.stringify(kept));
      }
    };
    await moved();
    const { code, stderr } = await shop.dapp(bp, env);
    assert.equal(code, 0, stderr);
    assert.deepEqual(asked, []);
    for (const path of await shop.paths()) {
      assert.equal((await readSealed(path))!.includes(`:${old.addr.port}/`), false);
    }
  });
});

Deno.test("where Docker's configuration adds headers to each request, the whole program sends them", async () => {
  await using registry = new MemoryRegistry();
  await withShop(async (shop) => {
    const dir = `${shop.root}/docker`;
    await Deno.mkdir(dir);
    await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify({ HttpHeaders: { "X-Meta": "value" } }));
    const bp = ["bp", `${registry.host}/kept`, "--tag", "v1"];
    await shop.keep(bp, { DOCKER_CONFIG: dir });
    registry.seen.length = 0;
    await shop.forge();
    assert.equal(isForged(await shop.dapp(bp, { DOCKER_CONFIG: dir })), false);
    assert.equal(registry.seen.length > 0, true);
  });
});

Deno.test("what fails, what is refused and what writes is not kept", async () => {
  await withShop(async (shop, project) => {
    for (const words of [["build", "nobody"], ["push", "127.0.0.1:1/x"], ["build", "--json"]]) {
      await shop.keep(["build"]);
      for (const path of await shop.paths()) await Deno.remove(path);
      await shop.dapp(words);
      assert.deepEqual(await shop.paths(), [], words.join(" "));
    }
    const summary = `${project.dir}/../summary`;
    await shop.dapp(["build"], { GITHUB_STEP_SUMMARY: summary });
    assert.deepEqual(await shop.paths(), []);
  });
});

Deno.test("a project with a plugin of its own always asks that plugin", async () => {
  const from = JSON.stringify(new URL("../../mod.ts", import.meta.url).href);
  const plugin = `import { definePlugin } from ${from};
export default definePlugin({ name: "own", api: 1, setup: () => ({}) });
`;
  const dappfile = DAPPFILE.replace("project: kept", "project: kept\nplugins: [{ use: ./own.ts }]");
  await withShop(async (shop) => {
    const { stderr } = await shop.keep(["build"]);
    assert.match(stderr, /up to date/);
    assert.deepEqual(await shop.paths(), []);
  }, { ...FILES, "own.ts": plugin, "dappfile.yaml": dappfile });
});

Deno.test("what cannot be read, or is of another program, is none; where nothing can be kept nothing fails", async () => {
  await withShop(async (shop, project) => {
    const first = await shop.keep(["build"]);
    const [path] = await shop.paths();
    const text = (await readSealed(path!))!;
    const broken = [text.slice(0, -9), "{}", "[]", "null", text.replace('"program":"', '"program":"0 ')];
    for (const each of ["", "x", ...broken]) {
      if (each === "" || each === "x") await Deno.writeTextFile(path!, each);
      else await writeSealed(path!, each);
      assert.deepEqual(await shop.dapp(["build"]), first, each.slice(0, 40));
    }
    await Deno.remove(shop.answers, { recursive: true });
    await Deno.writeTextFile(shop.answers, "a file");
    assert.deepEqual(await shop.dapp(["build"]), first);
    await Deno.remove(`${project.home}/memo`, { recursive: true });
    assert.deepEqual((await shop.dapp(["build"])).stdout, first.stdout);
  });
});

Deno.test("a registry that is slow is asked once, and what it said is not kept", async () => {
  await using registry = new MemoryRegistry();
  await withShop(async (shop) => {
    const push = ["bp", `${registry.host}/kept`, "--tag", "v1"];
    await shop.keep(push);
    assert.equal((await shop.paths()).length, 1);
    registry.fault(async () => {
      const asked = Date.now();
      await until(() => Date.now() > asked + PATIENCE_MS);
      return undefined;
    });
    const { code, stderr } = await shop.dapp(push);
    assert.equal(code, 0, stderr);
    assert.deepEqual(await shop.paths(), []);
  });
});

Deno.test("a command whose directory is gone when it ends has done what it was to do", async () => {
  await using registry = new MemoryRegistry();
  await withShop(async (shop, project) => {
    const push = ["bp", "web", `${registry.host}/kept`, "--tag", "v1"];
    const first = await shop.keep(push);
    for (const path of await shop.paths()) await Deno.remove(path);
    registry.fault(async () => {
      await Deno.remove(project.dir, { recursive: true }).catch(() => {});
      return undefined;
    });
    assert.deepEqual(await shop.dapp(push), first);
  });
});

Deno.test("the older half of too many answers goes, with what was half written", async () => {
  await withTempDir(async (dir) => {
    const add = async (name: string, at: number) => {
      await Deno.writeTextFile(`${dir}/${name}`, "");
      await Deno.utime(`${dir}/${name}`, at, at);
    };
    for (let i = 1; i < MOST; i++) await add(`n${i}`, 1_700_000_000 + i);
    await add("n1.half", 1_600_000_000);
    await thinOut(dir);
    assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, MOST);
    await add("last", 1_800_000_000);
    await thinOut(dir);
    const left = (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
    assert.equal(left.length, MOST / 2 + 1);
    for (const name of ["last", `n${MOST - 1}`, `n${MOST / 2}`]) assert.ok(left.includes(name), name);
  });
});

Deno.test("a standard output that is full is a failure as it always is, and is told as it always is", async () => {
  await withShop(async (shop, project) => {
    const full = async () => {
      const asked = `${shop.root}/dapp-99-git`;
      const { stdout } = await run(["git", ...gitStart.args, "-C", project.dir, ...statusArgs, "--", "."]);
      await Deno.writeTextFile(asked, `.\0\0${stdout}exit 0\0`);
      const line = `exec deno run -A ${PROGRAM} --git-asked=${asked} dimg build >/dev/full`;
      return await run(["sh", "-c", line], {
        cwd: project.dir,
        inheritEnv: false,
        allowFailure: true,
        env: {
          PATH: Deno.env.get("PATH")!,
          HOME: shop.root,
          DAPP_HOME: project.home,
          DENO_DIR: await denoDir(),
        },
      });
    };
    await shop.keep(["build"]);
    const repeated = await full();
    assert.equal(repeated.code, 1);
    assert.match(repeated.stderr, /Cannot write to standard output/);
    for (const path of await shop.paths()) await Deno.remove(path);
    assert.deepEqual(await full(), repeated);
  });
});
