/**
 * What dapp and a plugin that runs apart say to each other: lines of JSON, marked so that whatever else a plugin prints
 * is told from them. Values are those of JSON with what it would lose or change (undefined, all numbers, dates), maps,
 * sets, bytes, functions to call back, signals, and objects that stay where they are.
 */
import {
  hasMembers,
  isAnything,
  isCount,
  isListOf,
  isObject,
  isOptional,
  isPair,
  isText,
} from "../../../lib/guard.ts";
import { byPlaces } from "../../../lib/by_places.ts";
import { Report } from "./reports.ts";

/** Stands before a line that is meant for the other side. */
const MARK = "\x1e";

/** Characters that one message may have: more is a mistake, or an attempt to use up the memory. */
export const MAX_MESSAGE = 64 << 20;

/** A failure on its way. */
export interface WireError {
  readonly message: string;
  /** Code of an `EngineError`. */
  readonly code?: string;
  /** Its details, as far as JSON can say them. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** Deno did not let it: `net access to "example.com:443"`. */
  readonly denied?: string;
  /** Where it happened. */
  readonly stack?: string;
}

/** What one side says to the other. */
export type Message =
  | {
    readonly call: number;
    readonly what: string | number;
    /** Method of the object `what`. */
    readonly member?: string;
    readonly args: readonly unknown[];
  }
  | { readonly answer: number; readonly value: unknown }
  | { readonly answer: number; readonly error: WireError }
  | { readonly abort: number }
  | { readonly event: unknown };

const isWireError = hasMembers<WireError>({
  message: isText,
  code: isOptional(isText),
  details: isOptional(isObject),
  denied: isOptional(isText),
  stack: isOptional(isText),
});

/** Whether a value is a message. */
function isMessage(value: unknown): value is Message {
  if (!isObject(value)) return false;
  if ("call" in value) {
    const { call, what, member, args } = value;
    return isCount(call) && (isText(what) || isCount(what)) && (member === undefined || isText(member)) &&
      Array.isArray(args);
  }
  if ("answer" in value) {
    return isCount(value.answer) && ("error" in value ? isWireError(value.error) : "value" in value);
  }
  return "abort" in value ? isCount(value.abort) : "event" in value;
}

/** The line of a message. It starts on a line of its own, whatever was printed before it. */
export function lineOf(message: Message): string {
  return `\n${MARK}${JSON.stringify(message)}\n`;
}

/** The message in a line; undefined where the line is none. @throws {SyntaxError} when it is broken */
export function messageIn(line: string): Message | undefined {
  if (!line.startsWith(MARK)) return undefined;
  const message: unknown = JSON.parse(line.slice(MARK.length), withoutPrototype);
  if (!isMessage(message)) throw new SyntaxError("it is no message");
  return message;
}

/** A key that would reach the prototype of whatever the object is copied into. */
function withoutPrototype<T>(key: string, value: T): T {
  if (key === "__proto__") throw new SyntaxError('a key is "__proto__"');
  return value;
}

/** Cuts a stream of bytes into lines. @throws {RangeError} when one is longer than a message may be */
export async function* linesOf(
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  for await (const text of bytes.pipeThrough(new TextDecoderStream(), signal && { signal })) {
    const lines = text.split("\n");
    const rest = lines.pop()!;
    for (const line of lines) {
      yield parts.join("") + line;
      parts = [];
      length = 0;
    }
    parts.push(rest);
    length += rest.length;
    if (length > MAX_MESSAGE) throw new RangeError(`it is longer than ${MAX_MESSAGE >> 20} MiB`);
  }
  if (length > 0) yield parts.join("");
}

/** Which members of an object the other side may use, while the object stays where it is. */
export interface Shape {
  /** Members that go along as they are, when the object is handed over. */
  readonly facts?: readonly string[];
  /** Methods that can be called, with what is made of the answer before it goes. */
  readonly methods: Readonly<Record<string, (answer: unknown) => unknown>>;
  /** Of those, what an object may lack, beside "dispose". */
  readonly optional?: readonly string[];
  /** Members that are such objects themselves. */
  readonly parts?: Readonly<Record<string, Shape>>;
}

/** Methods that an object must have. */
export function requiredOf({ methods, optional = [] }: Shape): readonly string[] {
  return Object.keys(methods).filter((name) => name !== "dispose" && !optional.includes(name));
}

/** An object that is handed out, of which the other side gets a {@linkcode Remote}. */
export class Reference {
  constructor(readonly target: object, readonly shape: Shape) {}
}

/** An object of the other side. */
export class Remote {
  constructor(
    /** What it is called by. */
    readonly id: number,
    /** Its methods. */
    readonly has: readonly string[],
    /** Its members that came along, other objects included. */
    readonly facts: Readonly<Record<string, unknown>>,
  ) {}
}

/** What one side keeps for the other to use. */
export interface Given {
  /** A number for an object. */
  object(reference: Reference): number;
  /** A number to call a function by. */
  call(callback: (...args: never[]) => unknown): number;
  /** A number for a signal. */
  signal(signal: AbortSignal): number;
}

/** What one side makes of what the other one keeps. */
export interface Taken {
  call(id: number): (...args: unknown[]) => Promise<unknown>;
  /** The same of a {@linkcode Report}. */
  report(id: number, names: number): (...args: unknown[]) => void;
  signal(id: number, aborted: boolean): AbortSignal;
}

/** The key of values that JSON has no words for. */
const TAG = "$dapp";

/** A value as JSON can say it. @throws {TypeError} for what cannot be sent */
export function pack(value: unknown, given: Given): unknown {
  switch (typeof value) {
    case "undefined":
      return { [TAG]: "undefined" };
    case "function":
      return { [TAG]: "call", id: given.call(value as () => unknown) };
    case "bigint":
    case "symbol":
      throw new TypeError(`a ${typeof value} cannot be sent`);
    case "number":
      if (Number.isFinite(value) && !Object.is(value, -0)) return value;
      return { [TAG]: "number", text: Object.is(value, -0) ? "-0" : String(value) };
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return value;
  const each = (item: unknown) => pack(item, given);
  if (Array.isArray(value)) return byPlaces(value, each);
  if (value instanceof Map) return { [TAG]: "map", rows: [...value].map((row) => row.map(each)) };
  if (value instanceof Set) return { [TAG]: "set", rows: [...value].map(each) };
  if (value instanceof Uint8Array) return { [TAG]: "bytes", base64: value.toBase64() };
  if (value instanceof AbortSignal) {
    return { [TAG]: "signal", id: given.signal(value), aborted: value.aborted };
  }
  if (value instanceof Date) return { [TAG]: "date", ms: each(value.getTime()) };
  if (value instanceof Reference) return packReference(value, given);
  if (value instanceof Report) return { [TAG]: "report", id: given.call(value.tell), names: value.names };
  const name = classOf(value);
  if (name === "Promise") throw new TypeError("a promise in an answer was not awaited");
  if (name !== undefined) throw new TypeError(`an instance of ${name} cannot be sent`);
  const rows = Object.entries(value).map(([key, item]) => [key, each(item)] as const);
  return TAG in value ? { [TAG]: "rows", rows } : Object.fromEntries(rows);
}

/** A member of an object; disposing of it is called "dispose". */
export function memberOf(target: object, name: string): unknown {
  return Reflect.get(target, name === "dispose" ? Symbol.asyncDispose : name);
}

function packReference(reference: Reference, given: Given): unknown {
  const { target, shape: { methods, facts = [], parts = {} } } = reference;
  const member = (name: string) => memberOf(target, name);
  return {
    [TAG]: "object",
    id: given.object(reference),
    has: Object.keys(methods).filter((name) => typeof member(name) === "function"),
    facts: [
      ...facts.map((name) => [name, pack(member(name), given)]),
      ...Object.entries(parts).map(([name, shape]) => {
        const part = member(name);
        if (!isObject(part)) throw new TypeError(`its "${name}" is no object`);
        return [name, packReference(new Reference(part, shape), given)];
      }),
    ],
  };
}

/** The class of an object that is more than its fields, of which some may be nobody else's business. */
function classOf(value: object): string | undefined {
  let at: object | null = Object.getPrototypeOf(value);
  for (; at && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (Reflect.ownKeys(at).some((key) => key !== "constructor")) return value.constructor?.name || "a class";
  }
  return undefined;
}

const isTexts = isListOf(isText);
const isRows = isListOf(isPair(isAnything, isAnything));

/** The value that {@linkcode pack} was given. @throws {SyntaxError} for what it did not make */
export function unpack(value: unknown, taken: Taken): unknown {
  const each = (item: unknown): unknown => unpack(item, taken);
  if (Array.isArray(value)) return byPlaces(value, each);
  if (!isObject(value)) return value;
  if (!Object.hasOwn(value, TAG)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item)]));
  }
  const { [TAG]: tag, rows, id, has, facts, base64, aborted, text, ms, names } = value;
  if (tag === "undefined") return undefined;
  if (tag === "number" && isText(text)) return Number(text);
  if (tag === "date") return new Date(Number(each(ms)));
  if (tag === "call" && isCount(id)) return taken.call(id);
  if (tag === "report" && isCount(id) && isCount(names)) return taken.report(id, names);
  if (tag === "signal" && isCount(id)) return taken.signal(id, aborted === true);
  if (tag === "object" && isCount(id) && isTexts(has) && isRows(facts)) {
    return new Remote(id, has, objectOf(facts, each));
  }
  if (tag === "bytes" && isText(base64)) return Uint8Array.fromBase64(base64);
  if (tag === "set" && Array.isArray(rows)) return new Set(rows.map(each));
  if (tag === "map" && isRows(rows)) return new Map(rows.map(([key, item]) => [each(key), each(item)]));
  if (tag === "rows" && isRows(rows)) return objectOf(rows, each);
  throw new SyntaxError(`a value of kind ${JSON.stringify(tag)} is not known`);
}

function objectOf(
  rows: readonly (readonly [unknown, unknown])[],
  each: (item: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(
    rows.map(([key, item]) => [String(key), withoutPrototype(String(key), each(item))]),
  );
}
