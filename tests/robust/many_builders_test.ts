import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { useDocker } from "../support/docker.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { finishEngine, runEngine } from "../support/engine_process.ts";
import { openProject, type TestProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { type VerifiedTags, verifyLayout, verifyRegistry } from "../support/verify_registry.ts";

const BUILDERS = 8;
/** Times that a builder is killed and started again before it may finish. */
const KILLS = 1;
const LATEST_KILL_MS = 2_500;

const docker = useDocker();

const dappfile = (base: string) => `
project: many
---
artifact: tool
from: oci:${base}:latest
shell: { buildArtifact: ["mkdir /out; for i in $(seq 50); do echo $i >/out/$i; done"] }
---
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
import: [{ artifact: tool, add: /out, to: /out, after: install }]
shell:
  install: ["head -c 300000 /dev/zero >/data; echo installed >/installed"]
  setup: ["cat /app/* >/all"]
docker: { CMD: [/bin/cat, /all] }
`;

interface Builder {
  readonly project: TestProject;
  readonly tag: string;
  /** What the image prints. */
  readonly prints: string;
}

/** Clones with a home each. `own`: each has a commit of its own. */
async function makeBuilders(root: string, own: boolean): Promise<readonly Builder[]> {
  const origin = openProject(`${root}/origin`, `${root}/origin-home`);
  await Deno.mkdir(origin.dir);
  await origin.git("init", "-q", "-b", "main");
  await origin.write({ "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n", "src/b": "b\n" });
  await origin.commit("first");
  return await Promise.all(Array.from({ length: BUILDERS }, async (_, i) => {
    const project = openProject(`${root}/project-${i}`, `${root}/home-${i}`);
    await origin.git("clone", "-q", origin.dir, project.dir);
    if (own) {
      await project.write({ "src/b": `b of ${i}\n` });
      await project.commit(`change ${i}`);
    }
    return { project, tag: `builder-${i}`, prints: own ? `a\nb of ${i}\n` : "a\nb\n" };
  }));
}

/** Everybody builds through REPO and publishes, after having been killed. */
async function buildAll(builders: readonly Builder[], repo: string): Promise<void> {
  await Promise.all(builders.map(async ({ project: { dir, home }, tag }) => {
    const tags = [{ flag: "tag-plain", value: tag }, { flag: "tag-branch" }];
    const job = {
      options: { dir, home, repo },
      steps: [["push", { tags, build: true, withStages: true }]],
    } as const;
    for (let left = KILLS; left > 0; left--) {
      const end = await runEngine(job, Math.random() * LATEST_KILL_MS);
      assert.notEqual(end.outcome, "failed", JSON.stringify(end));
    }
    await finishEngine(job);
  }));
}

/** Stores are sound, and each has of every stage exactly what was published. */
async function checkHomes(builders: readonly Builder[], published: VerifiedTags, root: string) {
  for (const [i, { project }] of builders.entries()) {
    await using engine = project.engine();
    assert.deepEqual((await engine.checkStore()).problems, []);
    await engine.pushStages([], { repo: `oci:${root}/stages-${i}` });
    for (const [tag, digest] of Object.entries(await verifyLayout(`${root}/stages-${i}`))) {
      if (isStage(tag)) assert.equal(published[tag], digest, `${tag} of builder ${i}`);
    }
  }
}

function isStage(tag: string): boolean {
  return tag.startsWith("dimgstage-");
}

async function stageTags(builders: readonly Builder[]): Promise<ReadonlySet<string>> {
  const plans = await Promise.all(builders.map(async ({ project }) => {
    await using engine = project.engine();
    return await engine.plan();
  }));
  return new Set(
    plans.flatMap(({ images }) =>
      images.flatMap(({ stages }) => stages.map((s) => `dimgstage-${s.signature}`))
    ),
  );
}

const cases = [{ what: "the same commit", own: false }, { what: "a commit of its own each", own: true }];

for (const { what, own } of cases) {
  Deno.test(`eight builders with ${what} and one registry, killed at random: all that is published is whole`, async () => {
    await using registry = await startDockerRegistry();
    if (!registry) return;
    const { host } = registry;
    await withTempDir(async (root) => {
      const builders = await makeBuilders(root, own);
      await buildAll(builders, `${host}/many`);
      const published = await verifyRegistry(host, "many");
      const found = Object.keys(published).filter(isStage);
      assert.deepEqual(new Set(found), await stageTags(builders));
      for (const dimg of ["app", "web"]) {
        const tags = await verifyRegistry(host, `many/${dimg}`);
        assert.deepEqual(Object.keys(tags), [...builders.map(({ tag }) => tag), "main"]);
        // Both dimgs are the same image with names of their own.
        const daemon = dimg === "app" ? docker() : undefined;
        for (const { tag, prints } of daemon ? builders : []) {
          const name = `${host}/many/${dimg}:${tag}`;
          assert.equal((await daemon!.docker(["run", "--rm", "--network", "none", name])).stdout, prints);
        }
      }
      await checkHomes(builders, published, root);
    });
  });

  Deno.test(`eight builders with ${what} and one layout directory, killed at random: all that is published is whole`, async () => {
    await withTempDir(async (root) => {
      const builders = await makeBuilders(root, own);
      await buildAll(builders, `oci:${root}/repo`);
      const published = await verifyLayout(`${root}/repo`);
      assert.deepEqual(new Set(Object.keys(published).filter(isStage)), await stageTags(builders));
      const tags = [...builders.map(({ tag }) => tag), "main"];
      assert.deepEqual(
        Object.keys(published).filter((tag) => !isStage(tag) && !tag.startsWith("dappservice-")),
        ["app", "web"].flatMap((dimg) => tags.map((tag) => `${dimg}-${tag}`)),
      );
      await checkHomes(builders, published, root);
    });
  });
}
