import { deepEqual, equal, throws } from "node:assert/strict";
import { createHash } from "node:crypto";
import { encodeTarHeader, tarPadding } from "../../../lib/tar/encode.ts";
import { type TarEntry, TarError } from "../../../lib/tar/types.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { goEntries } from "./go_headers.ts";
import { archive, type Member, member, parse, utf8 } from "./support.ts";

const long = (length: number) => "x".repeat(length);

/** Everything a layer may hold, with what ustar can and cannot say. */
const cases: readonly (readonly [name: string, member: Member, pax: boolean])[] = [
  ["a plain file", member("etc/motd", { mode: 0o4755, uid: 7, gid: 8 }, "hello\n"), false],
  ["an empty file", member("empty"), false],
  ["a directory", member("srv", { type: "dir", mode: 0o1777 }), false],
  ["the root directory", member("", { type: "dir", mode: 0o755 }), false],
  ["a 100 byte name", member(long(100)), false],
  ["a 101 byte name", member(long(101)), true],
  ["a name that fits prefix and name", member(`${long(155)}/${long(100)}`), false],
  ["a prefix that is too long", member(`${long(156)}/x`), true],
  ["a directory whose slash does not fit", member(long(100), { type: "dir" }), true],
  ["a directory that splits", member(`${long(90)}/${long(60)}`, { type: "dir" }), false],
  ["a non-ASCII name", member("été/naïve", {}, "é"), true],
  ["a name outside of the BMP", member("\u{1f600}"), true],
  ["a name with a byte order mark", member("\ufeffbom"), true],
  ["a name with a newline and quotes", member('new\nline "it\'s" \\ back'), false],
  ["a symlink", member("link", { type: "symlink", link: "../usr/bin" }), false],
  ["a long symlink", member("link", { type: "symlink", link: long(300) }), true],
  ["a non-ASCII symlink", member("link", { type: "symlink", link: "naïve" }), true],
  ["a hard link", member("hard", { type: "hardlink", link: "etc/motd" }), false],
  ["a character device", member("null", { type: "char", major: 1, minor: 3 }), false],
  ["a block device", member("sda", { type: "block", major: 8, minor: 0xfffff }), false],
  ["a fifo", member("pipe", { type: "fifo" }), false],
  ["the largest ustar ids", member("ids", { uid: 2097151, gid: 2097151 }), false],
  ["larger ids", member("ids", { uid: 2097152, gid: 3_000_000 }), true],
  ["a time before 1970", member("old", { mtime: -31_536_000 }), true],
  ["a fractional time", member("frac", { mtime: 1_700_000_000.25 }), true],
  ["a very small time", member("tiny", { mtime: 1e-7 }), true],
  ["a time beyond ustar", member("late", { mtime: 8_589_934_592 }), true],
  [
    "extended attributes",
    member("cap", { xattrs: new Map([["user.b", Uint8Array.of(0, 10, 61)], ["user.a", utf8("é")]]) }),
    true,
  ],
];

Deno.test("encodeTarHeader() is read back by TarParser, and uses PAX only when needed", async (t) => {
  for (const [name, given, pax] of cases) {
    await t.step(name, () => {
      deepEqual(parse([archive([given])]), [given]);
      equal(encodeTarHeader(given.entry).length > 512, pax);
    });
  }
});

Deno.test("encodeTarHeader() sorts PAX records and has no room for time or names", () => {
  const xattrs: [string, Uint8Array][] = [["user.b", utf8("1")], ["user.a", utf8("2")]];
  const make = (list: [string, Uint8Array][]) =>
    encodeTarHeader(member("é", { uid: 2 ** 21, xattrs: new Map(list) }).entry);
  const header = make(xattrs);
  deepEqual(header, make(xattrs.toReversed()));
  const text = new TextDecoder("latin1").decode(header);
  deepEqual(text.match(/(SCHILY[^=]*|path|uid)(?==)/g), [
    "SCHILY.xattr.user.a",
    "SCHILY.xattr.user.b",
    "path",
    "uid",
  ]);
  equal(text.slice(0, 14), "PaxHeaders.0\0\0");
});

Deno.test("encodeTarHeader() writes sizes beyond 8 GiB in PAX", () => {
  equal(encodeTarHeader(member("big", { size: 0o77777777777 }).entry).length, 512);
  equal(encodeTarHeader(member("big", { size: 2 ** 33 }).entry).length, 3 * 512);
});

Deno.test("encodeTarHeader() rejects what no archive can hold", async (t) => {
  const bad: readonly (readonly [string, Partial<TarEntry>])[] = [
    ["NUL in the path", { path: "a\0b" }],
    ["a lone surrogate", { path: "a\ud800" }],
    ["an empty path", { path: "" }],
    ["a symlink to nothing", { type: "symlink" }],
    ["a negative id", { uid: -1 }],
    ["a fractional size", { size: 1.5 }],
    ["no device number", { type: "char" }],
    ["an infinite time", { mtime: Infinity }],
    ["an equals sign in an attribute name", { xattrs: new Map([["user.a=b", utf8("")]]) }],
  ];
  for (const [name, rest] of bad) {
    await t.step(name, () => throws(() => encodeTarHeader(member("x", rest).entry), TarError));
  }
});

Deno.test("tarPadding() fills up to whole blocks", () => {
  deepEqual([0, 1, 511, 512, 513].map((size) => tarPadding(size).length), [0, 511, 1, 0, 511]);
});

Deno.test("encodeTarHeader() is understood by GNU tar", async () => {
  const tar = await peer("tar");
  if (!tar) return;
  await withTempDir(async (dir) => {
    const members = cases.map(([, given]) => given).filter(({ entry }) =>
      entry.path !== "" && entry.type !== "hardlink"
    );
    const unique = [...new Map(members.map((given) => [given.entry.path, given])).values()];
    await Deno.writeFile(`${dir}/a.tar`, archive(unique));
    const { stdout, stderr } = await run([tar, "--quoting-style=literal", "--null", "-tf", `${dir}/a.tar`]);
    equal(stderr, "");
    equal(stdout, unique.map(({ entry }) => entry.path + (entry.type === "dir" ? "/" : "") + "\n").join(""));
    const files = unique.filter(({ entry }) => entry.type === "file" && entry.mtime >= 0);
    await Deno.mkdir(`${dir}/out`);
    await Deno.writeFile(`${dir}/f.tar`, archive(files));
    await run([tar, "--no-same-owner", "-C", `${dir}/out`, "-xpf", `${dir}/f.tar`]);
    for (const { entry, content } of files) {
      const stat = await Deno.lstat(`${dir}/out/${entry.path}`);
      equal(stat.mode! & 0o7777, entry.mode);
      equal(stat.mtime!.getTime(), Math.floor(entry.mtime * 1000));
      deepEqual(await Deno.readFile(`${dir}/out/${entry.path}`), content);
    }
  });
});

Deno.test("encodeTarHeader() is understood by Python's tarfile", async () => {
  const python = await peer("python3");
  if (!python) return;
  await withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/a.tar`, archive(cases.map(([, given]) => given)));
    const script = `import json, sys, tarfile
rows = [[m.name, m.type.decode(), m.mode, m.uid, m.gid, m.size, float(m.mtime), m.linkname] for m in tarfile.open(sys.argv[1])]
print(json.dumps(rows))`;
    const { stdout } = await run([python, "-c", script, `${dir}/a.tar`]);
    const flags = { file: "0", hardlink: "1", symlink: "2", char: "3", block: "4", dir: "5", fifo: "6" };
    deepEqual(
      JSON.parse(stdout),
      cases.map((
        [, { entry: e }],
      ) => [e.path || ".", flags[e.type], e.mode, e.uid, e.gid, e.size, e.mtime, e.link ?? ""]),
    );
  });
});

Deno.test("encodeTarHeader() writes the bytes that Go's archive/tar 1.26 was seen to write", async (t) => {
  const seen = JSON.parse(await Deno.readTextFile(new URL("./go_headers.json", import.meta.url)));
  deepEqual(Object.keys(seen).sort(), Object.keys(goEntries).sort());
  for (const [title, entry] of Object.entries(goEntries)) {
    await t.step(title, () => {
      equal(createHash("sha256").update(encodeTarHeader(entry)).digest("hex"), seen[title]);
    });
  }
});
