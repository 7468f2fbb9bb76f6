/**
 * Runs one plugin, in a process of its own that has the plugin's rights and no others. Started by `process.ts`; nothing
 * here can be relied upon once the plugin's code runs.
 */
import { hasMembers, isFlag, isObject, isPlain, isRecordOf, isText } from "../../../lib/guard.ts";
import type { EngineEvent } from "../../contract/events.ts";
import { EngineError } from "../../contract/errors.ts";
import type { PluginRights } from "../../contract/rights.ts";
import type { Host, Plugin, PluginHooks } from "../../contract/plugin.ts";
import type { PluginModule } from "../module_url.ts";
import { importPlugin } from "../plugin_module.ts";
import { onDenied } from "./denials.ts";
import type { ContextFacts, LoadedHook, Opened } from "./said.ts";
import { Talk } from "./talk.ts";
import { askHook } from "./roles/in_child.ts";
import { lineOf, linesOf, type Message, messageIn } from "./wire.ts";

const { stdout } = Deno;
const writeSync = stdout.writeSync.bind(stdout);
const encoder = new TextEncoder();

function send(message: Message): void {
  let bytes = encoder.encode(lineOf(message));
  while (bytes.length > 0) bytes = bytes.subarray(writeSync(bytes));
}

const isModule = hasMembers<PluginModule>({ use: isText, url: isText, project: isText });
/** dapp's modules by the names that plugins know. */
const isNames = isRecordOf(isText);
const isHost = hasMembers<Host>({ projectDir: isText, env: isRecordOf(isText) });
const isContext = hasMembers<ContextFacts>({
  dryRun: isFlag,
  signal: (value): value is AbortSignal => value instanceof AbortSignal,
});

let plugin: Plugin | undefined;
let hooks: Record<string, unknown> = {};

function opened(): Plugin {
  if (!plugin) throw new TypeError("no plugin is open");
  return plugin;
}

/** The rights that it asks for. With wrong options it gets none: whoever loads it is told, with their places. */
async function declared(plugin: Plugin, options: unknown): Promise<PluginRights> {
  try {
    return await plugin.rights?.(options) ?? {};
  } catch (error) {
    if (error instanceof EngineError && error.code === "PLUGIN_OPTIONS_INVALID") return {};
    throw error;
  }
}

/** The handler in an entry of what `setup` returned, with its order. */
function handlerIn(entry: unknown) {
  if (typeof entry === "function") return { handler: entry, order: undefined };
  if (!isObject(entry) || typeof entry.handler !== "function") return undefined;
  return { handler: entry.handler, order: entry.order === undefined ? undefined : String(entry.order) };
}

const talk: Talk = new Talk({
  send,
  failure: ({ message }) => new Error(message),
  offers: {
    async open([module, options, dapp]): Promise<Opened> {
      if (!isModule(module)) throw new TypeError("no module is named");
      if (isNames(dapp)) (await import("./for_packages.ts")).offerToPackages(dapp);
      plugin = await importPlugin(module);
      return {
        name: String(plugin.name),
        ...(plugin.api !== undefined && { api: plugin.api }),
        rights: await declared(plugin, options),
      };
    },
    async load([options, host]): Promise<readonly LoadedHook[] | null> {
      if (!isHost(host)) throw new TypeError("no host is named");
      const answer: unknown = await opened().load(options, host);
      if (!isPlain(answer)) return null;
      hooks = answer;
      return Object.entries(answer).map(([name, entry]) => {
        const found = handlerIn(entry);
        return {
          name,
          isHandler: found !== undefined,
          ...(found?.order !== undefined && { order: found.order }),
        };
      });
    },
    hook([name, input, context]) {
      if (!isContext(context)) throw new TypeError("no context is given");
      const { handler } = handlerIn(isText(name) && Object.hasOwn(hooks, name) ? hooks[name] : undefined) ??
        {};
      if (!handler) throw new TypeError(`there is no hook "${name}"`);
      const told = { ...context, emit: (event: EngineEvent) => send({ event }) };
      return askHook(String(name), input, {
        ask: (of, method, args) => talk.call({ of, name: method }, args),
        handler: (seen) => handler(seen, told),
      });
    },
    /** Whether it answers at all. */
    alive: () => true,
    async dispose() {
      const { [Symbol.asyncDispose]: dispose } = hooks as PluginHooks;
      await dispose?.call(hooks);
    },
  },
});

onDenied((what) => send({ event: { type: "denied", what } }));

for await (const line of linesOf(Deno.stdin.readable)) {
  const message = messageIn(line);
  if (message && !("event" in message)) talk.take(message);
}
// Nobody asks any more; what the plugin still waits for does not matter.
Deno.exit(0);
