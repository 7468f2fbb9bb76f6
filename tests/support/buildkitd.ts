/** A real BuildKit daemon of the test's own: own state and socket, runc of this machine, the network of this machine. */
import { freePort } from "./free_port.ts";
import { mountsBelow, unmountBelow } from "./journal_fs.ts";
import { endDaemon } from "./process.ts";
import { removeTree } from "./tmp.ts";
import { until } from "./until.ts";

export interface Buildkitd extends AsyncDisposable {
  /** As BUILDKIT_HOST names it. */
  readonly address: string;
  readonly pid: number;
  /** All that it keeps: its state, and its log in `log`. */
  readonly dir: string;
  /** How often each of its methods was called, as it counts itself; with `counts`. */
  calls(): Promise<Readonly<Record<string, number>>>;
}

export interface BuildkitdOptions {
  /** Lines of its configuration below the worker. */
  readonly worker?: readonly string[];
  /** Further tables of its configuration. */
  readonly tables?: readonly string[];
  /** Further places to listen at, and how: lines of `[grpc]`. */
  readonly grpc?: readonly string[];
  readonly listen?: readonly string[];
  /** @default ["--allow-insecure-entitlement", "network.host"] */
  readonly flags?: readonly string[];
  /** Count calls. @default false */
  readonly counts?: boolean;
}

/** Path of buildkitd: `DAPP_TEST_BUILDKITD`, or from PATH. No package of Debian, npm or PyPI has it. */
export async function findBuildkitd(): Promise<string | undefined> {
  const named = Deno.env.get("DAPP_TEST_BUILDKITD");
  const places = (Deno.env.get("PATH") ?? "").split(":").map((dir) => `${dir}/buildkitd`);
  for (const path of named ? [named] : places) {
    if (await Deno.stat(path).then(({ isFile }) => isFile, () => false)) return path;
  }
  const why = named ? `DAPP_TEST_BUILDKITD is "${named}", which is not there` : "no buildkitd in PATH";
  Deno.stderr.writeSync(new TextEncoder().encode(`[${why}: tests of the BuildKit builder did not run]\n`));
  return undefined;
}

/** Starts a daemon, or returns undefined when there is none or this process is not root. */
export async function startBuildkitd(options: BuildkitdOptions = {}): Promise<Buildkitd | undefined> {
  const program = await findBuildkitd();
  if (program === undefined) return undefined;
  if (Deno.uid() !== 0) {
    Deno.stderr.writeSync(
      new TextEncoder().encode("[without root: tests of the BuildKit builder did not run]\n"),
    );
    return undefined;
  }
  const dir = await Deno.makeTempDir({ prefix: "dapp-bk-" }); // short: socket names have at most 107 bytes
  const socket = `${dir}/sock`;
  const { worker = ['networkMode = "host"'], listen = [], grpc = [], tables = [] } = options;
  const { flags = ["--allow-insecure-entitlement", "network.host"], counts = false } = options;
  const debug = `127.0.0.1:${freePort()}`;
  const configuration = [
    `root = "${dir}/root"`,
    "[grpc]",
    ...(counts ? [`debugAddress = "${debug}"`] : []),
    `address = ${JSON.stringify([`unix://${socket}`, ...listen])}`,
    ...grpc,
    ...tables,
    "[worker.oci]",
    "enabled = true",
    'binary = "runc"',
    ...worker,
    "[worker.containerd]",
    "enabled = false",
  ];
  await Deno.writeTextFile(`${dir}/buildkitd.toml`, configuration.join("\n"));
  const keep = await mountsBelow(dir);
  // pdeathsig: a killed test run takes its daemon along
  const child = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "TERM", "sh", "-c", 'exec "$@" >"$0" 2>&1', `${dir}/log`, program].concat(
      ["--config", `${dir}/buildkitd.toml`, ...flags],
    ),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const stop = async () => {
    await endDaemon(child);
    await unmountBelow(dir, keep);
    await removeTree(dir);
  };
  let ended = false;
  child.status.then(() => ended = true);
  await until(async () => ended || await Deno.stat(socket).then(() => true, () => false));
  if (ended) {
    const log = await Deno.readTextFile(`${dir}/log`);
    await stop();
    throw new Error(`buildkitd did not start:\n${log}`);
  }
  return {
    address: `unix://${socket}`,
    pid: child.pid,
    dir,
    calls: () => callsAt(debug),
    [Symbol.asyncDispose]: stop,
  };
}

/** Its counts once they stay as they are: the daemon counts a session when it has seen that it ended. */
async function callsAt(debug: string): Promise<Readonly<Record<string, number>>> {
  for (let counts = await countsAt(debug), same = 0;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const next = await countsAt(debug);
    same = JSON.stringify(next) === JSON.stringify(counts) ? same + 1 : 0;
    if (same === 3) return next;
    counts = next;
  }
}

/** From its metrics, summed over what the calls were answered. */
async function countsAt(debug: string): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {};
  const text = await (await fetch(`http://${debug}/metrics`)).text();
  const row = /^rpc_server_call_duration_seconds_count\{.*rpc_method="[^"]*\/(\w+)".*\} (\d+)$/gm;
  for (const [, method = "", count] of text.matchAll(row)) {
    counts[method] = (counts[method] ?? 0) + Number(count);
  }
  return counts;
}
