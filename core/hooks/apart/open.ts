/** A plugin that runs apart, as the engine sees it: like any other. */
import { denoEnvironment } from "../../../lib/own_process.ts";
import type { HookContext, Host, Plugin, PluginHooks } from "../../contract/plugin.ts";
import { EngineError, messageOf } from "../../contract/errors.ts";
import type { CleanupGit, KeepRequest } from "../../contract/cleanup.ts";
import type { Config } from "../../contract/config.ts";
import type { PluginRights } from "../../contract/rights.ts";
import { fileUrl, pathOf } from "../module_url.ts";
import { mismatchIn } from "./deno.ts";
import { Exchange } from "./exchange.ts";
import { lookOnce } from "./memory.ts";
import { changed, fetchPinned, lookAt, requirePinned, type WantedPlugin } from "./modules.ts";
import { dappByName, importMapFlags, ownModules, projectFlags } from "./own_modules.ts";
import { permissionFlags, visibleEnv } from "./permissions.ts";
import { hasPackages, missingRights, type PluginPin, sameRights } from "./pins.ts";
import { ApartProcess } from "./process.ts";
import { requireNoMoreReach } from "./reach.ts";
import { isRole } from "./roles/shapes.ts";
import { isLoaded, isOpened, type Opened } from "./said.ts";

/** How a plugin is run apart. */
export interface ApartOptions {
  /** As the dappfile names it, or a test. */
  readonly use: string;
  readonly url: string;
  /** As they are written; they decide what rights it asks for. */
  readonly options: unknown;
  readonly host: Host;
  readonly context: HookContext;
  readonly pin?: PluginPin | undefined;
  /** False for a test of its author: no lock file is asked. @default true */
  readonly pinned?: boolean;
  /** dapp's directory. Without it nothing is remembered. */
  readonly home?: string | undefined;
  /** How long a hook may take. @default {@linkcode DEFAULT_TIMEOUT_MS} */
  readonly timeoutMs?: number | undefined;
  /** Told the files of this machine that it is made of. */
  readonly loads?: ((files: readonly string[]) => void) | undefined;
}

/** How long a hook may take. */
const DEFAULT_TIMEOUT_MS = 120_000;

/** A plugin with its process. */
export interface ApartPlugin extends AsyncDisposable {
  readonly plugin: Plugin;
  /** What it may do. */
  readonly rights: PluginRights;
}

/**
 * Starts the process of a plugin and asks what it is. It has the rights that were accepted; where nothing had to be
 * accepted, those that it declares.
 *
 * @throws PLUGIN_NOT_FOUND, PLUGIN_NOT_PINNED, PLUGIN_CHANGED, PLUGIN_OPTIONS_INVALID, PLUGIN_FAILED
 */
export async function openApart(options: ApartOptions): Promise<ApartPlugin> {
  const { use, url, host, context, pin, pinned = true } = options;
  const { signal } = context;
  // An author's plugin is of their repository, not of the project that a test makes up.
  const projectDir = pinned ? host.projectDir : pathOf(new URL(".", url).href);
  const wanted: WantedPlugin = { use, url, projectDir, env: host.env, signal };
  const seen = await lookOnce(wanted, options);
  const { modules } = seen;
  options.loads?.(modules.files);
  if (pinned) requirePinned(use, modules, pin);
  const place = new Place(options, modules.files);
  try {
    const accepted = pin?.rights;
    const given = accepted ?? seen.rights ?? {};
    let opened = await place.open(given, wanted);
    const { rights } = opened;
    const missing = missingRights(rights, accepted ?? (pinned && modules.isRemote ? {} : rights));
    if (missing.length > 0) {
      throw new EngineError(
        "PLUGIN_CHANGED",
        `Cannot load plugin "${use}": it asks for ${
          missing.join(", ")
        }, which dappfile.lock does not give it`,
        { plugin: use },
      );
    }
    if (!accepted && !sameRights(rights, given)) opened = await place.open(rights, wanted);
    await seen.remember(rights);
    return {
      plugin: pluginOf(place, opened, options),
      rights: accepted ?? rights,
      [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
    };
  } catch (error) {
    await place[Symbol.asyncDispose]();
    throw error;
  }
}

/** What a plugin declares, asked of a process that has no rights. */
export async function askRights(options: ApartOptions): Promise<PluginRights> {
  const { use, url, host, context: { signal } } = options;
  const { projectDir, env } = host;
  const wanted: WantedPlugin = { use, url, projectDir, env, signal };
  const { files } = await lookAt(wanted);
  await using place = new Place(options, files);
  return (await place.open({}, wanted)).rights;
}

/** Where a plugin runs: its process, which is another one once it has other rights, and its lock file. */
class Place implements AsyncDisposable {
  readonly #options: ApartOptions;
  readonly #files: readonly string[];
  /** Where files go through. */
  readonly exchange: Exchange;
  #process?: ApartProcess;
  #lock?: string;

  constructor(options: ApartOptions, files: readonly string[]) {
    this.#options = options;
    this.#files = files;
    const { home, host: { env } } = options;
    this.exchange = new Exchange(
      home === undefined
        ? { root: `${env.TMPDIR || "/tmp"}/dapp-plugin-${crypto.randomUUID()}`, isOwn: true }
        : { root: `${home}/exchange`, isOwn: false },
    );
  }

  get process(): ApartProcess {
    if (!this.#process) throw new TypeError("Cannot ask a plugin that is not open");
    return this.#process;
  }

  /** Starts it with these rights, in place of what ran before. */
  async open(rights: PluginRights, wanted: WantedPlugin): Promise<Opened> {
    const { pin, use } = this.#options;
    if (pin?.modules && this.#lock === undefined) {
      this.#lock = await Deno.makeTempFile({ prefix: "dapp-plugin-", suffix: ".lock" });
      await Deno.writeTextFile(this.#lock, JSON.stringify(pin.modules));
    }
    try {
      return await this.#start(rights);
    } catch (error) {
      const printed = this.#process?.printed ?? "";
      const mismatch = mismatchIn(printed);
      if (mismatch) throw changed(use, mismatch);
      const isAbsent = /cached-only|not found in cache/i.test(`${error} ${printed}`);
      if (!isAbsent || !pin?.modules || this.#lock === undefined) throw error;
    }
    await fetchPinned(wanted, pin);
    await Deno.writeTextFile(this.#lock, JSON.stringify(pin.modules));
    return await this.#start(rights);
  }

  async #start(rights: PluginRights): Promise<Opened> {
    const { use, url, options, host, context, pin, timeoutMs = DEFAULT_TIMEOUT_MS } = this.#options;
    await this.#process?.[Symbol.asyncDispose]();
    const { lent, handed } = this.exchange;
    const reached = { read: [...this.#files, ...ownModules(), lent, handed], write: [handed] };
    const flags = [
      "--no-prompt",
      "--quiet",
      "--no-check",
      "--cached-only",
      "--v8-flags=--max-old-space-size=1024",
      // No right covers `localStorage` and `caches`, which Deno keeps on disk for each origin: nobody has this one again.
      `--location=http://${crypto.randomUUID()}.invalid/`,
      ...projectFlags(),
      ...importMapFlags(),
      this.#lock === undefined ? "--no-lock" : `--lock=${this.#lock}`,
      ...await permissionFlags({ plugin: use, rights, host }, reached),
    ];
    const process = new ApartProcess({
      plugin: use,
      flags,
      cwd: host.projectDir,
      env: environment(rights, host),
      context,
      timeoutMs,
    });
    this.#process = process;
    const module = { use, url, project: fileUrl(`${host.projectDir}/`) };
    const names = pin && hasPackages(pin) ? dappByName() : undefined;
    const opened = await process.ask("open", [module, options, names]).catch((cause) => {
      if (cause instanceof EngineError) throw cause;
      throw new EngineError("PLUGIN_FAILED", `Cannot load plugin "${use}": ${messageOf(cause)}`, {
        plugin: use,
        cause,
      });
    });
    if (isOpened(opened)) return opened;
    throw new EngineError("PLUGIN_RESULT_INVALID", `Cannot load plugin "${use}": it does not say what it is`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
    await this.exchange[Symbol.asyncDispose]();
    if (this.#lock !== undefined) await Deno.remove(this.#lock).catch(() => {});
  }
}

/** Variables that Deno itself needs, then what the plugin and programs that it starts may see. */
function environment(rights: PluginRights, { env }: Host): Record<string, string> {
  const { PATH, HOME } = env;
  const ofNetwork = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
  ];
  const names = (rights.hosts ?? []).length > 0 ? [...ofNetwork, ...OF_DENO] : OF_DENO;
  return {
    ...Object.fromEntries(names.flatMap((name) => env[name] === undefined ? [] : [[name, env[name]]])),
    ...(PATH !== undefined && { PATH }),
    ...(HOME !== undefined && { HOME }),
    ...denoEnvironment(),
    ...visibleEnv(rights, env),
  };
}

/** Where packages come from is part of how they are kept, and the flags of V8 of how what it compiled is. */
const OF_DENO = ["NPM_CONFIG_REGISTRY", "JSR_URL", "DENO_V8_FLAGS"];

function pluginOf(
  place: Place,
  { name, api, rights }: Opened,
  { url, options, host }: ApartOptions,
): Plugin {
  const { process, exchange } = place;
  process.name = name;
  const apart = async (): Promise<PluginHooks> => {
    const visible = { projectDir: host.projectDir, env: visibleEnv(rights, host.env) };
    const hooks = await process.ask("load", [options, visible]);
    if (!isLoaded(hooks)) return hooks as PluginHooks; // no object: the runner says so
    const handlers = hooks.map((hook) => {
      const handler = async (input: unknown, { dryRun, signal }: HookContext): Promise<unknown> => {
        const ask = (seen: unknown) =>
          process.ask("hook", [hook.name, seenBy(hook.name, seen, rights), { dryRun, signal }], {
            hook: hook.name,
          });
        if (isRole(hook.name)) {
          const { askRole } = await import("./roles/mod.ts");
          const needs = { process, exchange, plugin: name, url, hook: hook.name, rights, host };
          return await askRole(input, needs, ask);
        }
        const answer = await ask(input);
        if (hook.name === "config") requireNoMoreReach(name, input as Config, answer);
        return answer;
      };
      const entry = !hook.isHandler
        ? null
        : hook.order === undefined
        ? handler
        : { order: hook.order, handler };
      return [hook.name, entry] as const;
    });
    return {
      ...Object.fromEntries(handlers),
      async [Symbol.asyncDispose]() {
        // Why it is gone was told.
        if (!process.isStopped) await process.ask("dispose", [], { hook: "dispose" });
      },
    };
  };
  return {
    name,
    ...(api !== undefined && { api }),
    optionsSchema: () => Promise.resolve(undefined),
    load: apart,
    rights: () => Promise.resolve(rights),
  };
}

/** What a hook is handed, with those variables alone that the plugin may see. */
function seenBy(hook: string, input: unknown, rights: PluginRights): unknown {
  if (typeof input !== "object" || input === null || !("env" in input)) return input;
  const seen = { ...input, env: visibleEnv(rights, input.env as Host["env"]) };
  if (hook !== "keep") return seen;
  const { git } = input as KeepRequest;
  return { ...seen, git: git && questionsOf(git) };
}

/** What can be asked of git, without who answers it: where the repository is and what its remote is called is dapp's. */
function questionsOf(git: CleanupGit): CleanupGit {
  return {
    branches: () => git.branches(),
    tags: () => git.tags(),
    commits: () => git.commits(),
    trees: () => git.trees(),
  };
}
