/** Which functions of the program common commands call. */
import { MemoryRegistry } from "../testing/memory_registry/registry.ts";
import { gitStart } from "../core/git/process.ts";
import { statusArgs } from "../core/git/status.ts";
import { sleep } from "../lib/sleep.ts";
import { markFunctions } from "./mark.ts";
import { runTool } from "./run.ts";

const BASE = "project: warm\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /web, to: /app }]\n";
const DAPPFILE = `project: warm
---
dimg: app
from: oci:../base:latest
git: [{ add: /, to: /app }]
docker: { ENV: { MODE: production }, CMD: [serve] }
`;
/** What is read of most dappfiles; nothing of it is built. */
const WRITTEN = `# All that most dappfiles have.
project: warm
---
artifact: assets
from: "alpine:3.20"
git:
  - add: /web
    to: /src
    excludePaths: ["*.md"]
    stageDependencies:
      setup:
        - "**/*"
shell:
  setup: |
    cd /src && make
    make install
---
dimg: app
from: 'debian:bookworm-slim'
git:
  - add: /
    to: /app
    owner: app
    includePaths: [src, "*.json"]
    stageDependencies: { install: [package.json], setup: "**/*" }
shell:
  beforeInstall:
    - apt-get update
    - >-
      apt-get install -y
      make
  install: [npm ci]
  setup:
    - npm run build -- --mode "production" # as it is served
mount:
  - from: build_dir
    to: /root/.npm
secrets:
  - { id: token, env: NPM_TOKEN }
import:
  - artifact: assets
    add: /out
    to: /app/public
    after: setup
docker:
  WORKDIR: /app
  ENV:
    MODE: production
    VERSION: \${{ env.VERSION || "none" }}
  LABEL: { team: web }
  EXPOSE: [8080]
  CMD: [node, server.js]
  ENTRYPOINT: ["/entry"]
`;
const AUTHOR = ["user.name=dapp", "user.email=dapp@example.com", "commit.gpgsign=false"].flatMap((
  each,
) => ["-c", each]);

/**
 * Runs the program in `dir` as builds, pushes and pulls do, and marks the functions that it compiled on the way: in the
 * files that Deno's code cache keeps they then are compiled already, which takes an eighth off a run without change.
 */
export async function warm(dir: string): Promise<void> {
  const scratch = await Deno.makeTempDir({ prefix: "dapp-release-" });
  try {
    const called = (await runAll(dir, scratch)).flatMap((log) => calledIn(log, dir));
    for (const [file, functions] of Map.groupBy(called, ({ file }) => file)) {
      const path = `${dir}/${file}`;
      const ends = new Set(functions.map(({ end }) => end));
      await Deno.writeTextFile(path, markFunctions(await Deno.readTextFile(path), ends));
    }
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Runs the commands, and gives what V8 logged of each. */
async function runAll(dir: string, scratch: string): Promise<readonly string[]> {
  await using registry = new MemoryRegistry();
  const project = `${scratch}/project`;
  await Deno.mkdir(`${project}/web`, { recursive: true });
  await Deno.writeTextFile(`${project}/web/index.html`, "hi");
  await runTool(["git", ...AUTHOR, "init"], project);
  const commit = async (dappfile: string) => {
    await Deno.writeTextFile(`${project}/dappfile.yaml`, dappfile);
    for (const words of [["add", "."], ["commit", "--message", "Next"]]) {
      await runTool(["git", ...AUTHOR, ...words], project);
    }
  };

  const repo = `${registry.host}/warm`;
  const publish = ["bp", repo, "--tag", "v1"];
  const build = ["build", "--repo", repo];
  const logs: string[] = [];
  const call = async (home: string, words: readonly string[], git = "exit 1\0") => {
    const log = `${scratch}/${logs.length}.log`;
    const flags = `--v8-flags=--log-function-events,--no-logfile-per-isolate,--logfile=${log}`;
    // Deno as it is where nothing is cached; it would keep what these flags make of the files.
    const asked = `${scratch}/dapp-${logs.length}-git`;
    await Deno.writeTextFile(asked, `.\0\0${git}`);
    const deno = ["env", `DENO_DIR=${scratch}/deno`, Deno.execPath(), "run", "-A", flags] as const;
    const command = ["dimg", ...words, "--home", `${scratch}/${home}`];
    await runTool([...deno, `${dir}/cli.js`, `--git-asked=${asked}`, ...command], project);
    logs.push(await Deno.readTextFile(log));
  };
  await commit(BASE);
  for (const words of [["build"], ["export", "oci:../base:latest"]]) await call("home", words);
  await commit(DAPPFILE);
  const commands = [["build"], ["build"], publish, publish, ["push", repo, "--tag", "v1"], build, build];
  // As the launcher asks git, but that it failed: then the program asks it, too.
  for (const words of commands) await call("home", words);
  const status = await runTool(["git", ...gitStart.args, ...statusArgs, "--", "."], project);
  // Files that have just changed are no ground for remembering an answer.
  await sleep(2000, new AbortController().signal);
  const same = [["build"], publish, ["push", repo, "--tag", "v1"]];
  for (const words of [...same, ...same]) await call("home", words, `${status}exit 0\0`);
  await call("other", ["stages", "pull", repo]);
  await Deno.writeTextFile(`${scratch}/written.yaml`, WRITTEN);
  await call("other", ["list", "--config", `${scratch}/written.yaml`]);
  return logs;
}

/** Functions of files in `dir` that were compiled, as a log of V8 tells, by the offsets at which they end. */
function calledIn(log: string, dir: string): readonly { readonly file: string; readonly end: number }[] {
  const root = new URL(`file://${dir}/`).href;
  const rows = log.split("\n").map((line) => line.split(","));
  const urls = new Map(rows.flatMap(([what, id, url = ""]) => what === "script-details" ? [[id, url]] : []));
  return rows.flatMap(([what, event, script, , end]) => {
    const url = urls.get(script);
    if (what !== "function" || event !== "parse-function" || !url?.startsWith(root)) return [];
    return [{ file: url.slice(root.length), end: Number(end) }];
  });
}
