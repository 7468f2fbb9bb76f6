/** Planning the cleanup of a large registry, and deleting from it: dapp beside `skopeo delete` and bare requests. */
import { MANIFEST_TYPES } from "../lib/oci/media_type.ts";
import { openProject, type TestProject } from "../tests/support/project.ts";
import { type Lab, measure } from "./lab.ts";
import type { Contestant, Timed } from "./measure.ts";
import { Remotes } from "./remotes.ts";
import { print, type ScenarioResult } from "./report.ts";

const TAGS = 10_000;
const DELETED = 300;
const PARALLEL = 16;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const dappfile = "project: bench\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";

/** Scenarios of cleanups. The registry is filled by copies of one image with annotations of their own. */
export async function measureCleaning(lab: Lab): Promise<readonly ScenarioResult[]> {
  await using remotes = new Remotes(`${lab.dir}`);
  const project = await openTagged(`${lab.dir}/cleaning`, `${lab.dir}/cleaning-home`);
  const filled = async (who: string, count: number, scheme: string): Promise<string> => {
    await fill(project, await remotes.fresh(who), count, scheme);
    return remotes.repo(who);
  };
  const command = (repo: string, home: string, ...args: string[]) =>
    cleanup(lab, { project: project.dir, home }, repo, ...args);

  const large = await filled("plan", TAGS, "custom");
  const home = (round: number) => `${lab.dir}/cleaning-plan-${round}`;
  let round = 0;
  const plan: readonly Contestant[] = [
    {
      name: "dapp",
      before: (at) => Promise.resolve(void (round = at)),
      command: () => command(large, home(round), "--dry-run"),
    },
    { name: "requests", command: () => requests("read", large) },
  ];
  const results = [await measure(lab, `plan of ${TAGS} tags, first`, { weight: 1, contestants: plan })];
  const again: Contestant = { name: "dapp", command: () => command(large, home(0), "--dry-run") };
  results.push(await measure(lab, `plan of ${TAGS} tags, again`, { weight: 1, contestants: [again] }));

  // Branches that do not exist: dapp looks at each tag once more and writes its journal before it deletes.
  let repo = "";
  const contestants: readonly Contestant[] = [
    {
      name: "dapp",
      before: async () => void (repo = await filled("dapp", DELETED, "git_branch")),
      command: () => command(repo, `${lab.dir}/cleaning-delete`),
    },
    {
      name: "skopeo",
      before: async () => void (repo = await filled("skopeo", DELETED, "git_branch")),
      command: () => ({
        argv: [
          "sh",
          "-c",
          `for i in $(seq ${DELETED}); do skopeo delete --tls-verify=false "docker://$0/app:t$i"; done`,
          repo,
        ],
      }),
    },
    {
      name: "requests",
      before: async () => void (repo = await filled("requests", DELETED, "git_branch")),
      command: () => requests("delete", repo),
    },
  ];
  const taking = contestants.filter(({ name }) => name !== "skopeo" || lab.only.includes("skopeo"));
  results.push(await measure(lab, `delete ${DELETED} tags`, { weight: 1, contestants: taking }));
  for (const { name } of taking) await requireDeleted(name, remotes.repo(name));
  return results;
}

/** @throws Error when there is more left than the image of the branch that exists */
async function requireDeleted(name: string, repo: string): Promise<void> {
  const [host, path] = repo.split("/");
  const { tags } = await (await fetch(`http://${host}/v2/${path}/app/tags/list`)).json();
  if (String(tags) !== "main") throw new Error(`${name} has left ${tags.length} tags`);
}

/** A project with one dimg, to be pushed and cleaned up. */
export async function openTagged(dir: string, home: string): Promise<TestProject> {
  const project = openProject(dir, home);
  await Deno.mkdir(dir, { recursive: true });
  await project.git("init", "-q", "-b", "main");
  await project.write({ "dappfile.yaml": dappfile, "a.txt": "a" });
  await project.commit();
  return project;
}

/** A cleanup of REPO by dapp. */
export function cleanup(
  lab: Pick<Lab, "dapp">,
  at: { readonly project: string; readonly home: string },
  repo: string,
  ...args: readonly string[]
): Timed {
  const { project, home } = at;
  return {
    argv: [...lab.dapp, "dimg", "cleanup", "repo", repo, "--dir", project, "--home", home, ...args],
    env: { DAPP_HOME: home },
  };
}

/** Pushes the project's image to `HOST/bench` and puts `count` copies beside it under the tags `t1`, `t2` ... */
export async function fill(project: TestProject, host: string, count: number, scheme: string): Promise<void> {
  await using engine = project.engine();
  await engine.push([], { repo: `${host}/bench`, tags: [{ flag: "tag-branch" }], build: true });
  const manifests = `http://${host}/v2/bench/app/manifests`;
  const pushed = await fetch(`${manifests}/main`, { headers: { accept: MANIFEST_TYPES.join(", ") } });
  if (!pushed.ok) throw new Error(`Cannot copy what was pushed: status ${pushed.status}`);
  const image = await pushed.json();
  await each(count, async (i) => {
    const annotations = {
      ...image.annotations,
      "dapp-tag-scheme": scheme,
      "dapp-tag-value": `t${i}`,
      "org.opencontainers.image.version": `t${i}`, // another name would make it a copy by hand
      "org.opencontainers.image.created": new Date(Date.UTC(2026, 0, 1) + i * 60_000).toISOString(),
    };
    const answer = await fetch(`${manifests}/t${i}`, {
      method: "PUT",
      headers: { "content-type": MANIFEST },
      body: JSON.stringify({ ...image, annotations }),
    });
    await answer.body?.cancel();
    if (answer.status !== 201) throw new Error(`Cannot fill the registry: status ${answer.status}`);
  });
}

/** Bare requests for all tags of `repo`. */
function requests(what: "read" | "delete", repo: string): Timed {
  return { argv: [Deno.execPath(), "run", "-A", new URL(import.meta.url).pathname, what, repo] };
}

/** What a first plan costs at least: one GET for each tag. */
async function readAll(repo: string): Promise<void> {
  const [host, path] = repo.split("/");
  await each(TAGS, async (i) => {
    const found = await fetch(`http://${host}/v2/${path}/app/manifests/t${i}`, {
      headers: { accept: MANIFEST },
    });
    await found.json();
    if (found.status !== 200) throw new Error(`Cannot read t${i}: status ${found.status}`);
  });
}

/** What deletion costs at least: one HEAD and one DELETE for each tag. */
async function deleteAll(repo: string): Promise<void> {
  const [host, path] = repo.split("/");
  const manifests = `http://${host}/v2/${path}/app/manifests`;
  await each(DELETED, async (i) => {
    const found = await fetch(`${manifests}/t${i}`, { method: "HEAD", headers: { accept: MANIFEST } });
    const digest = found.headers.get("docker-content-digest");
    const answer = await fetch(`${manifests}/${digest}`, { method: "DELETE" });
    await answer.body?.cancel();
    if (answer.status !== 202) throw new Error(`Cannot delete t${i}: status ${answer.status}`);
  });
}

async function each(count: number, work: (i: number) => Promise<void>): Promise<void> {
  let next = 1;
  const worker = async () => {
    while (next <= count) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

if (import.meta.main) {
  if (Deno.args[0] === "read") await readAll(Deno.args[1]!);
  else if (Deno.args[0] === "delete") await deleteAll(Deno.args[1]!);
  else print("Run: deno task bench --scenarios cleanup\n");
}
