/** Tells of every call by which the code of this test file touches files, programs and the network. */

/** Asynchronous members of Deno that touch the world. */
const CALLS = [
  "chmod",
  "connect",
  "connectTls",
  "link",
  "lstat",
  "makeTempDir",
  "mkdir",
  "open",
  "readDir",
  "readFile",
  "readLink",
  "readTextFile",
  "realPath",
  "remove",
  "rename",
  "stat",
  "symlink",
  "truncate",
  "utime",
  "writeFile",
  "writeTextFile",
];

/** Calls `touched` before each of them, until it is disposed of. Test files have their own `Deno`. */
export function watchDeno(touched: (what: string) => void): Disposable {
  const undo: (() => void)[] = [];
  const watch = (target: object, name: string) => {
    const original: unknown = Reflect.get(target, name);
    if (typeof original !== "function") throw new TypeError(`Deno has no "${name}"`);
    undo.push(() => Reflect.set(target, name, original));
    Reflect.set(target, name, function (this: unknown, ...args: readonly unknown[]) {
      touched(name);
      return Reflect.apply(original, this, args);
    });
  };
  for (const name of CALLS) watch(Deno, name);
  for (const name of ["spawn", "output"]) watch(Deno.Command.prototype, name);
  return { [Symbol.dispose]: () => undo.forEach((each) => each()) };
}
