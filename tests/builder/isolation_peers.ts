/** The probes of the isolation table inside containers of other tools, all of them in one container for each network. */
import { architecture } from "../support/rootfs_image.ts";
import { startDocker } from "../support/docker.ts";
import { peer } from "../support/peers.ts";
import { kill, run } from "../support/process.ts";
import { mountsBelow, unmountBelow } from "../support/journal_fs.ts";
import { removeTree } from "../support/tmp.ts";
import { busyboxBase } from "../support/bases.ts";
import { type OtherTool, PRELUDE, probePrograms } from "./isolation_rows.ts";
import { until } from "../support/until.ts";

/** Probes by name, and what they print. */
export type Texts = Readonly<Record<string, string>>;

/** Runs probes in a container with that network. */
export type ProbeIn = (network: "none" | "host", probes: Texts) => Promise<Texts>;

/** A tool that is here, ready to run probes. */
export interface IsolationPeer extends AsyncDisposable {
  readonly probe: ProbeIn;
}

/** Shell text that runs each probe by itself and prints what it says after a line with its position. */
function script(probes: Texts): string {
  const parts = Object.values(probes).map((probe, i) =>
    `echo; echo '=== ${i}'; ( ${probe}; ) 2>/dev/null </dev/null`
  );
  // A shell that is process 1 dies of an interrupt from within.
  return `trap "" INT\n${PRELUDE}${parts.join("\n")}\ntrue\n`;
}

function parse(probes: Texts, printed: string): Texts {
  const pieces = printed.split(/^=== [0-9]+\n/m).slice(1);
  return Object.fromEntries(Object.keys(probes).map((name, i) => [name, pieces[i]!.trim()]));
}

async function writePrograms(dir: string): Promise<void> {
  await Deno.mkdir(`${dir}/probe`, { recursive: true });
  await Deno.chmod(dir, 0o755);
  for (const [name, bytes] of Object.entries(probePrograms())) {
    await Deno.writeFile(`${dir}/probe/${name}`, bytes, { mode: 0o755 });
  }
}

async function openDocker(): Promise<IsolationPeer | undefined> {
  const daemon = await startDocker();
  if (!daemon) return undefined;
  const dir = await Deno.makeTempDir();
  await writePrograms(dir);
  await daemon.load(await busyboxBase(), "isolation");
  return {
    async probe(network, probes) {
      const args = ["run", "--rm", "--network", network, "--volume", `${dir}/probe:/probe:ro`, "isolation"];
      // the command of the container is process 1, as what builds run in others is
      return parse(probes, (await daemon.docker([...args, "sh", "-c", script(probes)])).stdout);
    },
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      await removeTree(dir);
    },
  };
}

async function openBuildah(): Promise<IsolationPeer | undefined> {
  if (Deno.uid() !== 0 || !await peer("buildah") || !await peer("runc")) return undefined;
  const dir = await Deno.makeTempDir({ prefix: "dapp-buildah-" });
  const keep = await mountsBelow(dir);
  const own = ["buildah", "--root", `${dir}/root`, "--runroot", `${dir}/run`, "--storage-driver", "vfs"];
  await writePrograms(dir);
  // buildah makes a name of the path, which must look like one
  await run(["skopeo", "copy", "--quiet", `oci:${await busyboxBase()}:latest`, `oci:${dir}/base`]);
  await run([...own, "from", "--name", "isolation", "--quiet", `oci:${dir}/base`]);
  await run([...own, "copy", "--quiet", "isolation", `${dir}/probe`, "/probe"]);
  return {
    async probe(network, probes) {
      const how = ["run", "--runtime", "runc", "--isolation", "oci", "--network", network, "isolation", "--"];
      return parse(probes, (await run([...own, ...how, "sh", "-c", script(probes)])).stdout);
    },
    async [Symbol.asyncDispose]() {
      await run([...own, "rm", "--all"], { allowFailure: true });
      await unmountBelow(dir, keep);
      await removeTree(dir);
    },
  };
}

/** `DAPP_TEST_BUILDKITD` names the daemon; buildctl is beside it. No package of Debian has them. */
async function openBuildkit(): Promise<IsolationPeer | undefined> {
  const program = Deno.env.get("DAPP_TEST_BUILDKITD");
  if (Deno.uid() !== 0 || !program || !await peer("runc")) return undefined;
  const dir = await Deno.makeTempDir({ prefix: "dapp-bk-" });
  const keep = await mountsBelow(dir);
  const address = `unix://${dir}/sock`;
  const flags = ["--root", `${dir}/root`, "--addr", address, "--oci-worker-binary", "runc"];
  const daemon = new Deno.Command("setpriv", {
    args: ["--pdeathsig", "TERM", program, ...flags, "--allow-insecure-entitlement", "network.host"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ctl = [program.replace(/d$/, "").replace(/kit$/, "ctl"), "--addr", address];
  await writePrograms(dir);
  let ended = false;
  daemon.status.then(() => ended = true);
  const answers = async () => (await run([...ctl, "debug", "workers"], { allowFailure: true })).code === 0;
  await until(async () => await answers() || ended);
  const layout = await busyboxBase();
  const { digest } = JSON.parse(await Deno.readTextFile(`${layout}/index.json`)).manifests[0];
  return {
    async probe(network, probes) {
      const context = await Deno.makeTempDir({ dir });
      await run(["cp", "-a", `${dir}/probe`, context]);
      await Deno.writeTextFile(`${context}/all`, script(probes));
      const steps = `RUN --network=${network} sh /all >/out`;
      await Deno.writeTextFile(
        `${context}/Dockerfile`,
        `FROM base AS probed\nCOPY all /\nCOPY probe /probe\n${steps}\nFROM scratch\nCOPY --from=probed /out /\n`,
      );
      await run([
        ...[...ctl, "build", "--frontend", "dockerfile.v0", "--allow", "network.host", "--no-cache"],
        ...["--local", `context=${context}`, "--local", `dockerfile=${context}`],
        ...["--oci-layout", `base=${layout}`, "--opt", `context:base=oci-layout://base@${digest}`],
        ...["--opt", `platform=linux/${architecture}`, "--output", `type=local,dest=${context}/result`],
      ]);
      return parse(probes, await Deno.readTextFile(`${context}/result/out`));
    },
    async [Symbol.asyncDispose]() {
      kill(daemon, "SIGTERM");
      await daemon.status;
      await unmountBelow(dir, keep);
      await removeTree(dir);
    },
  };
}

/** How each tool is opened; undefined when it is not here. */
export const isolationPeers: Readonly<Record<OtherTool, () => Promise<IsolationPeer | undefined>>> = {
  docker: openDocker,
  buildah: openBuildah,
  BuildKit: openBuildkit,
};
