import assert from "node:assert/strict";
import { layoutDirectory, LayoutReader } from "../../lib/oci/layout.ts";
import { busyboxBase } from "../support/bases.ts";
import { runEngine } from "../support/engine_process.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { verifyLayout } from "../support/verify_registry.ts";
import { parseDigest } from "../../lib/oci/digest.ts";

const BUILDERS = 3;
const CLEANERS = 2;
const ROUNDS = 2;
/** One in so many processes is killed. */
const KILLED = 4;
const LATEST_KILL_MS = 2_000;

const dappfile = (base: string) => `
project: races
---
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out; echo tool >/out/tool"] }
---
dimg: app
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { install: [deps], setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
shell: { install: ["cat /app/deps >/installed"], setup: ["cat /app/* >/all"] }
docker: { CMD: [/bin/cat, /all] }
`;

function killMs(): number | undefined {
  return Math.random() * KILLED < 1 ? Math.random() * LATEST_KILL_MS : undefined;
}

/** Changes, commits, pushes the branch and publishes, again and again; gives the round that was published last. */
async function buildRounds(project: TestProject, repo: string, name: string): Promise<void> {
  const { dir, home } = project;
  for (let round = 0; round < ROUNDS; round++) {
    // Sometimes only the end of the chain changes, sometimes all of it; sometimes back to what was there before.
    await project.write({ "src/deps": `${round % 2}\n`, "src/main": `${name} ${round}\n` });
    await project.commit(`round ${round}`);
    await project.git("push", "-q", "--force", "origin", `HEAD:refs/heads/${name}`);
    const tags = [{ flag: "tag-branch" }];
    const job = {
      options: { dir, home, repo },
      steps: [["push", { tags, build: true, withStages: true }]],
    } as const;
    for (let kill = killMs();; kill = undefined) {
      const end = await runEngine(job, kill);
      if (end.outcome === "done") break;
      assert.equal(end.outcome, "killed", JSON.stringify(end));
    }
  }
}

async function cleanRounds(project: TestProject, repo: string, isOver: () => boolean): Promise<number> {
  const { dir, home } = project;
  const job = { options: { dir, home }, steps: [["cleanup", { repo, stages: "unneeded" }]] } as const;
  let finished = 0;
  while (!isOver()) {
    const end = await runEngine(job, killMs());
    if (end.outcome === "done") finished++;
    else assert.equal(end.outcome, "killed", JSON.stringify(end));
  }
  return finished;
}

Deno.test("builds and cleanups against each other, killed at random: every branch's image and its whole chain are there", async () => {
  await withTempDir(async (root) => {
    const repo = `oci:${root}/repo`;
    const bare = `${root}/origin.git`;
    const first = openProject(`${root}/first`, `${root}/first-home`);
    await Deno.mkdir(first.dir);
    await first.git("init", "-q", "-b", "main");
    await first.write({
      "dappfile.yaml": dappfile(await busyboxBase()),
      "src/deps": "x\n",
      "src/main": "x\n",
    });
    await first.commit("first");
    await first.git("clone", "-q", "--bare", first.dir, bare);
    const clone = async (name: string) => {
      const project = openProject(`${root}/${name}`, `${root}/${name}-home`);
      await first.git("clone", "-q", bare, project.dir);
      await project.git("checkout", "-q", "-b", name);
      return project;
    };
    const names = Array.from({ length: BUILDERS }, (_, i) => `branch-${i}`);
    const builders = await Promise.all(names.map(clone));
    const cleaners = await Promise.all(Array.from({ length: CLEANERS }, (_, i) => clone(`cleaner-${i}`)));
    let over = false;
    const cleaning = cleaners.map((project) => cleanRounds(project, repo, () => over));
    try {
      await Promise.all(builders.map((project, i) => buildRounds(project, repo, names[i]!)));
    } finally {
      over = true;
    }
    const cleaned = (await Promise.all(cleaning)).reduce((a, b) => a + b, 0);
    assert.ok(cleaned > 0, "no cleanup ended by itself");

    // Every blob of every tag is there and verifies.
    const tags = await verifyLayout(`${root}/repo`);
    const reader = new LayoutReader(layoutDirectory(`${root}/repo`), repo);
    for (const name of names) {
      const digest = tags[`app-${name}`];
      assert.ok(digest, `no image of ${name}: ${Object.keys(tags)}`);
      const { bytes } = await reader.byDigest(parseDigest(digest));
      const { annotations } = JSON.parse(new TextDecoder().decode(bytes));
      const chain = JSON.parse(annotations["dapp-stages"]) as { stages: { signature: string }[] }[];
      const missing = chain.flatMap(({ stages }) => stages).filter(({ signature }) =>
        tags[`dimgstage-${signature}`] === undefined
      );
      assert.deepEqual(missing, [], name);
    }
    // With nobody else at work, a last cleanup leaves exactly what the branches need.
    await using engine = cleaners[0]!.engine();
    await engine.applyCleanup(await engine.planCleanup({ repo, stages: "unneeded" }));
    assert.equal((await engine.planCleanup({ repo, stages: "unneeded" })).groups.length, 0);
    const service = Object.keys(await verifyLayout(`${root}/repo`)).filter((tag) =>
      tag.startsWith("dappservice-")
    );
    assert.ok(service.length <= 17, `${service}`);
  });
});
