/** The npm package, made once for a test file and used where no checkout is in reach. */
import { peer } from "./peers.ts";
import { run, type RunOptions, type RunResult } from "./process.ts";
import { writeFiles } from "./project.ts";
import { removeTree } from "./tmp.ts";

const root = new URL("../../", import.meta.url).pathname;

/** What somebody's machine has. */
export interface Stranger extends AsyncDisposable {
  /** A directory outside of the checkout, in which the package is installed, and nothing else. */
  readonly dir: string;
  /** Installs the package in a directory, with what its package.json names. */
  install(cwd: string): Promise<void>;
  /** Runs a command there: without the checkout, without this process's environment and Deno's cache. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
}

/**
 * One of them for the tests of a file; the function it returns gives it inside tests. Call it at the top of the file.
 * Undefined where npm is not there.
 */
export function useStranger(): () => Stranger | undefined {
  let stranger: Stranger | undefined;
  Deno.test.beforeAll(async () => {
    stranger = await asStranger();
  });
  Deno.test.afterAll(async () => {
    await stranger?.[Symbol.asyncDispose]();
  });
  return () => stranger;
}

/** Makes the package as `deno task release:build` does. */
async function asStranger(): Promise<Stranger | undefined> {
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
  const stranger: Stranger = {
    dir,
    async install(cwd) {
      const flags = ["--prefer-offline", "--no-audit", "--no-fund", "--save-dev"];
      await stranger.run(["npm", "install", ...flags, build.stdout.trim()], { cwd });
    },
    run: (argv, options = {}) =>
      run(withoutCheckout(argv), {
        cwd: dir,
        inheritEnv: false,
        ...options,
        env: { ...env, ...options.env },
      }),
    [Symbol.asyncDispose]: () => removeTree(base),
  };
  await writeFiles(dir, {
    "package.json": JSON.stringify({ name: "stranger", private: true, type: "module" }),
  });
  await stranger.install(dir);
  return stranger;
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
