/** What is seen of what a command does. */
import assert from "node:assert/strict";
import { DenoWatch } from "../../cli/remembered/deno_watch.ts";
import { areSame, Facts, valueOf } from "../../cli/remembered/facts.ts";
import { sources, textOf } from "../support/import_graph.ts";
import { withTempDir } from "../support/tmp.ts";

/** What `use` is seen to do, with files that are as old as they need to be. */
async function seen(
  use: () => unknown,
): Promise<{ doubts: string[]; names: string[]; facts: Map<string, string | null> }> {
  const doubts: string[] = [];
  const names: string[] = [];
  const facts = new Facts(Date.now() + 60_000, (why) => doubts.push(why));
  {
    using _watch = new DenoWatch(facts, {
      doubt: (why) => doubts.push(why),
      reads: (name) => names.push(name),
    });
    await use();
  }
  return {
    doubts,
    names,
    facts: new Map(facts.all().map(([kind, path, value]) => [`${kind} ${path}`, value])),
  };
}

Deno.test("all ways to look at a path become facts, and none of them is doubted", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/a`, "text");
    await Deno.symlink("a", `${dir}/link`);
    const { doubts, facts } = await seen(async () => {
      assert.equal(await Deno.readTextFile(`${dir}/a`), "text");
      assert.equal(Deno.readTextFileSync(`${dir}/a`), "text");
      assert.equal((await Deno.readFile(`${dir}/link`)).length, 4);
      assert.equal(Deno.lstatSync(`${dir}/link`).isSymlink, true);
      assert.equal(await Deno.readLink(`${dir}/link`), "a");
      assert.equal((await Deno.stat(dir)).isDirectory, true);
      assert.equal((await Array.fromAsync(Deno.readDir(dir))).length, 2);
      assert.equal(await Deno.realPath(`${dir}/link`), `${dir}/a`);
      await assert.rejects(Deno.readTextFile(`${dir}/none`), Deno.errors.NotFound);
      (await Deno.open(`${dir}/a`, { read: true, write: true, create: true })).close();
    });
    assert.deepEqual(doubts, []);
    assert.deepEqual(
      [...facts.keys()].map((key) => key.replaceAll(dir, "")),
      ["content /a", "content /link", "status /link", "link /link", "content ", "list ", "real /link"]
        .concat("content /none", "writable /a"),
    );
    assert.equal(facts.get(`content ${dir}/none`), null);
    assert.equal(facts.get(`content ${dir}`), "directory");
    assert.equal(facts.get(`real ${dir}/link`), `${dir}/a`);
    for (const [key, value] of facts) {
      const [, kind, path] = /^(\w+) (.*)$/.exec(key)!;
      assert.equal(valueOf(kind as "content", path!), value, key);
    }
  });
});

Deno.test("whatever changes a file, and whatever cannot be looked at again, is doubted", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/a`;
    await Deno.writeTextFile(path, "text");
    const uses: Record<string, () => unknown> = {
      writeTextFile: () => Deno.writeTextFile(path, "text"),
      writeFileSync: () => Deno.writeFileSync(path, new Uint8Array(4)),
      mkdir: () => Deno.mkdir(`${dir}/d`),
      rename: () => Deno.rename(path, path),
      remove: () => Deno.remove(`${dir}/d`),
      chmod: () => Deno.chmod(path, 0o600),
      utime: () => Deno.utime(path, 1, 1),
      makeTempDir: () => Deno.makeTempDir({ dir }),
      create: async () => (await Deno.create(`${dir}/new`)).close(),
      "open to append": async () => (await Deno.open(path, { append: true })).close(),
      "open what is not there": async () =>
        (await Deno.open(`${dir}/made`, { write: true, create: true })).close(),
      "write into what is there": async () => {
        using file = await Deno.open(path, { write: true });
        await file.write(new Uint8Array(1));
      },
      "cut what is there": () => {
        using file = Deno.openSync(path, { write: true });
        file.truncateSync(1);
      },
      "a path that is a URL": () => Deno.stat(new URL(`file://${path}`)),
      Command: async () => (await new Deno.Command("true").output()).code,
      dlopen: () => {
        try {
          Deno.dlopen("/nowhere.so", {});
        } catch {
          // it is not there
        }
      },
      Worker: () => new Worker(URL.createObjectURL(new Blob([""])), { type: "module" }).terminate(),
      hostname: () => Deno.hostname(),
      "env.set": () => Deno.env.set("DAPP_TEST_WATCH", "1"),
    };
    for (const [name, use] of Object.entries(uses)) {
      assert.notDeepEqual((await seen(use)).doubts, [], name);
    }
  });
});

Deno.test("what was opened to be written is the same only where that can be done now", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/use`;
    await Deno.writeTextFile(path, "text");
    const value = valueOf("writable", path);
    assert.equal(areSame([["writable", path, value]]), true);
    assert.equal(await Deno.readTextFile(path), "text");
    const { statSync, lstatSync, realPathSync, readLinkSync } = Deno;
    const openSync = () => {
      throw new Error("Read-only file system (os error 30)");
    };
    const readOnly = { statSync, lstatSync, realPathSync, readLinkSync, openSync };
    assert.equal(valueOf("content", path, Infinity, readOnly), value);
    assert.throws(() => valueOf("writable", path, Infinity, readOnly), /Read-only/);
    await Deno.remove(path);
    assert.equal(areSame([["writable", path, value]]), false);
  });
});

Deno.test("what changed in the second before is doubted", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/a`, "text");
    const doubts: string[] = [];
    const facts = new Facts(Date.now(), (why) => doubts.push(why));
    facts.see("content", `${dir}/a`);
    assert.deepEqual(doubts, [`"${dir}/a": it has changed just now`]);
    facts.see("content", dir);
    assert.equal(doubts.length, 1, "a directory that is not listed may change");
    facts.see("list", dir);
    assert.equal(doubts.length, 2);
  });
});

Deno.test("variables are seen by name, and everything is as before in the end", async () => {
  const before = Object.getOwnPropertyDescriptors(Deno);
  const worker = globalThis.Worker;
  const { names, doubts } = await seen(() => [Deno.env.get("HOME"), Deno.env.has("X_Y")]);
  assert.deepEqual([names, doubts], [["HOME", "X_Y"], []]);
  assert.ok((await seen(() => Deno.env.toObject())).names.includes("*"));
  assert.deepEqual(Object.getOwnPropertyDescriptors(Deno), before);
  assert.equal(globalThis.Worker, worker);
});

Deno.test("whoever talks to others by itself tells that, or what it asked", () => {
  const talks =
    /(from |import\()"(undici|@grpc\/grpc-js|node:(net|tls|http2?|https|dgram|dns))|await fetch\(|Deno\.connect/;
  const found = ["core", "lib", "plugins", "cli"].flatMap((place) => [...sources(place)]).filter((file) =>
    talks.test(textOf(file).replaceAll(/^import type .*$|^\s*(\*|\/\/).*$/gm, ""))
  );
  // Commands that are remembered clean nothing up, and opening a builder is told.
  const elsewhere = /^lib\/(buildkit|docker)\/|^plugins\/(builder|cleanup)\//;
  assert.deepEqual(found.filter((file) => !elsewhere.test(file)).sort(), [
    // Asks before anybody watches.
    "cli/remembered/ask.ts",
    // What these send goes through HttpTransport.send(), which tells it.
    "lib/registry/light.ts",
    "lib/registry/proxy.ts",
    "lib/registry/transport.ts",
    "lib/registry/wire_connect.ts",
  ]);
  for (const file of ["lib/buildkit/client.ts", "lib/docker/engine.ts", "core/build/open_builder.ts"]) {
    assert.match(textOf(file), /watching\(\)\?\.beyond\(/, file);
  }
});
