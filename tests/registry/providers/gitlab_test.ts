import assert from "node:assert/strict";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/registry.ts";
import { registryGitlab } from "../../../plugins/registry/providers.ts";
import { withProject } from "../../support/project.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { storeImage } from "../../../testing/registry_conformance.ts";
import { GitlabServer } from "./gitlab_server.ts";
import { shareAndCleanUp } from "./cycle.ts";
import { listed, opened, settled, signal } from "./support.ts";

const PATH = "group/project/app";
const login = { username: "me", password: "glpat-x", insecure: [] };

const open = (gitlab: GitlabServer, changes: Partial<RegistryRequest> = {}): Promise<RegistryBackend> =>
  opened(registryGitlab, registryRequest(`${gitlab.host}/${PATH}`, { access: login, ...changes }));

async function twoTags(gitlab: GitlabServer) {
  const { manifest } = await gitlab.registry.addImage(PATH, "v1");
  await gitlab.registry.addImage(PATH, "v2");
  return { tag: "v1", digest: manifest.digest as never, alone: false };
}

Deno.test("registry-gitlab knows GitLab by its token server and lists tags with digests and times", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.pageSize = 2;
  for (const tag of ["a", "b", "c", "d", "e"]) await gitlab.registry.addImage(PATH, tag);
  gitlab.times.set(`${PATH}:a`, { created: "2022-06-07T12:10:12.412Z", updated: "2022-06-08T12:10:12.412Z" });
  gitlab.times.set(`${PATH}:b`, { created: "2022-06-09T12:10:12.412Z" });
  await using backend = await open(gitlab);
  assert.equal(backend.kind, "gitlab");
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(rows[0], {
    tag: "a",
    digest: gitlab.registry.tagsOf(PATH).a,
    pushedAt: "2022-06-08T12:10:12.412Z",
  });
  assert.equal(rows[1]!.pushedAt, "2022-06-09T12:10:12.412Z");
  assert.equal(backend.capabilities.listing, "times");
  assert.equal(gitlab.registry.count("tags/list?"), 0);
});

Deno.test("registry-gitlab lists names through the registry when there is no metadata database", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.database = false;
  await twoTags(gitlab);
  await using backend = await open(gitlab);
  assert.deepEqual(await listed(backend.repository("").tags(signal)), [{ tag: "v1" }, { tag: "v2" }]);
  assert.equal(backend.capabilities.listing, "names");
  assert.equal(gitlab.registry.count("/tags/list?n=1000"), 1);
});

for (const database of [true, false]) {
  const where = database ? "with" : "without";
  Deno.test(`registry-gitlab lists nothing, ${where} a database, where there is no repository or no tag`, async () => {
    await using gitlab = await GitlabServer.start();
    gitlab.database = database;
    await gitlab.registry.addImage(PATH, undefined);
    await using backend = await open(gitlab);
    assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
    assert.deepEqual(await listed(backend.repository("").tags(signal)), []);
  });
}

for (const database of [true, false]) {
  const where = database ? "with" : "without";
  Deno.test(`stages and images are shared, cleaned up and restored at GitLab ${where} a metadata database`, async () => {
    await using gitlab = await GitlabServer.start();
    gitlab.database = database;
    const project = "group/project";
    await shareAndCleanUp({
      repo: `${gitlab.host}/${project}`,
      options: {
        plugins: [settled(registryGitlab)],
        registry: { username: login.username, password: login.password },
      },
      tagsOf: (name) => gitlab.registry.tagsOf(name === "" ? project : `${project}/${name}`),
    });
    assert.equal(gitlab.registry.count("manifests/sha256:", "DELETE"), 0);
  });
}

Deno.test("a cleanup says which tags GitLab protects, and removes all others", async () => {
  await using gitlab = await GitlabServer.start();
  const repo = `${gitlab.host}/group/project`;
  await withProject(
    { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n" },
    async (project) => {
      await using engine = project.engine({
        plugins: [settled(registryGitlab)],
        registry: { username: login.username, password: login.password },
      });
      const names = ["t1", "t2", "t3", "t4", "t5", "t6"];
      const tags = names.map((value) => ({ flag: "tag", value }));
      await engine.push([], { repo, tags, build: true });
      gitlab.protectedTags.add("t2").add("t5");
      const report = await engine.applyCleanup(await engine.planCleanup({ repo, flush: true }));
      assert.equal(report.outcome, "partial");
      assert.deepEqual(
        report.tags.filter(({ outcome }) => outcome === "refused").map((
          { reference, why },
        ) => [reference, why]),
        ["t2", "t5"].map((tag) => [
          `${repo}/app:${tag}`,
          "a protection rule of the GitLab project covers the tag (PROTECTED_TAG protected tag)",
        ]),
      );
      assert.deepEqual(Object.keys(gitlab.registry.tagsOf(PATH)), ["t2", "t5"]);
      assert.equal(gitlab.rest.seen.length, 0);
    },
  );
});

Deno.test("restore at GitLab brings back what lives, and names what its garbage collection has taken", async () => {
  await using gitlab = await GitlabServer.start();
  const repo = `${gitlab.host}/group/project`;
  await withProject(
    { "dappfile.yaml": "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n" },
    async (project) => {
      await using engine = project.engine({
        plugins: [settled(registryGitlab)],
        registry: { username: login.username, password: login.password },
      });
      await engine.push([], {
        repo,
        tags: ["t1", "t2"].map((value) => ({ flag: "tag", value })),
        build: true,
      });
      const { t1 } = gitlab.registry.tagsOf(PATH);
      const { config, layers = [] } = gitlab.registry.documentOf(PATH, t1!)!;
      await engine.applyCleanup(await engine.planCleanup({ repo, flush: true }));
      gitlab.halfCollected.add(layers[0]!.digest);
      const first = await engine.restore(["app:t1"], { repo });
      assert.deepEqual(first.tags.map(({ outcome }) => outcome), ["lost"]);
      gitlab.registry.dropBlob(PATH, config!.digest);
      const second = await engine.restore(["app:t1"], { repo });
      assert.deepEqual(second.tags.map(({ outcome, why }) => [outcome, why]), [
        ["lost", `its configuration ${config!.digest} is gone`],
      ]);
      assert.deepEqual(gitlab.registry.tagsOf(PATH), {});
    },
  );
});

interface Way {
  readonly name: string;
  readonly deletes: GitlabServer["deletes"];
  readonly actions: readonly string[];
  /** Requests that the first and the second deletion take on each route. */
  readonly asked: readonly [string, number][];
}
const ways: readonly Way[] = [
  {
    name: "by the manifest's tag",
    deletes: ["manifests"],
    actions: ["pull", "push", "delete"],
    asked: [["/manifests/v", 2], ["/tags/reference/", 0], ["/api/v4/", 0]],
  },
  {
    name: "with all actions where delete alone is not granted",
    deletes: ["manifests"],
    actions: ["pull", "push", "*"],
    asked: [["/tags/reference/", 0], ["/api/v4/", 0]],
  },
  {
    name: "by the tag's reference in older versions",
    deletes: ["tags/reference"],
    actions: ["pull", "push", "delete"],
    asked: [["/tags/reference/v", 2], ["/api/v4/", 0]],
  },
  {
    name: "by the REST API where the registry does not let this user",
    deletes: ["manifests"],
    actions: ["pull", "push"],
    asked: [["/projects/group%2Fproject", 2], ["/registry/repositories?", 1], ["/repositories/2/tags/", 2]],
  },
];
for (const { name, deletes, actions, asked } of ways) {
  Deno.test(`registry-gitlab deletes one tag ${name}, and remembers the way`, async () => {
    await using gitlab = await GitlabServer.start();
    gitlab.deletes = deletes;
    gitlab.actions = actions;
    const { digest } = await twoTags(gitlab);
    await using backend = await open(gitlab);
    const repository = backend.repository("");
    for (const tag of ["v1", "v2"]) {
      const done = await repository.remove({ tag, digest, alone: true }, signal);
      assert.deepEqual(done, { outcome: "removed", by: "tag" });
    }
    assert.deepEqual(gitlab.registry.tagsOf(PATH), {});
    assert.deepEqual(await repository.remove({ tag: "v1", digest, alone: true }, signal), {
      outcome: "absent",
    });
    for (const [part, count] of asked) {
      const seen = [...gitlab.api.seen, ...gitlab.rest.seen].filter(({ path, status }) =>
        path.includes(part) && status !== 401 && status !== 404
      );
      const wanted = part === "/projects/group%2Fproject" ? 1 : count;
      assert.equal(seen.length, wanted, part);
    }
    assert.equal(gitlab.registry.count("manifests/sha256:", "DELETE"), 0);
  });
}

Deno.test("registry-gitlab leaves the sibling of a deleted tag", async () => {
  await using gitlab = await GitlabServer.start();
  const removal = await twoTags(gitlab);
  await using backend = await open(gitlab);
  assert.equal(gitlab.registry.tagsOf(PATH).v2, removal.digest);
  await backend.repository("").remove(removal, signal);
  assert.deepEqual(gitlab.registry.tagsOf(PATH), { v2: removal.digest });
});

Deno.test("registry-gitlab says which rule keeps a tag, and removes the others by the same way", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.protectedTags.add("v1");
  gitlab.immutableTags.add("v2");
  const { digest } = await twoTags(gitlab);
  await gitlab.registry.addImage(PATH, "v3");
  await using backend = await open(gitlab);
  const remove = (tag: string) => backend.repository("").remove({ tag, digest, alone: true }, signal);
  assert.deepEqual(await remove("v1"), {
    outcome: "refused",
    why: "a protection rule of the GitLab project covers the tag (PROTECTED_TAG protected tag)",
  });
  assert.deepEqual(await remove("v2"), {
    outcome: "refused",
    why: "an immutability rule of the GitLab project covers the tag (IMMUTABLE_TAG immutable tag)",
  });
  assert.deepEqual(await remove("v3"), { outcome: "removed", by: "tag" });
  assert.equal(gitlab.rest.seen.length, 0);
  // One for each tag: whoever asked what registry this is knows how to log in.
  assert.equal(gitlab.api.count("/manifests/", "DELETE"), 3);
});

Deno.test("registry-gitlab says that the role is too low, or the tag protected, when only the REST API is left", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.protectedTags.add("v1");
  gitlab.actions = ["pull", "push"];
  const removal = await twoTags(gitlab);
  await using backend = await open(gitlab);
  const done = await backend.repository("").remove(removal, signal);
  assert.equal(done.outcome, "refused");
  assert.match(
    done.outcome === "refused" ? done.why : "",
    /403 Forbidden, the role of this token is too low/,
  );
  assert.deepEqual(await backend.repository("").remove({ ...removal, tag: "v2" }, signal), {
    outcome: "removed",
    by: "tag",
  });
});

Deno.test("registry-gitlab names the rule against a push", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.protectedTags.add("v1");
  gitlab.immutableTags.add("v2");
  await using backend = await open(gitlab);
  const repository = backend.repository("");
  await assert.rejects(storeImage(repository, "v1"), {
    code: "REGISTRY_FAILED",
    message: /answered 401, PROTECTED_TAG/,
    fix: /^A protection rule of the GitLab project covers the tag: publish under other tags/,
  });
  await storeImage(repository, "v2");
  await assert.rejects(storeImage(repository, "v2"), {
    code: "REGISTRY_FAILED",
    fix: /^An immutability rule of the GitLab project covers the tag/,
  });
});

Deno.test("registry-gitlab leaves manifests without tags to GitLab's garbage collection", async () => {
  await using gitlab = await GitlabServer.start();
  await using backend = await open(gitlab);
  assert.equal(backend.repository("").removeUntagged, undefined);
});

const logins = [
  {
    name: "a password that is wrong",
    access: { username: "me", password: "glpat-old", insecure: [] },
    message: /does not accept the credentials known for it \(status 403\)/,
    fix: /^Correct --registry-username and the password/,
  },
  {
    name: "no login",
    access: { insecure: [] },
    message: /no credentials are known for it/,
    fix: /^Log in with: docker login/,
  },
  {
    name: "a role that is too low",
    access: { username: "me", password: "glpat-x", insecure: [] },
    actions: ["pull"],
    message: /not good for this \(pull,push\)/,
    fix: /that this login has at least the role Developer and a token with the scope write_registry/,
  },
  {
    name: "a name too deep below a project that nobody knows",
    access: { username: "me", password: "glpat-x", insecure: [] },
    below: "a/b",
    message: /not good for this/,
    fix: /at most 2 levels below one \(else use shorter names or --naming flat\)/,
  },
  {
    name: "the token of a job of another project",
    access: { username: "gitlab-ci-token", password: "job-x", insecure: [] },
    project: "group/other",
    actions: [],
    message: /not good for this/,
    fix: /^The token of this job is for .*\/group\/other: let that project in under "Job token permissions"/,
  },
];
for (const { name, access, actions, below = "", project, message, fix } of logins) {
  Deno.test(`registry-gitlab tells a push with ${name} what is wrong`, async () => {
    await using gitlab = await GitlabServer.start();
    if (actions) gitlab.actions = actions;
    const env = {
      HOME: "/nonexistent",
      ...(project && { CI_REGISTRY: gitlab.host, CI_REGISTRY_IMAGE: `${gitlab.host}/${project}` }),
    };
    await using backend = await open(gitlab, { access, env });
    await assert.rejects(storeImage(backend.repository(below), "v1"), {
      code: "REGISTRY_DENIED",
      message,
      fix,
    });
  });
}

Deno.test("registry-gitlab shows the token of a job to the GitLab that runs it, and to no other", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.actions = ["pull", "push"];
  const removal = await twoTags(gitlab);
  const access = { insecure: [] };
  const env = { HOME: "/nonexistent", CI_JOB_TOKEN: "job-x" };
  {
    const foreign = { ...env, CI_SERVER_URL: "https://other.example.com" };
    await using backend = await open(gitlab, { access, env: foreign });
    await assert.rejects(backend.repository("").remove(removal, signal), {
      code: "REGISTRY_DENIED",
      message: /wanted is a job token of the same project, or an access token with the scope "api"/,
    });
    assert.equal(gitlab.rest.seen.length, 0);
  }
  await using backend = await open(gitlab, { access, env: { ...env, CI_SERVER_URL: gitlab.url } });
  assert.deepEqual(await backend.repository("").remove(removal, signal), { outcome: "removed", by: "tag" });
  assert.ok(gitlab.rest.seen.every(({ headers }) => headers.get("job-token") === "job-x"));
});

Deno.test("registry-gitlab takes the credentials of a job as a job token", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.actions = ["pull", "push"];
  const removal = await twoTags(gitlab);
  const access = { username: "gitlab-ci-token", password: "job-x", insecure: [] };
  await using backend = await open(gitlab, { access });
  assert.deepEqual(await backend.repository("").remove(removal, signal), { outcome: "removed", by: "tag" });
  assert.ok(gitlab.rest.seen.every(({ headers }) => headers.get("job-token") === "job-x"));
});

Deno.test("registry-gitlab says what token is missing", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.actions = ["pull"];
  const removal = await twoTags(gitlab);
  const access = { username: "deploy", password: "deploy-x", insecure: [] };
  await using backend = await open(gitlab, { access });
  await assert.rejects(backend.repository("").remove(removal, signal), {
    code: "REGISTRY_DENIED",
    message: /Cannot delete tag "v1" of .*: neither the registry nor GitLab's API allows it/,
  });
});

Deno.test("registry-gitlab takes at most two levels below a project", async () => {
  await using gitlab = await GitlabServer.start();
  const env = { HOME: "/nonexistent", CI_REGISTRY_IMAGE: `${gitlab.host}/group/project` };
  await using backend = await open(gitlab, { env });
  assert.equal(backend.repository("web").name, `${gitlab.host}/${PATH}/web`);
  assert.throws(() => backend.repository("web/front"), {
    code: "REGISTRY_UNSUPPORTED",
    message: /at most 2 levels below project "group\/project"/,
  });
});
