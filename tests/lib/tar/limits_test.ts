import { ok, strictEqual, throws } from "node:assert/strict";
import { LayerIndexer } from "../../../lib/layer/index.ts";
import { encodeTarHeader, tarPadding } from "../../../lib/tar/encode.ts";
import { TAR_LIMITS } from "../../../lib/tar/limits.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { encodePax, type PaxRecord } from "../../../lib/tar/pax.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { archive, concat, member, parse, utf8 } from "./support.ts";

const { path: PATH, component: COMPONENT, xattrName, xattrValue } = TAR_LIMITS;

/** An extension header with any content, as no writer makes it. */
function extension(flag: string, body: Uint8Array): Uint8Array {
  const header = encodeTarHeader({ ...member("x").entry, size: body.length });
  header[156] = flag.charCodeAt(0);
  header.fill(0x20, 148, 156);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.set(utf8(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return concat([header, body, tarPadding(body.length)]);
}

const pax = (records: readonly PaxRecord[], flag = "x") => extension(flag, encodePax(records));
const file = archive([member("plain", {}, "content")]);

/** A path of `length` bytes whose parts have `part` bytes at most. */
function pathOf(length: number, part: number): string {
  let path = "";
  while (path.length < length) {
    const size = Math.min(part, length - path.length);
    path += "n".repeat(size);
    if (path.length < length - 1) path += "/";
  }
  return path.slice(0, length);
}

Deno.test("TarParser takes what Linux can store, and nothing longer", async (t) => {
  const cases: readonly (readonly [string, Uint8Array, Uint8Array])[] = [
    ["a path", pax([["path", utf8(pathOf(PATH, 200))]]), pax([["path", utf8(pathOf(PATH + 1, 200))]])],
    [
      "a path of one-letter parts",
      pax([["path", utf8(pathOf(PATH - 1, 1))]]),
      pax([["path", utf8(pathOf(PATH + 1, 1))]]),
    ],
    ["a GNU long name", extension("L", utf8(pathOf(PATH, 99))), extension("L", utf8(pathOf(PATH + 1, 99)))],
    [
      "a part of a path",
      pax([["path", utf8("a/" + "n".repeat(COMPONENT) + "/b")]]),
      pax([["path", utf8("a/" + "n".repeat(COMPONENT + 1) + "/b")]]),
    ],
    [
      "the last part of a path",
      pax([["path", utf8("n".repeat(COMPONENT))]]),
      pax([["path", utf8("n".repeat(COMPONENT + 1))]]),
    ],
    [
      "a part counted in bytes",
      pax([["path", utf8("é".repeat(127))]]),
      pax([["path", utf8("é".repeat(128))]]),
    ],
    [
      "an attribute's name",
      pax([[`SCHILY.xattr.${"a".repeat(xattrName)}`, utf8("v")]]),
      pax([[`SCHILY.xattr.${"a".repeat(xattrName + 1)}`, utf8("v")]]),
    ],
    [
      "an attribute's value",
      pax([["SCHILY.xattr.user.a", new Uint8Array(xattrValue)]]),
      pax([["SCHILY.xattr.user.a", new Uint8Array(xattrValue + 1)]]),
    ],
    [
      "an attribute for all entries",
      pax([["SCHILY.xattr.user.a", utf8("v")]], "g"),
      pax([[`SCHILY.xattr.${"a".repeat(xattrName + 1)}`, utf8("v")]], "g"),
    ],
  ];
  for (const [what, within, beyond] of cases) {
    await t.step(what, () => {
      strictEqual(parse([concat([within, file])]).length, 1);
      throws(() => parse([concat([beyond, file])]), {
        name: "TarError",
        message: /bytes, allowed are|more than/,
      });
    });
  }
});

Deno.test("TarParser takes users and groups that Linux can have", () => {
  for (const key of ["uid", "gid"]) {
    const owned = (id: number) => parse([concat([pax([[key, utf8(String(id))]]), file])]);
    strictEqual(owned(4294967294).length, 1);
    for (const id of [4294967295, 2 ** 40]) {
      throws(() => owned(id), {
        name: "TarError",
        message: /"plain" belongs to the number \d+, allowed are 0 to/,
      });
    }
  }
});

Deno.test("TarParser checks link targets like names", () => {
  for (const type of ["symlink", "hardlink"] as const) {
    const entry = (link: string) => archive([member("l", { type, link })]);
    strictEqual(parse([entry(pathOf(PATH, 200))]).length, 1);
    throws(() => parse([entry(pathOf(PATH + 1, 200))]), { name: "TarError" });
  }
  // Any text may be the target of a symbolic link.
  strictEqual(
    parse([archive([member("l", { type: "symlink", link: "n".repeat(COMPONENT + 1) })])]).length,
    1,
  );
  throws(() => parse([archive([member("l", { type: "hardlink", link: "n".repeat(COMPONENT + 1) })])]), /255/);
});

/** Feeds pieces until they are refused, at most `pieces` of them, and says how many bytes that took. */
function refusedAfter(
  piece: (i: number) => Uint8Array,
  pieces: number,
  handler: (entry: TarEntry) => void,
): number {
  const parser = new TarParser({ entry: handler, data() {}, hole() {}, end() {} });
  let bytes = 0;
  for (let i = 0; i < pieces; i++) {
    const next = piece(i);
    bytes += next.length;
    try {
      parser.push(next);
    } catch (error) {
      ok(error instanceof Error && /^(TarError|LayerError)$/.test(error.name), `${error}`);
      return bytes;
    }
  }
  throw new Error(`${pieces} pieces of ${bytes} bytes were taken`);
}

Deno.test("TarParser and LayerIndexer keep a bounded amount of whatever an archive goes on with", async (t) => {
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length)).toHex();
  const body = (at: number, size: number) =>
    pax(Array.from({ length: size >> 6 }, (_, i) => [`k${at}.${i}`, utf8("v".repeat(40))]));
  const meta: Readonly<Record<string, (i: number) => Uint8Array>> = {
    "PAX headers before one entry": (i) => body(i, 30_000),
    "the same PAX header again": () => body(0, 30_000),
    "long names before one entry": () => extension("L", utf8(pathOf(4000, 100))),
    "long links and PAX headers in turn": (i) =>
      i % 2 ? extension("K", utf8("l".repeat(4000))) : body(i, 5000),
    "PAX headers for all entries": (i) => pax([[`k${i}`, utf8(random(2000))]], "g"),
    "PAX headers for all entries between files": () =>
      concat([pax([[random(20), utf8(random(500))]], "g"), archive([member("f")]).subarray(0, 512)]),
  };
  for (const [what, piece] of Object.entries(meta)) {
    await t.step(what, () => {
      ok(refusedAfter(piece, 10_000, () => {}) <= 2 * TAR_LIMITS.extension);
    });
  }
  const [letters, parts, names] = [pathOf(4000, 1), pathOf(3900, 60), pathOf(3800, 200)];
  const entries: Readonly<Record<string, (i: number) => Partial<TarEntry> & { path: string }>> = {
    "deep paths that share nothing": (i) => ({ path: `${i}/${letters}` }),
    "deep paths that differ at the end": (i) => ({ path: `${parts}/${i}` }),
    "directories with long attributes": (i) => ({
      path: `d${i}`,
      type: "dir",
      xattrs: new Map([["user.a", new Uint8Array(60_000)], ["user.b", new Uint8Array(60_000)]]),
    }),
    "links with long targets": (i) => ({ path: `l${i}`, type: "symlink", link: "t".repeat(4000) }),
    "whiteouts with long names": (i) => ({ path: `${names}/.wh.${i}` }),
  };
  for (const [what, entryOf] of Object.entries(entries)) {
    await t.step(what, () => {
      const indexer = new LayerIndexer();
      let added = 0;
      throws(() => {
        for (; added < 200_000; added++) indexer.add(member(entryOf(added).path, entryOf(added)).entry);
      }, { name: "LayerError", message: /more than/ });
    });
  }
});

Deno.test("TarParser hands a hole over as one piece where that is asked for", () => {
  const size = 2 ** 40;
  const sparse = pax([["GNU.sparse.major", utf8("0")], ["GNU.sparse.minor", utf8("1")], [
    "GNU.sparse.size",
    utf8(`${size}`),
  ], ["GNU.sparse.map", utf8(`${2 ** 39},7`)]]);
  const whole = concat([sparse, archive([member("f", {}, "content")])]);
  const seen: (number | string)[] = [];
  const parser = new TarParser({
    entry: (entry) => void seen.push(entry.size),
    data: (chunk) => void seen.push(new TextDecoder().decode(chunk)),
    hole: (length) => void seen.push(length),
    end: () => void seen.push("end"),
  });
  parser.push(whole);
  parser.finish();
  strictEqual(JSON.stringify(seen), JSON.stringify([size, 2 ** 39, "content", size - 2 ** 39 - 7, "end"]));
  const huge = pax([["GNU.sparse.major", utf8("0")], ["GNU.sparse.minor", utf8("1")], [
    "GNU.sparse.size",
    utf8(`${2 ** 50}`),
  ], ["GNU.sparse.map", utf8("0,7")]]);
  throws(
    () => parse([concat([huge, archive([member("f", {}, "content")])])]),
    /1125899906842624 bytes, allowed/,
  );
});
