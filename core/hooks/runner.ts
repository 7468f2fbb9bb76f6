import {
  type HookContext,
  type HookHandler,
  type HookInput,
  type HookName,
  type HookOutput,
  type Hooks,
  hookTable,
  type Host,
  type OptionPlaces,
  type PluginHooks,
  requireApi,
  type Selection,
  wrapPluginError,
} from "../contract/plugin.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import type { PluginRights } from "../contract/rights.ts";
import { isObject, isPlain } from "../../lib/guard.ts";
import { observed } from "../../lib/pool.ts";
import { readOnly } from "../../lib/read_only.ts";
import { toldEvent } from "./told_event.ts";
import { didYouMean } from "../../lib/suggest.ts";

type Named<K> = { [N in HookName]: Hooks[N]["kind"] extends K ? N : never }[HookName];

/** A value with the plugin that gave it. */
export interface From<T> {
  readonly plugin: string;
  readonly value: T;
}

/** Calls hooks according to their kind; calling one the wrong way does not compile. */
export interface HookRunner extends AsyncDisposable {
  first<N extends Named<"first">>(
    name: N,
    input: HookInput<N>,
  ): Promise<From<NonNullable<HookOutput<N>>> | undefined>;
  waterfall<N extends Named<"waterfall">>(name: N, input: HookInput<N>): Promise<HookInput<N>>;
  collect<N extends Named<"collect">>(
    name: N,
    input: HookInput<N>,
  ): Promise<From<HookOutput<N> extends readonly (infer T)[] ? T : never>[]>;
  /** @throws PLUGIN_FAILED of every failure */
  parallel<N extends Named<"parallel">>(name: N, input: HookInput<N>): Promise<void>;
  /** Whether any plugin has a handler. */
  has(name: HookName): boolean;
  /** The plugins that are set up, in order. */
  list(): readonly SetUp[];
  /** Sets up one more plugin, after those that are there. What `builtin` ones answer is held by their types alone. */
  add(selection: ChosenPlugin, options?: { readonly builtin?: boolean }): Promise<void>;
  /** Takes over something that plugins need, to be let go after them. */
  own(resource: AsyncDisposable): void;
}

/** A plugin with where it runs. */
export interface ChosenPlugin extends Selection {
  /** Of one that runs apart: what it may do. Absent: it runs in dapp's own process, and may do what that may. */
  readonly rights?: PluginRights;
}

/** A plugin that is set up. */
export interface SetUp {
  readonly name: string;
  readonly builtin: boolean;
  /** The hooks that it answers. */
  readonly hooks: readonly HookName[];
  /** Of one that runs apart: what it may do. */
  readonly rights?: PluginRights;
}

interface Loaded {
  readonly name: string;
  readonly hooks: PluginHooks;
  readonly builtin: boolean;
  readonly rights?: PluginRights;
}

/** Makes a runner without plugins. */
export function createHookRunner(host: Host, context: HookContext): HookRunner {
  const plugins: Loaded[] = [];
  return new Runner(plugins, host, context);
}

/** An error about options with the lines they are written in. */
function placed(error: unknown, name: string, { file, line: entry, places }: OptionPlaces): unknown {
  if (!(error instanceof EngineError) || error.code !== "PLUGIN_OPTIONS_INVALID") return error;
  const { problems } = error.details;
  if (!problems) {
    return new EngineError(error.code, error.message, { ...error.details, at: `${file}:${entry}` });
  }
  const message = `Cannot load plugin "${name}": its options have ${problems.length} problem${
    problems.length === 1 ? "" : "s"
  }`;
  return new EngineError(error.code, message, {
    ...error.details,
    fix: "Correct the lines named above",
    problems: problems.map((problem) => {
      let path = problem.path ?? "";
      while (path !== "" && !places[path]) path = path.replace(/(?:^|\.)[^.[]*$|\[\d+\]$/, "");
      const [line, column] = places[path] ?? [entry, 1];
      return { ...problem, file, line, column, path: problem.path ? `options.${problem.path}` : "options" };
    }),
  });
}

/** An error about options that are written nowhere: its message says all. */
function unplaced(error: unknown): unknown {
  if (!(error instanceof EngineError) || error.code !== "PLUGIN_OPTIONS_INVALID") return error;
  const { problems: _, ...details } = error.details;
  return new EngineError(error.code, error.message, details);
}

function hookNames(hooks: PluginHooks): readonly HookName[] {
  return (Object.keys(hookTable) as HookName[]).filter((name) => hooks[name] !== undefined);
}

/** @throws PLUGIN_RESULT_INVALID for what is no object of handlers */
function requireHooks(plugin: string, hooks: unknown): void {
  const fail = (why: string) =>
    new EngineError("PLUGIN_RESULT_INVALID", `Cannot load plugin "${plugin}": ${why}`, { plugin });
  if (!isPlain(hooks)) throw fail("its `setup` answers no plain object of hooks");
  for (const [name, entry] of Object.entries(hooks)) {
    if (!Object.hasOwn(hookTable, name)) {
      const known = Object.keys(hookTable);
      throw fail(`its hook "${name}" is unknown, known are ${known.join(", ")}${didYouMean(name, known)}`);
    }
    if (entry === undefined || typeof entry === "function") continue;
    if (isObject(entry) && (entry.order === "pre" || entry.order === "post") && "handler" in entry) continue;
    throw fail(`its hook "${name}" is neither a function nor { order: "pre" or "post", handler }`);
  }
}

async function letGo(answer: Partial<AsyncDisposable> | null | undefined): Promise<void> {
  await answer?.[Symbol.asyncDispose]?.();
}

/** A plugin whose name another one has. */
function taken(
  name: string,
  { isOurs, written }: { readonly isOurs: boolean; readonly written: OptionPlaces | undefined },
): EngineError {
  const why = isOurs ? "dapp has a plugin of this name" : "a plugin of this name is loaded already";
  return new EngineError("PLUGIN_OPTIONS_INVALID", `Cannot load plugin "${name}": ${why}`, {
    plugin: name,
    fix: "Name it once, and give another plugin another `name`",
    ...(written && { at: `${written.file}:${written.line}` }),
  });
}

function failedTogether(hook: HookName, errors: readonly unknown[]): EngineError {
  const message = [`${errors.length} plugins failed in hook "${hook}":`, ...errors.map(messageOf)].join("\n");
  return new EngineError("PLUGIN_FAILED", message, { hook, cause: new AggregateError(errors, message) });
}

/** What a plugin of others answered, checked. Nothing is loaded for what says nothing. */
async function checked(hook: HookName, plugin: string, answer: unknown): Promise<unknown> {
  const { kind } = hookTable[hook];
  if (kind === "parallel" || kind !== "collect" && (answer === undefined || answer === null)) {
    return undefined;
  }
  const { checkAnswer, checkRows } = await import("./answers.ts");
  return kind === "collect" ? checkRows(hook, plugin, answer) : checkAnswer(hook, plugin, answer);
}

/** Whether `await` would wait for it: a promise, or whatever has such a method. */
function isThenable(value: unknown): boolean {
  return (typeof value === "object" || typeof value === "function") && value !== null && "then" in value &&
    typeof value.then === "function";
}

const orders = { pre: 0, normal: 1, post: 2 } as const;

class Runner implements HookRunner {
  readonly #owned: AsyncDisposable[] = [];
  /** The context of plugins that are not built in. */
  readonly #outer: HookContext;

  constructor(readonly plugins: Loaded[], readonly host: Host, readonly context: HookContext) {
    this.#outer = { ...context, emit: (event) => context.emit(toldEvent(event)) };
  }

  own(resource: AsyncDisposable): void {
    this.#owned.push(resource);
  }

  async add({ plugin, options, written, rights }: ChosenPlugin, { builtin = false } = {}): Promise<void> {
    const twin = this.plugins.find(({ name }) => name === plugin.name);
    if (twin) throw taken(plugin.name, { isOurs: builtin || twin.builtin, written });
    try {
      if (plugin.api !== undefined) requireApi(plugin.name, plugin.api);
      const loading = plugin.load(options as never, builtin ? this.host : readOnly(this.host));
      const hooks = builtin ? await loading : await this.#unlessStopped(loading);
      requireHooks(plugin.name, hooks);
      this.plugins.push({ name: plugin.name, hooks, builtin, ...(rights && { rights }) });
    } catch (error) {
      throw wrapPluginError(
        written ? placed(error, plugin.name, written) : unplaced(error),
        plugin.name,
        "setup",
      );
    }
  }

  list(): readonly SetUp[] {
    return this.plugins.map(({ name, builtin, hooks, rights }) => ({
      name,
      builtin,
      hooks: hookNames(hooks),
      ...(rights && { rights }),
    }));
  }

  has(name: HookName): boolean {
    return this.plugins.some((p) => p.hooks[name] !== undefined);
  }

  async first<N extends Named<"first">>(name: N, input: HookInput<N>) {
    for (const { plugin, call } of this.#handlers(name)) {
      const value = await call(input);
      if (value !== undefined && value !== null) {
        this.context.emit({ type: "detail", text: `Plugin "${plugin}" answers ${name}` });
        return { plugin, value: value as NonNullable<HookOutput<N>> };
      }
    }
    return undefined;
  }

  async waterfall<N extends Named<"waterfall">>(name: N, input: HookInput<N>): Promise<HookInput<N>> {
    let value = input;
    for (const { call } of this.#handlers(name)) {
      value = (await call(value) ?? value) as HookInput<N>;
    }
    return value;
  }

  async collect<N extends Named<"collect">>(name: N, input: HookInput<N>) {
    type Row = HookOutput<N> extends readonly (infer T)[] ? T : never;
    const answers = await Promise.all(
      this.#handlers(name).map(async ({ plugin, call }) => {
        const rows = await call(input) as readonly Row[];
        return rows.map((value) => ({ plugin, value }));
      }),
    );
    return answers.flat();
  }

  async parallel<N extends Named<"parallel">>(name: N, input: HookInput<N>): Promise<void> {
    if (this.context.dryRun && hookTable[name].effects) return;
    const results = await Promise.allSettled(this.#handlers(name).map(({ call }) => call(input)));
    const errors = results.flatMap((r) => r.status === "rejected" ? [r.reason as unknown] : []);
    if (errors.length === 1 || errors.length > 1 && this.context.signal.aborted) throw errors[0];
    if (errors.length > 1) throw failedTogether(name, errors);
  }

  /**
   * What a plugin answers; nobody waits for one that does not heed the signal, and what it answers then is let go of.
   *
   * @throws the signal's reason
   */
  async #unlessStopped<T>(answer: T): Promise<Awaited<T>> {
    if (!isThenable(answer)) return await answer;
    const coming = observed(Promise.resolve(answer)); // it may fail while the next line waits
    const { abortable } = await import("@std/async/abortable");
    try {
      return await abortable<Awaited<T>>(coming, this.context.signal);
    } catch (error) {
      observed(coming.then((late) => letGo(late as Awaited<T> & Partial<AsyncDisposable>)));
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (const { name, hooks } of this.plugins.splice(0).reverse()) {
      try {
        await hooks[Symbol.asyncDispose]?.();
      } catch (error) {
        errors.push(wrapPluginError(error, name, "dispose"));
      }
    }
    for (const resource of this.#owned.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    if (errors.length > 0) throw errors[0];
  }

  #handlers<N extends HookName>(name: N) {
    const rows = this.plugins.flatMap(({ name: plugin, hooks, builtin }) => {
      const entry = hooks[name] as
        | HookHandler<N>
        | { order: "pre" | "post"; handler: HookHandler<N> }
        | undefined;
      if (entry === undefined) return [];
      const [order, handler] = typeof entry === "function"
        ? ["normal" as const, entry]
        : [entry.order, entry.handler];
      const call = async (input: HookInput<N>): Promise<unknown> => {
        try {
          if (builtin) return await handler(input, this.context);
          const seen = name.startsWith("open") ? input : readOnly(input); // a store is no data
          return await checked(name, plugin, await this.#unlessStopped(handler(seen, this.#outer)));
        } catch (error) {
          if (this.context.signal.aborted || builtin && error instanceof EngineError) throw error;
          throw wrapPluginError(error, plugin, name);
        }
      };
      return [{ plugin, order: orders[order], call }];
    });
    return rows.sort((a, b) => a.order - b.order);
  }
}
