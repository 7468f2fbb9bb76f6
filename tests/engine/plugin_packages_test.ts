/** Plugins that are packages of npm and of JSR: pinned, compared, held, and used without a network. */
import assert from "node:assert/strict";
import { openDapp } from "../support/dapp_program.ts";
import { type PackageRegistries, startPackageRegistries } from "../support/package_registries.ts";
import { withProject } from "../support/project.ts";

/** Tells what it is made of and what it may see. */
const plugin = (dapp: string, text: string) =>
  `import { definePlugin } from "${dapp}";
import { word } from "./word.js";
const tried = (what) => { try { return what() } catch (error) { return error.name } };
export default definePlugin({
  name: "inputs-word",
  api: 1,
  rights: { env: ["TEAM"] },
  setup: (_, { env }) => ({
    stageInputs: (_, ctx) => {
      const seen = [env.TEAM, env.OTHER, tried(() => Deno.env.get("OTHER")), tried(() => Deno.readTextFileSync("dappfile.yaml"))];
      ctx.emit({ type: "note", level: "info", text: ["${text}", word, ...seen].join(" ") });
      return [];
    },
  }),
});
`;

const DAPPFILE = "dimg: app\nfrom: scratch\nshell: { installCacheVersion: 1 }\n";
const HELD = "core  NotCapable NotCapable";

interface Kind {
  readonly use: string;
  readonly publish: (to: PackageRegistries, version: string, text: string, word?: string) => Promise<void>;
  /** What is said to be another one. */
  readonly changed: string;
}

const word = (text: string) => `export const word = "${text}";\n`;

const kinds: Readonly<Record<string, Kind>> = {
  npm: {
    use: "npm:@team/dapp-word@1",
    async publish({ npm }, version, text, said = "word") {
      await npm("@team/words", version, { "mod.js": word(said) });
      // As `dapp plugin new` has it: dapp is there for the author's tests.
      const needs = { dependencies: { "@team/words": version }, devDependencies: { "@dapp/dapp": "^1.0.0" } };
      const files = {
        "mod.js": plugin("@dapp/dapp/plugin", text),
        "word.js": 'export * from "@team/words";\n',
      };
      await npm("@team/dapp-word", version, files, needs);
    },
    changed: "@team/words@1.1.0",
  },
  jsr: {
    use: "jsr:@team/word@1",
    // `deno publish` writes what names of the import map stand for.
    publish: ({ jsr }, version, text, said = "word") =>
      jsr("@team/word", version, {
        "mod.ts": plugin("jsr:@dapp/dapp@^1.0.0/plugin", text),
        "word.js": word(said),
      }),
    changed: "@team/word@1.1.0",
  },
};

for (const [name, { use, publish, changed }] of Object.entries(kinds)) {
  Deno.test(`a plugin of ${name} is pinned, held, compared, and used without a network`, async (t) => {
    await using registries = await startPackageRegistries();
    if (!registries) return;
    await publish(registries, "1.0.0", "first");
    const files = { "dappfile.yaml": `project: shop\nplugins: ["${use}"]\n---\n${DAPPFILE}` };
    await withProject(files, async (project) => {
      const env = { JSR_URL: registries.jsrUrl, TEAM: "core", OTHER: "x" };
      await using dapp = await openDapp(project, { env, npmrc: registries.npmrc });

      await t.step("it is not run before it is accepted", async () => {
        const { error } = (await dapp.json("dimg", "plan")).data;
        assert.equal(error?.code, "PLUGIN_NOT_PINNED");
        assert.match(error!.message, /dappfile\.lock does not say what it loads from elsewhere$/);
      });

      await t.step("what it is and what it may do is accepted", async () => {
        const { data } = await dapp.json("plugin", "lock");
        assert.deepEqual(data.plugins, [{ use, change: "added", rights: { env: ["TEAM"] } }]);
        const lock = await Deno.readTextFile(`${project.dir}/dappfile.lock`);
        assert.match(lock, /"integrity": "[0-9a-zA-Z+/=-]{64,}"/);
        assert.doesNotMatch(lock, /@dapp\/dapp/);
      });

      await t.step("`dapp plugin list` tells it", async () => {
        const { data } = await dapp.json("plugin", "list");
        const found = data.plugins?.find(({ name }) => name === "inputs-word");
        assert.deepEqual([found?.from, found?.rights], [use, { env: ["TEAM"] }]);
      });

      await t.step("it has its rights and no others", async () => {
        assert.match((await dapp.json("dimg", "plan")).stderr, new RegExp(`first word ${HELD}`));
      });

      await t.step("a newer version is not taken unless it is accepted", async () => {
        await publish(registries, "1.1.0", "second");
        await dapp.forget();
        assert.match((await dapp.json("dimg", "plan")).stderr, /first word/);
        const text = files["dappfile.yaml"];
        await project.write({
          "dappfile.yaml": text.replace(`"${use}"`, `{ use: "${use}", trusted: true }`),
        });
        // In dapp itself nothing holds it but the version that was accepted.
        assert.match((await dapp.json("dimg", "plan")).stderr, /first word core x x/);
        assert.equal((await dapp.json("plugin", "lock")).data.plugins?.[0]?.trusted, true);
        await project.write({ "dappfile.yaml": text });
        assert.equal((await dapp.json("plugin", "lock")).data.plugins?.[0]?.change, "unchanged");
        assert.equal((await dapp.json("plugin", "lock", "--update")).data.plugins?.[0]?.change, "updated");
        assert.match((await dapp.json("dimg", "plan")).stderr, /second word/);
      });

      await t.step("another content of the same version is refused", async () => {
        await publish(registries, "1.1.0", "second", "evil");
        await dapp.forget();
        const { error } = (await dapp.json("dimg", "plan")).data;
        assert.equal(error?.code, "PLUGIN_CHANGED");
        assert.match(error!.message, / is not what dappfile\.lock says, expected is (\S+), found (?!\1)\S+$/);
        assert.ok(error!.message.includes(`: "${changed}" is not`), error!.message);
      });

      await t.step("what is here is used without a network", async () => {
        await publish(registries, "1.1.0", "second");
        await dapp.forget();
        await dapp.json("dimg", "plan");
        await registries.cut();
        assert.match((await dapp.json("dimg", "plan")).stderr, /second word/);
      });

      await t.step("what is not here says so", async () => {
        await dapp.forget();
        const { error } = (await dapp.json("dimg", "plan")).data;
        assert.equal(error?.code, "PLUGIN_NOT_FOUND");
        assert.match(error!.fix, /whether the server it comes from can be reached$/);
      });
    });
  });
}
