/** Pages of the reference that are made from the code: hooks with their types, events, variables, keys of a dappfile. */
import { configJsonSchema } from "../core/config/json_schema.ts";
import { type Variable, variables } from "../lib/environment.ts";
import { hookTable } from "../plugin.ts";

/** What of `deno doc --json` is used. */
interface Doc {
  readonly nodes: Readonly<Record<string, { readonly symbols: readonly DocSymbol[] }>>;
}
interface DocSymbol {
  readonly name: string;
  readonly declarations: readonly {
    readonly kind: string;
    readonly location: Place;
    readonly jsDoc?: JsDoc;
    readonly def: {
      readonly properties?: readonly Member[];
      readonly methods?: readonly Member[];
      readonly extends?: unknown;
    };
  }[];
}
type Symbols = ReadonlyMap<string, DocSymbol["declarations"][number]>;
interface JsDoc {
  readonly doc?: string;
}
interface Place {
  readonly filename: string;
  readonly line: number;
}
interface Member {
  readonly name: string;
  readonly jsDoc?: JsDoc;
  readonly location: Place;
  readonly optional?: boolean;
  readonly tsType?: { readonly value?: { readonly typeParams?: readonly { readonly repr: string }[] } };
}

const root = new URL("../", import.meta.url);

const KINDS: Readonly<Record<string, string>> = {
  first: "Plugins are asked one after another; the first answer counts, `undefined` leaves it to the next.",
  waterfall: "Each plugin sees what the one before it answered; `undefined` changes nothing.",
  collect: "All plugins are asked together; their answers stand in the order of the plugins.",
  parallel: "All plugins are told together; every failure is reported.",
};

/** Who asks a hook: the phase in ARCHITECTURE.md, and the commands that come to it. */
const ASKED: { readonly [N in keyof typeof hookTable]: string } = {
  config: "After the dappfile is read and checked, by every command that needs it",
  openStore: "Once, by every command that needs the store",
  openSource: "For each `from:` and platform, before anything is signed",
  openBuilder: "Once, before the first stage with commands is built; by `run` and `doctor` too",
  stageInputs: "For each stage, while it is signed: `plan`, `explain`, and whatever builds",
  plan: "After it is known which stages are cached, before anything is built",
  built: "When all images of a build are there",
  openRegistry: "For each REPO, before the first request to it",
  detectCi: "Once, when a tag option, the log or a cleanup wants to know where dapp runs",
  tagFlags: "When the options of a command that publishes are read, and for its help",
  tags: "For each tag option of the command line, in their order, before anything is built",
  published: "When all tags of a run are live",
  keep: "Once for each policy of a cleanup, with everything that is in REPO",
};

/** The page of hooks. @throws Error where the code has no docs */
export async function hooksMarkdown(): Promise<string> {
  const symbols = await documented();
  const members = symbols.get("Hooks")!.def.properties!;
  const lines = [
    "# Hooks",
    "",
    "<!-- Made from core/contract/ by site/reference.ts; tests/reference_test.ts says how to make it anew. -->",
    "",
    "What a plugin can answer. `setup` returns the hooks that it wants; each is called with its input and a context",
    "([`HookContext`](#type-hookcontext)), `setup` itself with the options and a [`Host`](#type-host).",
    "[plugins.md](plugins.md) has a plugin from its beginning.",
    "",
    "| Hook | Kind | What it does |",
    "| --- | --- | --- |",
    ...members.map(({ name, jsDoc }) =>
      `| [\`${name}\`](#${name.toLowerCase()}) | ${kindOf(name)} | ${cell(docOf(jsDoc, `hook ${name}`))} |`
    ),
    "",
    "## Kinds",
    "",
    ...Object.entries(KINDS).map(([kind, text]) => `- _${kind}_: ${text}`),
  ];
  const types = new Set(["Host", "HookContext"]);
  for (const { name, jsDoc, tsType } of members) {
    const [input = "undefined", answer] = tsType?.value?.typeParams?.map(({ repr }) => repr) ?? [];
    for (const type of [input, answer]) if (type !== undefined && symbols.has(type)) types.add(type);
    const kind = kindOf(name);
    const given = answer ?? (kind === "waterfall" ? input : undefined);
    lines.push(
      "",
      `## ${name}`,
      "",
      docOf(jsDoc, `hook ${name}`),
      "",
      `- Asked: ${ASKED[name as keyof typeof hookTable]}.`,
      `- Kind: ${kind}. ${KINDS[kind]}`,
      `- Gets: ${typeLink(input, symbols)}`,
      `- Answers: ${given === undefined ? "nothing" : typeLink(given, symbols)}${
        kind === "collect" ? ", a list" : ""
      }`,
      ...(hookTable[name as keyof typeof hookTable].effects ? ["- Skipped with `--dry-run`."] : []),
    );
  }
  lines.push("", "## Types");
  // What is added while the loop runs is visited too.
  for (const name of types) {
    lines.push(...typeSection(name, symbols));
    for (const each of typesIn(symbols.get(name)!.def, symbols)) types.add(each);
  }
  return `${lines.join("\n")}\n`;
}

function typeSection(name: string, symbols: Symbols): string[] {
  const { jsDoc, def } = symbols.get(name)!;
  const members = [...def.properties ?? [], ...def.methods ?? []];
  const more = typesIn(def.extends, symbols).map((each) => typeLink(each, symbols));
  return [
    "",
    `### Type ${name}`,
    "",
    docOf(jsDoc, `type ${name}`),
    ...(more.length === 0 ? [] : ["", `It has what ${more.join(" and ")} has, and:`]),
    ...(members.length === 0 ? [] : ["", "| Field | Meaning |", "| --- | --- |"]),
    ...members.map((member) => {
      const call = def.methods?.includes(member) ? "()" : "";
      const what = docOf(member.jsDoc, `field "${member.name}" of ${name}`);
      const links = typesIn(member, symbols).map((each) => typeLink(each, symbols));
      return `| \`${member.name}${call}${member.optional ? "?" : ""}\` | ${
        cell([what, ...links].join(" "))
      } |`;
    }),
  ];
}

/** Types with a section that are named in something that `deno doc` tells of types. */
function typesIn(told: unknown, symbols: Symbols): readonly string[] {
  const found = new Set<string>();
  JSON.stringify(told, (key, value) => {
    if (key === "typeName" && symbols.has(value)) found.add(value);
    return value;
  });
  return [...found];
}

function typeLink(type: string, symbols: Symbols): string {
  return symbols.has(type) ? `[\`${type}\`](#type-${type.toLowerCase()})` : `\`${type}\``;
}

function kindOf(hook: string): string {
  if (hook in hookTable) return hookTable[hook as keyof typeof hookTable].kind;
  throw new Error(`Cannot describe hook "${hook}": the table of hooks has no such row`);
}

/** Interfaces and types that plugin.ts publishes, by name. */
async function documented(): Promise<Symbols> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", "plugin.ts"],
    cwd: root,
    stderr: "null",
  }).output();
  const doc: Doc = JSON.parse(new TextDecoder().decode(stdout));
  return new Map(
    Object.values(doc.nodes).flatMap(({ symbols }) =>
      symbols.flatMap(({ name, declarations }) => {
        const found = declarations.find(({ kind }) => kind === "interface");
        return found ? [[name, found] as const] : [];
      })
    ),
  );
}

/** An event: its type, what it tells, its fields. */
interface EventRow {
  readonly type: string;
  readonly doc: string;
  readonly fields: readonly string[];
}

/** Reads the union of events: `deno doc` leaves out what is said of its members. @throws Error on one without docs */
export function eventsOf(source: string): readonly EventRow[] {
  const start = source.indexOf("export type EngineEvent =");
  const text = source.slice(start, source.indexOf(";\n\n", start));
  return text.split(/^ {2}(?=\/\*\*|\| )/m).slice(1).reduce<{ doc?: string; rows: EventRow[] }>(
    (state, piece) => {
      const comment = /^\/\*\* (.*?)\s*\*\/$/s.exec(piece.trim())?.[1]?.replaceAll(/\s*\n\s*\* ?/g, " ");
      if (comment !== undefined) return { ...state, doc: comment };
      const type = /readonly type: "([^"]+)"/.exec(piece)?.[1];
      if (type === undefined) return state;
      if (state.doc === undefined) {
        throw new Error(`Cannot describe event "${type}": it has no comment of its own`);
      }
      const code = piece.replaceAll(/\/\*\*.*?\*\//gs, "").replaceAll(/\{ readonly at: [^}]*\}/g, "");
      const fields = [...code.matchAll(/readonly (\w+)(\??):/g)].map(([, name, mark]) => `${name}${mark}`);
      const more = /\b(StageTimes|BuildTimes) &/.exec(piece)?.[1];
      return {
        rows: [...state.rows, {
          type,
          doc: state.doc,
          fields: [...fields.filter((name) => name !== "type"), ...(more ? [`times (${more})`] : [])],
        }],
      };
    },
    { rows: [] },
  ).rows;
}

/** The page of events. */
export async function eventsMarkdown(): Promise<string> {
  const source = await Deno.readTextFile(new URL("core/contract/events.ts", root));
  const lines = [
    "# Events",
    "",
    "<!-- Made from core/contract/events.ts by site/reference.ts; tests/reference_test.ts says how to make it anew. -->",
    "",
    "What happens during a run, in order: `onEvent` of `createEngine` gets each as a typed value, `--json=events` prints",
    "each as one line of JSON. Every event has `type` and `time` (UTC with milliseconds). Times are milliseconds, sizes",
    'bytes. `at` names a stage: `image` (`""` is the nameless dimg), `kind`, `stage`.',
    "",
    "```ts",
    'import { createEngine } from "@dapp/dapp";',
    "",
    "await using engine = createEngine({",
    "  onEvent: (event) => {",
    '    if (event.type === "stage.finished") console.log(event.at.image, event.at.stage, event.ms);',
    "  },",
    "});",
    "```",
    "",
    "| Event | Told when | Fields |",
    "| --- | --- | --- |",
    ...eventsOf(source).map(({ type, doc, fields }) =>
      `| \`${type}\` | ${cell(doc)} | ${fields.map((field) => `\`${field}\``).join(", ")} |`
    ),
  ];
  return `${lines.join("\n")}\n`;
}

const PARTS: Readonly<Record<Variable["of"], string>> = {
  dapp: "Builds",
  output: "Output",
  registries: "Logins and registries",
  network: "Connections",
  builders: "BuildKit",
  docker: "Docker",
  clusters: "Kubernetes",
  plugins: "Plugins",
  programs: "Programs",
};

/** The page of variables. */
export async function environmentMarkdown(): Promise<string> {
  const rows = Object.entries<Variable>(variables);
  const lines = [
    "# Environment variables",
    "",
    "<!-- Made from lib/environment.ts by site/reference.ts; tests/reference_test.ts says how to make it anew. -->",
    "",
    "What dapp reads from its environment; an option of the command line counts more. Commands of stages see none of",
    "them but `SOURCE_DATE_EPOCH` and proxies. A dappfile takes values with `${{ env.NAME }}`",
    "([environment](dappfile.md#environment)), and secrets with `env` ([secrets](dappfile.md#secrets)).",
    ...Object.entries(PARTS).flatMap(([of, title]) => [
      "",
      `## ${title}`,
      "",
      "| Variable | What it does |",
      "| --- | --- |",
      ...rows.filter(([, variable]) => variable.of === of).map(([name, { use }]) =>
        `| \`${name}\` | ${cell(use)} |`
      ),
    ]),
    "",
    "Proxies count in lower case too. git gets the environment as it is, without what could lead it to another",
    "repository (`GIT_DIR` and others).",
    "",
    "## CI systems",
    "",
    "What tag options read where a CI system runs; [tagging.md](tagging.md#ci) says what for.",
    "",
    "| Plugin | Variables |",
    "| --- | --- |",
  ];
  for (const [plugin, names] of await ciVariables()) {
    lines.push(`| \`${plugin}\` | ${names.map((name) => `\`${name}\``).join(", ")} |`);
  }
  return `${lines.join("\n")}\n`;
}

/** The variables that the plugin of each CI system reads. */
async function ciVariables(): Promise<readonly (readonly [plugin: string, names: readonly string[]])[]> {
  const dir = new URL("plugins/ci/", root);
  const files = (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name).filter((name) =>
    !name.startsWith("_")
  );
  return await Promise.all(
    files.sort().map(async (file) => {
      const source = await Deno.readTextFile(new URL(file, dir));
      const names = [...source.matchAll(/"([A-Z][A-Z0-9_]+)"|\benv\.([A-Z][A-Z0-9_]+)/g)].map(([, a, b]) =>
        (a ?? b)!
      );
      return [`ci-${file.replace(/\.ts$/, "")}`, [...new Set(names)].sort()] as const;
    }),
  );
}

/** What of the JSON Schema is used. */
interface KeySchema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, KeySchema>>;
  readonly required?: readonly string[];
  readonly items?: KeySchema;
}

/**
 * The page of the dappfile with its tables made anew: behind `<!-- keys: dimg.git -->` stands a table of the keys of
 * that map, behind `<!-- keys: dimg from fromDimg -->` one of these.
 */
export function dappfileMarkdown(page: string): string {
  return page.replaceAll(/(<!-- keys: (\S+)((?: \S+)*) -->\n\n)(?:\|.*\n)+/g, (_, marker, path, names) => {
    const map = mapAt(path);
    const wanted = names === "" ? Object.keys(map.properties ?? {}) : names.trim().split(" ");
    const rows = wanted.map((name: string) => {
      const what = map.properties?.[name]?.description;
      if (what === undefined) {
        throw new Error(`Cannot describe key "${name}" of "${path}": the schema does not`);
      }
      const required = map.required?.includes(name) ? " Required." : "";
      return `| \`${name}\` | ${cell(what)}${required} |\n`;
    });
    return `${marker}| Key | Value |\n| --- | --- |\n${rows.join("")}`;
  });
}

/** Of a kind of document, or of a map in it: `dimg.git` is an entry of `git`. */
function mapAt(path: string): KeySchema {
  const [kind = "", ...keys] = path.split(".");
  const { anyOf } = configJsonSchema() as { readonly anyOf: readonly KeySchema[] };
  const document = anyOf.find(({ properties }) => properties !== undefined && kind in properties);
  let at = document;
  for (const key of keys) {
    const value = at?.properties?.[key];
    at = value?.properties ? value : value?.items;
  }
  if (!at?.properties) throw new Error(`Cannot describe the keys of "${path}": the schema has no such map`);
  return at;
}

function docOf(jsDoc: JsDoc | undefined, what: string): string {
  const text = jsDoc?.doc?.split("\n\n")[0]?.replaceAll(/\s*\n\s*/g, " ").trim();
  if (!text) throw new Error(`Cannot describe ${what}: it has no comment of its own`);
  return text.replaceAll(/\{@linkcode ([\w.]+)\}/g, "`$1`");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
