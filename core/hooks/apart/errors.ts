/** Failures on their way between dapp and a plugin that runs apart. */
import { EngineError, type ErrorDetails, isCode, wholeMessageOf } from "../../contract/errors.ts";
import { isCount, isFlag, isObject, isText } from "../../../lib/guard.ts";
import { plain } from "../../../lib/plain.ts";
import { deniedIn } from "./denials.ts";
import type { WireError } from "./wire.ts";

/** Anything thrown, as it goes over the wire; whatever it is, this does not throw. */
export function packError(error: unknown): WireError {
  const message = wholeMessageOf(error);
  try {
    if (error instanceof EngineError) {
      const { cause: _, ...details } = error.details;
      return { message: error.message, code: error.code, details: { ...details, fix: error.fix } };
    }
    const denied = deniedBy(error);
    if (denied !== undefined) return { message, denied };
    return { message, ...(error instanceof Error && isText(error.stack) && { stack: error.stack }) };
  } catch {
    return { message };
  }
}

/** What Deno did not let it do, wherever that stands among the causes. */
function deniedBy(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    if (at instanceof Deno.errors.NotCapable) return deniedIn(at.message);
  }
  return undefined;
}

/** Whose failure it is. */
export interface FailedWork {
  /** Name of the plugin, or what the dappfile calls it by. */
  readonly plugin: string;
  /** Absent while it is loaded. */
  readonly hook?: string;
  /** What was called of an object that the hook answered with. */
  readonly method?: string;
}

/** The failure of a plugin, as people are told of it. */
export function unpackError(said: WireError, work: FailedWork): Error {
  const { code, message, details = {}, denied, stack } = said;
  // What helps is not an option of Deno.
  const text = plain(message.replace(/, run again with the --allow-[a-z]+ flag/g, ""));
  const { plugin, hook, method } = work;
  const facts = { plugin, ...(hook !== undefined && { hook }) };
  if (denied !== undefined) {
    return new EngineError("PLUGIN_FAILED", `${failed(work)}: it may not have ${plain(denied)}`, {
      ...facts,
      fix: "Have its author declare what it needs under `rights`, or leave the plugin out",
    });
  }
  // The failure of a hook is wrapped by whoever called it.
  if (code === undefined && method === undefined) {
    // Where in the plugin it happened.
    return Object.assign(new Error(text), stack !== undefined && { stack: plain(stack) });
  }
  // What ends a run as if the user had ended it is for dapp alone to say.
  return code !== undefined && isCode(code) && code !== "INTERRUPTED"
    ? new EngineError(code, text, { ...plainDetails(details), ...facts })
    : new EngineError("PLUGIN_FAILED", `${failed(work)}: ${text}`, facts);
}

/** The start of a sentence about a failure. */
export function failed({ plugin, hook, method }: FailedWork): string {
  if (hook === undefined) return `Cannot load plugin "${plugin}"`;
  return `Plugin "${plugin}" failed in ${method === undefined ? "" : `"${method}" of `}hook "${hook}"`;
}

type Given<T> = (value: unknown) => T | undefined;

const textOf: Given<string> = (value) => isText(value) ? plain(value) : undefined;
const flagOf: Given<boolean> = (value) => isFlag(value) ? value : undefined;
const countOf: Given<number> = (value) => isCount(value) ? value : undefined;

/** The details that a plugin may give, each only if it is what it should be. */
const DETAILS: {
  readonly [K in Exclude<keyof ErrorDetails, "plugin" | "hook" | "cause">]-?: Given<ErrorDetails[K]>;
} = {
  at: textOf,
  fix: textOf,
  problems: problemsOf,
  command: countOf,
  missing: flagOf,
  refused: flagOf,
  unusable: flagOf,
  locked: flagOf,
  withheld: flagOf,
  full: flagOf,
  limited: flagOf,
  retryAfterMs: countOf,
};

function plainDetails(details: Readonly<Record<string, unknown>>): ErrorDetails {
  return Object.fromEntries(
    Object.entries(DETAILS).flatMap(([name, of]) => {
      const value = of(details[name]);
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

function problemsOf(value: unknown): ErrorDetails["problems"] {
  if (!Array.isArray(value)) return undefined;
  return value.filter(isObject).map(({ path, message, hint }) => ({
    file: "",
    line: 0,
    column: 0,
    ...(path !== undefined && { path: plain(String(path)) }),
    message: plain(String(message)),
    ...(hint !== undefined && { hint: plain(String(hint)) }),
  }));
}
