/** What a method waits for and never comes: an abort ends it, and so does disposing of the engine. */
import assert from "node:assert/strict";
import { createEngine, definePlugin, type Engine, type EngineOptions, use } from "../../mod.ts";
import { processesWith } from "../../testing/processes.ts";
import { busyboxBase } from "../support/bases.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { assertNoLeaks, leakSnapshot } from "../support/leaks.ts";
import { openBelow } from "../support/proc.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { until } from "../support/until.ts";

const DAPPFILE = "project: shop\n---\ndimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";

/** A call that waits. */
interface Waiting extends Partial<AsyncDisposable> {
  readonly options?: EngineOptions;
  readonly call: (engine: Engine) => Promise<unknown>;
  /** Settles when it waits. */
  readonly arrived: Promise<void>;
  /** What processes have in their command lines that must not stay, beside the project. */
  readonly mention?: readonly string[];
}

/** A server that takes what is said to it and never answers. */
function mute(where: Deno.ServeUnixOptions | Deno.ServeTcpOptions) {
  const [arrived, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const answer = async () => {
    arrived.resolve();
    await over.promise;
    return new Response();
  };
  const server = "path" in where
    ? Deno.serve({ ...where, onListen() {} }, answer)
    : Deno.serve({ ...where, onListen() {} }, answer);
  const end = async () => {
    over.resolve();
    await server.shutdown();
  };
  return { server, arrived: arrived.promise, end };
}

/** Settles when a process has this in its command line. */
async function started(text: string): Promise<void> {
  await until(() => processesWith(text).length > 0, `nothing runs "${text}"`);
}

async function onBusybox(project: TestProject, command: string): Promise<void> {
  const dappfile = `${DAPPFILE}shell: { install: ["${command}"] }\n`.replace("scratch", "oci:base:latest");
  await project.write({ "dappfile.yaml": dappfile, ".gitignore": "base\n" });
  await run(["cp", "-r", await busyboxBase(), `${project.dir}/base`]);
  await project.commit();
}

/** A plugin that never answers a hook, and does not heed the signal. */
function hanging(hook: "setup" | "stageInputs" | "keep"): Pick<Waiting, "options" | "arrived"> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const hang = () => {
    resolve();
    return new Promise<never>(() => {});
  };
  const setup = hook === "setup" ? hang : () => ({ [hook]: hang });
  return { options: { plugins: [use(definePlugin({ name: "hanging", api: 1, setup }))] }, arrived: promise };
}

const waits: Readonly<Record<string, (project: TestProject) => Waiting | Promise<Waiting>>> = {
  "the setup of a plugin": () => ({ ...hanging("setup"), call: (engine) => engine.list() }),
  "a hook of a build": () => ({ ...hanging("stageInputs"), call: (engine) => engine.build() }),
  "a hook of a cleanup": ({ home }) => ({
    ...hanging("keep"),
    call: async (engine) => {
      await engine.build();
      await engine.push([], { repo: `oci:${home}-repo`, tags: [{ flag: "tag", value: "v1" }] });
      await engine.planCleanup({ repo: `oci:${home}-repo` });
    },
  }),
  "a plugin in a process of its own": async (project) => {
    const plugin = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "hanging",
  api: 1,
  setup: () => ({ stageInputs: () => { while (true); } }),
});
`;
    const dappfile = DAPPFILE.replace("project: shop", "project: shop\nplugins: [{ use: ./hanging.ts }]");
    await project.write({ "hanging.ts": plugin, "dappfile.yaml": dappfile });
    await project.commit();
    return { call: (engine) => engine.build(), arrived: started(`${project.dir}/hanging.ts`) };
  },
  "a git server": async (project) => {
    const { server, arrived, end } = mute({ port: 0, hostname: "127.0.0.1" });
    const { port } = server.addr as Deno.NetAddr;
    const url = `http://127.0.0.1:${port}/theme.git`;
    await project.write({
      "dappfile.yaml": `${DAPPFILE}  - { url: "${url}", to: /theme }\n`.replace(
        "git: [{ add: /, to: /app }]",
        "git:\n  - { add: /, to: /app }",
      ),
    });
    await project.commit();
    return { call: (engine) => engine.plan(), arrived, mention: [url], [Symbol.asyncDispose]: end };
  },
  "the Docker engine": ({ home }) => {
    const path = `${home}.sock`;
    const { arrived, end } = mute({ path });
    return {
      options: { env: { DOCKER_HOST: `unix://${path}` } },
      call: async (engine) => {
        await engine.build();
        await engine.tag([], { repo: "shop", tags: [{ flag: "tag", value: "v1" }] });
      },
      arrived,
      [Symbol.asyncDispose]: end,
    };
  },
  "a stage that another engine builds": async (project) => {
    await project.write({ "dappfile.yaml": `${DAPPFILE}shell: { install: [meet never] }\n` });
    await project.commit();
    const log = new FakeBuilderLog();
    const plugins = [use(fakeBuilder(log))];
    const stop = new AbortController();
    const first = project.engine({ plugins, signal: stop.signal });
    const building = first.build().catch(() => {});
    await log.arrived("never");
    const { promise: arrived, resolve } = Promise.withResolvers<void>();
    return {
      options: { plugins, onEvent: ({ type }) => type === "lock.waiting" && resolve() },
      call: (engine) => engine.build(),
      arrived,
      async [Symbol.asyncDispose]() {
        stop.abort();
        await building;
        await first[Symbol.asyncDispose]();
      },
    };
  },
  "a command of a stage": async (project) => {
    await onBusybox(project, "sleep 987654321");
    return {
      call: (engine) => engine.build(),
      arrived: started("sleep\x00987654321"),
      mention: ["987654321"],
    };
  },
  "a command in an image": async (project) => {
    await onBusybox(project, "true");
    return {
      call: async (engine) => {
        await engine.build();
        await engine.run({ command: ["sleep", "987654322"] });
      },
      arrived: started("sleep\x00987654322"),
      mention: ["987654322"],
    };
  },
};

for (const [what, prepare] of Object.entries(waits)) {
  for (const how of ["an abort", "disposing of the engine"] as const) {
    Deno.test({
      name: `${what} that never answers: ${how} ends the wait and leaves nothing behind`,
      // Once undici has opened a connection, a clock of its own runs on, which holds up nothing.
      sanitizeOps: what !== "the Docker engine",
      sanitizeResources: what !== "the Docker engine",
      fn: () =>
        withProject({ "dappfile.yaml": DAPPFILE }, async (project) => {
          const { dir, home } = project;
          await using ends = new AsyncDisposableStack();
          const { options, call, arrived, mention = [], ...waiting } = await prepare(project);
          ends.defer(() => waiting[Symbol.asyncDispose]?.() ?? Promise.resolve());
          const opened = openBelow(home);
          const before = await leakSnapshot({ mention: [dir, home, ...mention] });
          const stop = new AbortController();
          const reason = new Error("stopped");
          await using engine = createEngine({ dir, home, ...options, signal: stop.signal });
          const failure = call(engine).then(() => undefined, (error: unknown) => error);
          const early = await Promise.race([arrived, failure]);
          assert.equal(early, undefined);
          if (how === "an abort") {
            stop.abort(reason);
            assert.equal(await failure, reason);
          }
          await engine[Symbol.asyncDispose]();
          if (how !== "an abort") {
            const error = await failure;
            assert.ok(error instanceof DOMException && error.name === "AbortError", Deno.inspect(error));
            assert.match(error.message, /disposed of/);
            await assert.rejects(engine.config(), error, "nothing starts after that");
          }
          await assertNoLeaks(before);
          assert.deepEqual(openBelow(home).filter((path) => !opened.includes(path)), []);
        }),
    });
  }
}
