/** Rules of the native builder that need no namespaces. */
import assert from "node:assert/strict";
import { builderNative } from "../../plugins/builder/native/mod.ts";
import { readLines } from "../../plugins/builder/native/lines.ts";
import { forwardOutput } from "../../plugins/builder/native/output.ts";
import { freeIds, isOldKernel } from "../../plugins/builder/native/namespaces.ts";
import { resolveInside } from "../../plugins/builder/native/inner_path.ts";
import { explainExit, stageScript } from "../../plugins/builder/_script.ts";
import { readAccounts, resolveUser } from "../../plugins/builder/native/users.ts";
import { isZero } from "../../lib/layer/zeros.ts";
import { run } from "../support/process.ts";
import { withTempDir } from "../support/tmp.ts";

Deno.test("builderNative leaves builders of other names to other plugins", async () => {
  const { openBuilder } = await builderNative.load(undefined, { projectDir: "/", env: {} });
  assert.ok(typeof openBuilder === "function");
  const request = { platform: { os: "linux", architecture: "amd64" }, store: {} as never, parallel: 1 };
  const context = { signal: new AbortController().signal, dryRun: false, emit() {} };
  assert.equal(await openBuilder({ ...request, name: "docker" }, context), undefined);
});

Deno.test("resolveUser() takes names and numbers", async (t) => {
  const passwd =
    "root:x:0:0::/root:/bin/sh\napp:x:100:200::/srv/app:/bin/sh\r\n7:x:300:301:::/bin/sh\nbad:x:y:0::/:\n" +
    "\n# no row\napp:x:999:999::/second:\n";
  const group =
    "root:x:0:root\nstaff:x:50:app,root\nbad:x::app\nwheel:x:10:x,app\nappx:x:11:xapp\n60:x:61:\n";
  const accounts = { passwd: { text: passwd }, group: { text: group } };
  const cases = [
    ["", 0, 0, [0, 50], "/root"],
    ["root", 0, 0, [0, 50], "/root"],
    ["0", 0, 0, [0, 50], "/root"],
    ["app", 100, 200, [50, 10], "/srv/app"],
    ["100", 100, 200, [50, 10], "/srv/app"],
    ["app:staff", 100, 50, [], "/srv/app"],
    ["app:77", 100, 77, [], "/srv/app"],
    ["app:60", 100, 61, [], "/srv/app"],
    [":staff", 0, 50, [], "/root"],
    ["5000", 5000, 0, [], "/"],
    ["5000:staff", 5000, 50, [], "/"],
    ["7", 300, 301, [], "/"],
  ] as const;
  for (const [text, uid, gid, groups, home] of cases) {
    await t.step(
      JSON.stringify(text),
      () => assert.deepEqual(resolveUser(text, accounts), { uid, gid, groups, home }),
    );
  }
  for (const text of ["nobody", "app:none", "-1", "bad", "app:bad", "2147483648", "constructor"]) {
    await t.step(
      `${text} is unknown`,
      () => assert.throws(() => resolveUser(text, accounts), /is not in \/etc\//),
    );
  }
  await t.step("an image without accounts", () => {
    const none = { passwd: { text: "" }, group: { text: "" } };
    assert.deepEqual(resolveUser("", none), { uid: 0, gid: 0, groups: [], home: "/" });
  });
});

Deno.test("readAccounts() reads regular files of the image, of bounded size, and nothing else", async () => {
  await withTempDir(async (dir) => {
    const root = `${dir}/image`;
    await Deno.mkdir(`${root}/etc`, { recursive: true });
    await Deno.writeTextFile(`${dir}/outside`, "mallory:x:0:0::/:\n");
    await Deno.writeTextFile(`${root}/real`, "app:x:7:7::/a:\n");
    const passwd = async (make: (path: string) => Promise<unknown>) => {
      await Deno.remove(`${root}/etc/passwd`, { recursive: true }).catch(() => {});
      await make(`${root}/etc/passwd`);
      return readAccounts(root).passwd;
    };
    const text = "app:x:7:7::/a:\n";
    assert.deepEqual(await passwd(() => Promise.resolve()), { text: "" });
    assert.deepEqual(await passwd((path) => Deno.writeTextFile(path, text)), { text });
    assert.deepEqual(await passwd((path) => Deno.symlink("/real", path)), { text });
    assert.deepEqual(await passwd((path) => Deno.symlink("../../outside", path)), { text: "" });
    assert.deepEqual(await passwd((path) => Deno.symlink(`${dir}/outside`, path)), { text: "" });
    assert.deepEqual(await passwd((path) => Deno.mkdir(path)), {
      unreadable: "/etc/passwd of the image is a dir, wanted is a file",
    });
    await passwd((path) => run(["mkfifo", path]));
    assert.throws(
      () => resolveUser("app", readAccounts(root)),
      /"app" cannot be looked up: \/etc\/passwd of the image is a fifo/,
    );
    assert.equal(resolveUser("12", readAccounts(root)).uid, 12);
    await passwd(async (path) => {
      using file = await Deno.open(path, { create: true, write: true });
      await file.truncate(1e12);
    });
    assert.throws(() => resolveUser("app", readAccounts(root)), /has 1000000000000 bytes/);
  });
});

Deno.test("explainExit() names the command that ended a stage", () => {
  const commands = ["one", "two  words\nand lines", "three"];
  const done = { code: 0, signal: null };
  assert.equal(explainExit(commands, "end\n", done), undefined);
  assert.equal(explainExit(commands, "2\n", done), undefined);
  assert.match(explainExit(commands, "0\n", done)!.why, /"one" ended the shell/);
  assert.match(
    explainExit(commands, "1\n", { code: 3, signal: null })!.why,
    /"two words and lines".*status 3$/,
  );
  assert.match(explainExit(commands, "1\n", { code: 137, signal: null })!.why, /status 137 \(killed/);
  assert.match(
    explainExit(commands, "", { code: 137, signal: "SIGKILL" })!.why,
    /"one" was killed by SIGKILL/,
  );
});

Deno.test("stageScript() quotes commands whole", () => {
  assert.match(stageScript([`echo 'a'"b"`], "/at"), /^eval ' echo '\\''a'\\''"b"'$/m);
});

Deno.test("resolveInside() keeps links inside of the root", async (t) => {
  await withTempDir(async (root) => {
    await Deno.mkdir(`${root}/usr/lib`, { recursive: true });
    const links = {
      lib: "usr/lib",
      abs: "/usr",
      up: "../../../etc",
      loop: "loop2",
      loop2: "loop",
      deep: "abs/lib/../x",
    };
    for (const [name, target] of Object.entries(links)) await Deno.symlink(target, `${root}/${name}`);
    const cases = [
      ["/", ""],
      ["/usr/./lib//x", "usr/lib/x"],
      ["/lib/x/y", "usr/lib/x/y"],
      ["/abs/lib", "usr/lib"],
      ["/up/passwd", "etc/passwd"],
      ["/../../a", "a"],
      ["/deep", "usr/x"],
      ["/none/../b", "b"],
    ] as const;
    for (const [path, wanted] of cases) {
      await t.step(path, () => assert.equal(resolveInside(root, path), wanted));
    }
    assert.throws(() => resolveInside(root, "/loop/x"), /more than 40 symlinks/);
  });
});

Deno.test("forwardOutput() joins characters and cuts at line ends", async () => {
  const pieces: string[] = [];
  const bytes = new TextEncoder().encode("one\ntwö\nthree");
  const source = ReadableStream.from([bytes.slice(0, 7), bytes.slice(7)]) as ReadableStream<Uint8Array>;
  await forwardOutput(source, (text) => void pieces.push(text));
  assert.deepEqual(pieces, ["one\n", "twö\n", "three"]);
});

Deno.test("readLines() joins pieces, and what a step of a million files is told by is read once", async () => {
  const read = async (pieces: Iterable<Uint8Array>) =>
    await Array.fromAsync(readLines(ReadableStream.from(pieces) as ReadableStream<Uint8Array>));
  const bytes = new TextEncoder().encode("one\n\ntwö\nthree\nrest");
  assert.deepEqual(await read([bytes]), ["one", "", "twö", "three"]);
  assert.deepEqual(await read(Array.from(bytes, (byte) => Uint8Array.of(byte))), ["one", "", "twö", "three"]);
  const piece = new Uint8Array(1 << 16).fill(97); // 64 MiB of them took 25 s when each was looked at with all before
  const lines = await read([...Array.from({ length: 1024 }, () => piece), Uint8Array.of(10)]);
  assert.deepEqual(lines.map(({ length }) => length), [1 << 26]);
});

Deno.test("isOldKernel() knows kernels without what steps are kept apart with", () => {
  const old = ["3.10.0-1160.el7.x86_64", "4.18.0-553.el8_10.x86_64", "5.4.0-216-generic", "5.11.22"];
  const fit = ["5.12.0", "5.14.0-427.el9.x86_64", "5.15.0-rc1", "6.1.0-28-amd64", "10.0"];
  assert.deepEqual([...old, ...fit].filter(isOldKernel), old);
});

Deno.test("isZero() sees every byte", () => {
  const bytes = new Uint8Array(1027);
  assert.ok(isZero(bytes));
  assert.ok(isZero(bytes.subarray(3)));
  for (const at of [0, 3, 512, 1023, 1026]) {
    bytes[at] = 128;
    assert.ok(!isZero(bytes), `${at}`);
    assert.equal(isZero(bytes.subarray(1)), at === 0);
    bytes[at] = 0;
  }
});

Deno.test("what calls the C library can be loaded by programs without the right to call it", async () => {
  const module = new URL("../../plugins/builder/native/libc.ts", import.meta.url);
  const code =
    `Deno.permissions.revokeSync({ name: "ffi" }); await import("${module}"); console.log("loaded");`;
  const { stdout } = await run([Deno.execPath(), "eval", "--no-config", code]);
  assert.equal(stdout.trim(), "loaded");
});

Deno.test("ids that are to be given to a user are nobody's", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], "100000-165535"],
    [["", "# none", "me:5000:10"], "100000-165535"],
    [["ann:100000:65536", "bob:165536:65536", "ann:100000:65536"], "231072-296607"],
    [["1000:524288:1000", "bob:1:2"], "525288-590823"],
  ];
  for (const [rows, free] of cases) assert.equal(freeIds(rows), free);
});
