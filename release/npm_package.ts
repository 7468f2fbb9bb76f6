/** The npm package: the bundled program, its types, and a launcher that finds the Deno it depends on. */
import { shellWord } from "../core/git/failure.ts";
import { listingArgs, namingArgs } from "../core/git/listing.ts";
import { gitStart } from "../core/git/process.ts";
import { statusArgs } from "../core/git/status.ts";
import { project, versionOf } from "./project.ts";
import { runTool } from "./run.ts";

const TEXTS = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** Writes everything but `dist/` and `types/` to `dir`. */
export async function writeNpmPackage(dir: string): Promise<void> {
  for (const name of TEXTS) await Deno.copyFile(new URL(name, project.root), `${dir}/${name}`);
  await Deno.mkdir(`${dir}/docs`);
  for await (const { name } of Deno.readDir(new URL("docs/", project.root))) {
    if (name.endsWith(".md")) {
      await Deno.copyFile(new URL(`docs/${name}`, project.root), `${dir}/docs/${name}`);
    }
  }
  await Deno.mkdir(`${dir}/bin`, { recursive: true });
  await Deno.writeTextFile(`${dir}/bin/dapp`, await launcher(), { mode: 0o755 });
  await Deno.writeTextFile(`${dir}/package.json`, `${JSON.stringify(manifest(), undefined, 2)}\n`);
}

/** release/dapp.sh, which asks git as the engine does. */
async function launcher(): Promise<string> {
  const script = await Deno.readTextFile(new URL("release/dapp.sh", project.root));
  const env = Object.entries(gitStart.env).map(([key, value]) => `${key}=${shellWord(value)}`);
  const words = (args: readonly string[]) => args.map(shellWord).join(" ");
  return script.replace("GIT_ENVIRONMENT", env.join(" "))
    .replace("GIT_SETTINGS", words(gitStart.args))
    .replace("GIT_NAMING", words(namingArgs))
    .replace("GIT_LISTING", words(listingArgs))
    .replace("GIT_STATUS", words([...statusArgs, "--", "."]));
}

function manifest(): object {
  const exports = Object.entries(project.exports).map(([name, path]) => [name, {
    types: path.replace("./", "./types/").replace(/ts$/, "d.ts"),
    default: path.replace("./", "./dist/").replace(/ts$/, "js"),
  }]);
  return {
    name: project.name,
    version: project.version,
    description:
      "Builds container images from a dappfile, stage by stage, and tags, shares and cleans them up",
    license: project.license,
    type: "module",
    bin: { dapp: "bin/dapp" },
    exports: Object.fromEntries(exports),
    files: [
      "bin",
      "dist",
      "docs",
      "types",
      ...TEXTS.filter((name) => name === "CHANGELOG.md" || name === "SECURITY.md"),
    ],
    // The Deno that this release is built and tested with; zod for the types alone, the program has its own.
    dependencies: { deno: Deno.version.deno, zod: versionOf("zod") },
  };
}

/** Packs `dir` into a tarball in `into` and returns its path. */
export async function packNpm(dir: string, into: string): Promise<string> {
  const [packed]: { filename: string }[] = JSON.parse(
    await runTool(["npm", "pack", "--json", "--ignore-scripts", "--pack-destination", into, dir], into),
  );
  if (!packed) throw new Error(`Cannot pack "${dir}": npm named no file`);
  return `${into}/${packed.filename}`;
}
