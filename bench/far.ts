/** Registries that are far away: how many round trips follow each other, where one takes 20 ms and speaks TLS. */
import { openProject } from "../tests/support/project.ts";
import { peer } from "../tests/support/peers.ts";
import { removeTree } from "../tests/support/tmp.ts";
import { cleanup, fill, openTagged } from "./cleaning.ts";
import { dapp } from "./dapp.ts";
import { FarLab } from "./far_lab.ts";
import type { Passed } from "./far_relay.ts";
import type { Lab } from "./lab.ts";
import { type Contestant, median, race, type Timed } from "./measure.ts";
import { print, type ScenarioResult } from "./report.ts";
import { runTimed } from "./tool.ts";
import { changeOneFile, createProject } from "./workload.ts";

const RTT_MS = 20;
const MBIT = 1000;
const DIMGS = 50;
const TAGS = 1000;

/** One image, built by dapp and exported for the others. */
interface Image {
  readonly project: string;
  readonly home: string;
  readonly layout: string;
}

/** Scenarios of far registries; beside the times, what went over the wire is printed. */
export async function measureFar(lab: Lab): Promise<readonly ScenarioResult[]> {
  const dir = `${lab.dir}/far`;
  await using far = await FarLab.open(`${dir}/servers`, { rttMs: RTT_MS, mbit: MBIT });
  const results: ScenarioResult[] = [];
  const run: Run = async (scenario, weight, contestants) => {
    const scenarios = { scenario: `far: ${scenario}`, weight, contestants };
    results.push(await measureWire(lab, far, scenarios));
  };
  await measureImage(lab, far, run, {
    name: "small image",
    weight: 3,
    image: await openSmall(lab, `${dir}/small`),
  });
  const image = imageIn(`${dir}/large`);
  await createProject(image.project, lab.base);
  await build(lab, image);
  await measureImage(lab, far, run, { name: "91 MB", weight: 1, image });
  if (lab.only.includes("dapp")) await measureQuestions(lab, far, run, dir);
  return results;
}

type Run = (scenario: string, weight: number, contestants: readonly Contestant[]) => Promise<void>;

/** An image on its way to a registry and back; of small layers also when one or none of them is new. */
async function measureImage(
  lab: Lab,
  far: FarLab,
  run: Run,
  { name, weight, image }: { readonly name: string; readonly weight: number; readonly image: Image },
): Promise<void> {
  const repos = new Map<string, string>();
  const tools = await toolsFor(lab, image);
  const pushers = (before: (tool: Tool, round: number) => Promise<void>) =>
    tools.map((tool): Contestant => ({
      name: tool.name,
      before: (round) => before(tool, round),
      command: () => far.trusted(tool.push(repos.get(tool.name)!)),
    }));
  await run(
    `push, first, ${name}`,
    weight,
    pushers(async (tool) => {
      repos.set(tool.name, `${(await far.fresh(tool.name)).host}/bench`);
    }),
  );
  let version = -1;
  await run(
    `push, one layer changed, ${name}`,
    weight,
    pushers(async (_, round) => {
      if (version === round) return;
      version = round;
      await changeOneFile(image.project, round);
      await build(lab, image);
    }),
  );
  await run(`push, no change, ${name}`, weight, pushers(async () => {}));
  const { host } = await far.fresh("pull");
  await runTimed(far.trusted(dapp(lab, image, "push", "--tag=x", "--with-stages", `${host}/bench`)));
  const pullers = tools.map((tool): Contestant => ({
    name: tool.name,
    before: () => removeTree(tool.pulled),
    command: () => far.trusted(tool.pull(`${host}/bench`)),
  }));
  await run(`pull, ${name}`, weight, pullers);
}

/** What dapp asks when there is nothing to do, for many images and for many tags. */
async function measureQuestions(lab: Lab, far: FarLab, run: Run, dir: string): Promise<void> {
  const many = await openMany(`${dir}/many`);
  const repo = `${(await far.fresh("many")).host}/bench`;
  const command = () => far.trusted(dapp(lab, many, "build", `--repo=${repo}`));
  await runTimed(command());
  await run(`build of ${DIMGS} dimgs with REPO, no change`, 2, [{ name: "dapp", command }]);

  const tagged = await openTagged(`${dir}/tagged`, `${dir}/tagged-home`);
  const tags = await far.fresh("tags");
  await fill(tagged, tags.near, TAGS, "custom");
  const at = { project: tagged.dir, home: `${dir}/plan-home` };
  await run(`plan of ${TAGS} tags, first`, 1, [{
    name: "dapp",
    before: () => removeTree(at.home),
    command: () => far.trusted(cleanup(lab, at, `${tags.host}/bench`, "--dry-run")),
  }]);
}

/** Measures a scenario, and prints what went over the wire, as medians. */
async function measureWire(
  lab: Lab,
  far: FarLab,
  { scenario, weight, contestants }: {
    readonly scenario: string;
    readonly weight: number;
    readonly contestants: readonly Contestant[];
  },
): Promise<ScenarioResult> {
  const seen = new Map<string, Passed[]>(contestants.map(({ name }) => [name, []]));
  let running: string | undefined;
  const note = async (name?: string) => {
    const passed = await far.passed();
    if (running !== undefined) seen.get(running)?.push(passed);
    running = name;
  };
  const watched = contestants.map((contestant): Contestant => ({
    ...contestant,
    async before(round) {
      await note();
      await contestant.before?.(round);
      await note(contestant.name);
    },
  }));
  const started = await far.relayMs();
  const samples = await race(watched, lab.rounds * weight, () => {});
  await note();
  for (const [name, all] of samples) {
    const of = (what: keyof Passed) => median(seen.get(name)!.map((passed) => passed[what]));
    print(
      `${scenario}: ${name} ${median(all).toFixed(0)} ms, ${of("connections")} connections, ` +
        `${of("turns")} round trips in turn, ${of("up")} bytes up, ${of("down")} down\n`,
    );
  }
  const runs = [...samples.values()].flat();
  const share = (await far.relayMs() - started) / runs.reduce((sum, ms) => sum + ms, 0);
  print(`${scenario}: the relay took ${(100 * share).toFixed(0)} % of one processor\n`);
  return { scenario, samples };
}

interface Tool {
  readonly name: string;
  /** Pushes the image as `REPO/app:x`. */
  push(repo: string): Timed;
  /** Brings it to {@linkcode pulled}. */
  pull(repo: string): Timed;
  readonly pulled: string;
}

async function toolsFor(lab: Lab, image: Image): Promise<readonly Tool[]> {
  const { layout } = image;
  const pulled = (tool: string) => `${layout}-${tool}`;
  const tools: Tool[] = [
    {
      name: "dapp",
      pulled: pulled("dapp"),
      push: (repo) => dapp(lab, image, "push", "--tag=x", repo),
      pull: (repo) => dapp(lab, { ...image, home: pulled("dapp") }, "stages pull", repo),
    },
    {
      name: "crane",
      pulled: pulled("crane"),
      push: (repo) => ({ argv: ["crane", "push", layout, `${repo}/app:x`] }),
      pull: (repo) => ({ argv: ["crane", "pull", "--format=oci", `${repo}/app:x`, pulled("crane")] }),
    },
    {
      name: "skopeo",
      pulled: pulled("skopeo"),
      push: (repo) => ({
        argv: ["skopeo", "copy", "--quiet", `oci:${layout}:latest`, `docker://${repo}/app:x`],
      }),
      pull: (repo) => ({
        argv: ["skopeo", "copy", "--quiet", `docker://${repo}/app:x`, `oci:${pulled("skopeo")}:latest`],
      }),
    },
    {
      name: "regctl",
      pulled: pulled("regctl"),
      push: (repo) => ({
        argv: ["regctl", "image", "copy", `ocidir://${layout}:latest`, `${repo}/app:x`],
      }),
      pull: (repo) => ({
        argv: ["regctl", "image", "copy", `${repo}/app:x`, `ocidir://${pulled("regctl")}:latest`],
      }),
    },
  ];
  const present = tools.filter(({ name }) => lab.only.includes(name));
  for (const { name } of present) {
    if (name !== "dapp" && !await peer(name)) throw new Error(`Cannot measure ${name}: it is not installed`);
  }
  return present;
}

function imageIn(dir: string): Image {
  return { project: `${dir}/project`, home: `${dir}/home`, layout: `${dir}/layout` };
}

async function build(lab: Lab, image: Image): Promise<void> {
  await runTimed(dapp(lab, image, "build"));
  await removeTree(image.layout);
  await runTimed(dapp(lab, image, "export", `oci:${image.layout}:latest`));
}

/** An image of five layers of a few KB. */
async function openSmall(lab: Lab, dir: string): Promise<Image> {
  const image = imageIn(dir);
  const project = openProject(image.project, image.home);
  await Deno.mkdir(image.project, { recursive: true });
  await project.git("init", "-q", "-b", "main");
  const places = ["before: install", "after: install", "before: setup", "after: setup"];
  const imports = places.map((place, i) =>
    `  - { artifact: files, add: /lib/${i}, to: /lib/${i}, ${place} }\n`
  );
  const files: Record<string, string> = {
    "dappfile.yaml": `project: small
---
artifact: files
from: scratch
git: [{ add: /lib, to: /lib }]
---
dimg: app
from: scratch
git: [{ add: /src, to: /app }]
import:
${imports.join("")}docker: { CMD: [/app/run] }
`,
    "src/part12/file1234.txt": "text\n",
  };
  places.forEach((place, i) => files[`lib/${i}/text.txt`] = `${place}\n`.repeat(300));
  await project.write(files);
  await project.commit();
  await build(lab, image);
  return image;
}

/** Many images of one layer. */
async function openMany(dir: string): Promise<{ readonly project: string; readonly home: string }> {
  const many = { project: `${dir}/project`, home: `${dir}/home` };
  const project = openProject(many.project, many.home);
  await Deno.mkdir(many.project, { recursive: true });
  await project.git("init", "-q", "-b", "main");
  const files: Record<string, string> = { "dappfile.yaml": "project: many\n" };
  for (let i = 0; i < DIMGS; i++) {
    files["dappfile.yaml"] += `---\ndimg: d${i}\nfrom: scratch\ngit: [{ add: /d${i}, to: /app }]\n`;
    files[`d${i}/text.txt`] = `${i}\n`;
  }
  await project.write(files);
  await project.commit();
  return many;
}
