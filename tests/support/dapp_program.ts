/** The command line in a process of its own, as on a machine where nothing of others was fetched yet. */
import { denoDir, run } from "./process.ts";
import type { TestProject } from "./project.ts";
import { removeTree } from "./tmp.ts";

const checkout = new URL("../../", import.meta.url).pathname;
const program = `${checkout}cli.ts`;

/** What `--json` printed. */
export interface DappAnswer {
  readonly code: number;
  readonly data: {
    readonly error?: { readonly code: string; readonly message: string; readonly fix: string };
    readonly plugins?: readonly Readonly<Record<string, unknown>>[];
  };
  readonly stderr: string;
}

/** A dapp on a machine of its own. Dispose of it. */
export interface DappProgram extends AsyncDisposable {
  /** Runs a command with `--json`. */
  json(...args: readonly string[]): Promise<DappAnswer>;
  /** Forgets what was fetched, as on another machine. */
  forget(): Promise<void>;
}

/** What it finds there. */
export interface DappMachine {
  readonly env?: Readonly<Record<string, string>>;
  /** Text of `.npmrc` in its home. */
  readonly npmrc?: string;
}

/** Its cache has dapp and its packages, as after an installation, and nothing else. */
export async function openDapp(
  { dir, home }: Pick<TestProject, "dir" | "home">,
  { env = {}, npmrc = "" }: DappMachine = {},
): Promise<DappProgram> {
  const root = await Deno.makeTempDir({ prefix: "dapp-machine-" });
  const [cache, user] = [`${root}/cache`, `${root}/user`];
  for (const path of [cache, user]) await Deno.mkdir(path);
  const source = await denoDir();
  // Links where that can be: there are many files, and none of them is ever written again.
  const link = async (path: string) => {
    await Deno.mkdir(`${cache}/${path}`, { recursive: true });
    const copy = ["cp", "-aT", `${source}/${path}`, `${cache}/${path}`];
    const linked = await run([...copy, "--link"], { allowFailure: true });
    if (linked.code !== 0) await run(copy);
  };
  await link("npm");
  await link(`gen/file${checkout}`); // what modules of dapp were compiled to
  await Deno.writeTextFile(`${user}/.npmrc`, npmrc);
  const own = new Set([...Deno.readDirSync(`${cache}/npm`)].map(({ name }) => name));
  return {
    async json(...args) {
      const { code, stdout, stderr } = await run(
        [
          Deno.execPath(),
          "run",
          "-A",
          "--no-check",
          "--no-lock",
          program,
          ...args,
          "--json",
          "-C",
          dir,
          "--home",
          home,
        ],
        { allowFailure: true, env: { ...env, DENO_DIR: cache, HOME: user } },
      );
      if (stdout === "") throw new Error(`it answered nothing: ${stderr}`);
      return { code, data: JSON.parse(stdout), stderr };
    },
    async forget() {
      const fetched = [...Deno.readDirSync(`${cache}/npm`)].filter(({ name }) => !own.has(name));
      for (const path of ["remote", ...fetched.map(({ name }) => `npm/${name}`)]) {
        await removeTree(`${cache}/${path}`);
      }
    },
    [Symbol.asyncDispose]: () => removeTree(root),
  };
}
