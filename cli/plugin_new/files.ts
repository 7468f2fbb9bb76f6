/** The files of a new plugin. */
import { EngineError } from "../../core/contract/errors.ts";
import { suggest } from "../../lib/suggest.ts";
import { version } from "../version.ts";
import { builder } from "./builder.ts";
import { ci } from "./ci.ts";
import { cleanup } from "./cleanup.ts";
import { inputs } from "./inputs.ts";
import type { PluginKind } from "./kind.ts";
import { registry } from "./registry.ts";
import { tagging } from "./tagging.ts";

/** Every kind that can be written, by the word of the command line. */
export const pluginKinds: Readonly<Record<string, PluginKind>> = {
  tagging,
  cleanup,
  registry,
  builder,
  ci,
  inputs,
};

/** Lines of a dappfile, in which `@USE@` stands for the path. */
const naming: Readonly<Record<PluginKind["named"], readonly string[]>> = {
  plugin: ["plugins:", "  - use: @USE@"],
  policy: ["cleanup:", "  keep:", "    - use: @USE@"],
};

/** A plugin that is about to be written. */
export interface NewPlugin {
  /** As the engine knows it: `tag-calver`. */
  readonly name: string;
  /** Name of the file -> its text. */
  readonly files: Readonly<Record<string, string>>;
  /** Lines for the dappfile. */
  readonly dappfile: readonly string[];
  /** What uses it. */
  readonly command: string;
}

/**
 * @param path of its directory, below that of the dappfile; the last part is its name
 * @throws {EngineError} USAGE
 */
export function newPlugin(kindName: string, path: string): NewPlugin {
  const kind = Object.hasOwn(pluginKinds, kindName) ? pluginKinds[kindName] : undefined;
  if (!kind) {
    const known = Object.keys(pluginKinds);
    const near = suggest(kindName, known);
    throw new EngineError("USAGE", `Cannot write a plugin of kind "${kindName}": there is no such kind`, {
      fix: near === undefined ? `The kinds are ${known.join(", ")}` : `Did you mean "${near}"?`,
    });
  }
  const parts = path.split("/");
  const given = parts.at(-1)!;
  const name = given.startsWith(kind.prefix) ? given.slice(kind.prefix.length) : given;
  if (
    !/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || parts.slice(0, -1).some((part) => !/^[\w.-]+$/.test(part))
  ) {
    throw new EngineError("USAGE", `Cannot write a plugin called "${path}": that is no name for one`, {
      fix:
        "Use lower-case letters, digits and dashes, such as nightly, or plugins/nightly for a directory below another",
    });
  }
  const values: Readonly<Record<string, string>> = {
    NAME: name,
    VARIABLE: name.replaceAll("-", "_").toUpperCase(),
    USE: `./${path}/mod.ts`,
  };
  const filled = (text: string) =>
    text.replaceAll(/@([A-Z]+)@/g, (whole, key: string) => values[key] ?? whole);
  const plugin = {
    name: kind.prefix + name,
    dappfile: naming[kind.named].map(filled),
    command: filled(kind.command),
  };
  return {
    ...plugin,
    files: {
      "mod.ts": filled(kind.module),
      "mod_test.ts": filled(kind.test),
      "README.md": readme(plugin, kind, filled),
      "deno.json": json({
        compilerOptions: { strict: true },
        fmt: { lineWidth: 110 },
        tasks: { test: "deno test --allow-all", check: "deno check" },
      }),
      "package.json": json({
        name: plugin.name,
        private: true,
        type: "module",
        scripts: { test: "deno test --allow-all" },
        // Deno wants types of node: modules installed where there is a package.json.
        devDependencies: { "@dapp/dapp": `^${version}`, "@types/node": "^24.0.0" },
      }),
    },
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function readme(
  { name, dappfile, command }: Pick<NewPlugin, "name" | "dappfile" | "command">,
  { what }: PluginKind,
  filled: (text: string) => string,
): string {
  return filled(`# ${name}

A plugin of dapp: ${what}. The dappfile names it:

\`\`\`yaml
${dappfile.join("\n")}
\`\`\`

Then, where the dappfile is:

\`\`\`sh
${command}
dapp plugin list
\`\`\`

It runs in a process of its own, which may do what \`rights\` in \`mod.ts\` declare and nothing else; in its test too,
where that says \`apart\`.

dapp needs nothing installed for it. Editors and tests need its package:

\`\`\`sh
npm install
npm test            # deno test --allow-all, with the Deno that dapp brings along
npx deno check      # types
\`\`\`

Until \`@dapp/dapp\` is released, \`npm install\` does not find it (E404). Make the package from a checkout of dapp
(\`deno task release:build\`), and give its file: \`npm install --save-dev FILE.tgz\` in place of \`npm install\`.

\`mod.ts\` is the plugin, \`mod_test.ts\` its test: first the suite that all plugins of its kind must pass, then what this
one is there for. \`npx dapp help\` names the documentation; \`docs/plugins.md\` of the package is about plugins.
`);
}
