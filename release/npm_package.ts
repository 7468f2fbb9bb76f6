/** The npm package: the bundled program, its types, and a launcher that finds the Deno it depends on. */
import { dirname } from "@std/path/posix/dirname";
import { join } from "@std/path/posix/join";
import { shellWord } from "../core/git/failure.ts";
import { listingArgs, namingArgs } from "../core/git/listing.ts";
import { gitStart } from "../core/git/process.ts";
import { statusArgs } from "../core/git/status.ts";
import { project, versionOf } from "./project.ts";
import { runTool } from "./run.ts";

/** Where people begin to read. */
const TEXTS = ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** Writes everything but `dist/` and `types/` to `dir`. */
export async function writeNpmPackage(dir: string): Promise<void> {
  const texts = await packedTexts();
  for (const name of texts) {
    await Deno.mkdir(`${dir}/${dirname(name)}`, { recursive: true });
    await Deno.copyFile(new URL(name, project.root), `${dir}/${name}`);
  }
  await Deno.mkdir(`${dir}/bin`, { recursive: true });
  await Deno.writeTextFile(`${dir}/bin/dapp`, await launcher(), { mode: 0o755 });
  await Deno.writeTextFile(`${dir}/package.json`, `${JSON.stringify(manifest(texts), undefined, 2)}\n`);
}

/** What people read: texts, the documentation, and all that these lead to in the repository. */
async function packedTexts(): Promise<readonly string[]> {
  const out = new Set<string>();
  const add = async (name: string): Promise<void> => {
    const url = new URL(name, project.root);
    if ((await Deno.stat(url)).isDirectory) {
      for await (const entry of Deno.readDir(url)) await add(`${name.replace(/\/$/, "")}/${entry.name}`);
      return;
    }
    if (out.has(name)) return;
    out.add(name);
    if (!name.endsWith(".md")) return;
    const text = (await Deno.readTextFile(url)).replaceAll(/^```.*?^```/gms, "");
    for (const [, link] of text.matchAll(/\]\(([^)\s#]+)/g)) {
      if (!/^[a-z]+:/.test(link!)) await add(join(dirname(name), link!));
    }
  };
  for (const name of TEXTS) await add(name);
  for await (const { name } of Deno.readDir(new URL("docs/", project.root))) {
    if (name.endsWith(".md")) await add(`docs/${name}`);
  }
  return [...out];
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

function manifest(texts: readonly string[]): object {
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
    files: [...new Set(["bin", "dist", "types", ...texts.map((name) => name.split("/")[0]!)])],
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
