/** The npm package, as somebody uses it who has Node.js alone. */
import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { withTempDir } from "../support/tmp.ts";
import { allTexts } from "../docs/blocks.ts";
import { linksIn } from "./links.ts";
import { type Stranger, useStranger } from "../support/packages.ts";
import { run as runHere } from "../support/process.ts";
import { writeFiles } from "../support/project.ts";
import { tryGitBeside } from "./git_beside.ts";
import { commit, tryNewPlugins } from "./new_plugins.ts";

const { version } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));

const PLUGIN = `import { definePlugin, slug } from "@dapp/dapp/plugin";

export default definePlugin({
  name: "tag-team",
  api: 1,
  options: (z) => z.strictObject({ team: z.string() }),
  setup: ({ team }) => ({
    stageInputs: ({ stage }) => stage === "install" ? [{ key: "team", value: team }] : [],
    tagFlags: () => [{ name: "tag-team", summary: "the team" }],
    tags: ({ wishes }) =>
      wishes.filter(({ flag }) => flag === "tag-team").map(() => ({ tag: slug(team), scheme: "team", value: team })),
  }),
});
`;

const DAPPFILE = `project: shop
plugins: [{ use: ./team.ts, options: { team: Core Team } }]
---
dimg: app
from: oci:base:latest
git: [{ add: /web, to: /app }]
secrets: [{ id: token, env: TOKEN }]
shell:
  install:
    - test "$(wc -c < /run/secrets/token)" -eq 20
    - head -c 9000000 /dev/urandom > /random
`;

const EMBEDDED = `import { createEngine, type BuildResult } from "@dapp/dapp";
import { Glob } from "./types.ts";
await using engine = createEngine({ dir: "shop", env: { TOKEN: "a secret of the test", HOME: Deno.env.get("HOME") } });
const result: BuildResult = await engine.build();
const names: Glob[] = [];
console.log(JSON.stringify([...names, ...result.images.map(({ name, digest }) => [name, digest])]));
`;

/** Dappfiles with mistakes that the packages for YAML and for schemas find, and texts that they explain. */
const WRONG = [
  "dimg: app\nfrom: scratch\n\tshell: x\n---\ndimg: [a, b\nfrom: |x\n  y\n",
  'dimg: app\nfrom: "unclosed\ndocker: {CMD: [a}\n',
  "dimg: app\nfrom: !!binary aGk=\nfromCacheVersion: !!binary '@'\nshell: &s { install: *none, setup: !odd x }\nshell: *s\n",
  "project: a b\nplugins: [{ options: 1 }, 3]\ncleanup: { stages: { grace: 1y } }\n---\n" +
  "dimg: app\nform: scratch\ngit: { to: app }\nmount: [{ from: x, to: rel }, text]\nsecrets: [{ id: a/b }]\n" +
  "docker: { ENV: [A, { b: c }], EXPOSE: 99999, HEALTHCHECK: { interval: 5, retries: [] }, RUN: x }\n",
];

/** In place of what an example imports and its page does not have. */
const OTHER = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({ name: "other", api: 1, setup: () => ({}) });
`;

const IN_NODE =
  `import { digestOf, EngineError, isTag, parseReference, signatureOf, slug } from "@dapp/dapp/plugin";
import { configJsonSchema, createEngine, parseCleanupPlan, parseDappfile } from "@dapp/dapp";
import { readFile } from "node:fs/promises";
const config = await parseDappfile(await readFile("shop/dappfile.yaml", "utf8"));
const wrong = await parseDappfile("dimg: app\\nform: x\\n").catch((error) => error);
let refused;
try { createEngine(); } catch (error) { refused = error; }
console.log(JSON.stringify({
  images: config.images.map(({ name }) => name),
  problem: [wrong instanceof EngineError, wrong.code, wrong.details.problems[0].line],
  refused: [refused.code, refused.message, refused.fix],
  plan: (await parseCleanupPlan("{}").catch((error) => error)).code,
  slug: slug("Feature/x"),
  tag: isTag("v1"),
  reference: parseReference("debian").path,
  signature: typeof signatureOf,
  digest: await digestOf("abc"),
  schema: Object.keys(await configJsonSchema()).includes("anyOf"),
}));
`;

async function prepare({ dir }: Stranger): Promise<void> {
  await writeFiles(dir, {
    "embed.ts": EMBEDDED,
    "types.ts": 'export type { Glob } from "@dapp/dapp/plugin";\n',
    "node.mjs": IN_NODE,
    "shop/dappfile.yaml": DAPPFILE,
    "shop/team.ts": PLUGIN,
    "shop/web/index.html": "hi",
    "shop/.gitignore": "base\n",
  });
  await runHere(["cp", "-r", await busyboxBase(), `${dir}/shop/base`]);
  await commit(`${dir}/shop`);
}

const machine = useStranger();

Deno.test("every plugin that `dapp plugin new` writes passes its test, has types, and works from a dappfile", async (t) => {
  const stranger = machine();
  if (stranger) await tryNewPlugins(t, stranger);
});

Deno.test("git is asked beside the start of Deno, and what is built is the same", async (t) => {
  const stranger = machine();
  if (stranger) await tryGitBeside(t, stranger);
});

Deno.test("the npm package works on a machine that has Node.js alone", async (t) => {
  const stranger = machine();
  if (!stranger) return;
  await prepare(stranger);
  const { dir, run } = stranger;
  const dapp = `${dir}/node_modules/.bin/dapp`;
  const shop = { cwd: `${dir}/shop`, env: { TOKEN: "a secret of the test" } };

  await t.step("dapp tells its version, by npx too", async () => {
    assert.equal((await run([dapp, "--version"])).stdout, `dapp ${version}\n`);
    assert.equal((await run(["npx", "--no-install", "dapp", "--version"])).stdout, `dapp ${version}\n`);
    const { deno } = JSON.parse((await run([dapp, "version", "--json"])).stdout);
    assert.equal(deno, Deno.version.deno);
  });

  await t.step("every link of its texts leads to a file in it, and to a heading there", async () => {
    const own = `${dir}/node_modules/@dapp/dapp`;
    await Deno.stat(`${own}/docs/dappfile.md`);
    const { count, broken } = await linksIn(own);
    assert.ok(count > 100);
    assert.deepEqual(broken, []);
  });

  let digest = "";
  await t.step("it builds with commands, a secret and a plugin of the project", async () => {
    const { stdout } = await run([dapp, "dimg", "build"], shop);
    digest = stdout.trim().split(" ")[1]!;
    assert.match(digest, /^sha256:[0-9a-f]{64}$/);
    const again = await run([dapp, "dimg", "build"], shop);
    assert.equal(again.stdout, stdout);
    assert.match(again.stderr, /3 stages cached/);
    const shown = await run([dapp, "dimg", "run", "app", "--", "cat", "/app/index.html"], shop);
    assert.equal(shown.stdout, "hi");
  });

  await t.step("what it built is published under a tag of that plugin, and is whole", async () => {
    await run([dapp, "dimg", "push", "oci:out", "--tag-team"], shop);
    const { stdout } = await run([dapp, "dimg", "tags", "oci:out", "--json"], shop);
    assert.match(stdout, /"app-core-team-[0-9a-f]{8}"/);
    await run([dapp, "store", "check"], shop);
  });

  await t.step("a mistake is told as from a checkout", async () => {
    const { code, stderr } = await run([dapp, "dimg", "biuld"], { ...shop, allowFailure: true });
    assert.equal(code, 2);
    assert.match(stderr, /dimg build/);
    assert.doesNotMatch(stderr, /dist|\.js/);
  });

  await t.step("what is wrong with a dappfile is told as from a checkout", async () => {
    const list = ["dimg", "list", "--config", "wrong.yaml"];
    const checkout = [Deno.execPath(), "run", "-A", new URL("../../cli.ts", import.meta.url).pathname];
    for (const wrong of WRONG) {
      await writeFiles(dir, { "shop/wrong.yaml": wrong });
      const told = await run([dapp, ...list], { ...shop, allowFailure: true });
      assert.equal(told.code, 2);
      assert.deepEqual(told, await runHere([...checkout, ...list], { ...shop, allowFailure: true }));
    }
    await Deno.remove(`${dir}/shop/wrong.yaml`);
  });

  await t.step("a trusted plugin finds dapp beside it, and is told where dapp is elsewhere", async () => {
    const list = [dapp, "dimg", "list", "--config", "trusted.yaml"];
    const text =
      "project: shop\nplugins: [{ use: ./team.ts, trusted: true, options: { team: A } }]\n---\ndimg: app\nfrom: scratch\n";
    await writeFiles(dir, { "shop/trusted.yaml": text });
    assert.equal((await run(list, shop)).stdout, "app\n");
    await withTempDir(async (elsewhere) => {
      await writeFiles(elsewhere, { "trusted.yaml": text, "team.ts": PLUGIN });
      await commit(elsewhere);
      const { code, stderr } = await run(list, { cwd: elsewhere, allowFailure: true });
      assert.equal(code, 2);
      assert.match(stderr, /fix: Leave out `trusted`, or install dapp in the project/);
    });
    await Deno.remove(`${dir}/shop/trusted.yaml`);
  });

  await t.step("what is loaded of packages at run time is there", async () => {
    const dappfile = (keep: string) =>
      `project: shop\ncleanup: { keep: [${keep}] }\n---\ndimg: app\nfrom: scratch\n`;
    const cluster = (proxy: string) =>
      JSON.stringify({
        clusters: [{
          name: "a",
          cluster: { server: "http://10.0.0.1:1", ...(proxy && { "proxy-url": proxy }) },
        }],
        users: [{ name: "u", user: { token: "t" } }],
        contexts: [{ name: "c", context: { cluster: "a", user: "u" } }],
      });
    await writeFiles(dir, {
      "shop/kube.yaml": dappfile("{ use: keep-kubernetes, options: { kubeconfig: kube.json } }"),
      "shop/docker.yaml": dappfile("keep-docker"),
    });
    const told = async (words: readonly string[], env: Record<string, string> = {}) => {
      const options = { cwd: shop.cwd, env: { ...shop.env, ...env }, allowFailure: true };
      const { code, stderr } = await run([dapp, ...words], options);
      assert.equal(code, 1, stderr);
      return stderr;
    };
    const dead = "127.0.0.1:1";
    const proxied = { HTTP_PROXY: `http://${dead}`, HTTPS_PROXY: `http://${dead}` };
    assert.match(await told(["dimg", "tags", "registry.test/shop"], proxied), /ECONNREFUSED 127\.0\.0\.1:1/);
    const cleanup = (
      config: string,
    ) => ["dimg", "cleanup", "repo", "oci:out", "--dry-run", "--config", config];
    for (const proxy of [`http://${dead}`, `socks5://${dead}`]) {
      await writeFiles(dir, { "shop/kube.json": cluster(proxy) });
      assert.match(await told(cleanup("kube.yaml")), /does not answer.*ECONNREFUSED 127\.0\.0\.1:1/);
    }
    const socket = { DOCKER_HOST: "unix:///absent/docker.sock" };
    assert.match(await told(cleanup("docker.yaml"), socket), /absent\/docker\.sock/);
    for (const name of ["kube.yaml", "kube.json", "docker.yaml"]) await Deno.remove(`${dir}/shop/${name}`);
  });

  const deno = `${dir}/node_modules/deno/bin.cjs`;
  await t.step("a program on Deno builds with the engine, and type-checks", async () => {
    await run(["node", deno, "check", "embed.ts"]);
    const { stdout } = await run(["node", deno, "run", "-A", "embed.ts"]);
    assert.deepEqual(JSON.parse(stdout), [["app", digest]]);
  });

  await t.step("examples of the docs type-check there, and the test of docs/plugins.md passes", async () => {
    const files: Record<string, string> = {};
    for (const { file, line, info, text } of (await allTexts()).flatMap(({ blocks }) => blocks)) {
      const [example, name = `line_${line}.ts`] = /^ts ignore(?: (?:name|file)=(\S+))?$/.exec(info) ?? [];
      if (example !== undefined) files[`${file}/${name}`] = text;
    }
    for (const [path, text] of Object.entries(files)) {
      for (const [, name] of text.matchAll(/ from "\.\/(.*)"/g)) {
        files[path.replace(/[^/]*$/, name!)] ??= OTHER;
      }
    }
    await writeFiles(dir, files);
    await run(["node", deno, "check", ...Object.keys(files)]);
    const { stdout } = await run(["node", deno, "test", "-A", "docs/plugins.md/tag_team_test.ts"]);
    assert.match(stdout, /ok \| 2 passed \(\d+ steps\)/);
  });

  await t.step("the program of docs/embedding.md runs there", async () => {
    const { blocks } = (await allTexts()).find(({ file }) => file === "docs/embedding.md")!;
    const page = `${dir}/docs/embedding.md`;
    for (const { info, text } of blocks) {
      const [, name] = /file=(\S+)$/.exec(info) ?? [];
      if (name !== undefined) await writeFiles(page, { [name]: text });
    }
    await commit(page);
    const { stdout } = await run(["node", deno, "run", "-A", "publish.ts"], { cwd: page });
    assert.match(stdout, /\/images:web-main sha256:[0-9a-f]{64}\n0 images would go, 1 stay\n$/);
  });

  await t.step(
    "a program on Node.js reads dappfiles and uses the helpers; an engine says that it needs Deno",
    async () => {
      const { stdout } = await run(["node", "node.mjs"]);
      const { refused, ...rest } = JSON.parse(stdout);
      assert.deepEqual(rest, {
        images: ["app"],
        problem: [true, "CONFIG_INVALID", 2],
        plan: "USAGE",
        slug: "feature-x-08d64944",
        tag: true,
        reference: "library/debian",
        signature: "function",
        digest: "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        schema: true,
      });
      assert.equal(refused[0], "USAGE");
      assert.match(refused[2], /deno run/);
    },
  );

  await t.step(
    "a build without change loads eight files of the program, a helper only what it needs",
    async () => {
      await writeFiles(dir, {
        "small/dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /web, to: /app }]\n",
        "small/web/index.html": "hi",
      });
      await commit(`${dir}/small`);
      const small = { cwd: `${dir}/small` };
      const { stdout } = await run([dapp, "dimg", "build"], small);

      const program = `${dir}/node_modules/@dapp/dapp/dist`;
      /** A copy of the program that has only these files beside each other. */
      const copyOf = async (few: string, keep: RegExp) => {
        await run(["cp", "-r", program, few]);
        const names = (await Array.fromAsync(Deno.readDir(few))).map(({ name }) => name);
        const others = names.filter((name) => name !== "plugins" && !keep.test(name));
        for (const name of others) await Deno.remove(`${few}/${name}`, { recursive: true });
        return names.filter((name) => keep.test(name));
      };
      const few = `${dir}/few`;
      const kept = await copyOf(few, /^(?:cli|mod|(?:start|command|build|store)(?:-helper)?-[\w-]{8})\.js$/);
      assert.equal(kept.length, 8, kept.join(" "));
      const again = await run(["node", deno, "run", "-A", `${few}/cli.js`, "dimg", "build"], small);
      assert.equal(again.stdout, stdout);

      const alone = `${dir}/alone`;
      const its = await copyOf(alone, /^(?:start|(?:\w+-)*helper)-[\w-]{8}\.js$/);
      const helper = await run(["node", deno, "run", "-A", `${alone}/plugins/builder/native/helper.js`]);
      assert.equal(helper.stdout, '{"kind":"ready"}\n', its.join(" "));
    },
  );

  await t.step("deno install makes a command of the program that is in the package", async () => {
    await run(["cp", "-r", `${dir}/node_modules/@dapp/dapp/dist`, `${dir}/program`]);
    const install = ["install", "--global", "-A", "--root", `${dir}/installed`, "--name", "dapp"];
    await run(["node", deno, ...install, "--config", `${dir}/program/deno.json`, `${dir}/program/cli.js`]);
    const env = { ...shop.env, PATH: `${dir}/node_modules/.bin:/usr/bin:/bin:/usr/sbin:/sbin` };
    const { stdout } = await run([`${dir}/installed/bin/dapp`, "dimg", "build"], { ...shop, env });
    assert.equal(stdout, `app ${digest}\n`);
  });
});
