import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { ImageFs } from "../../../lib/layer/image_fs.ts";
import { indexEntries, type LayerIndex } from "../../../lib/layer/index.ts";
import { indexOfRows, isIndexRows, rowsOfIndex } from "../../../lib/layer/index_rows.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";

const entry = (path: string, more: Partial<TarEntry> = {}): TarEntry => ({
  path,
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 3,
  mtime: 0,
  major: 0,
  minor: 0,
  ...more,
});

/** Paths and names as odd as layers have them. */
function sample(): LayerIndex {
  return indexEntries([
    entry("etc", {
      type: "dir",
      mode: 0o755,
      size: 0,
      xattrs: new Map([["user.a", new Uint8Array([0, 255])]]),
    }),
    entry("etc/a b", { uid: 7, gid: 4294967295 }),
    entry('etc/"{}\n', { type: "symlink", link: 'x y {"z":"\t"}', size: 0 }),
    entry("etc-\u{10000}/\ufffd", { type: "hardlink", link: "etc/a b", size: 0 }),
    entry("var/lib/x"),
    entry("var/lib/x", { size: 5 }),
    entry("opt/.wh.gone"),
    entry("srv/.wh..wh..opq"),
  ]);
}

/** As a memo keeps it. */
function kept(index: LayerIndex) {
  const value: unknown = JSON.parse(JSON.stringify(rowsOfIndex(index)));
  ok(isIndexRows(value));
  const again = indexOfRows(value);
  ok(again);
  return again;
}

Deno.test("an index that was kept is the same, as a whole and entry by entry", () => {
  for (const index of [sample(), indexEntries([])]) {
    const { find: _, kept: __, count, ...again } = kept(index);
    deepStrictEqual(again, index);
    deepStrictEqual(count, index.entries.length);
    const one = kept(index);
    for (const each of index.entries) deepStrictEqual(one.find(each.path), each);
    for (const path of ["etc/", "etc/a", "etc/a b/c", "zz", "-"]) strictEqual(one.find(path), undefined);
  }
});

Deno.test("a file system of indexes that were kept is that of the indexes", () => {
  const lower = indexEntries([entry("srv/old"), entry("opt/gone/x"), entry("etc", { type: "file" })]);
  const [plain, again] = [new ImageFs([lower, sample()]), new ImageFs([kept(lower), kept(sample())])];
  const paths = ["", "srv/old", "srv", "opt/gone/x", "opt", "etc", "etc/a b", "var/lib", "var/none"];
  const look = (fs: ImageFs) => paths.map((path) => fs.lookup(path));
  deepStrictEqual(look(again), look(plain));
  deepStrictEqual([...again.walk("")], [...plain.walk("")]);
  deepStrictEqual(look(again), look(plain));
});

Deno.test("a file system makes no entries but those that are looked up, as long as these are few", () => {
  const { find, ...index } = kept(sample());
  const lazy = {
    ...index,
    find,
    get entries(): never {
      throw new Error("all entries were made");
    },
  };
  const fs = new ImageFs([lazy]);
  for (const { path } of sample().entries) deepStrictEqual(fs.lookup(path)?.entry, find(path));
  throws(() => fs.list(""), /all entries were made/);
});

Deno.test("what is no index that was kept is told", () => {
  const good = rowsOfIndex(sample());
  const isKept = (value: unknown) => isIndexRows(value) && indexOfRows(value) !== undefined;
  ok(isKept(good));
  for (
    const rows of [
      "odd",
      "a\0",
      "a\0file 1 2 3\0",
      "a\0file 1 2 3 4",
      "a\0fil 1 2 3 4\0",
      "a\0file 1 2 3 4 x\0",
      5,
      null,
    ]
  ) {
    ok(!isKept({ ...good, rows }), JSON.stringify(rows));
  }
  ok(!isIndexRows({ ...good, format: 2 }));
  ok(!isIndexRows({ ...good, whiteouts: [5] }));
  throws(() => indexOfRows({ ...good, rows: 'a\0file 1 2 3 4 {"link":5}\0' })?.find("a"), /"a"/);
});
