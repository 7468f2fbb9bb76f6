import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { run } from "../support/process.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";

const cli = new URL("../../cli.ts", import.meta.url).pathname;
const config = new URL("../../deno.json", import.meta.url).pathname;

const dappfile = (base: string) => `
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out && echo tool >/out/tool"] }
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
shell: { install: ["echo installed >/installed"], setup: ["cat /app/* >/all"] }
docker: { CMD: [cat, /all] }
`;

/** A server: a checkout with a store of its own, driven by the command line as a CI job drives it. */
class Server {
  constructor(readonly project: TestProject, readonly repo: string) {}

  async dapp(...args: string[]) {
    const result = await run([Deno.execPath(), "run", "-A", "--no-check", "--config", config, cli, ...args], {
      cwd: this.project.dir,
      env: { DAPP_HOME: this.project.home, CI: "1" },
    });
    return { ...result, lines: result.stdout.trim().split("\n").filter((line) => line !== "") };
  }

  /** `image/stage` of every stage in the store that belongs to the current state. */
  async stages(): Promise<string[]> {
    const { stdout } = await this.dapp("dimg", "plan", "--json");
    const plan = JSON.parse(stdout) as {
      images: { name: string; stages: { stage: string; state: string }[] }[];
    };
    return plan.images.flatMap(({ name, stages }) =>
      stages.filter(({ state }) => state === "cached").map(({ stage }) => `${name}/${stage}`)
    );
  }

  /** All signatures in the store. */
  signatures(): string[] {
    return [...Deno.readDirSync(`${this.project.home}/stages`)].map(({ name }) => name).sort();
  }
}

const ALL = [
  "app/from",
  "app/install",
  "app/import:after-install",
  "app/git:setup",
  "app/setup",
  "app/docker",
];

async function withServers(
  kind: "registry" | "layout",
  body: (a: Server, b: Server) => Promise<void>,
): Promise<void> {
  const base = await busyboxBase();
  await withTempDir(async (root) => {
    await using registry = kind === "registry" ? await startDockerRegistry() : undefined;
    if (kind === "registry" && !registry) return;
    const repo = registry ? `${registry.host}/group/app` : `oci:${root}/repo`;
    const first = openProject(`${root}/a/project`, `${root}/a/home`);
    await Deno.mkdir(first.dir, { recursive: true });
    await first.git("init", "-q", "-b", "main");
    await first.write({
      "dappfile.yaml": `project: app\nplugins: [${SETTLED}]\n---${dappfile(base)}`,
      "src/one": "1\n",
      ...settledFile,
    });
    await first.commit("first");
    await Deno.mkdir(`${root}/b`);
    await first.git("clone", "-q", first.dir, `${root}/b/project`);
    const second = openProject(`${root}/b/project`, `${root}/b/home`);
    await body(new Server(first, repo), new Server(second, repo));
  });
}

for (const kind of ["registry", "layout"] as const) {
  Deno.test(`local is right, ${kind} is stale: flush there, then push with stages`, async () => {
    await withServers(kind, async (a) => {
      const { repo } = a;
      await a.dapp("dimg", "bp", "--with-stages", repo, "--tag", "old");
      await a.project.write({ "src/one": "2\n" });
      await a.project.commit();
      await a.dapp("dimg", "build");
      const before = await a.stages();
      await a.dapp("dimg", "stages", "flush", "repo", repo);
      const left = await a.dapp("dimg", "stages", "push", repo, "--dry-run");
      assert.ok(left.lines.every((line) => line.startsWith("would push ")), left.stdout);
      await a.dapp("dimg", "push", "--with-stages", repo, "--tag", "new");
      const pushed = await a.dapp("dimg", "stages", "push", repo);
      assert.ok(pushed.lines.every((line) => line.startsWith("exists ")), pushed.stdout);
      const tags = JSON.parse((await a.dapp("dimg", "tags", repo, "--json")).stdout);
      const prefix = kind === "layout" ? "app-" : "";
      const names = tags.images[0].tags.map(({ tag }: { tag: string }) => tag).sort();
      assert.deepEqual(names, [`${prefix}new`, `${prefix}old`]);
      assert.deepEqual(await a.stages(), before);
    });
  });

  Deno.test(`${kind} is right, local is stale: clean up here by it, then pull`, async () => {
    await withServers(kind, async (a, b) => {
      const { repo } = a;
      await b.dapp("dimg", "build");
      const stale = b.signatures();
      await a.project.write({ "src/one": "2\n" });
      await a.project.commit();
      await a.dapp("dimg", "bp", "--with-stages", repo, "--tag", "v2");
      await b.project.git("pull", "-q");
      // Stages of the last two hours would be spared: these were built long ago.
      for (const signature of stale) {
        const path = `${b.project.home}/stages/${signature}`;
        const record = JSON.parse(await Deno.readTextFile(path));
        await Deno.writeTextFile(path, JSON.stringify({ ...record, builtAt: "2026-01-01T00:00:00.000Z" }));
      }
      await b.dapp("dimg", "stages", "cleanup", "local", "--improper-repo-cache", repo);
      const cleaned = b.signatures();
      assert.ok(cleaned.length < stale.length && cleaned.every((signature) => stale.includes(signature)));
      const pulled = await b.dapp("dimg", "stages", "pull", repo);
      assert.deepEqual(
        pulled.lines.filter((line) => line.startsWith("pulled ")).map((line) => line.split(/\s+/)[1]),
        [
          "app/docker",
        ],
      );
      const { stdout } = await b.dapp("dimg", "build", "--json");
      assert.equal(JSON.parse(stdout).stagesBuilt, 0);
    });
  });

  Deno.test(`several servers with one ${kind}: pull, build, push with stages, clean up`, async () => {
    await withServers(kind, async (a, b) => {
      const { repo } = a;
      const round = async (server: Server, tag: string) => {
        const pulled = await server.dapp("dimg", "stages", "pull", repo);
        const built = JSON.parse((await server.dapp("dimg", "build", "--json")).stdout).stagesBuilt as number;
        await server.dapp("dimg", "push", "--with-stages", repo, "--tag", tag);
        await server.dapp("dimg", "stages", "cleanup", "local", "--improper-repo-cache", repo);
        return { built, pulled: pulled.lines.filter((line) => line.startsWith("pulled ")).length };
      };
      const first = await round(a, "one");
      assert.ok(first.built > 0 && first.pulled === 0);
      assert.deepEqual((await a.stages()).filter((name) => name.startsWith("app/")), ALL);
      // The same commit on another server: nothing is built, and only the top of each chain is here.
      assert.deepEqual(await round(b, "two"), { built: 0, pulled: 2 });
      assert.deepEqual((await b.stages()).filter((name) => name.startsWith("app/")), ["app/docker"]);
      // A change there: what the first server has built already is used.
      await b.project.write({ "src/one": "3\n" });
      await b.project.commit();
      const third = await round(b, "three");
      assert.ok(third.built > 0);
      await a.project.git("pull", "-q", b.project.dir, "main");
      assert.equal((await round(a, "four")).built, 0);
      const { stdout } = await a.dapp("dimg", "run", "app");
      assert.equal(stdout, "3\n");
    });
  });
}
