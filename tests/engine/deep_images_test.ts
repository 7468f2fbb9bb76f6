/** Images upon images, by hundreds of levels and by many ways. */
import assert from "node:assert/strict";
import { ComingFacts, type StageFacts } from "../../core/plan/known_facts.ts";
import { digestOf } from "../../lib/oci/digest.ts";
import { buildGraph } from "../../core/sign/graph.ts";
import { lastStage, signGraph } from "../../core/sign/sign.ts";
import { describeStage } from "../../core/share/describe_stage.ts";
import { runsUpon } from "../../core/share/run_upon.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { read } from "../core/config/support.ts";

const signed = async (dappfile: string) => {
  const graph = buildGraph(read(dappfile));
  return await signGraph(graph, new Set(graph.images.map(({ key }) => key)), {
    platform: "linux/amd64",
    epoch: 0,
    baseDigest: () => digestOf("base"),
    file: "dappfile.yaml",
    dockerfile: () => Promise.reject(new Error("no Dockerfile")),
    gitFacts: () => Promise.resolve(new Map()),
    pluginFacts: () => Promise.resolve([]),
  });
};

/** Images each of which imports from the one before it twice: there are 2^levels ways to the first. */
const ladder = (levels: number) =>
  [
    "artifact: a0\nfrom: scratch\n",
    ...Array.from({ length: levels }, (_, i) =>
      `${i + 1 < levels ? "artifact" : "dimg"}: a${i + 1}\nfrom: scratch\nimport:\n` +
      `  - { artifact: a${i}, add: /f, to: /f, before: install }\n` +
      `  - { artifact: a${i}, add: /f, to: /g, after: setup }\n`),
  ].join("---\n");

const chain = (length: number) =>
  Array.from(
    { length },
    (_, i) =>
      `dimg: app${i}\n${
        i === 0 ? "from: scratch" : `fromDimg: app${i - 1}`
      }\ndocker: { ENV: { N${i}: "1" } }\n`,
  )
    .join("---\n");

const documentOf = async (graph: Awaited<ReturnType<typeof signed>>, key: string) => {
  const image = graph.image(key);
  return await describeStage(
    image,
    lastStage(image),
    { image: { config: {} as never, layers: [] } },
    { store: {} as never, signed: graph, listingText: () => Promise.resolve(undefined) },
  );
};

Deno.test("a stage tells the facts of all it is made of once, before those that stand on them", async () => {
  const graph = await signed(ladder(40));
  const { stages } = await documentOf(graph, "a40");
  // `from` of all is one stage.
  assert.equal(stages.length, 1 + 2 * 40);
  assert.equal(new Set(stages.map(({ signature }) => signature)).size, stages.length);
  const places = new Map(stages.map(({ signature }, i) => [signature, i]));
  for (const [i, { previous, facts }] of stages.entries()) {
    const before = [
      previous,
      ...facts.filter(({ key }) => key.endsWith(".artifact")).map(({ value }) => value),
    ];
    for (const each of before) if (each !== null) assert.ok(places.get(each as never)! < i, `stage ${i}`);
  }
  assert.equal((await documentOf(await signed(chain(3000)), "app2999")).stages.length, 6000);
});

Deno.test("facts that come with stages are kept once, for every place that they belong to", async () => {
  const graph = await signed(`${chain(3)}---\ndimg: other\nfrom: scratch\n`);
  const noted: string[] = [];
  const kept: string[] = [];
  const store = {
    stages: {
      record: () => Promise.resolve(undefined),
      addHistory: (...row: string[]) => Promise.resolve(void noted.push(row.slice(0, 3).join(" "))),
    },
    memo: { put: (_: string, key: string) => Promise.resolve(void kept.push(key)) },
  };
  const facts = new ComingFacts(store as never, "project", graph);
  const rows: StageFacts[] = [];
  for (const { stages } of graph.images) {
    for (const { spec, ...stage } of stages) rows.push({ stage: spec.name, ...stage });
    await facts.keep([...rows, { ...rows[0]!, signature: "0".repeat(64) as never }]);
  }
  const places = graph.images.flatMap(({ node, stages }) =>
    stages.map(({ spec }) => `project ${node.key} ${spec.name}`)
  );
  assert.deepEqual(noted.toSorted(), places.toSorted());
  assert.deepEqual(kept.toSorted(), [...new Set(rows.map(({ signature }) => signature))].toSorted());
});

Deno.test("commands run upon a stage where they do in it, or in what stands on it and is to be built", async () => {
  const commands = `---\ndimg: top\nfromDimg: app2999\nshell: { setup: [a] }\n`;
  const graph = await signed(chain(3000) + commands + "---\ndimg: other\nfrom: scratch\n");
  const isRunUpon = runsUpon(graph);
  const [first, other] = [graph.image("app0"), graph.image("other")];
  assert.equal(isRunUpon(first, 1, new Map()), true);
  assert.equal(isRunUpon(first, 1, new Map([["app1500", { index: 1 }]])), false);
  assert.equal(isRunUpon(other, 0, new Map()), false);
  assert.deepEqual([0, 1].map((index) => isRunUpon(graph.image("top"), index, new Map())), [true, false]);
});

Deno.test("a build goes up hundreds of images that stand on each other", async () => {
  await withProject({ "dappfile.yaml": chain(150) }, async ({ dir, home }) => {
    const cli = new URL("../../cli.ts", import.meta.url).pathname;
    // A tenth of the stack that there is, for a tenth of the images that it should do for.
    const deno = [Deno.execPath(), "run", "-A", "--v8-flags=--stack-size=100", cli];
    const { stdout } = await run([
      ...deno,
      "dimg",
      "build",
      "app149",
      "--json",
      "--dir",
      dir,
      "--home",
      home,
    ]);
    assert.equal(JSON.parse(stdout).images.length, 1);
  });
});
