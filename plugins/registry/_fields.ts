/** Answers of providers' APIs, read as what the APIs say they are. */
import { EngineError } from "../../core/contract/plugin.ts";
import { isObject } from "../../lib/guard.ts";

/** An answer and what it was asked for. */
export interface FieldSource {
  readonly text: string;
  /** `GET https://host/path`. */
  readonly from: string;
}

type Fail = (path: string, value: unknown, wanted: string) => EngineError;

/**
 * A value within an answer. Reading it as what it is not throws an error that names request and field: what is passed
 * over silently is missing in a list, and a cleanup would not know it.
 */
export class Field {
  readonly #value: unknown;
  readonly #path: string;
  readonly #fail: Fail;

  private constructor(value: unknown, path: string, fail: Fail) {
    this.#value = value;
    this.#path = path;
    this.#fail = fail;
  }

  /**
   * The whole of an answer.
   *
   * @param doing what it was asked for, for messages: `list tags of me/app`
   * @throws {EngineError} REGISTRY_FAILED when it is not JSON
   */
  static of({ text, from }: FieldSource, doing: string): Field {
    const fail = (why: string) =>
      new EngineError("REGISTRY_FAILED", `Cannot ${doing}: ${from} answered ${why}`);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      throw fail("with something that is not JSON");
    }
    return new Field(json, "", (path, value, wanted) => {
      const what = path === "" ? kindOf(value) : `"${path}" that is ${kindOf(value)}`;
      return fail(`with ${what}, wanted is ${wanted}`);
    });
  }

  /** Neither there nor null. */
  get absent(): boolean {
    return this.#value === undefined || this.#value === null;
  }

  get isNull(): boolean {
    return this.#value === null;
  }

  /** A member of an object. */
  member(name: string): Field {
    if (!isObject(this.#value)) throw this.#fail(this.#path, this.#value, "an object");
    return new Field(this.#value[name], this.#path === "" ? name : `${this.#path}.${name}`, this.#fail);
  }

  /** The items of a list; null is an empty one. */
  list(): Field[] {
    if (this.#value === null) return [];
    if (!Array.isArray(this.#value)) throw this.#fail(this.#path, this.#value, "a list");
    return this.#value.map((item: unknown, at) => new Field(item, `${this.#path}[${at}]`, this.#fail));
  }

  /** The members of an object by name; null has none. */
  entries(): (readonly [string, Field])[] {
    if (this.#value === null) return [];
    if (!isObject(this.#value)) throw this.#fail(this.#path, this.#value, "an object");
    return Object.keys(this.#value).map((name) => [name, this.member(name)]);
  }

  text(): string {
    if (typeof this.#value === "string" && this.#value !== "") return this.#value;
    throw this.#fail(this.#path, this.#value, "a text");
  }

  /** A text of a certain form. */
  matching<T extends string>(isRight: (text: string) => text is T, wanted: string): T {
    const text = this.text();
    if (isRight(text)) return text;
    throw this.#fail(this.#path, this.#value, wanted);
  }

  number(): number {
    if (typeof this.#value === "number") return this.#value;
    throw this.#fail(this.#path, this.#value, "a number");
  }

  /** What `read` makes of it; undefined when it is absent, or an empty text. */
  optional<T>(read: (field: Field) => T): T | undefined {
    return this.absent || this.#value === "" ? undefined : read(this);
  }

  flag(): boolean {
    if (typeof this.#value === "boolean") return this.#value;
    throw this.#fail(this.#path, this.#value, "true or false");
  }
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  if (value === "") return "an empty text";
  if (Array.isArray(value)) return "a list";
  return { string: "a text", number: "a number", boolean: "a truth value" }[typeof value as string] ??
    "an object";
}
