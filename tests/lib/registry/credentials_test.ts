import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { findCredentials, keptLogins } from "../../../lib/registry/credentials.ts";
import type { RegistryError } from "../../../lib/registry/errors.ts";
import { readDockerHeaders } from "../../../lib/registry/docker_config.ts";
import { withTempDir } from "../../support/tmp.ts";

const basic = (username: string, password = "p") => ({ kind: "basic", username, password });
const auth = (text: string) => ({ auth: btoa(text) });

Deno.test("findCredentials() reads Docker's config.json", async (t) => {
  const config = {
    auths: {
      "https://index.docker.io/v1/": auth("hub:p"),
      "reg.io:5000": { username: "u", password: "p" },
      "http://old.io/v2/": auth("old:p"),
      "colon.io": auth("u:p:q\0\0"),
      "acr.io": { ...auth("0000:"), identitytoken: "refresh" },
      "raw.io": { registrytoken: "raw" },
      "store.io": {},
      "quay.io/org/repo": auth("deep:p"),
      "quay.io/org": auth("org:p"),
      "quay.io": auth("top:p"),
    },
  };
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
    const env = { DOCKER_CONFIG: dir, HOME: dir };
    const cases: readonly (readonly [domain: string, path: string, wanted: unknown])[] = [
      ["docker.io", "library/x", basic("hub")],
      ["reg.io:5000", "a", basic("u")],
      ["reg.io", "a", undefined],
      ["old.io", "a", basic("old")],
      ["colon.io", "a", basic("u", "p:q")],
      ["acr.io", "a", { kind: "identity", username: "0000", token: "refresh" }],
      ["raw.io", "a", { kind: "bearer", token: "raw" }],
      ["store.io", "a", undefined],
      ["quay.io", "org/repo", basic("deep")],
      ["quay.io", "org/repository", basic("org")],
      ["quay.io", "other", basic("top")],
    ];
    for (const [domain, path, wanted] of cases) {
      await t.step(
        `${domain}/${path}`,
        async () => deepStrictEqual(await findCredentials(domain, path, env), wanted),
      );
    }
  });
});

Deno.test("findCredentials() takes keys as tools and people write them, the most specific first", async (t) => {
  const own = basic("own");
  const mine = auth("own:p");
  const theirs = auth("other:p");
  const keys: readonly (readonly [title: string, auths: Record<string, unknown>, wanted: unknown])[] = [
    ["capitals", { "Reg.IO:5000": mine }, own],
    ["a scheme in capitals", { "HTTPS://reg.io:5000": mine }, own],
    ["slashes at the end", { "reg.io:5000//": mine }, own],
    ["spaces around", { " reg.io:5000 ": mine }, own],
    ["a version", { "http://reg.io:5000/v1/": mine }, own],
    ["a version without scheme", { "reg.io:5000/v2": mine }, own],
    ["a path that is no repository, with a scheme", { "https://reg.io:5000/api/docker/": mine }, own],
    ["not such a path without scheme", { "reg.io:5000/api/docker": mine }, undefined],
    ["a path that is one, with a scheme", { "reg.io:5000": theirs, "https://reg.io:5000/grp": mine }, own],
    ["a path after the version", { "reg.io:5000": theirs, "https://reg.io:5000/v2/grp/": mine }, own],
    ["the longest path", { "reg.io:5000/grp": theirs, "reg.io:5000/grp/app": mine }, own],
    ["whole parts only", { "reg.io:5000/gr": theirs, "reg.io:5000": mine }, own],
    ["not a longer path", { "reg.io:5000/grp/app/x": theirs, "reg.io:5000": mine }, own],
    ["the plain host before its URLs", {
      "https://reg.io:5000/x": theirs,
      "https://reg.io:5000": theirs,
      "reg.io:5000": mine,
    }, own],
    [
      "the host before a foreign path",
      { "https://reg.io:5000/x": theirs, "https://reg.io:5000/v1/": mine },
      own,
    ],
    ["not another port", { "reg.io": theirs, "reg.io:5001": theirs }, undefined],
    [
      "not a host that begins alike",
      { "reg.io:50001": theirs, "https://reg.io:5000.evil.example": theirs },
      undefined,
    ],
  ];
  for (const [title, auths, wanted] of keys) {
    await t.step(title, async () => {
      for (const domain of ["reg.io:5000", "REG.io:5000"]) {
        const env = { HOME: "/nonexistent", DOCKER_AUTH_CONFIG: JSON.stringify({ auths }) };
        deepStrictEqual(await findCredentials(domain, "grp/app", env), wanted);
        // The order in a file decides nothing.
        const reversed = Object.fromEntries(Object.entries(auths).reverse());
        const turned = { ...env, DOCKER_AUTH_CONFIG: JSON.stringify({ auths: reversed }) };
        deepStrictEqual(await findCredentials(domain, "grp/app", turned), wanted);
      }
    });
  }
  await t.step("the usual port is none", async () => {
    const of = (key: string, domain: string) =>
      findCredentials(domain, "a", {
        HOME: "/nonexistent",
        DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { [key]: mine } }),
      });
    deepStrictEqual(await of("https://reg.io:443/v2/", "reg.io"), own);
    deepStrictEqual(await of("reg.io", "reg.io:443"), own);
    deepStrictEqual(await of("https://Index.Docker.IO/v1/", "docker.io"), own);
  });
});

Deno.test("findCredentials() goes from the variable over Docker's file to podman's", async () => {
  await withTempDir(async (dir) => {
    const write = async (file: string, auths: unknown) => {
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(file, JSON.stringify({ auths }));
    };
    const env: Record<string, string> = { HOME: dir, XDG_RUNTIME_DIR: `${dir}/run` };
    const name = async () => {
      const found = await findCredentials("reg.io", "a", env);
      return found?.kind === "basic" ? found.username : undefined;
    };
    strictEqual(await name(), undefined);
    await write(`${dir}/.config/containers/auth.json`, { "reg.io": auth("config:p") });
    strictEqual(await name(), "config");
    await write(`${dir}/run/containers/auth.json`, { "reg.io": auth("runtime:p") });
    strictEqual(await name(), "runtime");
    await write(`${dir}/.docker/config.json`, { "reg.io": auth("docker:p") });
    strictEqual(await name(), "docker");
    await write(`${dir}/named.json`, { "reg.io": auth("named:p") });
    env.REGISTRY_AUTH_FILE = `${dir}/named.json`;
    strictEqual(await name(), "named");
    env.DOCKER_AUTH_CONFIG = JSON.stringify({ auths: { "reg.io": auth("variable:p") } });
    strictEqual(await name(), "variable");
  });
});

Deno.test("findCredentials() asks credential helpers", async (t) => {
  await withTempDir(async (dir) => {
    const script = `#!/bin/sh
read key
case "$1 $key" in
"get reg.io") echo '{"ServerURL":"reg.io","Username":"u","Secret":"p"}' ;;
"get token.io") echo '{"ServerURL":"token.io","Username":"<token>","Secret":"refresh"}' ;;
"get https://index.docker.io/v1/") echo '{"Username":"hub","Secret":"p"}' ;;
"get broken.io") echo secret; exit 3 ;;
"get odd.io") echo not json ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
`;
    await Deno.writeTextFile(`${dir}/docker-credential-test`, script, { mode: 0o755 });
    const config = {
      auths: { "file.io": auth("file:p"), "reg.io/team": auth("team:p") },
      credHelpers: { "Gone.io": "absent" },
      credsStore: "test",
    };
    await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
    const env = { DOCKER_CONFIG: dir, HOME: dir, PATH: `${dir}:${Deno.env.get("PATH")}` };
    const find = (domain: string) => findCredentials(domain, "a", env);

    await t.step("user and password", async () => deepStrictEqual(await find("reg.io"), basic("u")));
    await t.step("Docker Hub by its key", async () => deepStrictEqual(await find("docker.io"), basic("hub")));
    await t.step("an identity token", async () => {
      deepStrictEqual(await find("token.io"), { kind: "identity", username: "", token: "refresh" });
    });
    await t.step("a longer path comes before the helper of the host", async () => {
      deepStrictEqual(await findCredentials("reg.io", "team/a", env), basic("team"));
      deepStrictEqual(await findCredentials("reg.io", "teams/a", env), basic("u"));
    });
    await t.step("not found falls back to the file", async () => {
      deepStrictEqual(await find("file.io"), basic("file"));
      strictEqual(await find("other.io"), undefined);
    });
    await t.step("a missing helper is named", async () => {
      await rejects(find("gone.io"), {
        kind: "denied",
        message: /"docker-credential-absent": it is not installed/,
      });
    });
    await t.step("a failing helper is reported without its output", async () => {
      await rejects(
        find("broken.io"),
        (error: Error) => /exit code 3/.test(error.message) && !/secret/.test(error.message),
      );
      await rejects(find("odd.io"), { message: /not JSON/ });
    });
  });
});

Deno.test("findCredentials() names a malformed file without quoting it", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/config.json`, '{"auths": SECRET');
    await rejects(
      findCredentials("reg.io", "a", { DOCKER_CONFIG: dir, HOME: dir }),
      (error: Error) => error.message.includes(`${dir}/config.json`) && !error.message.includes("SECRET"),
    );
  });
});

Deno.test("findCredentials() says what is wrong with a file or an entry, and never goes on without a login", async (t) => {
  const encoded = (text: string) => btoa(text);
  const cases: readonly (readonly [title: string, content: unknown, message: RegExp, fix: RegExp])[] = [
    ["no JSON", "{auths", /it is not JSON$/, /^Correct it, or .* docker login HOST$/],
    ["a list", "[]", /it is JSON, but no object$/, /^Correct it/],
    ["auths as a list", { auths: ["reg.io"] }, /its "auths" is no object$/, /^Correct it/],
    ["helpers as a text", { credHelpers: "x" }, /its "credHelpers" is no object$/, /^Correct it/],
    ["a helper without a name", { credHelpers: { "a.io": 1 } }, /name no program for "a.io"$/, /^Correct it/],
    ["a store as a number", { credsStore: 1 }, /its "credsStore" is no text$/, /^Correct it/],
    [
      "no base64",
      { auths: { "https://reg.io/v1/": { auth: "u:secret" } } },
      /of "https:\/\/reg.io\/v1\/", its "auth" is not base64$/,
      /^Log in anew: docker login https:\/\/reg.io\/v1\/$/,
    ],
    [
      "no colon",
      { auths: { "reg.io": { auth: encoded("secret") } } },
      /of "reg.io", .* it has no ":"$/,
      /anew/,
    ],
    [
      "no user",
      { auths: { "reg.io/a": { auth: encoded(":secret") } } },
      /has no user before the ":"$/,
      /anew/,
    ],
    ["an entry that is a text", { auths: { "reg.io": encoded("u:secret") } }, /it is no object$/, /anew/],
  ];
  await withTempDir(async (dir) => {
    const file = `${dir}/config.json`;
    const env = { DOCKER_CONFIG: dir, HOME: dir };
    const wrong = (title: string, message: RegExp, fix: RegExp) => (error: RegistryError) => {
      ok(error.message.startsWith(`Cannot read registry credentials from ${title}: `), error.message);
      ok(message.test(error.message), error.message);
      ok(!error.message.includes("secret") && !error.message.includes(encoded("secret")), error.message);
      ok(fix.test(error.details.fix ?? ""), error.details.fix ?? "no fix");
      strictEqual(error.kind, "denied");
      return true;
    };
    for (const [title, content, message, fix] of cases) {
      await t.step(title, async () => {
        const text = typeof content === "string" ? content : JSON.stringify(content);
        await Deno.writeTextFile(file, text);
        await rejects(findCredentials("reg.io", "a", env), wrong(`"${file}"`, message, fix));
        await rejects(keptLogins(env), wrong(`"${file}"`, message, fix));
        const variable = { HOME: "/nonexistent", DOCKER_AUTH_CONFIG: text };
        if (text.includes("elpers") || text.includes("Store")) return;
        await rejects(findCredentials("reg.io", "a", variable), wrong("DOCKER_AUTH_CONFIG", message, fix));
        await rejects(keptLogins(variable), wrong("DOCKER_AUTH_CONFIG", message, fix));
      });
    }
    await t.step("another host goes on", async () => {
      await Deno.writeTextFile(
        file,
        JSON.stringify({ auths: { "reg.io": { auth: "?" }, "b.io": auth("b:p") } }),
      );
      deepStrictEqual(await findCredentials("b.io", "a", env), basic("b"));
      strictEqual(await findCredentials("c.io", "a", env), undefined);
    });
    await t.step("a token beside no user", async () => {
      await Deno.writeTextFile(
        file,
        JSON.stringify({ auths: { "reg.io": { auth: encoded(":"), identitytoken: "t" } } }),
      );
      deepStrictEqual(await findCredentials("reg.io", "a", env), {
        kind: "identity",
        username: "",
        token: "t",
      });
    });
    await t.step("a directory", async () => {
      await Deno.remove(file);
      await Deno.mkdir(file);
      await rejects(
        findCredentials("reg.io", "a", env),
        wrong(`"${file}"`, /: it is a directory$/, /right to read/),
      );
    });
    await t.step("a named file that is not there", async () => {
      const named = { HOME: "/nonexistent", REGISTRY_AUTH_FILE: `${dir}/gone.json` };
      const missing = /, which REGISTRY_AUTH_FILE names: it is not there$/;
      await rejects(findCredentials("reg.io", "a", named), { message: missing });
      await rejects(keptLogins(named), { message: missing });
    });
  });
});

Deno.test("findCredentials() takes the job's own for the registry of a GitLab job only", async (t) => {
  const job = { CI_JOB_TOKEN: "job", HOME: "/nonexistent" };
  const own = basic("gitlab-ci-token", "job");
  const file = JSON.stringify({ auths: { "reg.io": auth("file:p") } });
  const cases: readonly (readonly [title: string, env: Record<string, string>, domain: string, unknown])[] = [
    ["its host", { ...job, CI_REGISTRY: "reg.io" }, "reg.io", own],
    ["before all files", { ...job, CI_REGISTRY: "reg.io", DOCKER_AUTH_CONFIG: file }, "reg.io", own],
    ["with a scheme", { ...job, CI_REGISTRY: "https://Reg.io/" }, "reg.io", own],
    ["with a port", { ...job, CI_REGISTRY: "reg.io:5050" }, "reg.io:5050", own],
    ["not another port", { ...job, CI_REGISTRY: "reg.io:5050" }, "reg.io", undefined],
    ["not a host that begins alike", { ...job, CI_REGISTRY: "reg.io" }, "reg.io.evil.example", undefined],
    ["not without a token", { HOME: "/nonexistent", CI_REGISTRY: "reg.io" }, "reg.io", undefined],
    ["not without a registry", job, "reg.io", undefined],
  ];
  for (const [title, env, domain, wanted] of cases) {
    await t.step(title, async () => deepStrictEqual(await findCredentials(domain, "a", env), wanted));
  }
});

Deno.test("readDockerHeaders() gives what Docker sends along, but for what requests set themselves", async () => {
  await withTempDir(async (dir) => {
    const env = { DOCKER_CONFIG: dir, HOME: dir };
    deepStrictEqual(await readDockerHeaders(env), {});
    const HttpHeaders = { "X-Meta": "value", Authorization: "Basic x", "X-Number": 7 };
    await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify({ HttpHeaders }));
    deepStrictEqual(await readDockerHeaders(env), { "X-Meta": "value" });
    await Deno.writeTextFile(`${dir}/config.json`, "{");
    deepStrictEqual(await readDockerHeaders(env), {});
  });
});
