/** The program as few plain JavaScript files, with all packages in it. */
import { project } from "./project.ts";
import { runTool } from "./run.ts";

/** Modules that are started by their path, as a process or worker of their own. */
const STARTED = ["plugins/builder/native/helper.ts", "lib/gzip/worker.ts"];

/** Writes entry points, what they share and what they load later to `dir`, with a deno.json for plugins of users. */
export async function bundle(dir: string): Promise<void> {
  const entries = [...Object.values(project.exports).map((path) => path.slice("./".length)), ...STARTED];
  await runTool([
    Deno.execPath(),
    ...["bundle", "--quiet", "--code-splitting", "--platform", "deno", "--outdir", dir],
    ...entries,
  ], project.root);
  for await (const path of scripts(dir)) {
    const text = await Deno.readTextFile(`${dir}/${path}`);
    const adapted = adapt(text, path);
    if (adapted !== text) await Deno.writeTextFile(`${dir}/${path}`, adapted);
  }
  // Deno finds it beside the program: plugins of any project import dapp by these names.
  const imports = Object.fromEntries(
    Object.entries(project.exports).filter(([name]) => name !== "./cli").map(([name, path]) => [
      project.name + name.slice(1),
      path.replace(/ts$/, "js"),
    ]),
  );
  await Deno.writeTextFile(
    `${dir}/deno.json`,
    `${JSON.stringify({ imports, nodeModulesDir: "none", lock: false }, undefined, 2)}\n`,
  );
}

/** JavaScript files below a directory, as paths in it. */
async function* scripts(dir: string, below = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${dir}/${below}`)) {
    if (isDirectory) yield* scripts(dir, `${below}${name}/`);
    else if (name.endsWith(".js")) yield below + name;
  }
}

/** What the bundler puts first wherever a package needs `require`; loading node:module takes as long as Deno's start. */
const REQUIRE =
  /^import \{ createRequire as (\w+) \} from "node:module";\nvar __require = \1\(import\.meta\.url\);$/m;

/** Makes one file of the bundle work where it lies. @throws Error on what it does not know */
export function adapt(text: string, path: string): string {
  const up = "../".repeat(path.split("/").length - 1);
  const adapted = text
    .replace(REQUIRE, "var __require = (name) => globalThis.process.getBuiltinModule(name);")
    // A template is loaded when it is reached; a plain text would be read, with all it imports, at the start.
    .replaceAll(/\bimport\("(\.[^"]+)"\)/g, 'import(`${"$1"}`)')
    .replaceAll(/new URL\("\.\/([^"]+)\.ts", import\.meta\.url\)/g, (_, name) => {
      const started = STARTED.filter((module) => module.endsWith(`/${name}.ts`));
      if (started.length !== 1) {
        throw new Error(`Cannot bundle "${path}": what it starts, "${name}.ts", is no entry`);
      }
      return `new URL("./${up}${started[0]!.replace(/ts$/, "js")}", import.meta.url)`;
    });
  const stray = /createRequire\w*\(|\bimport\("\.|\.ts", import\.meta\.url/.exec(adapted);
  if (stray) throw new Error(`Cannot bundle "${path}": it still has "${stray[0]}"`);
  return adapted;
}
