/** Planning the cleanup of a large registry, and deleting from it: dapp beside `skopeo delete` and bare requests. */
import { openProject } from "../tests/support/project.ts";
import { type Lab, measure } from "./lab.ts";
import type { Contestant } from "./measure.ts";
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
  const project = openProject(`${lab.dir}/cleaning`, `${lab.dir}/cleaning-home`);
  await Deno.mkdir(project.dir);
  await project.git("init", "-q", "-b", "main");
  await project.write({ "dappfile.yaml": dappfile, "a.txt": "a" });
  await project.commit();

  const filled = async (who: string, count: number, scheme: string): Promise<string> => {
    const host = await remotes.fresh(who);
    await using engine = project.engine();
    const repo = remotes.repo(who);
    await engine.push([], { repo, tags: [{ flag: "tag-branch" }], build: true });
    await fill(`http://${host}/v2/bench/app/manifests`, count, scheme);
    return repo;
  };
  const command = (repo: string, home: string, ...args: string[]) => ({
    argv: [...lab.dapp, "dimg", "cleanup", "repo", repo, "--dir", project.dir, "--home", home, ...args],
    env: { DAPP_HOME: home },
  });

  const large = await filled("plan", TAGS, "custom");
  const home = (round: number) => `${lab.dir}/cleaning-plan-${round}`;
  let round = 0;
  const plan: readonly Contestant[] = [
    {
      name: "dapp",
      before: (at) => Promise.resolve(void (round = at)),
      command: () => command(large, home(round), "--dry-run"),
    },
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
      command: () => ({
        argv: [Deno.execPath(), "run", "-A", new URL(import.meta.url).pathname, "delete", repo],
      }),
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

/** Puts `count` images under the tags `t1`, `t2` ... */
async function fill(manifests: string, count: number, scheme: string): Promise<void> {
  const accept = { accept: MANIFEST };
  const image = await (await fetch(`${manifests}/main`, { headers: accept })).json();
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
  if (Deno.args[0] === "delete") await deleteAll(Deno.args[1]!);
  else print("Run: deno task bench --scenarios cleanup\n");
}
