import assert from "node:assert/strict";
import { openRemote, type RemoteOptions, type RemoteSource, resolveUrl } from "../../../core/git/remote.ts";
import { processesWith } from "../../../testing/processes.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { commit, contents, git, inTemp, list, makeRepository, memoryMemo } from "./fixture.ts";

const printTree = new URL("print_tree.ts", import.meta.url).pathname;

type Ref = RemoteSource["ref"];
const branch = (value: string): Ref => ({ kind: "branch", value });
const tag = (value: string): Ref => ({ kind: "tag", value });
const head: Ref = { kind: "head" };

/** Options whose lock is one chain of promises, with the names that were locked. */
function remoteOptions(
  directory: string,
  more: Partial<RemoteOptions> = {},
): RemoteOptions & { locks: string[] } {
  const locks: string[] = [];
  let last: Promise<void> = Promise.resolve();
  return {
    directory,
    env: Deno.env.toObject(),
    memo: memoryMemo(),
    locks,
    lock: async (name) => {
      locks.push(name);
      const before = last;
      const mine = Promise.withResolvers<void>();
      last = mine.promise;
      await before;
      return { [Symbol.asyncDispose]: () => Promise.resolve(mine.resolve()) };
    },
    ...more,
  };
}

Deno.test("openRemote() follows branches, tags and the default branch", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const first = await git(origin, "rev-parse", "HEAD");
    await git(origin, "tag", "light");
    await git(origin, "tag", "--annotate", "--message", "v1", "v1");
    await git(origin, "checkout", "--quiet", "-b", "feature/x");
    const second = await commit(origin, { "a": "2" });
    await git(origin, "checkout", "--quiet", "main");
    const third = await commit(origin, { "a": "3" });
    const url = `file://${origin}`;
    const options = remoteOptions(`${dir}/clones`);
    const cases: readonly [Ref, string, string][] = [
      [head, third, "3"],
      [branch("main"), third, "3"],
      [branch("feature/x"), second, "2"],
      [tag("light"), first, "1"],
      [tag("v1"), first, "1"],
      [{ kind: "commit", value: first }, first, "1"],
    ];
    for (const [ref, id, text] of cases) {
      const repository = await openRemote({ url, ref }, options);
      assert.equal(repository.commit, id);
      assert.equal((await repository.tree()).commit, id);
      assert.deepEqual(await contents(repository), { "a": text });
    }
    // What is known is neither locked nor fetched again.
    options.locks.length = 0;
    for (const [ref] of cases) await openRemote({ url, ref }, options);
    assert.deepEqual(options.locks, []);

    const fourth = await commit(origin, { "a": "4", "b": "new" });
    await git(origin, "tag", "--force", "light");
    assert.equal((await openRemote({ url, ref: head }, options)).commit, fourth);
    assert.equal((await openRemote({ url, ref: tag("light") }, options)).commit, fourth);
    assert.deepEqual(await list(await openRemote({ url, ref: head }, options)), ["100644 a", "100644 b"]);

    // A branch may make room for one below its name.
    await git(origin, "branch", "--move", "feature/x", "feature/x/y");
    await git(origin, "branch", "feature/x/z", "v1");
    assert.equal((await openRemote({ url, ref: branch("feature/x/z") }, options)).commit, first);

    // A rewritten branch is followed too.
    await git(origin, "reset", "--quiet", "--hard", first);
    assert.equal((await openRemote({ url, ref: branch("main") }, options)).commit, first);
  }));

Deno.test("openRemote() asks nobody for a known commit, nor offline", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const id = await git(origin, "rev-parse", "HEAD");
    const url = `file://${origin}`;
    const options = remoteOptions(`${dir}/clones`);
    await openRemote({ url, ref: branch("main") }, options);
    await Deno.rename(origin, `${dir}/gone`);
    assert.equal((await openRemote({ url, ref: { kind: "commit", value: id } }, options)).commit, id);
    const offline = { ...options, offline: true };
    assert.deepEqual(await contents(await openRemote({ url, ref: branch("main") }, offline)), { "a": "1" });
    await assert.rejects(openRemote({ url, ref: head }, offline), {
      message: /not fetched before and this run is offline/,
    });
    await assert.rejects(openRemote({ url, ref: branch("main") }, options), {
      code: "GIT_FAILED",
      message: /no such repository/,
    });
  }));

Deno.test("openRemote() serves another URL from the same directory", () =>
  inTemp(async (dir) => {
    const one = await makeRepository(`${dir}/one`, { "a": "1" });
    const two = await makeRepository(`${dir}/two`, { "a": "2" });
    const sha256 = await makeRepository(`${dir}/three`, { "a": "3" }, "--object-format=sha256");
    const options = remoteOptions(`${dir}/clones`);
    for (const [origin, text] of [[one, "1"], [two, "2"], [sha256, "3"], [one, "1"]] as const) {
      const repository = await openRemote({ url: `file://${origin}`, ref: head }, options);
      assert.deepEqual(await contents(repository), { "a": text });
    }
  }));

Deno.test("openRemote() finds a commit behind the tips, also when the server gives tips only", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const first = await git(origin, "rev-parse", "HEAD");
    await commit(origin, { "a": "2" });
    const url = `file://${origin}`;
    const ref: Ref = { kind: "commit", value: first };
    assert.deepEqual(await contents(await openRemote({ url, ref }, remoteOptions(`${dir}/c1`))), {
      "a": "1",
    });
    // Protocol 0 with the default settings refuses commits that are not tips.
    const old = { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "protocol.version", GIT_CONFIG_VALUE_0: "0" };
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        printTree,
        "remote",
        url,
        first,
        `${dir}/c2`,
      ],
      env: old,
    }).output();
    assert.equal(new TextDecoder().decode(stdout).split("\n")[0], first, new TextDecoder().decode(stderr));
    for (const value of ["main", first.slice(0, 10), "1".repeat(40)]) {
      const options = remoteOptions(`${dir}/c1`);
      await assert.rejects(openRemote({ url, ref: { kind: "commit", value } }, options), {
        code: "GIT_FAILED",
      });
    }
  }));

Deno.test("openRemote() by two at once fetches once", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const options = remoteOptions(`${dir}/clones`);
    const source = { url: `file://${origin}`, ref: head };
    const both = await Promise.all([
      openRemote(source, options),
      openRemote(source, options),
      openRemote(source, options),
    ]);
    for (const repository of both) assert.deepEqual(await contents(repository), { "a": "1" });
    const packs = [...Deno.readDirSync(`${dir}/clones/sha1.git/objects/pack`)].filter((e) =>
      e.name.endsWith(".pack")
    );
    assert.equal(packs.length, 1);
  }));

Deno.test("openRemote() reads from a plain web server, which has no shallow clones", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    await commit(origin, { "a": "2" });
    await git(origin, "update-server-info");
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        const path = new URL(request.url).pathname.replace("/shop.git", `${origin}/.git`);
        const bytes = await Deno.readFile(path).catch(() => undefined);
        return bytes ? new Response(bytes) : new Response("none", { status: 404 });
      },
    );
    const source = { url: `http://127.0.0.1:${server.addr.port}/shop.git`, ref: branch("main") };
    const repository = await openRemote(source, remoteOptions(`${dir}/clones`));
    assert.deepEqual(await contents(repository), { "a": "2" });
  }));

Deno.test("openRemote() logs in with the name and password of a URL, which are in no command line", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    await git(origin, "update-server-info");
    const wanted = `Basic ${btoa("a@b:s3cr3t w0rd%")}`;
    const logins = new Set<string | null>();
    const shown: number[] = [];
    await using server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      async (request) => {
        // git and what it started wait for this answer.
        assert.ok(processesWith(new URL(request.url).host + "/shop.git").length > 0);
        shown.push(...processesWith("s3cr3t"));
        const login = request.headers.get("authorization");
        logins.add(login);
        if (login !== wanted) {
          return new Response("no", { status: 401, headers: { "www-authenticate": "Basic realm=x" } });
        }
        const path = new URL(request.url).pathname.replace("/shop.git", `${origin}/.git`);
        const bytes = await Deno.readFile(path).catch(() => undefined);
        return bytes ? new Response(bytes) : new Response("none", { status: 404 });
      },
    );
    const source = {
      url: `http://a%40b:s3cr3t%20w0rd%@127.0.0.1:${server.addr.port}/shop.git`,
      ref: branch("main"),
    };
    for (const anonymous of [false, true]) {
      const options = remoteOptions(`${dir}/clones-${anonymous}`, { anonymous });
      assert.deepEqual(await contents(await openRemote(source, options)), { "a": "1" });
    }
    assert.deepEqual([...logins], [null, wanted]);
    assert.deepEqual(shown, []);
  }));

Deno.test("openRemote() goes on after a killed run", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const source = { url: `file://${origin}`, ref: head };
    await Deno.mkdir(`${dir}/clones/sha1.git.new/refs`, { recursive: true });
    const options = remoteOptions(`${dir}/clones`);
    await openRemote(source, options);
    await commit(origin, { "a": "2" });
    const clone = `${dir}/clones/sha1.git`;
    await Deno.writeTextFile(`${clone}/shallow.lock`, "");
    await Deno.writeTextFile(`${clone}/packed-refs.lock`, "");
    await Deno.writeTextFile(`${clone}/objects/pack/tmp_pack_x`, "half");
    for await (const { name } of Deno.readDir(`${clone}/refs/dapp`)) {
      await Deno.writeTextFile(`${clone}/refs/dapp/${name}/names/x.lock`, "");
    }
    assert.deepEqual(await contents(await openRemote(source, options)), { "a": "2" });
  }));

Deno.test("openRemote() reads a repository that is itself shallow", () =>
  inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    await commit(origin, { "a": "2" });
    await git(dir, "clone", "--quiet", "--depth=1", `file://${origin}`, "shallow");
    const repository = await openRemote({ url: `${dir}/shallow`, ref: head }, remoteOptions(`${dir}/clones`));
    assert.deepEqual(await contents(repository), { "a": "2" });
  }));

Deno.test("openRemote() says what is wrong with url or ref, without credentials", async (t) => {
  await inTemp(async (dir) => {
    const origin = await makeRepository(`${dir}/origin`, { "a": "1" });
    const empty = await makeRepository(`${dir}/empty`);
    const options = remoteOptions(`${dir}/clones`);
    const url = `file://${origin}`;
    const cases: readonly [string, RemoteSource, RegExp][] = [
      [
        "no branch",
        { url, ref: branch("nope") },
        /Cannot read branch "nope" of "file:.*": the repository has no such branch/,
      ],
      ["tail of a branch", { url, ref: branch("ain") }, /no such branch/],
      ["no tag", { url, ref: tag("nope") }, /no such tag/],
      ["no commits", { url: `file://${empty}`, ref: head }, /default branch .* no commits yet/],
      ["no repository", { url: `${dir}/none`, ref: head }, /no such repository/],
      ["relative path", { url: "../origin", ref: head }, /expected a URL or an absolute path/],
      ["an option", { url: "--upload-pack=touch /tmp/x:", ref: head }, /expected a URL/],
    ];
    for (const [name, source, message] of cases) {
      await t.step(name, () => assert.rejects(openRemote(source, options), { code: "GIT_FAILED", message }));
    }
    await t.step("no server", async () => {
      const free = Deno.listen({ port: 0, hostname: "127.0.0.1" });
      const { port } = free.addr;
      free.close();
      const source = { url: `http://ann:s3cret@127.0.0.1:${port}/g/x.git`, ref: head };
      await assert.rejects(openRemote(source, options), (error: Error) => {
        assert.match(error.message, /"http:\/\/\*\*\*@127.*": the server cannot be reached/);
        assert.doesNotMatch(error.message, /s3cret/);
        return true;
      });
    });
    for (
      const [status, said] of [[401, /access denied/], [403, /access denied/], [404, /no such repository/], [
        503,
        /cannot be reached/,
      ]] as const
    ) {
      await t.step(`status ${status}`, async () => {
        await using server = Deno.serve(
          { port: 0, hostname: "127.0.0.1", onListen: () => {} },
          () =>
            new Response("no", { status, headers: status === 401 ? { "www-authenticate": "Basic" } : {} }),
        );
        const source = { url: `http://127.0.0.1:${server.addr.port}/g/x.git`, ref: branch("main") };
        await assert.rejects(openRemote(source, options), { code: "GIT_FAILED", message: said });
      });
    }
    await t.step("a certificate of an authority that git does not trust", async () => {
      const certificates = await makeCertificates(dir);
      if (!certificates) return;
      await using server = Deno.serve(
        { port: 0, hostname: "127.0.0.1", onListen: () => {}, ...certificates.server },
        () => new Response("no", { status: 404 }),
      );
      const source = { url: `https://127.0.0.1:${server.addr.port}/g/x.git`, ref: head };
      const message = /its certificate is not trusted/;
      await assert.rejects(openRemote(source, options), { code: "GIT_FAILED", message });
      const trusting = { ...options, env: { ...options.env, GIT_SSL_CAINFO: `${dir}/ca.pem` } };
      await assert.rejects(openRemote(source, trusting), {
        code: "GIT_FAILED",
        message: /no such repository/,
      });
    });
  });
});

Deno.test("openRemote() reads submodules by their URLs, from this machine only when git allows it", () =>
  inTemp(async (dir) => {
    await makeRepository(`${dir}/lib`, { "f": "lib" });
    const top = await makeRepository(`${dir}/top`, { "a": "1" });
    await git(top, "submodule", "--quiet", "add", "../lib", "sub");
    await commit(top);
    const print = async (allow: string) => {
      const { stdout } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", printTree, "remote", `file://${top}`, "", `${dir}/${allow}`],
        env: { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "protocol.file.allow", GIT_CONFIG_VALUE_0: allow },
      }).output();
      return new TextDecoder().decode(stdout).trim().split("\n").slice(1);
    };
    assert.deepEqual(await print("always"), [".gitmodules", "a", "sub/f", "content of sub/f: lib"]);
    const [, , gap, ...more] = await print("user");
    assert.match(gap!, /^gap at sub: .*transport 'file' not allowed/);
    assert.deepEqual(more, []);
  }));

Deno.test("resolveUrl() starts relative URLs at the repository around", async (t) => {
  const cases: readonly [string, string, string][] = [
    ["https://h/g/top.git", "../lib.git", "https://h/g/lib.git"],
    ["https://h/g/top.git/", "../../x/lib", "https://h/x/lib"],
    ["https://h/g/top", "./lib", "https://h/g/top/lib"],
    ["git@h:g/top.git", "../lib.git", "git@h:g/lib.git"],
    ["git@h:top.git", "../lib.git", "git@h:lib.git"],
    ["/srv/top", "../lib", "/srv/lib"],
    ["/srv/top", "https://h/lib", "https://h/lib"],
    ["/srv/top", "..lib", "..lib"],
  ];
  for (const [base, url, expected] of cases) {
    await t.step(`${base} + ${url}`, () => assert.equal(resolveUrl(base, url), expected));
  }
});
