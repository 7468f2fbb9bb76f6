/** Reaching the registry of REPO while the project is still read. */
import assert from "node:assert/strict";
import { type EngineOptions, use } from "../../mod.ts";
import { fakeBuilder, FakeBuilderLog } from "../support/fake_builder.ts";
import { run } from "../support/process.ts";
import { type TestProject, withProject } from "../support/project.ts";
import { until } from "../support/until.ts";

/** A host that counts who connects, and hangs up. */
class Silent implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #running = this.#accept();
  /** It is this machine, but by no name of it that could be asked by plain http. */
  readonly repo = `0.0.0.0:${this.#listener.addr.port}/shop`;
  connections = 0;

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.connections++;
      connection.close();
    }
  }

  /** How many have connected by now. */
  async total(): Promise<number> {
    // Connections are accepted in turn.
    using last = await Deno.connect({ hostname: "127.0.0.1", port: this.#listener.addr.port });
    await last.read(new Uint8Array(1));
    return this.connections - 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
  }
}

const dappfile = "project: shop\n---\ndimg: app\nfrom: scratch\n";

Deno.test("the registry of REPO is reached before the configuration is known", async (t) => {
  for (const method of ["published", "pullStages", "build"] as const) {
    await t.step(method, async () => {
      await withProject({ "dappfile.yaml": dappfile }, async (project) => {
        await using silent = new Silent();
        const { repo } = silent;
        // Whoever reads it waits until somebody writes.
        const lock = `${project.dir}/dappfile.lock`;
        await run(["mkfifo", lock]);
        {
          await using engine = project.engine(method === "build" ? { repo } : {});
          const done = method === "build" ? engine.build() : engine[method]([], { repo });
          const refused = assert.rejects(done, { code: "CONFIG_LOCK_INVALID" });
          await until(() => silent.connections === 1, "nobody connects");
          await Deno.writeTextFile(lock, "nonsense: 1\n");
          await refused;
        }
        assert.equal(await silent.total(), 1);
      });
    });
  }
});

Deno.test("what is wrong with a dappfile is told as ever while the registry of REPO is reached", async () => {
  await withProject({ "dappfile.yaml": `${dappfile}nonsense: 1\n` }, async (project) => {
    await using silent = new Silent();
    await using engine = project.engine();
    await assert.rejects(engine.published([], { repo: silent.repo }), { code: "CONFIG_INVALID" });
  });
});

/** How many connect to REPO by a look ahead alone. */
async function ahead(project: TestProject, options: EngineOptions = {}): Promise<number> {
  await using silent = new Silent();
  {
    await using engine = project.engine(options);
    await engine.prefetch({ repo: silent.repo });
    if (Object.keys(options).length === 0) await until(() => silent.connections > 0);
  }
  return await silent.total();
}

Deno.test("prefetch() reaches nobody where somebody else may have a say in who is asked, and how", async () => {
  await withProject({ "dappfile.yaml": dappfile }, async (project) => {
    assert.equal(await ahead(project), 1);
    const options: readonly EngineOptions[] = [
      { untrusted: true },
      { registry: { kind: "harbor" } },
      { plugins: [use(fakeBuilder(new FakeBuilderLog()))] },
      { env: { ...Deno.env.toObject(), https_proxy: "http://127.0.0.1:1" } },
      { env: { ...Deno.env.toObject(), DAPP_INSECURE_REGISTRY: "unused" }, config: "nowhere.yaml" },
    ];
    for (const each of options) {
      assert.equal(await ahead(project, each), 0, JSON.stringify(Object.keys(each)));
    }
    for (const line of ["repo: r.test/x", "plugins: [{ use: ./p.ts }]", '{"repo": "r.test/x"}']) {
      await project.write({ "other.yaml": `${line}\n${dappfile}` });
      assert.equal(await ahead(project, { config: "other.yaml" }), 0, line);
    }
  });
});
