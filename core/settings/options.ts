import { ownEnvironment } from "../../lib/own_process.ts";
import { EngineError } from "../contract/errors.ts";
import type { Environment } from "../../lib/environment.ts";
import {
  callable,
  flag,
  isA,
  listOf,
  needed,
  numberFrom,
  oneOf,
  options,
  recordOf,
  text,
  texts,
} from "../../lib/arguments.ts";
import { isNumber, isObject, isText } from "../../lib/guard.ts";
import { homeOf } from "../../lib/home.ts";
import { Masker } from "../../lib/mask.ts";
import type { SecretSource } from "../contract/config.ts";
import { epochFrom } from "./epoch.ts";
import { proxyLogins } from "./proxies.ts";
import { type EventSink, safeEmit, type TimedEvent } from "../contract/events.ts";
import type { LayerCompression, StepNetwork } from "../contract/builder.ts";
import { formatPlatform, hostPlatform, platformOf, platformProblem } from "../../lib/oci/platform.ts";
import type { Awaitable, Selection } from "../contract/plugin.ts";

/** Engine options with every default filled in. */
export interface ResolvedOptions {
  /** Absolute. */
  readonly dir: string;
  readonly config: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly gitStatus: EarlyAnswer | undefined;
  readonly gitListing: EarlyAnswer | undefined;
  readonly home: string;
  readonly name: string | undefined;
  readonly platform: string;
  readonly parallel: number;
  /** Nobody has said how many stages may be built at once, so a builder may. */
  readonly parallelUnset: boolean;
  readonly network: StepNetwork | undefined;
  readonly builder: string | undefined;
  readonly dev: boolean;
  readonly lockTimeoutMs: number;
  readonly dryRun: boolean;
  readonly compression: LayerCompression;
  readonly epoch: number;
  readonly repo: string | undefined;
  readonly repoReadOnly: boolean;
  readonly cacheFrom: readonly string[];
  readonly registry: RegistryOptions;
  /** The project is made by strangers. */
  readonly untrusted: boolean;
  /** Where secrets come from instead of where the dappfile says, by id. */
  readonly secrets: Readonly<Record<string, SecretSource | SecretReader>>;
  /** Knows the values of secrets once they are read; events and errors go through it. */
  readonly masker: Masker;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

const DAY_MS = 24 * 3600 * 1000;

const environment = recordOf(text);

/** One without a prototype may note what is read of it, and then counts as read as a whole. */
function isWatched(value: unknown): boolean {
  return isObject(value) && Object.getPrototypeOf(value) === null;
}

/** Every option, for programs that no compiler has looked at. */
const known = options<EngineOptions>({
  dir: text,
  config: text,
  env: {
    ...environment,
    problem: (value, at) => isWatched(value) ? undefined : environment.problem(value, at),
  },
  gitStatus: callable,
  gitListing: callable,
  home: text,
  name: text,
  platform: text,
  parallel: isA("a number", isNumber),
  network: oneOf("host", "none", "private"),
  builder: text,
  dev: flag,
  lockTimeoutMs: numberFrom(0),
  dryRun: flag,
  compression: options<LayerCompression>({
    kind: needed(oneOf("gzip", "zstd")),
    level: needed(numberFrom(1)),
  }),
  repo: text,
  repoReadOnly: flag,
  cacheFrom: texts,
  registry: options<RegistryOptions>({
    kind: text,
    username: text,
    password: text,
    insecure: texts,
    naming: oneOf("nested", "flat"),
  }),
  secrets: recordOf(isA("{ env: NAME }, { file: PATH } or a function", isSecretSource)),
  untrusted: flag,
  plugins: listOf(isA("use(plugin, options)", isSelection)),
  onEvent: callable,
  signal: isA("an AbortSignal", (value) => value instanceof AbortSignal),
});

function isSecretSource(value: unknown): boolean {
  if (!isObject(value)) return typeof value === "function";
  const [[name, from] = [], ...others] = Object.entries(value);
  return others.length === 0 && (name === "env" || name === "file") && isText(from);
}

function isSelection(value: unknown): boolean {
  return isObject(value) && isObject(value.plugin) && typeof value.plugin.load === "function";
}

/** @throws {TypeError} on options that there are not, or that are something else */
export function requireOptions(given: EngineOptions): void {
  const problem = known.problem(given, "options");
  if (problem !== undefined) throw new TypeError(`Cannot make an engine: ${problem}`);
}

/**
 * @throws {RangeError} on values that no caller can mean
 * @throws USAGE on a platform that cannot be read
 */
export function resolveOptions(options: EngineOptions): ResolvedOptions {
  // Without a prototype: a variable named like a member of objects is not set unless it is.
  const given = options.env ?? ownEnvironment();
  const env: Environment = isWatched(given) ? given : Object.assign(Object.create(null), given);
  const { username, password } = options.registry ?? {};
  if ((username === undefined) !== (password === undefined)) {
    throw new RangeError("Cannot log in to a registry: username and password go together");
  }
  const parallel = options.parallel ?? navigator.hardwareConcurrency;
  if (!Number.isInteger(parallel) || parallel < 1) {
    throw new RangeError(`Cannot build ${parallel} stages at once: a whole number from 1 is wanted`);
  }
  const masker = new Masker();
  for (const login of proxyLogins(env)) masker.add(new TextEncoder().encode(login));
  const emit = safeEmit(options.onEvent);
  return {
    dir: absolute(options.dir ?? "."),
    config: options.config,
    env,
    gitStatus: options.gitStatus,
    gitListing: options.gitListing,
    home: absolute(options.home ?? defaultHome(env)),
    name: options.name,
    platform: options.platform ? readPlatform(options.platform) : formatPlatform(hostPlatform()),
    parallel,
    parallelUnset: options.parallel === undefined,
    network: options.network,
    builder: options.builder,
    dev: options.dev ?? false,
    lockTimeoutMs: options.lockTimeoutMs ?? DAY_MS,
    dryRun: options.dryRun ?? false,
    compression: options.compression ?? { kind: "gzip", level: 3 },
    epoch: epochFrom(env),
    repo: options.repo,
    repoReadOnly: options.repoReadOnly ?? false,
    cacheFrom: options.cacheFrom ?? [],
    registry: options.registry ?? {},
    secrets: Object.assign(Object.create(null), options.secrets),
    masker,
    untrusted: options.untrusted ?? false,
    // output of commands is masked where it comes in, since a value may lie in two pieces of it
    emit: (event) => emit(event.type === "stage.output" ? event : masker.maskAll(event)),
    signal: options.signal ?? new AbortController().signal,
  };
}

/** The platforms of an option in their usual spelling, in order; [undefined] when none is given. @throws USAGE */
export function splitPlatforms(text: string | undefined): readonly (string | undefined)[] {
  const names = (text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  return names.length > 0 ? [...new Set(names.map(readPlatform))] : [undefined];
}

function absolute(path: string): string {
  const full = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  const parts: string[] = [];
  for (const part of full.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return "/" + parts.join("/");
}

function defaultHome(env: Environment): string {
  const home = homeOf(env);
  if (home !== undefined) return home;
  throw new EngineError("USAGE", "Cannot find a place for the store: neither DAPP_HOME nor HOME is set", {
    fix: "Name a directory with --home",
  });
}

function readPlatform(text: string): string {
  try {
    const platform = platformOf(text);
    const problem = platformProblem(platform);
    if (!problem) return formatPlatform(platform);
    throw new EngineError("USAGE", `Cannot build for platform "${text}": ${problem.why}`, {
      fix: problem.meant === undefined
        ? "Name one as os/architecture[/variant], such as linux/arm64"
        : `Did you mean ${problem.meant}?`,
    });
  } catch (error) {
    if (error instanceof RangeError) throw new EngineError("USAGE", error.message);
    throw error;
  }
}

/** What a program printed that somebody else has started; undefined when it failed or nobody knows. */
export type EarlyAnswer = (signal?: AbortSignal) => Promise<Uint8Array | undefined>;

/** Gives the value of a secret: a program's own way to a vault. */
export type SecretReader = (signal: AbortSignal) => Awaitable<string | Uint8Array>;

/** What an engine is made with. Everything has a default. */
export interface EngineOptions {
  /** Project directory. @default the current directory */
  readonly dir?: string;
  /** Dappfile, relative to the project directory. @default dappfile.yaml or dappfile.yml */
  readonly config?: string;
  /** All of its environment, and of programs that it starts. @default that of the process */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * The answer of the `git status` that the installed program starts beside Deno (release/dapp.sh), for a project at the top
   * of its repository. Where it says nothing git is asked as if there were none. @default git is asked
   */
  readonly gitStatus?: EarlyAnswer;
  /** The commit's files, which it asks for too where nothing has been remembered yet. @default git is asked */
  readonly gitListing?: EarlyAnswer;
  /** Directory of the local store. @default $DAPP_HOME, else $XDG_DATA_HOME/dapp, else ~/.local/share/dapp */
  readonly home?: string;
  /** Project name, overriding the dappfile and git. */
  readonly name?: string;
  /**
   * `os/architecture[/variant]`; several, separated by commas, are built one after another and published as an index.
   * @default linux and this machine's architecture
   */
  readonly platform?: string;
  /** Stages that may be built at once. @default number of processors, with BuildKit the sum of what its daemons offer */
  readonly parallel?: number;
  /** Network of commands. @default what the dappfile says, else private where the builder can give that, else host */
  readonly network?: StepNetwork;
  /** Name of the builder to use; undefined = whichever plugin claims the stage. */
  readonly builder?: string;
  /** Include uncommitted changes of the project's repository. @default false */
  readonly dev?: boolean;
  /** How long to wait for another process that builds the same stage. @default 24 hours */
  readonly lockTimeoutMs?: number;
  /** Say what would happen and change nothing. @default false */
  readonly dryRun?: boolean;
  /** How layers are compressed. @default gzip level 3 */
  readonly compression?: LayerCompression;
  /**
   * Where stages and images are kept for everybody: `host[:port]/path` or `oci:DIR`. With it, builds take stages from
   * there and put theirs there. Commands that need a REPO use the dappfile's `repo:` when there is none.
   */
  readonly repo?: string;
  /** Only take stages from `repo`. @default false */
  readonly repoReadOnly?: boolean;
  /** More places to take stages from, asked after `repo`. */
  readonly cacheFrom?: readonly string[];
  /** How registries are reached and used. */
  readonly registry?: RegistryOptions;
  /**
   * Where secrets come from instead of where the dappfile says, by id. A function is asked for the value when a command is
   * about to need it, once for each platform, and not at all when nothing is built.
   */
  readonly secrets?: Readonly<Record<string, SecretSource | SecretReader>>;
  /**
   * The project is made by strangers: it gets no plugins, host mounts, sources outside of the project, environment,
   * secrets or logins, and git reads it without its own configuration. @default false
   */
  readonly untrusted?: boolean;
  /** Plugins beside the built-in ones and those in the dappfile; asked first. */
  readonly plugins?: readonly Selection[];
  /** Told of all that happens, each time with the moment; must not throw and must not block. */
  readonly onEvent?: (event: TimedEvent) => void;
  /** Stops the work: running commands are ended, mounts and temporary files removed. */
  readonly signal?: AbortSignal;
}

/** How registries are reached and used. */
export interface RegistryOptions {
  /** Kind of the registry, when it cannot be told from its name: `oci`, `docker-hub`, `gitlab`, `harbor`, ... */
  readonly kind?: string;
  /** For the host of REPO alone; both or neither. */
  readonly username?: string;
  /** Goes with `username`. */
  readonly password?: string;
  /** Hosts (with port) that may be asked without verified TLS, by plain http if need be. */
  readonly insecure?: readonly string[];
  /** `nested`: REPO/dimg:tag; `flat`: REPO:dimg-tag. @default what the registry can do */
  readonly naming?: "nested" | "flat";
}
