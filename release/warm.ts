/** Which functions of the program common commands call. */
import { MemoryRegistry } from "../testing/memory_registry/registry.ts";
import { markFunctions } from "./mark.ts";
import { runTool } from "./run.ts";

const DAPPFILE = "project: warm\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /web, to: /app }]\n";

/**
 * Runs the program in `dir` as builds, pushes and pulls do, and marks the functions that it compiled on the way: in the
 * files that Deno's code cache keeps they then are compiled already, which takes an eighth off a run without change.
 */
export async function warm(dir: string): Promise<void> {
  const scratch = await Deno.makeTempDir({ prefix: "dapp-release-" });
  try {
    for (const [file, ends] of await calledFunctions(dir, scratch)) {
      const path = `${dir}/${file}`;
      await Deno.writeTextFile(path, markFunctions(await Deno.readTextFile(path), ends));
    }
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
}

/** Files of the program in `dir`, with the offsets at which functions end that were compiled. */
async function calledFunctions(
  dir: string,
  scratch: string,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  await using registry = new MemoryRegistry();
  const project = `${scratch}/project`;
  await Deno.mkdir(`${project}/web`, { recursive: true });
  await Deno.writeTextFile(`${project}/web/index.html`, "hi");
  await Deno.writeTextFile(`${project}/dappfile.yaml`, DAPPFILE);
  const git = [
    "git",
    "-c",
    "user.name=dapp",
    "-c",
    "user.email=dapp@example.com",
    "-c",
    "commit.gpgsign=false",
  ] as const;
  await runTool([...git, "init", "--quiet"], project);
  await runTool([...git, "add", "."], project);
  await runTool([...git, "commit", "--quiet", "--message", "Start"], project);

  const repo = `${registry.host}/warm`;
  const publish = ["bp", repo, "--tag", "v1"];
  const build = ["build", "--repo", repo];
  const commands = [["build"], ["build"], publish, publish, ["push", repo, "--tag", "v1"], build, build];
  const called = new Map<string, Set<number>>();
  for (const [i, words] of [...commands, ["stages", "pull", repo]].entries()) {
    const log = `${scratch}/${i}.log`;
    const flags = `--v8-flags=--log-function-events,--no-logfile-per-isolate,--logfile=${log}`;
    const home = ["--home", `${scratch}/${i < commands.length ? "home" : "other"}`];
    // Deno as it is where nothing is cached; it would keep what these flags make of the files.
    const deno = ["env", `DENO_DIR=${scratch}/deno`, Deno.execPath(), "run", "-A", flags] as const;
    await runTool([...deno, `${dir}/cli.js`, "dimg", ...words, ...home, "--quiet"], project);
    collect(await Deno.readTextFile(log), dir, called);
  }
  return called;
}

/** Adds what a log of V8 says of the files in `dir`. */
function collect(log: string, dir: string, called: Map<string, Set<number>>): void {
  const root = new URL(`file://${dir}/`).href;
  const files = new Map<string, string>();
  for (const line of log.split("\n")) {
    const [what, ...fields] = line.split(",");
    if (what === "script-details") {
      const [id = "", url = ""] = fields;
      if (url.startsWith(root)) files.set(id, url.slice(root.length));
    } else if (what === "function" && fields[0] === "parse-function") {
      const file = files.get(fields[1] ?? "");
      if (file === undefined) continue;
      const ends = called.get(file) ?? new Set();
      called.set(file, ends.add(Number(fields[3])));
    }
  }
}
