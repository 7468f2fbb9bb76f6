import type { Facts, Kind } from "./facts.ts";

/** What of `Deno` looks at a path, and how; each has a twin that ends with `Sync`. */
const LOOKS: Readonly<Record<string, Kind>> = {
  readFile: "content",
  readTextFile: "content",
  stat: "content",
  lstat: "status",
  readDir: "list",
  realPath: "real",
  readLink: "link",
};

/** What has nothing to do with what a command finds or leaves. */
const HARMLESS = new Set([
  ..."cwd exit execPath memoryUsage inspect uid gid isatty FsFile errors env internal".split(" "),
  ..."args pid ppid mainModule exitCode noColor build version SeekMode stdin stdout stderr".split(" "),
  ..."addSignalListener removeSignalListener refTimer unrefTimer".split(" "),
  // Who asks registries tells what it asks, and who asks others that it does; see lib/watch.ts.
  ..."connect connectTls startTls createHttpClient HttpClient".split(" "),
]);

/** What is done about what happens. */
export interface Notices {
  /** Something was done that is more than looking. */
  doubt(why: string): void;
  /** A variable was read; "*" stands for the names of all. */
  reads(name: string): void;
}

type Function = (...args: readonly unknown[]) => unknown;

/**
 * Stands between this process and all that `Deno` offers, until it is disposed of: looks become facts, and every other use
 * is told, of what later versions of Deno offer too. It cannot see what happens through the modules of Node.js.
 */
export class DenoWatch implements Disposable {
  #before: PropertyDescriptorMap | undefined;
  #worker: typeof Worker | undefined;

  constructor(facts: Facts, notices: Notices) {
    const before = Object.getOwnPropertyDescriptors(Deno) as PropertyDescriptorMap;
    const now: PropertyDescriptorMap = {};
    for (const [name, own] of Object.entries(before)) {
      const kind = LOOKS[name.replace(/Sync$/, "")];
      if (kind) now[name] = { ...own, value: looking(own.value, kind, facts, notices) };
      else if (name === "open" || name === "openSync") {
        now[name] = { ...own, value: opening(own.value, facts, notices) };
      } else if (!HARMLESS.has(name) && own.configurable) now[name] = telling(name, own, notices);
    }
    now.env = { ...before.env!, value: readingVariables(notices) };
    this.#before = Object.fromEntries(Object.keys(now).map((name) => [name, before[name]!]));
    Object.defineProperties(Deno, now);
    this.#worker = globalThis.Worker;
    globalThis.Worker = new Proxy(Worker, {
      construct(worker, args) {
        notices.doubt("a thread was started");
        return Reflect.construct(worker, args);
      },
    });
  }

  [Symbol.dispose](): void {
    if (!this.#before) return;
    Object.defineProperties(Deno, this.#before);
    globalThis.Worker = this.#worker!;
    this.#before = undefined;
  }
}

function looking(use: Function, kind: Kind, facts: Facts, { doubt }: Notices): Function {
  return (path, ...more) => {
    if (typeof path === "string") facts.see(kind, path);
    else doubt("a path was a URL");
    return use(path, ...more);
  };
}

/** Opening a file that is there changes nothing; writing to it does. */
function opening(use: Function, facts: Facts, notices: Notices): Function {
  const { doubt } = notices;
  return (path, options, ...more) => {
    const { write = false, append = false, truncate = false, createNew = false } =
      (options ?? {}) as Deno.OpenOptions;
    if (typeof path !== "string" || append || truncate || createNew) doubt("a file was opened to be written");
    else if (facts.see(write ? "writable" : "content", path) === null && write) doubt("a file was made");
    const opened = use(path, options, ...more);
    if (!write) return opened;
    const told = (file: unknown) => {
      for (const name of ["write", "writeSync", "truncate", "truncateSync"] as const) {
        const own = (file as Deno.FsFile)[name].bind(file) as Function;
        Object.defineProperty(file, name, {
          value: (...args: readonly unknown[]) => {
            doubt("a file was written");
            return own(...args);
          },
        });
      }
      return file;
    };
    return opened instanceof Promise ? opened.then(told) : told(opened);
  };
}

/** A property whose use is told; what is made when it is first read stays unmade until then. */
function telling(name: string, own: PropertyDescriptor, { doubt }: Notices): PropertyDescriptor {
  const why = `Deno.${name} was used`;
  if (own.get) {
    const { get } = own;
    return {
      configurable: true,
      enumerable: own.enumerable ?? true,
      get() {
        doubt(why);
        return get.call(Deno);
      },
    };
  }
  if (typeof own.value !== "function") return own;
  const value = new Proxy(own.value, {
    apply(use, self, args) {
      doubt(why);
      return Reflect.apply(use, self, args);
    },
    construct(use, args) {
      doubt(why);
      return Reflect.construct(use, args);
    },
  });
  return { ...own, value };
}

function readingVariables({ reads, doubt }: Notices): Deno.Env {
  const { env } = Deno;
  return {
    get(name) {
      reads(name);
      return env.get(name);
    },
    has(name) {
      reads(name);
      return env.has(name);
    },
    toObject() {
      const all = env.toObject();
      for (const name of ["*", ...Object.keys(all)]) reads(name);
      return all;
    },
    set(name, value) {
      doubt("a variable was set");
      env.set(name, value);
    },
    delete(name) {
      doubt("a variable was removed");
      env.delete(name);
    },
  };
}
