/**
 * Checks requests and replies against an OpenAPI document (Swagger 2.0 or OpenAPI 3.0), as far as the documents beside
 * this file go: paths, methods, query parameters, JSON bodies, statuses.
 */
import { parse } from "yaml";

type Json = Readonly<Record<string, unknown>>;

/** One exchange as it went over the wire. */
export interface Exchanged {
  readonly method: string;
  /** Below the base path, as sent, without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly requestBody: string;
  readonly status: number;
  readonly replyBody: string;
}

export class Contract {
  readonly #document: Json;
  readonly #paths: readonly { readonly pattern: RegExp; readonly item: Json }[];

  /** @param slashes path parameters that may hold slashes */
  constructor(text: string, slashes: readonly string[] = []) {
    this.#document = parse(text);
    this.#paths = Object.entries(object(this.#document.paths)).map(([path, item]) => ({
      pattern: new RegExp(
        `^${path.replace(/\{(\w+)\}/g, (_, name) => slashes.includes(name) ? "(.+)" : "([^/]+)")}$`,
      ),
      item: object(item),
    }));
  }

  /** Reads a document beside this file. */
  static async open(name: string, slashes: readonly string[] = []): Promise<Contract> {
    return new Contract(await Deno.readTextFile(new URL(`./openapi/${name}.yaml`, import.meta.url)), slashes);
  }

  /** What in an exchange breaks the contract. */
  violations(exchanged: Exchanged): string[] {
    const { method, path, query, requestBody, status, replyBody } = exchanged;
    const title = `${method} ${path}`;
    // The longest pattern is the most particular one.
    const found = this.#paths.filter(({ pattern }) => pattern.test(path))
      .sort((a, b) => b.pattern.source.length - a.pattern.source.length)[0];
    const operation = found && object(found.item[method.toLowerCase()]);
    if (!found || Object.keys(operation ?? {}).length === 0) return [`${title}: not in the document`];
    const declared = [...list(found.item.parameters), ...list(operation!.parameters)].map((p) =>
      this.#deref(p)
    );
    return [
      ...this.#query(query, declared),
      ...this.#requestBody(requestBody, operation!, declared),
      ...this.#reply(object(operation!.responses), status, replyBody),
    ].map((why) => `${title}: ${why}`);
  }

  #query(query: URLSearchParams, declared: readonly Json[]): string[] {
    const known = declared.filter((parameter) => parameter.in === "query");
    const unknown = [...query.keys()].filter((name) => !known.some((p) => p.name === name));
    return [
      ...unknown.map((name) => `query parameter "${name}" is unknown`),
      ...known.flatMap((parameter) => {
        const value = query.get(String(parameter.name));
        if (value === null) return parameter.required === true ? [`query lacks "${parameter.name}"`] : [];
        const schema = parameter.schema === undefined ? parameter : this.#deref(parameter.schema);
        return this.#check(fromText(value, schema.type), schema, `query ${parameter.name}`);
      }),
    ];
  }

  #requestBody(text: string, operation: Json, declared: readonly Json[]): string[] {
    const content = object(object(object(operation.requestBody).content)["application/json"]);
    const schema = content.schema ?? declared.find((parameter) => parameter.in === "body")?.schema;
    if (schema === undefined) return text === "" ? [] : ["a body was sent"];
    return this.#checkText(text, schema, "request");
  }

  #reply(responses: Json, status: number, text: string): string[] {
    const declared = responses[status] ?? responses.default;
    if (declared === undefined) return [`status ${status} is not in the document`];
    const reply = this.#deref(declared);
    const schema = reply.schema ?? object(object(reply.content)["application/json"]).schema;
    return schema === undefined || text === "" ? [] : this.#checkText(text, schema, "reply");
  }

  #checkText(text: string, schema: unknown, where: string): string[] {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return [`${where} is not JSON: ${text.slice(0, 80)}`];
    }
    return this.#check(value, this.#deref(schema), where);
  }

  /** Properties that the schema does not name are violations: the server is written from it. */
  #check(value: unknown, schema: Json, where: string): string[] {
    if (value === null) {
      return schema.nullable === true || schema["x-nullable"] === true || schema["x-omitempty"] !== undefined
        ? []
        : [`${where} is null`];
    }
    const flat = this.#flatten(schema);
    const wrong = typeProblem(value, flat.type);
    if (wrong !== undefined) return [`${where} ${wrong}`];
    if (Array.isArray(flat.enum) && !flat.enum.includes(value)) return [`${where} is none of ${flat.enum}`];
    if (typeof value === "number" && typeof flat.maximum === "number" && value > flat.maximum) {
      return [`${where} is above ${flat.maximum}`];
    }
    if (typeof value === "number" && typeof flat.minimum === "number" && value < flat.minimum) {
      return [`${where} is below ${flat.minimum}`];
    }
    if (Array.isArray(value)) {
      return value.flatMap((item, i) => this.#check(item, this.#deref(flat.items), `${where}[${i}]`));
    }
    if (typeof value !== "object" || value === null) return [];
    return this.#members(value as Json, flat, where);
  }

  #members(value: Json, schema: Json, where: string): string[] {
    const properties = object(schema.properties);
    const missing = list(schema.required).filter((name) => !(String(name) in value));
    const open = schema.properties === undefined || schema.additionalProperties !== undefined;
    return [
      ...missing.map((name) => `${where} lacks "${name}"`),
      ...Object.entries(value).flatMap(([name, member]) => {
        if (name in properties) {
          return this.#check(member, this.#deref(properties[name]), `${where}.${name}`);
        }
        return open ? [] : [`${where} has "${name}", which is unknown`];
      }),
    ];
  }

  /** A schema with those of `allOf` merged into it. */
  #flatten(schema: Json): Json {
    return list(schema.allOf).reduce<Json>((merged, part) => {
      const next = this.#flatten(this.#deref(part));
      return {
        ...merged,
        ...next,
        properties: { ...object(merged.properties), ...object(next.properties) },
        required: [...list(merged.required), ...list(next.required)],
      };
    }, schema);
  }

  #deref(value: unknown): Json {
    const schema = object(value);
    if (typeof schema.$ref !== "string") return schema;
    const target = schema.$ref.slice(2).split("/").reduce<unknown>(
      (at, part) => object(at)[part],
      this.#document,
    );
    return this.#deref(target);
  }
}

function typeProblem(value: unknown, type: unknown): string | undefined {
  const actual = Array.isArray(value)
    ? "array"
    : Number.isInteger(value) && type === "integer"
    ? "integer"
    : typeof value;
  return type === undefined || type === actual ? undefined : `is ${actual}, wanted ${type}`;
}

function fromText(text: string, type: unknown): unknown {
  if (type === "integer" || type === "number") return /^-?\d+$/.test(text) ? Number(text) : text;
  return type === "boolean" && (text === "true" || text === "false") ? text === "true" : text;
}

function object(value: unknown): Json {
  return typeof value === "object" && value !== null ? value as Json : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
