/** What dapp calls of a plugin that runs apart and fills a role: every answer is checked before anybody sees it. */
import type * as z from "../../../../lib/zod.ts";
import type { EngineError } from "../../../contract/errors.ts";
import type { Host } from "../../../contract/plugin.ts";
import type { PluginRights } from "../../../contract/rights.ts";
import { requireShape, wrongAnswer } from "../../answers.ts";
import { type Exchange, Unwanted, type WantedBlob } from "../exchange.ts";
import type { ApartProcess, Asking } from "../process.ts";
import { isText } from "../../../../lib/guard.ts";
import { isBelow, realPath, writablePlaces } from "../permissions.ts";
import { Reference, Remote, requiredOf, type Shape } from "../wire.ts";
import { isPage } from "./schemas.ts";
import { pagesShape, type RoleName } from "./shapes.ts";

/** What a role has of the plugin that fills it. */
export interface RoleNeeds {
  readonly process: ApartProcess;
  readonly exchange: Exchange;
  readonly plugin: string;
  /** Which module it is: a name is what a plugin calls itself. */
  readonly url: string;
  readonly hook: RoleName;
  readonly rights: PluginRights;
  /** What the rights are about. */
  readonly host: Host;
}

/** How a method is called. */
type Calling = Pick<Asking, "signal" | "goesOn" | "holdsOn">;

/** How a method is called, and what it must answer. */
interface Wanting<T> extends Calling {
  readonly schema: z.ZodType<T>;
}

/** How often it is looked at what a plugin writes, in milliseconds. */
const LOOK_MS = 250;

/** A role of one plugin. */
export class Role {
  readonly #given: object[] = [];
  readonly #over = new AbortController();

  constructor(readonly needs: RoleNeeds) {}

  /** Aborted when the role is let go: what the plugin asked for then matters no more. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Hands an object of dapp's to the plugin, until the role is let go. */
  give(object: object, shape: Shape): Reference {
    this.#given.push(object);
    return new Reference(object, shape);
  }

  /** Calls a method. @throws PLUGIN_FAILED, PLUGIN_RESULT_INVALID, the signal's reason, or what the plugin threw */
  async ask<T>(of: Remote, name: string, args: readonly unknown[], wanting: Wanting<T>): Promise<T> {
    const { schema, ...calling } = wanting;
    const answer = await this.tell(of, name, args, calling);
    this.requireShape(answer, schema, name);
    return answer;
  }

  /** Calls a method that is only awaited, or whose answer others look at. Throws as `ask()` does. */
  tell(of: Remote, name: string, args: readonly unknown[], calling: Calling = {}): Promise<unknown> {
    const { process, hook } = this.needs;
    return process.ask({ of, name }, args, { ...calling, hook });
  }

  /** An object that a method answers with. */
  async object(
    of: Remote,
    name: string,
    args: readonly unknown[],
    { shape, ...asking }: Asking & { readonly shape: Shape },
  ): Promise<Remote> {
    const { process, hook } = this.needs;
    return this.requireObject(await process.ask({ of, name }, args, { ...asking, hook }), shape, name);
  }

  /** @throws PLUGIN_RESULT_INVALID for what is no object, or lacks one of the methods */
  requireObject(value: unknown, shape: Shape, method?: string): Remote {
    if (!(value instanceof Remote)) throw this.wrong("it is no object with methods", method);
    const missing = requiredOf(shape).find((name) => !value.has.includes(name));
    if (missing === undefined) return value;
    throw this.wrong(`its key "${missing}" is missing, wanted is a function`, method);
  }

  /** @throws PLUGIN_RESULT_INVALID */
  requireShape<T>(value: unknown, schema: z.ZodType<T>, method: string): asserts value is T {
    const { plugin, hook } = this.needs;
    requireShape(value, schema, { plugin, hook, method });
  }

  /** What a method lists, a page at a time. */
  async *list<T>(
    of: Remote,
    name: string,
    args: readonly unknown[],
    { signal, is }: { readonly signal?: AbortSignal; readonly is: (item: unknown) => T },
  ): AsyncGenerator<T> {
    const { process, hook } = this.needs;
    const asking = { hook, ...(signal && { signal }) };
    const pages = await this.object(of, name, args, { ...asking, shape: pagesShape });
    let isDone = false;
    try {
      while (!isDone) {
        const page = await process.ask({ of: pages, name: "next" }, [], asking);
        if (!isPage(page)) throw this.wrong("it is no list", name);
        yield* page.items.map(is);
        isDone = page.done;
      }
    } finally {
      if (!isDone && !process.isStopped) await process.ask({ of: pages, name: "close" }, [], { hook });
    }
  }

  /** A check of one item of a list. */
  item<T>(name: string, schema: z.ZodType<T>): (item: unknown) => T {
    return (item) => {
      this.requireShape(item, schema, name);
      return item;
    };
  }

  /** Calls what writes a blob at a path, and takes the blob from there into a new file. */
  async receive(
    name: string,
    file: string,
    { blob, signal, write }: {
      readonly blob: WantedBlob & { readonly size: number };
      readonly signal: AbortSignal;
      write(path: string, goesOn: () => number): Promise<unknown>;
    },
  ): Promise<void> {
    const { exchange, process } = this.needs;
    signal.throwIfAborted();
    const path = await exchange.place();
    let [size, seen] = [0, performance.now()];
    const look = async () => {
      const now = await exchange.written(path);
      if (now !== size) [size, seen] = [now, performance.now()];
      if (size <= blob.size) return;
      // It may write for ever.
      process.stop(`it writes more than the ${blob.size} bytes of blob ${blob.digest}`);
    };
    const timer = setInterval(() => void look().catch(() => {}), LOOK_MS);
    try {
      await write(path, () => seen);
    } finally {
      clearInterval(timer);
    }
    await this.take(name, path, file, { ...blob, signal });
  }

  /** Takes what the plugin wrote into a new file. @throws PLUGIN_RESULT_INVALID */
  async take(
    name: string,
    path: string,
    file: string,
    { signal, ...blob }: WantedBlob & { readonly signal: AbortSignal },
  ): Promise<number> {
    try {
      return await this.needs.exchange.take(path, file, blob, signal);
    } catch (error) {
      throw error instanceof Unwanted ? this.wrong(error.message, name) : error;
    }
  }

  /** Makes sure that a path which dapp is to use is one that the plugin may write at. @throws PLUGIN_RESULT_INVALID */
  async requireWritable(path: unknown, method: string): Promise<string> {
    const { plugin, rights, host } = this.needs;
    const places = await writablePlaces(plugin, rights, host);
    if (!isText(path) || !path.startsWith("/") || path.split("/").includes("..")) {
      throw this.wrong("it is no absolute path", method);
    }
    // What is not there yet is made by dapp, below a directory that is.
    let there = path;
    while (there !== "" && await realPath(there) === undefined) {
      there = there.slice(0, there.lastIndexOf("/"));
    }
    const real = (await realPath(there) ?? "") + path.slice(there.length);
    if (places.some((place) => isBelow(real, place))) return path;
    throw this.wrong(`"${path}" is not below what it may write`, method);
  }

  /** An answer that is not what was asked for; `why` is the end of a sentence. */
  wrong(why: string, method?: string): EngineError {
    const { plugin, hook } = this.needs;
    return wrongAnswer(why, { plugin, hook, ...(method !== undefined && { method }) });
  }

  /** Lets go of an object of the plugin; why it cannot be asked any more was told. */
  async release(remote: Remote): Promise<void> {
    const { process, hook } = this.needs;
    if (process.isStopped || !remote.has.includes("dispose")) return;
    await process.ask({ of: remote, name: "dispose" }, [], { hook });
  }

  /** Lets go of what the plugin filled the role with, and takes back what it was given. */
  async dispose(remote?: Remote): Promise<void> {
    try {
      if (remote) await this.release(remote);
    } finally {
      this.#over.abort();
      for (const object of this.#given) this.needs.process.forget(object);
    }
  }
}
