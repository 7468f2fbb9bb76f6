import { deepEqual, throws } from "node:assert/strict";
import { LayerError } from "../../../lib/layer/error.ts";
import { indexEntries, type LayerIndex } from "../../../lib/layer/index.ts";
import { formatOutline, parseOutline } from "../../../lib/layer/outline.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";
import { randomNumbers, utf8 } from "../tar/support.ts";

const TYPES = ["file", "dir", "symlink", "hardlink", "char", "block", "fifo"] as const;
const NAMES = ["a", "b", "ü", "c c", "\u{1f600}", ".wh.a", ".wh.b", ".wh..wh..opq", ".wh..wh.plnk"];

/** The index of an archive in which anything comes after anything. */
function randomIndex(next: () => number): LayerIndex {
  const below = (count: number) => Math.floor(next() * count);
  const path = () => Array.from({ length: below(4) }, () => NAMES[below(NAMES.length)]!).join("/");
  return indexEntries(Array.from({ length: below(25) }, (): TarEntry => {
    const at = path();
    const type = at === "" ? "dir" : TYPES[below(TYPES.length)]!;
    const link = type === "symlink" ? `../${path()}` : type === "hardlink" ? path() || "a" : undefined;
    const xattrs = next() < 0.2
      ? new Map([["user.x", utf8("ü\0")], ["user.y", new Uint8Array()]])
      : undefined;
    const [uid, gid, size] = [below(9), below(2_000_000_000), below(99)];
    return {
      ...{ path: at, type, mode: below(4096), uid, gid, size, mtime: 1 },
      ...(link !== undefined && { link }),
      ...(xattrs && { xattrs }),
    };
  }));
}

Deno.test("parseOutline() gives the index that formatOutline() was given, without sizes", () => {
  const next = randomNumbers(7);
  const texts = new Map([["etc/passwd", "root:x:0:0\n"], ["__proto__", "ü"]]);
  let repeated = 0;
  for (let i = 0; i < 3000; i++) {
    const index = randomIndex(next);
    repeated += index.entries.filter((entry) => entry.repeated).length;
    const entries = index.entries.map((entry) => ({ ...entry, size: 0 }));
    const text = formatOutline({ index, texts });
    const found = parseOutline(text);
    deepEqual(found, { index: { ...index, entries }, texts });
    deepEqual(formatOutline(found), text);
  }
  deepEqual(repeated > 100, true);
});

Deno.test("parseOutline() takes nothing that no layer could hold", async (t) => {
  const outline = (members: Record<string, unknown>) =>
    JSON.stringify({ format: 1, opaque: [], whiteouts: [], rows: [], texts: {}, ...members });
  const row = (...parts: unknown[]) => outline({ rows: [parts] });
  deepEqual(parseOutline(row("a", "file", 0, 0, 0)).index.entries.length, 1);
  const cases: readonly (readonly [string, string])[] = [
    ["no JSON", "{"],
    ["a number", "1"],
    ["another format", outline({ format: 2 })],
    ["no rows", outline({ rows: undefined })],
    ["texts of another type", outline({ texts: { a: 1 } })],
    ["a row that is none", outline({ rows: [{}] })],
    ["a row that is too short", row("a", "file", 0, 0)],
    ["a row that is too long", row("a", "file", 0, 0, 0, {}, 1)],
    ["an unknown type", row("a", "socket", 0, 0, 0)],
    ["a negative mode", row("a", "file", -1, 0, 0)],
    ["an owner that is no number", row("a", "file", 0, 0.5, 0)],
    ["a way out", row("a/../../b", "file", 0, 0, 0)],
    ["an absolute path", row("/a", "file", 0, 0, 0)],
    ["an empty part", row("a//b", "file", 0, 0, 0)],
    ["a trailing slash", row("a/", "dir", 0, 0, 0)],
    ["a hard link out", row("a", "hardlink", 0, 0, 0, { link: "../b" })],
    ["a target that is no text", row("a", "symlink", 0, 0, 0, { link: 1 })],
    ["an attribute that is not base64", row("a", "dir", 0, 0, 0, { xattrs: { "user.x": "*" } })],
    ["repeated by a number", row("a", "file", 0, 0, 0, { repeated: 1 })],
    ["a whiteout of nothing", outline({ whiteouts: [""] })],
    ["a whiteout of what is above", outline({ whiteouts: [".."] })],
    ["a path below nothing", row("a/b", "file", 0, 0, 0)],
    ["a path below a file", outline({ rows: [["a", "file", 0, 0, 0], ["a/b", "file", 0, 0, 0]] })],
    ["a path twice", outline({ rows: [["a", "file", 0, 0, 0], ["a", "dir", 0, 0, 0]] })],
    ["paths in another order", outline({ rows: [["b", "file", 0, 0, 0], ["a", "file", 0, 0, 0]] })],
    ["whiteouts in another order", outline({ whiteouts: ["b", "a"] })],
    ["a root that is no directory", row("", "file", 0, 0, 0)],
    ["a file that is implied", row("a", "file", 0, 0, 0, { implicit: true })],
    ["a mode with other bits", row("a", "dir", 0o10000, 0, 0)],
    ["a symlink without a target", row("a", "symlink", 0, 0, 0)],
    ["a symlink to nothing", row("a", "symlink", 0, 0, 0, { link: "" })],
    ["a hard link without a target", row("a", "hardlink", 0, 0, 0)],
    ["a directory with a target", row("a", "dir", 0, 0, 0, { link: "b" })],
    ["a NUL in a path", row("a\0b", "file", 0, 0, 0)],
    ["a NUL in a target", row("a", "symlink", 0, 0, 0, { link: "b\0" })],
    ["half a character in a target", row("a", "symlink", 0, 0, 0, { link: "\ud800" })],
    ["a name that is too long", row("ü".repeat(128), "file", 0, 0, 0)],
    ["a target that is too long", row("a", "symlink", 0, 0, 0, { link: "b/".repeat(2100) })],
    ["a NUL in the name of an attribute", row("a", "dir", 0, 0, 0, { xattrs: { "user.\0": "" } })],
    [
      "an attribute of a name that is too long",
      row("a", "dir", 0, 0, 0, { xattrs: { ["x".repeat(256)]: "" } }),
    ],
    ["attributes of a file", row("a", "file", 0, 0, 0, { xattrs: { "user.x": "" } })],
    ["an opaque directory above", outline({ opaque: ["../a"] })],
  ];
  for (const [name, text] of cases) await t.step(name, () => throws(() => parseOutline(text), LayerError));
});
