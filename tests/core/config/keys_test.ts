import assert from "node:assert/strict";
import { configJsonSchema } from "../../../core/config/json_schema.ts";
import { problemsOf } from "./support.ts";

/** Every key of a dappfile: where it stands, how to write the map around it, and which kinds of value are wrong. */
interface Section {
  readonly at: string;
  /** The document around `KEY: VALUE`. */
  readonly around: string;
  readonly keys: Readonly<Record<string, readonly Wrong[]>>;
}
type Wrong = "map" | "list" | "nothing" | "text";

const values: Readonly<Record<Wrong, string>> = { map: "{k: v}", list: "[[v]]", nothing: "~", text: "v" };
const text: readonly Wrong[] = ["map", "list", "nothing"];
const texts: readonly Wrong[] = ["map", "list"];
const entries: readonly Wrong[] = ["map", "list", "text"];
const map: readonly Wrong[] = ["list", "text"];
const onlyText: readonly Wrong[] = ["text"];
const paths = { add: text, to: text, includePaths: texts, excludePaths: texts, owner: text, group: text };

const image = {
  from: text,
  fromCacheVersion: text,
  fromDimg: text,
  fromDimgArtifact: text,
  dockerfile: text,
  context: text,
  target: text,
  args: onlyText,
  git: entries,
  gitPatches: text,
  shell: map,
  mount: entries,
  secrets: entries,
  ssh: texts,
  network: text,
  import: entries,
  asLayers: text,
};
const stages = ["beforeInstall", "install", "beforeSetup", "setup"];
const all = (names: readonly string[], wrong: readonly Wrong[]) =>
  Object.fromEntries(names.map((n) => [n, wrong]));
const versions = (names: readonly string[]) => names.map((name) => `${name}CacheVersion`);

const sections: readonly Section[] = [
  {
    at: "",
    around: "KEY: VALUE\n---\ndimg: a\nfrom: x",
    keys: { project: text, repo: text, plugins: entries, cleanup: map },
  },
  {
    at: "cleanup",
    around: "cleanup: {KEY: VALUE}\n---\ndimg: a\nfrom: x",
    keys: { keep: entries, defaults: text, stages: map },
  },
  {
    at: "cleanup.keep[0]",
    around: "cleanup: {keep: [{KEY: VALUE}]}\n---\ndimg: a\nfrom: x",
    keys: { use: text, options: [], trusted: text, timeout: text },
  },
  {
    at: "cleanup.stages",
    around: "cleanup: {stages: {KEY: VALUE}}\n---\ndimg: a\nfrom: x",
    keys: { grace: text, budget: text },
  },
  {
    at: "plugins[0]",
    around: "plugins: [{KEY: VALUE}]\n---\ndimg: a\nfrom: x",
    keys: { use: text, options: [], trusted: text, timeout: text },
  },
  { at: "", around: "dimg: a\nKEY: VALUE", keys: { ...image, docker: map } },
  { at: "", around: "dimg: d\nfrom: x\n---\nartifact: a\nKEY: VALUE", keys: image },
  {
    at: "git[0]",
    around: "dimg: a\nfrom: x\ngit: [{KEY: VALUE}]",
    keys: { ...paths, url: text, branch: text, tag: text, commit: text, stageDependencies: map, as: text },
  },
  {
    at: "git[0].stageDependencies",
    around: "dimg: a\nfrom: x\ngit: [{to: /x, stageDependencies: {KEY: VALUE}}]",
    keys: { ...all(stages.slice(1), texts), visible: text },
  },
  {
    at: "shell",
    around: "dimg: a\nfrom: x\nshell: {KEY: VALUE}",
    keys: { ...all(stages, texts), cacheVersion: text, ...all(versions(stages), text) },
  },
  {
    at: "shell",
    around: "dimg: d\nfrom: x\n---\nartifact: a\nfrom: x\nshell: {KEY: VALUE}",
    keys: {
      ...all([...stages, "buildArtifact"], texts),
      cacheVersion: text,
      ...all(versions([...stages, "buildArtifact"]), text),
    },
  },
  {
    at: "mount[0]",
    around: "dimg: a\nfrom: x\nmount: [{KEY: VALUE}]",
    keys: { to: text, from: text, fromPath: text, size: text, sharing: text },
  },
  {
    at: "secrets[0]",
    around: "dimg: a\nfrom: x\nsecrets: [{KEY: VALUE}]",
    keys: { id: text, env: text, file: text, target: text, as: text, version: text },
  },
  {
    at: "import[0]",
    around: "dimg: a\nfrom: x\nimport: [{KEY: VALUE}]",
    keys: { ...paths, artifact: text, before: text, after: text },
  },
  {
    at: "docker",
    around: "dimg: a\nfrom: x\ndocker: {KEY: VALUE}",
    keys: {
      ...all(["CMD", "ENTRYPOINT", "EXPOSE", "VOLUME", "ONBUILD"], texts),
      ...all(["WORKDIR", "USER", "STOPSIGNAL"], text),
      ENV: ["list", "text"],
      LABEL: ["list", "text"],
      HEALTHCHECK: ["list"],
    },
  },
  {
    at: "docker.HEALTHCHECK",
    around: "dimg: a\nfrom: x\ndocker: {HEALTHCHECK: {KEY: VALUE}}",
    keys: {
      ...all(["test", "cmd"], texts),
      ...all(["interval", "timeout", "startPeriod", "startInterval", "retries"], text),
    },
  },
];

/** A key with two neighbours swapped, or with a letter more where it is short. */
function misspell(key: string): string {
  return key.length < 5 ? `${key}x` : `${key.slice(0, -3)}${key.at(-2)}${key.at(-3)}${key.at(-1)}`;
}

for (const { at, around, keys } of sections) {
  const where = at === "" ? `a document (${around.split("\n")[0]} ...)` : at;
  Deno.test(`parseConfig() names the key that was meant in ${where}`, async (t) => {
    for (const key of Object.keys(keys)) {
      await t.step(key, () => {
        const wrong = misspell(key) === key ? `${key}x` : misspell(key);
        const source = around.replace("KEY: VALUE", `${wrong}: v`);
        const line = source.slice(0, source.indexOf(`${wrong}:`)).split("\n").length;
        const found = problemsOf(source).filter((p) => p.includes(`Unknown key "${wrong}"`));
        const path = `${at === "" ? "" : `${at}.`}${wrong}`;
        assert.equal(found.length, 1, problemsOf(source).join("\n"));
        assert.ok(found[0]!.startsWith(`${line}:`) && found[0]!.includes(` ${path}: `), found[0]!);
        assert.ok(found[0]!.endsWith(`| Did you mean \`${key}\`?`), found[0]!);
      });
    }
  });

  Deno.test(`parseConfig() rejects values of the wrong kind in ${where}`, async (t) => {
    for (const [key, kinds] of Object.entries(keys)) {
      for (const kind of kinds) {
        await t.step(`${key}: ${values[kind]}`, () => {
          const path = `${at === "" ? "" : `${at}.`}${key}`;
          const problems = problemsOf(around.replace("KEY: VALUE", `${key}: ${values[kind]}`));
          const found = problems.filter((p) => p.split(" ")[1]!.startsWith(path));
          assert.ok(found.length > 0, `nothing about ${path} in:\n${problems.join("\n")}`);
        });
      }
    }
  });
}

interface Schema {
  readonly type?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** Paths of all properties, with their schemas. */
function* properties(schema: Schema, at = ""): Generator<[string, Schema]> {
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    yield [`${at}${key}`, value];
    yield* properties(value, `${at}${key}.`);
    if (value.items) yield* properties(value.items, `${at}${key}[0].`);
  }
}

Deno.test("configJsonSchema() describes every directive", () => {
  const { anyOf } = configJsonSchema() as Schema;
  const rows = (anyOf ?? []).flatMap((document) => [...properties(document)]);
  assert.deepEqual(rows.filter(([, schema]) => !schema.description).map(([path]) => path), []);
  const listed = sections.flatMap(({ at, keys }) =>
    Object.keys(keys).map((key) => at === "" ? key : `${at}.${key}`)
  );
  const names = new Set(rows.map(([path]) => path));
  assert.deepEqual([...new Set(listed)].filter((path) => !names.has(path)), []);
  // Read before there are values to check: composing_test.ts has them.
  const composing = ["template", "extends", "matrix", "include", "defaults"];
  const own = ["dimg", "artifact", "git[0].stageDependencies.buildArtifact", ...composing];
  const rest = [...names].filter((path) => !path.startsWith("defaults."));
  assert.deepEqual(rest.filter((path) => !listed.includes(path) && !own.includes(path)), []);
});
