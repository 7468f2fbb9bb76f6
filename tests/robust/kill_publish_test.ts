import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { type EngineStep, finishEngine, runEngine } from "../support/engine_process.ts";
import { assertNoLeaks, leakSnapshot } from "../support/leaks.ts";
import { openProject, type TestProject, withProject } from "../support/project.ts";
import { type VerifiedTags, verifyLayout, verifyRegistry } from "../support/verify_registry.ts";

/** Moments to be killed at, for each command. By hand: 20. */
const ROUNDS = Number(Deno.env.get("ROUNDS") ?? 3);

const dappfile = (base: string) => `
project: killed
---
dimg: [app, web]
from: oci:${base}:latest
git: [{ add: /src, to: /app, stageDependencies: { setup: ["*"] } }]
shell: { install: ["head -c 3000000 /dev/urandom >/data; sleep 0.1"], setup: ["cat /app/* >/all"] }
`;

/** A command, and how REPO, which the given one fills, stands when it has ended. */
interface Case {
  readonly what: string;
  readonly step: (repo: string) => EngineStep;
  /** Whether the home has the images before, and whether REPO has the stages. */
  readonly given: "built" | "nothing" | "published";
}

const tags = [{ flag: "tag", value: "v1" }, { flag: "tag-branch" }];
const cases: readonly Case[] = [
  { what: "push --with-stages", given: "built", step: (repo) => ["push", { repo, tags, withStages: true }] },
  { what: "bp", given: "nothing", step: (repo) => ["push", { repo, tags, build: true, withStages: true }] },
  { what: "stages pull", given: "published", step: (repo) => ["pullStages", { repo, all: true }] },
];

interface Place {
  readonly repo: string;
  verify(): Promise<VerifiedTags>;
}

/** `name` in a registry with everything below it, or in a layout. A repository that does not exist has no tags. */
function placeIn(host: string, name: string): Place {
  const read = async (path: string) => {
    const answer = await fetch(`http://${host}/v2/${path}/tags/list`);
    await answer.body?.cancel();
    return answer.status === 404 ? {} : await verifyRegistry(host, path);
  };
  const named = async (dimg: string) =>
    Object.entries(await read(`${name}/${dimg}`)).map(([tag, digest]) => [`${dimg}-${tag}`, digest]);
  return {
    repo: `${host}/${name}`,
    verify: async () => ({
      ...await read(name),
      ...Object.fromEntries([...await named("app"), ...await named("web")]),
    }),
  };
}

function layoutIn(dir: string): Place {
  return {
    repo: `oci:${dir}`,
    verify: () =>
      verifyLayout(dir).catch((error) => {
        if (error instanceof Deno.errors.NotFound) return {};
        throw error;
      }),
  };
}

for (const { what, given, step } of cases) {
  for (const kind of ["registry", "layout"] as const) {
    Deno.test(`${what}, killed at any moment and run again, ends as if nothing had happened (${kind})`, async () => {
      await using registry = await startDockerRegistry();
      if (!registry) return;
      await withProject(
        { "dappfile.yaml": dappfile(await busyboxBase()), "src/a": "a\n" },
        async (project) => {
          const place = (name: string) =>
            kind === "registry" ? placeIn(registry.host, name) : layoutIn(`${project.dir}-${name}`);
          const source = place("source");
          await finishEngine({
            options: { dir: project.dir, home: project.home },
            steps: [["build"], ["push", { repo: source.repo, tags, withStages: true }]],
          });
          const all = namesOf(await source.verify());
          const before = await leakSnapshot({ mention: [project.home] });
          let whole = 0;
          for (let round = 0; round <= ROUNDS; round++) {
            const server = openProject(project.dir, `${project.home}-${round}`);
            if (given === "built") await copyHome(project, server);
            const target = given === "published" ? source : place(`target-${round}`);
            const job = { options: { dir: server.dir, home: server.home }, steps: [step(target.repo)] };
            if (round > 0) {
              const end = await runEngine(job, whole * (round - Math.random()) / ROUNDS);
              assert.notEqual(end.outcome, "failed", JSON.stringify(end));
              await target.verify();
              await sound(server);
            }
            const start = performance.now();
            const result = await finishEngine(job);
            if (round === 0) whole = performance.now() - start;
            assert.deepEqual(namesOf(await target.verify()), all, `tags after round ${round}`);
            if (given === "built") {
              const stagesOf = (verified: VerifiedTags) =>
                Object.entries(verified).filter(([tag]) => tag.startsWith("dimgstage-"));
              assert.deepEqual(stagesOf(await target.verify()), stagesOf(await source.verify()));
            }
            if (given === "published") assert.ok(!JSON.stringify(result).includes('"absent"'));
            await sound(server);
            await assertNoLeaks(before);
          }
        },
      );
    });
  }
}

/** Stages, images, and notes on repositories: everything but leases, of which a killed command leaves one behind. */
function namesOf(verified: VerifiedTags): readonly string[] {
  return Object.keys(verified).filter((tag) => !tag.startsWith("dappservice-lease-")).toSorted();
}

async function copyHome(from: TestProject, to: TestProject): Promise<void> {
  const { code } = await new Deno.Command("cp", { args: ["-a", from.home, to.home] }).output();
  assert.equal(code, 0);
}

async function sound(project: TestProject): Promise<void> {
  await using engine = project.engine();
  assert.deepEqual((await engine.checkStore()).problems, []);
}
