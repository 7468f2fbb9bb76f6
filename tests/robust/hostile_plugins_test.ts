/** Plugins that run apart and mean harm, or are broken: each ends in nothing, or in one error that names it. */
import assert from "node:assert/strict";
import { openApart } from "../../core/hooks/apart/open.ts";
import { fileUrl } from "../../core/hooks/module_url.ts";
import type { EngineError, EngineEvent, EngineOptions } from "../../mod.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { statusOf } from "../support/proc.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";

const STAGE = "dimg: app\nfrom: scratch\nshell: { installCacheVersion: 1 }\n";

/** What a home with logins holds. */
const SECRET = "c2VjcmV0OmhvcnNl";

interface Tried {
  readonly error: EngineError | undefined;
  readonly events: readonly EngineEvent[];
  /** What the plugin told as notes. */
  readonly notes: readonly string[];
}

/** Plans a project whose only plugin answers `stageInputs` with this code; `ctx` and `env` are in reach. */
async function tryPlugin(
  code: string,
  {
    rights = "{}",
    entry = "",
    prepare = async (_: TestProject) => {},
    hooks = "",
    options = {} as EngineOptions,
  } = {},
): Promise<Tried> {
  const plugin = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "inputs-hostile",
  api: 1,
  rights: ${rights},
  setup: (_, { env, projectDir }) => ({
    stageInputs: async (node, ctx) => {
      ${code}
      return [];
    },
    ${hooks}
  }),
});
`;
  const events: EngineEvent[] = [];
  let error: EngineError | undefined;
  const dappfile = `project: shop\nplugins: [{ use: ./hostile.ts${entry} }]\n---\n${STAGE}`;
  await withProject({ "dappfile.yaml": dappfile, "hostile.ts": plugin }, async (project) => {
    await prepare(project);
    await using engine = project.engine({ onEvent: (event) => void events.push(event), ...options });
    await engine.plan().then(() => engine.tagFlags()).catch((thrown: EngineError) => error = thrown);
  });
  // Every stage asks it.
  const notes = [...new Set(events.flatMap((event) => event.type === "note" ? [event.text] : []))];
  return { error, events, notes };
}

Deno.test("a plugin that declares nothing reaches nothing", async (t) => {
  await withTempDir(async (home) => {
    await Deno.mkdir(`${home}/.docker`);
    await Deno.writeTextFile(
      `${home}/.docker/config.json`,
      JSON.stringify({ auths: { "a.example": { auth: SECRET } } }),
    );
    await Deno.writeTextFile(`${home}/secret.mjs`, `export default "${SECRET}";`);
    let reached = 0;
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
      reached++;
      return new Response("export default 1", { headers: { "content-type": "text/javascript" } });
    });
    const { port } = server.addr;
    const config = `${home}/.docker/config.json`;
    const attempts: Readonly<Record<string, string>> = {
      "reads the docker configuration": `return Deno.readTextFileSync(${JSON.stringify(config)})`,
      "reads it with node:fs": `return (await import("node:fs")).readFileSync(${
        JSON.stringify(config)
      }, "utf8")`,
      "requires it": `const { createRequire } = await import("node:module");
        return JSON.stringify(createRequire(import.meta.url)(${JSON.stringify(config)}))`,
      "fetches it as a file": `return await (await fetch(${JSON.stringify(`file://${config}`)})).text()`,
      "imports it by a computed name": `return JSON.stringify(await import("file://" + ${
        JSON.stringify(config)
      }, { with: { type: "json" } }))`,
      "imports a module by a computed name": `return (await import("file://" + ${
        JSON.stringify(home)
      } + "/secret.mjs")).default`,
      "reads its environment": `return Deno.readTextFileSync("/proc/self/environ")`,
      "reads dapp's environment": "return Deno.readTextFileSync(`/proc/${Deno.ppid}/environ`)",
      "asks for a variable": `return Deno.env.get("DAPP_REGISTRY_PASSWORD")`,
      "asks for all variables": "return JSON.stringify(Deno.env.toObject())",
      "asks Node for a variable": `return (await import("node:process")).default.env.DAPP_REGISTRY_PASSWORD`,
      "sees a variable in what it is handed":
        "if (env.DAPP_REGISTRY_PASSWORD) return env.DAPP_REGISTRY_PASSWORD; throw new Error('absent')",
      "fetches from another port of this machine":
        `return await (await fetch("http://127.0.0.1:${port}/")).text()`,
      "connects to it":
        `Deno.connectSync; await Deno.connect({ hostname: "127.0.0.1", port: ${port} }); return "connected"`,
      "imports from it": `return JSON.stringify(await import("http://127.0.0.1:" + ${port} + "/x.ts"))`,
      "looks a name up": `return JSON.stringify(await Deno.resolveDns("example.com", "A"))`,
      "starts a program": `return new TextDecoder().decode(new Deno.Command("cat", { args: [${
        JSON.stringify(config)
      }] }).outputSync().stdout)`,
      "starts Deno with all rights":
        `return new TextDecoder().decode(new Deno.Command(Deno.execPath(), { args: ["eval", "-A", "1"] }).outputSync().stdout)`,
      "loads a library":
        `Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }); return "loaded"`,
      "writes a file": `Deno.writeTextFileSync(${JSON.stringify(`${home}/left`)}, "x"); return "written"`,
      "asks for more":
        `const { state } = await Deno.permissions.request({ name: "read" }); if (state === "granted") return state; throw new Error(state)`,
      "lets a worker do it": `return await new Promise((ok, no) => {
        const text = "try { postMessage([Deno.readTextFileSync(${config})]) } catch (e) { postMessage(String(e)) }";
        const worker = new Worker("data:text/javascript," + encodeURIComponent(text.replace("(${config})", "(" + JSON.stringify(${
        JSON.stringify(config)
      }) + ")")), { type: "module" });
        worker.onmessage = ({ data }) => Array.isArray(data) ? ok(data[0]) : no(new Error(data));
      })`,
      "kills dapp": `Deno.kill(Deno.ppid, "SIGKILL"); return "killed"`,
      "listens": `Deno.listen({ port: 0 }).close(); return "listening"`,
      "opens a data base": `const { DatabaseSync } = await import("node:sqlite"); new DatabaseSync(${
        JSON.stringify(`${home}/left.db`)
      }); return "opened"`,
    };
    const env = { HOME: home, PATH: Deno.env.get("PATH"), DAPP_REGISTRY_PASSWORD: SECRET };
    // One process for all of them: each says what became of it.
    const code = Object.entries(attempts).map(([name, attempt]) =>
      `try { const got = await (async () => { ${attempt} })();
        ctx.emit({ type: "note", level: "info", text: ${JSON.stringify(`${name}: GOT `)} + got }); }
      catch (error) { ctx.emit({ type: "note", level: "info", text: ${
        JSON.stringify(`${name}: not `)
      } + error }); }`
    ).join("\n");
    const { error, notes } = await tryPlugin(code, { options: { env } });
    assert.equal(error, undefined);
    for (const name of Object.keys(attempts)) {
      await t.step(name, () => {
        const note = notes.find((text) => text.startsWith(`${name}: `));
        assert.match(note ?? "it says nothing", /: not /);
      });
    }
    assert.equal(reached, 0);
    assert.ok(!JSON.stringify(notes).includes(SECRET));
    assert.deepEqual([...Deno.readDirSync(home)].map(({ name }) => name).sort(), [".docker", "secret.mjs"]);
  });
});

Deno.test("a plugin gives steps nothing of this machine that the dappfile does not give them", async (t) => {
  const attempts: Readonly<Record<string, string>> = {
    "a directory of this machine": `mounts: [{ kind: "fromPath", source: "/root/.docker", target: "/x" }]`,
    "a secret": `secrets: [{ id: "login", from: { kind: "file", path: "~/.docker/config.json" } }]`,
    "an ssh agent": `ssh: ["default"]`,
    "this machine's network": `network: "host"`,
    "another repository":
      `git: [{ ...config.images[0].git[0], remote: { url: "file:///root/own", ref: { kind: "head" } } }]`,
    "a base that is a file": `base: { kind: "image", name: "archive:/root/image.tar" }`,
  };
  const config = (change: string) =>
    `config: (config) => ({ ...config, images: config.images.map((image) => ({ ...image, ${change} })) }),`;
  for (const [name, change] of Object.entries(attempts)) {
    await t.step(name, async () => {
      const { error } = await tryPlugin("", { hooks: config(change) });
      assert.equal(error?.code, "PLUGIN_RESULT_INVALID");
      assert.match(
        error.message,
        /^Cannot use what plugin "inputs-hostile" makes of the dappfile: it adds `/,
      );
      assert.match(error.fix, /trusted: true/);
    });
  }
  await t.step("it may take away, and change the rest", async () => {
    const { error } = await tryPlugin("", {
      hooks: config(`mounts: [], network: "none", fromCacheVersion: "2"`),
    });
    assert.equal(error, undefined);
  });
  await t.step("an image of its own has nothing either", async () => {
    const own = `{ ...config.images[0], name: "more", ssh: ["default"] }`;
    const hooks = `config: (config) => ({ ...config, images: [...config.images, ${own}] }),`;
    assert.equal((await tryPlugin("", { hooks })).error?.code, "PLUGIN_RESULT_INVALID");
  });
});

Deno.test("what a plugin imports by name is of its repository, links followed", async (t) => {
  await withTempDir(async (home) => {
    await Deno.writeTextFile(`${home}/config.json`, JSON.stringify(SECRET));
    const cases: Readonly<Record<string, string>> = {
      "a static import": `import secret from "${home}/config.json" with { type: "json" };`,
      "an import that is written out":
        `const secret = await import("${home}/config.json", { with: { type: "json" } });`,
      "a link of the repository": `import secret from "./link.json" with { type: "json" };`,
      "through another module": `import secret from "./other.ts";`,
    };
    for (const [name, code] of Object.entries(cases)) {
      await t.step(name, async () => {
        const files = {
          "dappfile.yaml": `project: shop\nplugins: [./p.ts]\n---\n${STAGE}`,
          "p.ts": `${code}\nconsole.log(secret);\nexport default {};\n`,
          "other.ts": `export { default } from "${home}/config.json" with { type: "json" };`,
        };
        await withProject(files, async ({ dir, engine }) => {
          await Deno.symlink(`${home}/config.json`, `${dir}/link.json`);
          const events: EngineEvent[] = [];
          await using opened = engine({ onEvent: (event) => void events.push(event) });
          await assert.rejects(opened.plan(), (error: EngineError) => {
            assert.equal(error.code, "PLUGIN_NOT_FOUND");
            assert.match(
              error.message,
              /^Cannot load plugin "\.\/p\.ts": it loads "\/.*config\.json", which is not in "\//,
            );
            return true;
          });
          assert.ok(!JSON.stringify(events).includes(SECRET));
        });
      });
    }
  });
});

Deno.test("a link in a directory that a plugin may read leads nowhere else", async () => {
  await withTempDir(async (home) => {
    await Deno.writeTextFile(`${home}/config.json`, SECRET);
    const { error, notes } = await tryPlugin(
      `for (const path of ["data/ok", "data/link", "data/dir/config.json"]) {
        let text = "";
        try { text = "GOT " + Deno.readTextFileSync(projectDir + "/" + path) } catch (error) { text = "not " + error.name }
        ctx.emit({ type: "note", level: "info", text: path + " " + text });
      }`,
      {
        rights: `{ read: ["data"] }`,
        async prepare({ dir, write }) {
          await write({ "data/ok": "fine" });
          await Deno.symlink(`${home}/config.json`, `${dir}/data/link`);
          await Deno.symlink(home, `${dir}/data/dir`);
        },
      },
    );
    assert.equal(error, undefined);
    assert.deepEqual(notes.filter((text) => text.startsWith("data")), [
      "data/ok GOT fine",
      "data/link not NotCapable",
      "data/dir/config.json not NotCapable",
    ]);
  });
});

Deno.test("a right to a file of the project that is a link out of it is refused", async () => {
  await withTempDir(async (home) => {
    const { error } = await tryPlugin("", {
      rights: `{ read: ["VERSION"] }`,
      prepare: ({ dir }) => Deno.symlink(home, `${dir}/VERSION`),
    });
    assert.match(
      error?.message ?? "",
      /^Cannot load plugin ".*": its right to "VERSION" leads to "\/.*", outside of the project$/,
    );
  });
});

Deno.test("a right that was accepted is refused once it leads out of the project", async () => {
  const module =
    `export default { name: "reader", api: 1, rights: () => Promise.resolve({ read: ["data"] }) };`;
  await withProject({ "reader.mjs": module }, async ({ dir }) => {
    await Deno.symlink("/etc", `${dir}/data`);
    const host = { projectDir: dir, env: { PATH: Deno.env.get("PATH") } };
    const context = { signal: new AbortController().signal, dryRun: false, emit() {} };
    const use = { use: "./reader.mjs", url: fileUrl(`${dir}/reader.mjs`), options: undefined };
    await assert.rejects(openApart({ ...use, host, context, pin: { rights: { read: ["data"] } } }), {
      name: "EngineError",
      message:
        /^Cannot load plugin ".\/reader.mjs": its right to "data" leads to "\/etc", outside of the project$/,
    });
  });
});

Deno.test("declared rights work, and nothing beside them", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    () => new Response("served"),
  );
  const { notes, error } = await tryPlugin(
    `const tell = (text) => ctx.emit({ type: "note", level: "info", text });
    tell(await (await fetch("http://127.0.0.1:${server.addr.port}/")).text());
    tell(Deno.env.get("TEAM_NAME") + env.TEAM_NAME + String(env.OTHER));
    tell(Deno.readTextFileSync("VERSION"));
    Deno.writeTextFileSync("out/x", "1");
    tell(new TextDecoder().decode(new Deno.Command("echo", { args: ["run"] }).outputSync().stdout).trim());`,
    {
      rights:
        `{ hosts: ["127.0.0.1:${server.addr.port}"], env: ["TEAM_*"], read: ["VERSION"], write: ["out"], programs: ["echo"] }`,
      options: { env: { TEAM_NAME: "core", OTHER: "x", PATH: Deno.env.get("PATH"), HOME: "/nowhere" } },
      prepare: ({ write }) => write({ VERSION: "1.2", "out/keep": "" }),
    },
  );
  assert.equal(error, undefined);
  assert.deepEqual(notes.filter((text) => !text.includes("not pinned")), [
    "served",
    "corecoreundefined",
    "1.2",
    "run",
  ]);
});

Deno.test("a plugin that goes on without what it does not declare is told of, once", async () => {
  const code = `
    const tried = async (what) => { try { await what() } catch { /* goes on */ } };
    await tried(() => Deno.readTextFile("/etc/hostname"));
    await tried(() => Deno.env.get("TEAM"));
    await tried(() => Deno.env.get("TEAM_NAME"));
    await tried(() => fetch("http://127.0.0.1:8765/"));
    await tried(async () => (await import("node:fs")).readFileSync("/etc/hosts"));
    await tried(() => new Deno.Command("true").output());`;
  const { error, events } = await tryPlugin(code, { rights: `{ env: ["TEAM_NAME"] }` });
  assert.equal(error, undefined);
  const notes = events.flatMap((event) => event.type === "note" ? [[event.level, event.text]] : []);
  assert.deepEqual(notes, [[
    "warn",
    'Plugin "inputs-hostile" went on without read access to "/etc/hostname", env access to "TEAM", ' +
    'net access to "127.0.0.1:8765", read access to "/etc/hosts", run access to "true", ' +
    "which it does not declare under `rights`",
  ]]);
});

/** What is wrong -> the plugin's code, and the error. */
const misbehaviours: Readonly<
  Record<
    string,
    {
      readonly code?: string;
      readonly hooks?: string;
      readonly entry?: string;
      readonly kind?: EngineError["code"];
      readonly message: RegExp;
      readonly fix?: RegExp;
    }
  >
> = {
  "never answers": {
    code: "await new Promise(() => {});",
    entry: ", timeout: 1s",
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": it did not answer within 1s$/,
    fix: /`timeout` beside `use:`/,
  },
  "loops for ever": {
    code: "for (;;);",
    entry: ", timeout: 1s",
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": it did not answer within 1s$/,
  },
  "throws": {
    code: `throw new Error("boom");`,
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": boom$/,
  },
  "throws no error": {
    code: `throw { toString() { throw 1 } };`,
    message: /failed in hook "stageInputs": it threw something that says nothing$/,
  },
  "throws what has an object for a message": {
    code: `throw Object.defineProperty(new Error(), "message", { value: { a: 1 } });`,
    message: /failed in hook "stageInputs": \[object Object\]$/,
  },
  "throws what cannot be looked at": {
    code: `throw new Proxy(new Error(), { getPrototypeOf() { throw new Error("trap") } });`,
    message: /failed in hook "stageInputs": it threw something that says nothing$/,
  },
  "makes up a code": {
    code:
      `const { EngineError } = await import("@dapp/dapp/plugin"); throw new EngineError("NO_SUCH", "mine");`,
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": mine$/,
  },
  "changes what it is handed": {
    code: `node.image.git.push({}); return [];`,
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": Cannot add property/,
  },
  "throws in a timer": {
    code: `setTimeout(() => { throw new Error("late") }, 0); await new Promise(() => {});`,
    message:
      /^Plugin "inputs-hostile" failed in hook "stageInputs": its process ended with exit code 1: Error: late$/,
  },
  "leaves a promise that fails": {
    code: `Promise.reject(new Error("lost")); await new Promise(() => {});`,
    message: /its process ended with exit code 1: Error: lost$/,
  },
  "answers nonsense": {
    code: "return [{ key: 7 }];",
    kind: "PLUGIN_RESULT_INVALID",
    message:
      /^Plugin "inputs-hostile" answered hook "stageInputs" .*: its key "key" is a number, wanted is a text$/,
  },
  "answers what cannot be sent": {
    code: "return [{ key: 'a', value: 1n }];",
    message: /failed in hook "stageInputs": a bigint cannot be sent$/,
  },
  "answers with what has more than fields": {
    code: "return [{ key: 'a', value: new URL('https://a.example/') }];",
    message: /failed in hook "stageInputs": an instance of URL cannot be sent$/,
  },
  "answers with functions": {
    code: "return [{ key: 'a', value: () => 1 }];",
    message: /failed in hook "stageInputs": a function cannot be sent as an answer$/,
  },
  "answers with a ring": {
    code: "const a = []; a.push(a); return a;",
    message: /failed in hook "stageInputs": Maximum call stack/,
  },
  "answers without end": {
    code: `return [{ key: "a", value: "x".repeat(80 << 20) }];`,
    kind: "PLUGIN_RESULT_INVALID",
    message:
      /^Plugin "inputs-hostile" failed in hook "stageInputs": what it says cannot be understood: it is longer than 64 MiB$/,
  },
  "reaches for prototypes": {
    code: `return [JSON.parse('{"key":"a","value":"b","__proto__":{"polluted":true}}')];`,
    kind: "PLUGIN_RESULT_INVALID",
    message: /what it says cannot be understood: a key is "__proto__"$/,
  },
  "exits": {
    code: "Deno.exit(3);",
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": its process ended with exit code 3$/,
  },
  "ends as if all were well": { code: "Deno.exit(0);", message: /its process ended with exit code 0$/ },
  "uses up the memory": {
    code: "const all = []; for (;;) all.push(new Array(1e7).fill(0.5));",
    message: /failed in hook "stageInputs": its process ended with (signal|exit code)/,
  },
  "asks for what it did not declare": {
    code: `await fetch("http://127.0.0.1:9/");`,
    message:
      /^Plugin "inputs-hostile" failed in hook "stageInputs": it may not have net access to "127\.0\.0\.1:9"$|blocked/,
  },
  "reads what it did not declare": {
    code: `Deno.readTextFileSync("/etc/hostname");`,
    message:
      /^Plugin "inputs-hostile" failed in hook "stageInputs": it may not have read access to "\/etc\/hostname"$/,
    fix: /declare what it needs under `rights`/,
  },
  "tells what only dapp may tell": {
    code: `ctx.emit({ type: "stage.finished" }); await new Promise(() => {});`,
    kind: "PLUGIN_RESULT_INVALID",
    message: /what it says cannot be understood: it tells of "stage.finished", and may tell "note" /,
  },
  "speaks dapp's language badly": {
    code: `console.log("\\x1e{}"); await new Promise(() => {});`,
    kind: "PLUGIN_RESULT_INVALID",
    message: /what it says cannot be understood: it is no message$/,
  },
  "answers what nobody asked": {
    code: `console.log('\\x1e{"answer":99,"value":1}'); await new Promise(() => {});`,
    kind: "PLUGIN_RESULT_INVALID",
    message: /what it says cannot be understood: it answers what nobody asked$/,
  },
  "calls what it was not given": {
    code: `console.log('\\x1e{"call":9,"what":"constructor","args":[]}'); await new Promise(() => {});`,
    message: /its process ended with exit code 1: SyntaxError: it answers what nobody asked$/,
  },
  "gives a worker more than it has": {
    code: `new Worker("data:text/javascript,0", { type: "module", deno: { permissions: { read: true } } });
      await new Promise(() => {});`,
    message: /its process ended with exit code 70: /,
  },
  "says that the user stopped it": {
    code:
      `const { EngineError } = await import("@dapp/dapp/plugin"); throw new EngineError("INTERRUPTED", "gone");`,
    message: /^Plugin "inputs-hostile" failed in hook "stageInputs": gone$/,
  },
  "colours its errors": {
    code: `throw new Error("\\x1b[31mred\\x07\\x1b]0;title");`,
    message: /stageInputs": red\]0;title$/,
  },
  "takes a flag that is taken": {
    hooks: `tagFlags: () => [{ name: "tag-branch", summary: "mine" }],`,
    kind: "PLUGIN_RESULT_INVALID",
    message: /tag-branch/,
  },
  "has a hook that is none": {
    hooks: "stageInput: () => [],",
    kind: "PLUGIN_RESULT_INVALID",
    message: /^Cannot load plugin "inputs-hostile": its hook "stageInput" is unknown/,
  },
  "has a hook that cannot be asked": {
    hooks: "plan: 7,",
    kind: "PLUGIN_RESULT_INVALID",
    message: /^Cannot load plugin "inputs-hostile": its hook "plan" is neither a function nor/,
  },
  "opens a store that is none": {
    hooks: "openStore: () => ({}),",
    message: /^Plugin "inputs-hostile" failed in hook "openStore": its "blobs" is no object$/,
  },
};

Deno.test("a plugin that misbehaves gives one error that names it", async (t) => {
  for (
    const [name, { code = "", hooks = "", entry = "", kind = "PLUGIN_FAILED", message, fix = /./ }] of Object
      .entries(misbehaviours)
  ) {
    await t.step(name, async () => {
      const { error } = await tryPlugin(code, { hooks, entry });
      assert.match(error?.message ?? "nothing was wrong", message);
      assert.equal(error?.code, kind);
      assert.match(error!.fix, fix);
    });
  }
  assert.equal(Object.hasOwn(Object.prototype, "polluted"), false);
});

Deno.test("what a plugin prints is not taken for an answer, and gets nowhere but into details", async () => {
  const { error, events } = await tryPlugin(
    `console.log("[]"); Deno.stdout.writeSync(new TextEncoder().encode("half a line")); console.error("err");`,
  );
  assert.equal(error, undefined);
  const details = events.flatMap((event) => event.type === "detail" ? [event.text] : []);
  assert.ok(details.includes('Plugin "inputs-hostile" printed: []'));
  assert.ok(details.includes('Plugin "inputs-hostile" printed: half a line'));
});

Deno.test("a plugin lets go of what it holds when the run ends, and is told of when it fails in that", async () => {
  const plugin = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "inputs-held",
  api: 1,
  rights: { write: ["left"] },
  setup: (_, { projectDir }) => ({
    stageInputs: () => [],
    async [Symbol.asyncDispose]() {
      await Deno.writeTextFile(projectDir + "/left", "let go");
      throw new Error("cannot end");
    },
  }),
});
`;
  const dappfile = `project: shop\nplugins: [{ use: ./held.ts }]\n---\n${STAGE}`;
  await withProject({ "dappfile.yaml": dappfile, "held.ts": plugin }, async (project) => {
    const run = async () => {
      await using engine = project.engine();
      await engine.plan();
    };
    await assert.rejects(run, /^EngineError: Plugin "inputs-held" failed in hook "dispose": cannot end$/);
    assert.equal(await Deno.readTextFile(`${project.dir}/left`), "let go");
  });
});

Deno.test("what a plugin keeps in localStorage and caches is seen by no other one", async () => {
  const code = `
    ctx.emit({ type: "note", level: "info", text: "found " + localStorage.getItem("key") + " " + await caches.has("box") });
    localStorage.setItem("key", "value");
    await caches.open("box");`;
  for (let i = 0; i < 2; i++) {
    const { error, notes } = await tryPlugin(code);
    assert.equal(error, undefined);
    assert.equal(notes[0], "found null false");
  }
});

Deno.test("whoever stops dapp stops a plugin that loops, and its process is gone", async () => {
  const stop = new AbortController();
  let pid = 0;
  const { error } = await tryPlugin(
    `ctx.emit({ type: "note", level: "info", text: "pid " + Deno.pid }); for (;;);`,
    {
      options: {
        signal: stop.signal,
        onEvent(event) {
          const [, found] = event.type === "note" ? /^pid (\d+)$/.exec(event.text) ?? [] : [];
          if (found === undefined) return;
          pid = Number(found);
          stop.abort();
        },
      },
    },
  );
  assert.ok(error);
  assert.ok(pid > 0);
  assert.throws(() => Deno.kill(pid, "SIGCONT"), Deno.errors.NotFound);
});

Deno.test("programs that a plugin leaves behind end with it, and those that cannot be ended are not waited for", async (t) => {
  const cases: Readonly<
    Record<string, { readonly code: string; readonly left?: true; readonly message?: RegExp }>
  > = {
    "while it goes on": { code: `await leave("sh");` },
    "when it exits": {
      code: `await leave("sh"); Deno.exit(3);`,
      message: /failed in hook "stageInputs": its process ended with exit code 3$/,
    },
    "in a session of their own": { code: `await leave("setsid", "sh");`, left: true },
    "in a session of their own when it exits": {
      code: `await leave("setsid", "sh"); Deno.exit(3);`,
      left: true,
      message: /its process ended with exit code 3$/,
    },
  };
  for (const [name, { code, left = false, message }] of Object.entries(cases)) {
    await t.step(name, async () => {
      const { error, notes } = await tryPlugin(
        `const leave = async (program, ...more) => {
          const args = [...more, "-c", "echo on >&2; exec sleep 600"];
          const child = new Deno.Command(program, { args, stdout: "inherit", stderr: "piped" }).spawn();
          await child.stderr.getReader().read(); // it is in its session by then
          ctx.emit({ type: "note", level: "info", text: "pid " + child.pid });
        };
        ${code}`,
        { rights: `{ programs: ["sh", "setsid"] }`, options: { env: { PATH: Deno.env.get("PATH") } } },
      );
      if (message) assert.match(error?.message ?? "no error", message);
      else assert.equal(error, undefined);
      const pids = notes.flatMap((text) => Number(/^pid (\d+)$/.exec(text)?.[1]) || []);
      assert.ok(pids.length > 0);
      for (const pid of pids) {
        if (left) Deno.kill(pid, "SIGKILL");
        // what is killed may still be on its way out
        else await until(() => /^(Z|X|$)/.test(statusOf(pid, "State")), `process ${pid} goes on`);
      }
    });
  }
});
