/** Entries whose headers are compared with those of Go; run as a program it prints them for `go_headers.go`. */
import type { TarEntry, TarType } from "../../../lib/tar/types.ts";
import { member } from "./support.ts";

const x = (length: number) => "x".repeat(length);
const deep = [x(60), x(60), x(60), x(60)].join("/");

/** By what is special about each. */
export const goEntries: Readonly<Record<string, TarEntry>> = Object.fromEntries(
  ([
    ["a plain file", "etc/motd", { mode: 0o4755, uid: 7, gid: 8, size: 5 }],
    ["a directory", "srv", { type: "dir", mode: 0o1777 }],
    ["a symbolic link", "bin", { type: "symlink", mode: 0o777, link: "usr/bin" }],
    ["a hard link", "b", { type: "hardlink", link: "a" }],
    ["a device", "null", { type: "char", major: 1, minor: 3 }],
    ["a block device", "sda", { type: "block", major: 259, minor: 70_000 }],
    ["a pipe", "p", { type: "fifo" }],
    ["a whiteout", "d/.wh.gone", { mode: 0, mtime: 0 }],
    ["100 bytes", x(100), {}],
    ["101 bytes", x(101), {}],
    ["prefix and name", `${x(155)}/${x(100)}`, {}],
    ["a prefix that is too long", `${x(156)}/x`, {}],
    ["a name that is split late", `a/b/${x(90)}/c/d/e`, {}],
    ["a directory that is split", `${x(90)}/${x(60)}`, { type: "dir" }],
    ["a directory of 100 bytes", x(100), { type: "dir" }],
    ["a directory whose slash is cut", `${x(50)}/${x(49)}é`, { type: "dir" }],
    ["too deep for a prefix", deep, {}],
    ["a slash at the end of the field", `${x(99)}/y/${x(80)}/é`, {}],
    ["not ASCII", "été/naïve", {}],
    ["nothing but what is not ASCII", "é", {}],
    ["a directory that is not ASCII", "a/é", { type: "dir" }],
    ["a long link target", "l", { type: "symlink", link: deep }],
    ["a link target that is not ASCII", "l", { type: "symlink", link: "é" }],
    ["a split name with a long target", `${x(90)}/${x(60)}`, { type: "symlink", link: deep }],
    ["large ids", "ids", { uid: 2_097_151, gid: 3_000_000 }],
    ["before 1970", "old", { mtime: -5 }],
    ["beyond ustar's time", "late", { mtime: 8_589_934_592 }],
    ["beyond ustar's size", "big", { size: 2 ** 33 }],
    ["attributes", "cap", {
      xattrs: new Map([["user.b", Uint8Array.of(0x31, 0x0a)], ["user.a", Uint8Array.of(0x32)]]),
    }],
  ] as const).map(([title, path, rest]) => [title, member(path, rest as Partial<TarEntry>).entry]),
);

const flags: Readonly<Record<TarType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  char: "3",
  block: "4",
  dir: "5",
  fifo: "6",
};

if (import.meta.main) {
  const text = JSON.stringify(
    Object.entries(goEntries).map(([title, { path, type, link, xattrs, ...rest }]) => ({
      ...rest,
      title,
      name: type === "dir" ? `${path}/` : path,
      type: flags[type],
      link,
      xattrs: Object.fromEntries(
        [...xattrs ?? []].map(([name, value]) => [name, new TextDecoder().decode(value)]),
      ),
    })),
  );
  await Deno.stdout.write(new TextEncoder().encode(text));
}
