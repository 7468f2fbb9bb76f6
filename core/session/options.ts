import type { EngineOptions, RegistryOptions } from "../api.ts";
import { EngineError } from "../contract/errors.ts";
import { epochFrom } from "../sign/epoch.ts";
import { type EventSink, safeEmit } from "../contract/events.ts";
import type { LayerCompression } from "../contract/builder.ts";

/** Engine options with every default filled in. */
export interface ResolvedOptions {
  /** Absolute. */
  readonly dir: string;
  readonly config: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly name: string | undefined;
  readonly platform: string;
  readonly parallel: number;
  readonly network: "host" | "none";
  readonly builder: string | undefined;
  readonly dev: boolean;
  readonly lockTimeoutMs: number;
  readonly dryRun: boolean;
  readonly compression: LayerCompression;
  readonly epoch: { readonly value: number; readonly overridden: boolean };
  readonly repo: string | undefined;
  readonly repoReadOnly: boolean;
  readonly cacheFrom: readonly string[];
  readonly registry: RegistryOptions;
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

const DAY_MS = 24 * 3600 * 1000;

/** @throws {RangeError} on values that no caller can mean; @throws USAGE on a platform that cannot be read */
export function resolveOptions(options: EngineOptions): ResolvedOptions {
  // Without a prototype: a variable named like a member of objects is not set unless it is.
  const env: Record<string, string | undefined> = Object.assign(
    Object.create(null),
    options.env ?? Deno.env.toObject(),
  );
  const { username, password } = options.registry ?? {};
  if ((username === undefined) !== (password === undefined)) {
    throw new RangeError("Cannot log in to a registry: username and password go together");
  }
  const parallel = options.parallel ?? navigator.hardwareConcurrency;
  if (!Number.isInteger(parallel) || parallel < 1) {
    throw new RangeError(`Cannot build ${parallel} stages at once: a whole number from 1 is wanted`);
  }
  return {
    dir: absolute(options.dir ?? "."),
    config: options.config,
    env,
    home: absolute(options.home ?? defaultHome(env)),
    name: options.name,
    platform: options.platform ? checkPlatform(options.platform) : `linux/${machine()}`,
    parallel,
    network: options.network ?? "host",
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
    emit: safeEmit(options.onEvent),
    signal: options.signal ?? new AbortController().signal,
  };
}

/** The platforms of an option, in order; [undefined] when none is given. */
export function splitPlatforms(text: string | undefined): readonly (string | undefined)[] {
  const names = (text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  return names.length > 0 ? [...new Set(names)] : [undefined];
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

function defaultHome(env: Readonly<Record<string, string | undefined>>): string {
  if (env.DAPP_HOME) return env.DAPP_HOME;
  if (env.XDG_DATA_HOME?.startsWith("/")) return `${env.XDG_DATA_HOME}/dapp`;
  if (env.HOME) return `${env.HOME}/.local/share/dapp`;
  throw new EngineError("USAGE", "Cannot find a place for the store: neither DAPP_HOME nor HOME is set", {
    fix: "Name a directory with --home",
  });
}

function machine(): string {
  return Deno.build.arch === "aarch64" ? "arm64" : "amd64";
}

function checkPlatform(text: string): string {
  if (/^[a-z0-9]+\/[a-z0-9_]+(\/[a-z0-9.]+)?$/.test(text)) return text;
  throw new EngineError(
    "USAGE",
    `Cannot build for platform "${text}": wanted os/architecture, such as linux/amd64`,
  );
}
