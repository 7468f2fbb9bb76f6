import { deepEqual, equal, throws } from "node:assert/strict";
import { TarParser } from "../../../lib/tar/parse.ts";
import { encodeTarHeader, TAR_TRAILER } from "../../../lib/tar/encode.ts";
import { encodePax, type PaxRecord } from "../../../lib/tar/pax.ts";
import { TarError } from "../../../lib/tar/types.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { archive, concat, member, noise, parse, randomNumbers, randomPieces, utf8 } from "./support.ts";

/** A header block with bytes changed and the checksum made right again. */
function patched(header: Uint8Array, changes: Readonly<Record<number, string | Uint8Array>>): Uint8Array {
  const block = header.slice();
  for (const [at, value] of Object.entries(changes)) {
    block.set(typeof value === "string" ? utf8(value) : value, Number(at));
  }
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(utf8(sum.toString(8).padStart(6, "0") + "\0"), 148);
  return block;
}

const padded = (content: Uint8Array) => concat([content, new Uint8Array((512 - content.length % 512) % 512)]);
const header = (path: string, content: string | Uint8Array = "") =>
  encodeTarHeader(member(path, {}, content).entry);
/** An extension header (x, g, L, K) with its body. */
function extension(flag: string, body: Uint8Array): Uint8Array {
  return concat([patched(header("ext", body), { 156: flag }), padded(body)]);
}
const pax = (records: PaxRecord[], flag = "x") => extension(flag, encodePax(records));
const paths = (chunks: Uint8Array[]) => parse(chunks).map(({ entry }) => entry.path);

Deno.test("TarParser says where in the archive a content begins", () => {
  const random = randomNumbers(2);
  const members = Array.from(
    { length: 40 },
    (_, i) =>
      i % 4 === 0
        ? member(`d${i}`, { type: "dir" })
        : member(`${"é".repeat(10 * i)}`.slice(-100), {}, noise(Math.floor(random() * 2000), random)),
  );
  const whole = archive(members);
  const found: Uint8Array[] = [];
  const parser = new TarParser({
    entry: ({ type, size }) => {
      if (type === "file") found.push(whole.subarray(parser.contentAt, parser.contentAt + size));
    },
    data() {},
    end() {},
  });
  for (let at = 0; at < whole.length; at += 700) parser.push(whole.subarray(at, at + 700));
  parser.finish();
  deepEqual(found, members.filter(({ entry }) => entry.type === "file").map(({ content }) => content));
});

Deno.test("TarParser gives the same however the archive is cut", () => {
  const random = randomNumbers(1);
  const members = Array.from({ length: 60 }, (_, i) => {
    const content = noise(Math.floor(random() * 3000), random);
    const xattrs = new Map([["user.noise", noise(50, random)]]);
    return member(`dir/${"é".repeat(i)}${i}`, i % 3 === 0 ? { xattrs } : {}, content);
  });
  const bytes = archive(members);
  for (const longest of [2, 100, 513, 1024, 5000, 1 << 20]) {
    deepEqual(parse(randomPieces(bytes, random, longest)), members);
  }
});

Deno.test("TarParser understands other dialects", async (t) => {
  const plain = header("f", "data");
  const data = padded(utf8("data"));
  const long = "l".repeat(200) + "/" + "l".repeat(99);
  const cases: readonly (readonly [string, Uint8Array[], object])[] = [
    ["v7 without magic", [patched(plain, { 257: new Uint8Array(255), 156: "\0" }), data], {
      path: "f",
      type: "file",
    }],
    ["v7 directory by its slash", [patched(header("d"), { 0: "d/", 257: new Uint8Array(255), 156: "\0" })], {
      path: "d",
      type: "dir",
    }],
    ["a contiguous file", [patched(plain, { 156: "7" }), data], { path: "f", type: "file", size: 4 }],
    ["GNU long name and link", [
      extension("K", utf8(long + "\0")),
      extension("L", utf8(`n${long}\0`)),
      patched(header("cut"), { 156: "2", 157: "cut" }),
    ], { path: `n${long}`, type: "symlink", link: long }],
    ["GNU prefix area is no prefix", [patched(plain, { 257: "ustar  \0", 345: "12345670123" }), data], {
      path: "f",
    }],
    ["base-256 numbers", [
      patched(plain, {
        108: Uint8Array.of(0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe),
        136: new Uint8Array(12).fill(0xff),
      }),
      data,
    ], { uid: 0xfffffffe, mtime: -1 }],
    ["numbers padded with spaces", [patched(plain, { 108: "     17 ", 124: "         4 \0" }), data], {
      uid: 15,
      size: 4,
    }],
    ["a volume label", [patched(header("label"), { 156: "V" }), plain, data], { path: "f" }],
    ["a star prefix", [patched(plain, { 345: "p", 508: "tar\0" }), data], { path: "p/f" }],
    ["a global header", [pax([["gid", utf8("77")], ["comment", utf8("x")]], "g"), plain, data], { gid: 77 }],
    ["a local header over a global one", [
      pax([["gid", utf8("77")]], "g"),
      pax([["gid", utf8("78")], ["uid", utf8("5000000")]]),
      plain,
      data,
    ], { gid: 78, uid: 5_000_000 }],
    ["an empty PAX value falls back", [
      pax([["gid", utf8("77")]], "g"),
      pax([["gid", utf8("")]]),
      plain,
      data,
    ], { gid: 0 }],
    ["of two PAX headers the last counts alone", [
      pax([["path", utf8("first")], ["gid", utf8("77")], ["SCHILY.xattr.user.a", utf8("1")]]),
      pax([["uid", utf8("5")]]),
      plain,
      data,
    ], { uid: 5 }],
    ["LIBARCHIVE attributes are ignored", [
      pax([["LIBARCHIVE.xattr.user.a", utf8("eA")], ["SCHILY.xattr.user.a", Uint8Array.of(0, 10)]]),
      plain,
      data,
    ], { xattrs: new Map([["user.a", Uint8Array.of(0, 10)]]) }],
    ["an absolute path", [patched(plain, { 0: "//f" }), data], { path: "f" }],
    ["a path with dots", [patched(plain, { 0: "./a/./b//f" }), data], { path: "a/b/f" }],
    ["dots that are names", [patched(plain, { 0: "...a/..b" }), data], { path: "...a/..b" }],
    ["an absolute hard link", [patched(header("h"), { 156: "1", 157: "/etc/./x" })], {
      type: "hardlink",
      link: "etc/x",
    }],
  ];
  for (const [name, blocks, wanted] of cases) {
    await t.step(name, () => {
      const [first, ...rest] = parse([...blocks, TAR_TRAILER]);
      const { entry } = first!;
      deepEqual(
        Object.fromEntries(Object.keys(wanted).map((key) => [key, entry[key as keyof typeof entry]])),
        wanted,
      );
      deepEqual(rest, []);
    });
  }
});

Deno.test("TarParser passes over hard link bodies, stored or only claimed", () => {
  const link = (size: number) => patched(header("h", new Uint8Array(size)), { 156: "1", 157: "f" });
  const random = randomNumbers(3);
  for (const size of [1, 300, 512, 513, 2000]) {
    const body = padded(noise(size, random));
    deepEqual(paths([link(size), body, header("next"), TAR_TRAILER]), ["h", "next"]);
    deepEqual(paths([link(size), header("next"), TAR_TRAILER]), ["h", "next"]);
    deepEqual(paths([link(size), TAR_TRAILER]), ["h"]);
  }
});

Deno.test("TarParser accepts a missing trailer and ignores what follows it", () => {
  deepEqual(paths([header("a")]), ["a"]);
  deepEqual(paths([]), []);
  deepEqual(paths([header("a"), TAR_TRAILER, header("b"), utf8("rest")]), ["a"]);
});

Deno.test("TarParser rejects damaged and hostile archives", async (t) => {
  const broken = header("x").slice();
  broken[0] = 0x79;
  const cases: readonly (readonly [string, Uint8Array[], RegExp])[] = [
    ["a wrong checksum", [broken], /checksum/],
    ["a cut header", [header("x").subarray(0, 100)], /ends in the middle/],
    ["a cut body", [header("x", "data"), utf8("da")], /ends in the middle/],
    ["a missing padding", [header("x", "data"), utf8("data")], /ends in the middle/],
    ["an extension of nothing", [pax([["path", utf8("p")]]), TAR_TRAILER], /ends in the middle/],
    ["data after one zero block", [new Uint8Array(512), header("x")], /lone zero block/],
    [
      "a name that is not UTF-8",
      [patched(header("x"), { 0: Uint8Array.of(0x61, 0xff) })],
      /"a\\xff" is not valid UTF-8/,
    ],
    ["a NUL in a PAX path", [pax([["path", utf8("a\0b")]]), header("x")], /"a\\x00b" contains a NUL/],
    ["a path that climbs", [patched(header("x"), { 0: "a/../../etc" })], /"\.\." component/],
    ["a hard link that climbs", [patched(header("x"), { 156: "1", 157: "../x" })], /"\.\." component/],
    ["a link to nothing", [patched(header("x"), { 156: "2" })], /has no target/],
    ["an unknown type", [patched(header("x"), { 156: "Z" })], /unknown type "Z"/],
    ["no name", [patched(header("x"), { 0: "\0" })], /no name/],
    ["letters in a number", [patched(header("x"), { 108: "zz" })], /no number/],
    [
      "a number that is too large",
      [patched(header("x"), { 124: new Uint8Array(12).fill(0xbf) })],
      /no number/,
    ],
    ["a negative size", [patched(header("x"), { 124: new Uint8Array(12).fill(0xff) })], /negative size/],
    ["a huge extension header", [patched(header("x"), { 124: "00010000000", 156: "x" })], /extension header/],
    ["a NUL in a PAX keyword", [pax([["a\0b", utf8("1")]]), header("x")], /malformed/],
    ["a PAX record without a keyword", [extension("x", utf8("5 =x\n")), header("x")], /malformed/],
    ["a malformed PAX length", [extension("x", utf8("99 path=x\n")), header("x")], /malformed/],
    ["a PAX record without end", [extension("x", utf8("9 path=xy")), header("x")], /malformed/],
    ["letters in a PAX number", [pax([["uid", utf8("12a")]]), header("x")], /expected a number/],
    ["a sparse map beyond its file", [
      pax([["GNU.sparse.map", utf8("0,4,90,9")], ["GNU.sparse.size", utf8("95")]]),
      header("x", "data"),
    ], /sparse map/],
    ["a sparse map that overlaps", [
      pax([["GNU.sparse.map", utf8("0,2,1,2")], ["GNU.sparse.size", utf8("95")]]),
      header("x", "data"),
    ], /sparse map/],
  ];
  for (const [name, blocks, message] of cases) {
    await t.step(
      name,
      () => throws(() => parse(blocks), (error) => error instanceof TarError && message.test(error.message)),
    );
  }
});

Deno.test("TarParser reads what GNU tar writes", async (t) => {
  const tar = await peer("tar");
  if (!tar) return;
  await withTempDir(async (dir) => {
    const src = `${dir}/src`;
    await Deno.mkdir(`${src}/d`, { recursive: true });
    const random = randomNumbers(4);
    const files = new Map([["a", utf8("hi")], ["d/blob", noise(70_000, random)], [
      "d/empty",
      new Uint8Array(0),
    ]]);
    const rich = new Map([...files, ["new\nline é", utf8("z")], [
      `d/${"n".repeat(120)}/${"m".repeat(200)}`,
      utf8("deep"),
    ]]);
    for (const [path, content] of files) await Deno.writeFile(`${src}/${path}`, content);
    await Deno.symlink("../a", `${src}/d/sym`);
    const read = async (format: string, wanted: ReadonlyMap<string, Uint8Array>) => {
      await run([tar, "--sort=name", ...format.split(" "), "-C", src, "-cf", `${dir}/x.tar`, "."]);
      const found = parse(randomPieces(await Deno.readFile(`${dir}/x.tar`), random, 10_000));
      const byPath = new Map(found.map((one) => [one.entry.path, one]));
      equal(byPath.get("d")?.entry.type, "dir");
      equal(byPath.get("d/sym")?.entry.link, "../a");
      for (const [path, content] of wanted) {
        deepEqual(byPath.get(path)?.content, content, path);
        equal(byPath.get(path)?.entry.size, content.length, path);
        equal(
          Math.floor(byPath.get(path)!.entry.mtime),
          Math.floor((await Deno.stat(`${src}/${path}`)).mtime!.getTime() / 1000),
        );
      }
      return byPath;
    };
    for (const format of ["v7", "ustar", "gnu", "pax"]) {
      await t.step(format, async () => void await read(`--format=${format}`, files));
    }
    await Deno.mkdir(`${src}/d/${"n".repeat(120)}`);
    for (const [path, content] of rich) await Deno.writeFile(`${src}/${path}`, content);
    await Deno.link(`${src}/a`, `${src}/hard`);
    for (const format of ["gnu", "pax"]) {
      await t.step(`${format} with long and strange names, and hard links`, async () => {
        const found = await read(`--format=${format}`, rich);
        equal(found.get("hard")?.entry.link, "a");
      });
    }
    // Ten islands of data, so that the map needs more than one header block.
    const holes = new Uint8Array(3_000_000);
    for (let i = 0; i < 30; i++) holes.set(utf8(`island ${i}`), 50_000 + i * 90_000);
    {
      using file = await Deno.open(`${src}/holes`, { write: true, create: true });
      await file.truncate(holes.length);
      for (let i = 0; i < 30; i++) {
        await file.seek(50_000 + i * 90_000, Deno.SeekMode.Start);
        await file.write(utf8(`island ${i}`));
      }
    }
    const sparse = new Map([...rich, ["holes", holes]]);
    for (
      const format of [
        "gnu",
        "pax --sparse-version=0.0",
        "pax --sparse-version=0.1",
        "pax --sparse-version=1.0",
      ]
    ) {
      await t.step(`sparse files, ${format}`, async () => {
        await read(`--sparse --format=${format}`, sparse);
        equal((await Deno.stat(`${dir}/x.tar`)).size < holes.length, true);
      });
    }
    await t.step("extended attributes", async () => {
      const setfattr = await peer("setfattr");
      if (
        !setfattr ||
        (await run([setfattr, "-n", "user.k", "-v", "0x610a00ff", `${src}/a`], { allowFailure: true }))
            .code !== 0
      ) return;
      const found = await read("--xattrs --format=pax", rich);
      deepEqual(found.get("a")?.entry.xattrs, new Map([["user.k", Uint8Array.of(0x61, 0x0a, 0, 0xff)]]));
    });
  });
});

Deno.test("TarParser reads what Python's tarfile writes", async () => {
  const python = await peer("python3");
  if (!python) return;
  await withTempDir(async (dir) => {
    const script = `import io, sys, tarfile
for name, form in (("gnu", tarfile.GNU_FORMAT), ("pax", tarfile.PAX_FORMAT)):
    with tarfile.open(f"{sys.argv[1]}/{name}.tar", "w", format=form) as out:
        info = tarfile.TarInfo("é" * 120); info.size = 3; info.uid = 2**22; info.mtime = -5; info.mode = 0o640
        out.addfile(info, io.BytesIO(b"abc"))
        info = tarfile.TarInfo("dev"); info.type = tarfile.CHRTYPE; info.devmajor = 10; info.devminor = 229
        out.addfile(info)`;
    await run([python, "-c", script, dir]);
    for (const form of ["gnu", "pax"]) {
      const expected = [
        member("é".repeat(120), { uid: 2 ** 22, mtime: -5, mode: 0o640 }, "abc"),
        member("dev", { type: "char", major: 10, minor: 229, mtime: 0 }),
      ];
      deepEqual(parse([await Deno.readFile(`${dir}/${form}.tar`)]), expected);
    }
  });
});
