/** The released packages, made once for a test file and used where no checkout is in reach. */
import { peer } from "./peers.ts";
import { run, type RunOptions, type RunResult } from "./process.ts";
import { removeTree } from "./tmp.ts";

const root = new URL("../../", import.meta.url).pathname;

/** What an empty directory on somebody's machine has. */
export interface Stranger extends AsyncDisposable {
  /** An empty directory, outside of the checkout. */
  readonly dir: string;
  /** The npm package, packed. */
  readonly tarball: string;
  /** Runs a command there: without the checkout, without this process's environment and Deno's cache. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/** Makes the packages as `deno task release:build` does. Undefined where npm is not there. */
export async function asStranger(): Promise<Stranger | undefined> {
  const npm = await peer("npm");
  const node = await peer("node");
  if (npm === undefined || node === undefined) return undefined;
  const base = await Deno.makeTempDir({ prefix: "dapp-stranger-" });
  const [out, dir, home] = [`${base}/out`, `${base}/project`, `${base}/home`];
  for (const path of [dir, home]) await Deno.mkdir(path);
  const build = await run([Deno.execPath(), "run", "-A", `${root}release/main.ts`, "--out", out], {
    cwd: root,
  });
  const cache = (await run([npm, "config", "get", "cache"])).stdout.trim();
  const registry = (await run([npm, "config", "get", "registry"])).stdout.trim();
  const env = {
    HOME: home,
    // Node.js and what every system has; a Deno that is installed here is not to be found.
    PATH: `${await toolDirectory(base, [node, npm])}:/usr/bin:/bin:/usr/sbin:/sbin`,
    NPM_CONFIG_CACHE: cache,
    NPM_CONFIG_REGISTRY: registry,
    NO_COLOR: "1",
  };
  return {
    dir,
    tarball: build.stdout.trim(),
    run: (argv, options = {}) =>
      run(withoutCheckout(argv), {
        cwd: dir,
        inheritEnv: false,
        ...options,
        env: { ...env, ...options.env },
      }),
    [Symbol.asyncDispose]: () => removeTree(base),
  };
}

async function toolDirectory(base: string, programs: readonly string[]): Promise<string> {
  const dir = `${base}/bin`;
  await Deno.mkdir(dir);
  for (const program of programs) {
    await Deno.symlink(await Deno.realPath(program), `${dir}/${program.split("/").at(-1)}`);
  }
  // A system's own /usr/bin may have Deno too.
  await Deno.writeTextFile(`${dir}/deno`, "#!/bin/sh\necho 'the Deno of PATH was used' >&2\nexit 99\n");
  await Deno.chmod(`${dir}/deno`, 0o755);
  return dir;
}

/** Root can look away from the checkout for one command; others trust that nothing looks there. */
function withoutCheckout(argv: readonly string[]): readonly string[] {
  if (Deno.uid() !== 0) return argv;
  const script = 'mount -t tmpfs none "$0" && exec "$@"';
  return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, root, ...argv];
}
