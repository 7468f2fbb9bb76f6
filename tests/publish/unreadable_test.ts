/** One tag that cannot be read among those that can: a line, and not the end. */
import assert from "node:assert/strict";
import { use } from "../../mod.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { failure, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { quickRegistry } from "../support/quick_registry.ts";
import { openProject, withProject } from "../support/project.ts";

const dappfile = `
dimg: app
from: scratch
git: [{ add: /, to: /app, stageDependencies: { install: [one], setup: [two] } }]
docker: { ENV: { A: b } }
`;

const page = '{"signIn":true}';

const answers: readonly (readonly [title: string, answer: () => Response])[] = [
  ["fails", () => failure(500, "UNKNOWN")],
  ["is another page", () => new Response(page)],
  [
    "comes as something else",
    () => new Response("{}", { headers: { "docker-content-digest": `sha256:${"0".repeat(64)}` } }),
  ],
];

function spoil(registry: MemoryRegistry, tag: string, answer: () => Response): void {
  registry.fault(
    (request, url) =>
      url.pathname.endsWith(`/manifests/${tag}`) && request.method !== "PUT"
        ? request.method === "HEAD" ? new Response(null, { status: 500 }) : answer()
        : undefined,
    Infinity,
  );
}

Deno.test("no stage goes while an answer that is no manifest stands in place of the image on it", async (t) => {
  const digest = await digestOf(new TextEncoder().encode(page));
  const pages: readonly (readonly [title: string, headers: Record<string, string>, runs: number])[] = [
    ["and is not the registry's", {}, 3],
    ["though it has its digest, in one run", { "docker-content-digest": digest }, 1],
  ];
  for (const [title, headers, runs] of pages) {
    await t.step(title, async () => {
      await using registry = new MemoryRegistry();
      const repo = `${registry.host}/grp/shop`;
      await withProject({ "dappfile.yaml": dappfile, one: "1", two: "2" }, async (project) => {
        const plugins = [use(quickRegistry())];
        await using engine = project.engine({ plugins, repo });
        const tags = [{ flag: "tag-plain" as const, value: "v1" }];
        await engine.push([], { repo, tags, build: true, withStages: true });
        spoil(registry, "v1", () => new Response(page, { headers }));
        for (let run = 1; run <= runs; run++) {
          await using fresh = openProject(project.dir, `${project.home}-other`).engine({ plugins });
          const plan = await fresh.planCleanup({ repo, stages: "unneeded" });
          const gone = plan.tags.filter(({ verdict }) => verdict === "delete");
          assert.deepEqual(gone.map(({ reference }) => reference), [], `run ${run}`);
        }
      });
    });
  }
});

Deno.test("one unreadable tag keeps no command from the others", async (t) => {
  for (const [title, answer] of answers) {
    await t.step(`a tag that ${title}`, async () => {
      await using registry = new MemoryRegistry();
      const repo = `${registry.host}/grp/shop`;
      const plugins = [use(quickRegistry())];
      await withProject({ "dappfile.yaml": dappfile, one: "1", two: "2" }, async (project) => {
        await using engine = project.engine({ plugins, repo });
        const tags = ["v1", "v2", "v3"].map((value) => ({ flag: "tag-plain", value }));
        await engine.push([], { repo, tags, build: true, withStages: true });

        await registry.addImage("grp/shop/app", "broken");
        await registry.addImage("grp/shop", "dappservice-dimg-broken");
        spoil(registry, "broken", answer);
        spoil(registry, "dappservice-dimg-broken", answer);
        const listed = await engine.published([], { repo });
        assert.deepEqual(listed.images.map(({ tags }) => tags.map(({ tag }) => tag)), [["v1", "v2", "v3"]]);
        assert.deepEqual(listed.unreadable?.map(({ reference }) => reference).sort(), [
          `${repo}/app:broken`,
          `${repo}:dappservice-dimg-broken`,
        ]);

        const plan = await engine.planCleanup({ repo, flush: true });
        const named = plan.notes.filter((note) => note.startsWith("2 tags stay that cannot be read, "));
        assert.equal(named.length, 1, plan.notes.join("\n"));

        const stages = Object.keys(registry.tagsOf("grp/shop")).filter((tag) => tag.startsWith("dimgstage-"));
        assert.ok(stages.length >= 4);
        spoil(registry, stages[1]!, answer);
        const other = openProject(project.dir, `${project.home}-other`);
        await using puller = other.engine({ plugins, repo });
        const pulled = await puller.pullStages([], { repo, all: true });
        const states = Object.fromEntries(
          pulled.stages.map(({ reference, state }) => [reference.split(":").at(-1), state]),
        );
        assert.deepEqual(states, {
          ...Object.fromEntries(stages.map((tag) => [tag, "pulled"])),
          [stages[1]!]: "absent",
        });
        const notes = other.events.flatMap((e) =>
          e.type === "note" && e.text.startsWith("Cannot read") ? [e.text] : []
        );
        assert.equal(notes.length, 1, notes.join("\n"));
        assert.match(notes[0]!, new RegExp(`${stages[1]}.*This stage is not used`));
      });
    });
  }
  await t.step("but a registry that refuses to be read is an error", async () => {
    await using registry = new MemoryRegistry();
    await withProject({ "dappfile.yaml": dappfile, one: "1", two: "2" }, async (project) => {
      await registry.addImage("grp/shop", "v1");
      registry.fault(
        (_, url) => url.pathname.includes("/manifests/") ? failure(403, "DENIED") : undefined,
        Infinity,
      );
      await using engine = project.engine({ plugins: [use(quickRegistry())] });
      await assert.rejects(engine.published([], { repo: `${registry.host}/grp/shop` }), {
        code: "REGISTRY_DENIED",
      });
    });
  });
});
