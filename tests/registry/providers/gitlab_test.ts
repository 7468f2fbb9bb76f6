import assert from "node:assert/strict";
import type { RegistryBackend, RegistryRequest } from "../../../core/contract/registry.ts";
import { registryGitlab } from "../../../plugins/registry/gitlab/mod.ts";
import { registryRequest } from "../../support/registry_request.ts";
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
  await using backend = await open(gitlab);
  assert.equal(backend.kind, "gitlab");
  const rows = await listed(backend.repository("").tags(signal));
  assert.deepEqual(rows.map(({ tag }) => tag), ["a", "b", "c", "d", "e"]);
  assert.deepEqual(rows[0], {
    tag: "a",
    digest: gitlab.registry.tagsOf(PATH).a,
    pushedAt: "2022-06-08T12:10:12.412Z",
  });
  assert.equal(gitlab.registry.count("tags/list?"), 0);
});

Deno.test("registry-gitlab lists names through the registry when there is no metadata database", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.database = false;
  await twoTags(gitlab);
  await using backend = await open(gitlab);
  assert.deepEqual(await listed(backend.repository("").tags(signal)), [{ tag: "v1" }, { tag: "v2" }]);
});

Deno.test("registry-gitlab lists nothing for a repository that does not exist", async () => {
  await using gitlab = await GitlabServer.start();
  await using backend = await open(gitlab);
  assert.deepEqual(await listed(backend.repository("none").tags(signal)), []);
});

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

Deno.test("registry-gitlab says why a protected tag stays", async () => {
  await using gitlab = await GitlabServer.start();
  gitlab.protectedTags.add("v1");
  const removal = await twoTags(gitlab);
  {
    await using backend = await open(gitlab);
    assert.deepEqual(await backend.repository("").remove(removal, signal), {
      outcome: "refused",
      why: "DENIED denied",
    });
  }
  gitlab.actions = ["pull", "push"];
  await using backend = await open(gitlab);
  const done = await backend.repository("").remove(removal, signal);
  assert.equal(done.outcome, "refused");
  assert.match(
    done.outcome === "refused" ? done.why : "",
    /403 Forbidden, the role of this token is too low/,
  );
});

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
  const access = { username: "me", password: "deploy-token", insecure: [] };
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
