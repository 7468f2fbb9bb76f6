/** The program as few plain JavaScript files, with all packages in it. */
import "yaml"; // so that it is here when its modules are looked for
import { gather, type Gathering } from "./gather.ts";
import { project } from "./project.ts";
import { runTool } from "./run.ts";
import { warm } from "./warm.ts";

/** How a module names one that is started by its path, as a process or worker of its own. */
const STARTS = /new URL\("\.\/([^"]+)\.ts", import\.meta\.url\)/g;

/** What `--version` loads, what repeats an answer that is remembered, and what the next two have in common. */
const start: Gathering = {
  name: "start",
  common: true,
  program: "cli.ts",
  roots: [
    ...["cli/version.ts", "cli/git_asked.ts", "cli/remembered/repeat.ts"],
    ...["lib/guard.ts", "lib/collect.ts", "lib/sleep.ts", "lib/own_process.ts", "lib/program_environment.ts"],
    ...["lib/oci/documents.ts", "lib/compression/error.ts", "lib/watch.ts"],
  ],
};
/** What moves bytes between registries and this machine. */
const wire: Gathering = { name: "wire", common: true, roots: ["lib/registry/wire.ts"] };
/** What asks registries that want a login, or TLS, whether an answer is still the same. */
const client: Gathering = { name: "client", common: true, roots: ["cli/remembered/ask_client.ts"] };
/** What every command loads. */
const command: Gathering = {
  name: "command",
  common: true,
  roots: [
    ...["cli/main.ts", "cli/host.ts", "cli/remembered/witness.ts"],
    ...["cli/render/plain.ts", "cli/commands/help.ts", "cli/ci/log.ts"],
  ],
};
/** What a build without change loads; and little that nearly everything else loads, which were files of its own. */
const build: Gathering = {
  name: "build",
  common: true,
  roots: [
    "mod.ts",
    "plugin.ts",
    "cli/commands/build.ts",
    "core/build/finish_build.ts",
    ...["core/layers/transfers.ts", "core/sign/needs_builder.ts", "lib/write_all.ts"],
    "core/protocol/spare_tags.ts", // with plans of cleanups, which Node.js reads
  ],
};
/** What only Deno understands, of that: the engine is imported by Node.js too. */
const store: Gathering = { name: "store", common: true, roots: ["plugins/store/local/store.ts"] };

/** What talks to registries. */
const registry: Gathering = {
  name: "registry",
  roots: [
    "plugins/builtin/registries.ts",
    "plugins/registry/_oci_backend.ts",
    "plugins/registry/_reach.ts",
    "lib/registry/client.ts",
    "lib/registry/blobs.ts",
    "lib/registry/upload.ts",
    "lib/registry/put_manifest.ts",
  ],
};
/** What publishes. */
const push: Gathering = {
  name: "push",
  roots: ["cli/commands/publish.ts", "core/publish/push.ts", "plugins/builtin/tagging.ts"],
};
/** What shares stages. */
const share: Gathering = {
  name: "share",
  roots: [
    "cli/commands/stages.ts",
    "core/share/move_stages.ts",
    "core/share/live_cache.ts",
    "core/share/guarded_stages.ts",
  ],
};
/** What builds stages that are missing. */
const work: Gathering = {
  name: "work",
  roots: [
    "core/build/stage_work.ts",
    "core/build/run_build.ts",
    "core/layers/deliver_git.ts",
    "plugins/builder/native/builder.ts",
  ],
};
/** What a helper process of the native builder loads. */
const helper: Gathering = {
  name: "helper",
  program: "plugins/builder/native/helper.ts",
  roots: [
    "plugins/builder/native/rootfs.ts",
    "plugins/builder/native/step.ts",
    "plugins/builder/native/unpack_layer.ts",
    "lib/layer/writer.ts",
  ],
};
/** What a thread that compresses loads: it needs nothing that is used beside it. */
const compress: Gathering = { name: "compress", program: "lib/compression/worker.ts", roots: [] };
/** What reads a dappfile that is not remembered. */
const config: Gathering = { name: "config", roots: ["core/config/read_config.ts"] };

const inScript = (path: string) => path.replace(/ts$/, "js");

const scripts = (each: Gathering): Gathering => ({
  ...each,
  ...(each.program && { program: inScript(each.program) }),
  roots: each.roots.map(inScript),
});

const gatherings = [
  wire,
  client,
  command,
  build,
  store,
  registry,
  push,
  share,
  compress,
  work,
  helper,
  config,
];

/** Modules of the program that others start by their path. */
async function startedModules(): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const room of ["cli", "core", "lib", "plugins"]) {
    for await (const path of files(new URL(room, project.root).pathname, ".ts")) {
      const file = `${room}/${path}`;
      const text = await Deno.readTextFile(new URL(file, project.root));
      for (const [, name] of text.matchAll(STARTS)) {
        found.add(`${file.slice(0, file.lastIndexOf("/"))}/${name}.ts`);
      }
    }
  }
  return [...found].sort();
}

/** Writes entry points, what they share and what they load later to `dir`, with a deno.json for plugins of users. */
export async function bundle(dir: string): Promise<void> {
  const started = await startedModules();
  const entries = [...Object.values(project.exports).map((path) => path.slice("./".length)), ...started];
  const roots = [start, ...gatherings].flatMap(({ roots }) => roots).filter((path) =>
    !entries.includes(path)
  );
  const scratch = await Deno.makeTempDir({ prefix: "dapp-release-" });
  const scattered = `${scratch}/scattered`;
  try {
    const imports = `${scratch}/imports.json`;
    await Deno.writeTextFile(imports, JSON.stringify({ imports: await smallPackages(scratch) }));
    await runBundler(
      ...["--code-splitting", "--import-map", imports, "--outdir", scattered],
      ...entries,
      ...roots,
    );
    await rewrite(scattered, (text) => withoutRequire(text).replace(OF_PACKAGES, ""));
    await rewriteAll(scattered, namePackages);
    await gather(scattered, dir, {
      entries: entries.map(inScript),
      gatherings: [scripts(start), ...gatherings.map(scripts)],
    });
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  await rewrite(dir, (text, path) => inAscii(adapt(text, path, started)));
  await warm(dir);
  // Deno finds it beside the program: plugins of any project import dapp by its names, as a package of JSR too.
  const exports = Object.fromEntries(
    Object.entries(project.exports).filter(([name]) => name !== "./cli").map(([name, path]) => [
      name,
      path.replace(/ts$/, "js"),
    ]),
  );
  const { name, version } = project;
  await Deno.writeTextFile(
    `${dir}/deno.json`,
    `${JSON.stringify({ name, version, exports, nodeModulesDir: "none", lock: false }, undefined, 2)}\n`,
  );
}

async function runBundler(...words: readonly string[]): Promise<void> {
  await runTool([Deno.execPath(), "bundle", "--quiet", "--platform", "deno", ...words], project.root);
}

/**
 * The import map with what a first dappfile waits for in place of whole packages: of zod what its schemas use, in a copy
 * of its own, since other code shares all of a module or nothing; and the modules of yaml that are made for browsers, which
 * are the same in ECMAScript and want nothing of Node.js.
 *
 * @param scratch where the copy is made
 */
async function smallPackages(scratch: string): Promise<Readonly<Record<string, string>>> {
  const parts = "lib/zod_mini.ts";
  const copy = `${scratch}/zod_mini.js`;
  await runBundler("--output", copy, parts);
  return {
    ...project.imports,
    yaml: new URL("../browser/index.js", import.meta.resolve("yaml")).href,
    [new URL(parts, project.root).href]: `file://${copy}`,
  };
}

/** Replaces every script below a directory. */
async function rewrite(dir: string, change: (text: string, path: string) => string): Promise<void> {
  for await (const path of files(dir, ".js")) {
    const text = await Deno.readTextFile(`${dir}/${path}`);
    const changed = change(text, path);
    if (changed !== text) await Deno.writeTextFile(`${dir}/${path}`, changed);
  }
}

/** Files below a directory whose names end like this, as paths in it. */
async function* files(dir: string, end: string, below = ""): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(`${dir}/${below}`)) {
    if (isDirectory) yield* files(dir, end, `${below}${name}/`);
    else if (name.endsWith(end)) yield below + name;
  }
}

/** Replaces scripts below a directory by what is made of all of them. */
async function rewriteAll(
  dir: string,
  change: (texts: ReadonlyMap<string, string>) => ReadonlyMap<string, string>,
): Promise<void> {
  const texts = new Map<string, string>();
  for await (const path of files(dir, ".js")) texts.set(path, await Deno.readTextFile(`${dir}/${path}`));
  for (const [path, text] of change(texts)) await Deno.writeTextFile(`${dir}/${path}`, text);
}

/** A file that is a package in CommonJS. */
const OF_COMMONJS = /^export default (require\w*\(\));$/m;
/** How a module is loaded at run time for some of its names, and how in whatever way. */
const LOADS = /\{([^{}]*)\} = await import\("(\.[^"]+)"\)/g;
const LOADS_ANYHOW = /\bimport\("(\.[^"]+)"\)/g;

/**
 * Packages in CommonJS with the names that are asked of them when they are loaded at run time, by path: the bundler gives
 * them a default alone, so that each name would be undefined. What stays as it is is left out.
 *
 * @throws Error where such a package is loaded in a way that does not tell names
 */
export function namePackages(texts: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const packages = new Map([...texts].filter(([, text]) => OF_COMMONJS.test(text)));
  const asked = new Map([...packages.keys()].map((path) => [path, new Set<string>()]));
  for (const [path, text] of texts) {
    const at = (relative: string) => new URL(relative, `file:///${path}`).pathname.slice(1);
    const named = [...text.matchAll(LOADS)].filter(([, , to]) => asked.has(at(to!)));
    const all = [...text.matchAll(LOADS_ANYHOW)].filter(([, to]) => asked.has(at(to!)));
    if (named.length < all.length) {
      throw new Error(
        `Cannot bundle "${path}": it loads a package in CommonJS without saying which of its names it wants`,
      );
    }
    for (const [, names, to] of named) {
      for (const name of names!.split(",")) asked.get(at(to!))!.add(name.split(":")[0]!.trim());
    }
  }
  return new Map([...packages].map(([path, text]) => {
    const names = [...asked.get(path)!].filter((name) => name !== "default" && name !== "").sort();
    const lines = names.map((name, i) => `var named${i} = whole.${name};\nexport { named${i} as ${name} };`);
    const whole = (_: string, value: string) =>
      [`var whole = ${value};`, "export default whole;", ...lines].join("\n");
    return [path, text.replace(OF_COMMONJS, whole)];
  }));
}

/** What the bundler puts first wherever a package needs `require`; loading node:module takes as long as Deno's start. */
const REQUIRE =
  /^import \{ createRequire as (\w+) \} from "node:module";\nvar __require = \1\(import\.meta\.url\);$/m;

/** How the bundler names files that are not of the project: by where they are on this machine. */
const OF_PACKAGES = /^\/\/ \.\.\/\S+\n/gm;

/** A file of the bundle that loads no node:module. */
export function withoutRequire(text: string): string {
  return text.replace(REQUIRE, "var __require = (name) => globalThis.process.getBuiltinModule(name);");
}

/** The same program in ASCII: of other texts V8 makes two bytes of each letter. @throws Error on what would change */
export function inAscii(text: string): string {
  const odd = /(?<!\\)\\[^\0-\x7f]|String\.raw`[^`]*[^\0-\x7f]/.exec(text);
  if (odd) throw new Error(`Cannot write a file of the bundle in ASCII: it has "${odd[0]}"`);
  return text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Makes one file of the bundle work where it lies. @throws Error on what it does not know */
export function adapt(text: string, path: string, started: readonly string[]): string {
  const up = "../".repeat(path.split("/").length - 1);
  const adapted = text
    // A template is loaded when it is reached; a plain text would be read, with all it imports, at the start.
    .replaceAll(/\bimport\(["'](\.[^"']+)["']\)/g, 'import(`${"$1"}`)')
    .replaceAll(STARTS, (_, name) => {
      const modules = started.filter((module) => module.endsWith(`/${name}.ts`));
      if (modules.length !== 1) {
        throw new Error(`Cannot bundle "${path}": what it starts, "${name}.ts", is no entry`);
      }
      return `new URL("./${up}${modules[0]!.replace(/ts$/, "js")}", import.meta.url)`;
    });
  const stray = /createRequire\w*\(|\bimport\(["']\.|\.ts", import\.meta\.url/.exec(adapted);
  if (stray) throw new Error(`Cannot bundle "${path}": it still has "${stray[0]}"`);
  return adapted;
}
