/** What would fail in the end is said before the first stage is built. */
import assert from "node:assert/strict";
import { type Engine, EngineError } from "../../mod.ts";
import { openProject, takeBuilt, type TestProject, withProject } from "../support/project.ts";
import { failure, MemoryRegistry, type RegistryAuth } from "../../testing/memory_registry/registry.ts";

const files = {
  "dappfile.yaml": "dimg: [app, web]\nfrom: scratch\ngit: [{ add: /, to: /app }]\n",
  "a.txt": "a",
};
const tags = [{ flag: "tag-plain", value: "v1" }];

const commands:
  readonly (readonly [name: string, run: (engine: Engine, repo: string) => Promise<unknown>])[] = [
    ["build --repo", (engine) => engine.build()],
    ["bp", (engine, repo) => engine.push([], { repo, tags, build: true })],
    ["bp --with-stages", (engine, repo) => engine.push([], { repo, tags, build: true, withStages: true })],
    ["spush with a build", (engine, repo) => engine.push(["app"], { repo, tags, build: true, single: true })],
  ];

const logins:
  readonly (readonly [title: string, auth: RegistryAuth, rights: readonly string[] | undefined])[] = [
    ["no login", { kind: "basic", user: "me", password: "word" }, undefined],
    ["no login, tokens", { kind: "bearer", user: "me", password: "word" }, undefined],
    ["a login that may only read", { kind: "bearer", user: "me", password: "word", withheld: ["push"] }, [
      "me",
      "word",
    ]],
  ];

function engineOf(
  project: TestProject,
  repo: string,
  login: readonly string[] | undefined,
  live: boolean,
): Engine {
  return project.engine({
    env: { PATH: Deno.env.get("PATH"), HOME: project.home },
    ...(live && { repo }),
    ...(login && { registry: { username: login[0]!, password: login[1]! } }),
  });
}

Deno.test("a login that is missing or may not push is found before the first stage", async (t) => {
  for (const [title, auth, login] of logins) {
    for (const [name, run] of commands) {
      await t.step(`${title}: ${name}`, async () => {
        await using registry = new MemoryRegistry();
        registry.auth = auth;
        const repo = `${registry.host}/grp/shop`;
        await withProject(files, async (project) => {
          await using engine = engineOf(project, repo, login, name === "build --repo");
          await assert.rejects(run(engine, repo), { code: "REGISTRY_DENIED" });
          assert.deepEqual(takeBuilt(project), []);
          assert.equal(registry.openUploads, 0);
        });
      });
    }
  }
});

Deno.test("a repository that is missing, or takes nothing, is found before the first stage", async (t) => {
  for (const [status, code] of [[404, "NAME_UNKNOWN"], [405, "UNSUPPORTED"]] as const) {
    await t.step(code, async () => {
      await using registry = new MemoryRegistry();
      registry.fault((request) => request.method === "POST" ? failure(status, code) : undefined, Infinity);
      const repo = `${registry.host}/grp/shop`;
      await withProject(files, async (project) => {
        await using engine = engineOf(project, repo, undefined, false);
        await assert.rejects(engine.push([], { repo, tags, build: true }), { message: /Cannot push to / });
        assert.deepEqual(takeBuilt(project), []);
      });
    });
  }
});

Deno.test("who may push but not write one bookkeeping tag builds and publishes", async () => {
  await using registry = new MemoryRegistry();
  registry.fault(
    (request, url) =>
      request.method === "PUT" && url.pathname.includes("dappservice-") ? failure(403, "DENIED") : undefined,
    Infinity,
  );
  const repo = `${registry.host}/grp/shop`;
  await withProject(files, async (project) => {
    await using engine = engineOf(project, repo, undefined, true);
    await engine.build();
    assert.ok(Object.keys(registry.tagsOf("grp/shop")).length > 0);
    assert.equal(registry.openUploads, 0);
  });
});

Deno.test("a base that lacks one of the platforms is found before any is built", async (t) => {
  await using registry = new MemoryRegistry();
  await registry.addImage("base", "1", { architecture: "arm64" });
  const base = `${registry.host}/base:1`;
  const dappfile = `dimg: app\nfrom: ${base}\ngit: [{ add: /, to: /app }]\n`;
  const repo = `${registry.host}/grp/shop`;
  for (const [name, run] of commands) {
    await t.step(name, async () => {
      await withProject({ "dappfile.yaml": dappfile, "a.txt": "a" }, async (project) => {
        const other = openProject(project.dir, project.home);
        await using engine = other.engine({
          platform: "linux/arm64,linux/s390x,linux/amd64",
          ...(name === "build --repo" && { repo }),
        });
        await assert.rejects(run(engine, repo), (error) => {
          assert.ok(error instanceof EngineError);
          assert.match(error.message, /it has linux\/arm64, wanted is linux\/(s390x|amd64)/);
          if (name === "build --repo") {
            assert.match(error.message, /wanted is linux\/s390x.*; .*wanted is linux\/amd64/);
          }
          return true;
        });
        assert.deepEqual(takeBuilt(other), []);
      });
    });
  }
});
