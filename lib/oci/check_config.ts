import { isObject } from "../guard.ts";

/** Says what is wrong with the value at a place; gives the value as it is to be used. */
type Shape = (value: unknown, at: string, fail: (why: string) => Error) => unknown;

const shown = (value: unknown) => JSON.stringify(value).slice(0, 60);
const wrong = (value: unknown, at: string, wanted: string) =>
  `"${at}" is ${shown(value)}, wanted is ${wanted}`;

const text: Shape = (value, at, fail) => {
  if (typeof value === "string") return value;
  throw fail(wrong(value, at, "a text"));
};
/** What the kernel takes as an argument, variable or path. */
const argument: Shape = (value, at, fail) => {
  const checked = text(value, at, fail) as string;
  if (!checked.includes("\0")) return checked;
  throw fail(`"${at}" is ${shown(value)}, which has a NUL character in it`);
};
const number: Shape = (value, at, fail) => {
  if (typeof value === "number") return value;
  throw fail(wrong(value, at, "a number"));
};
const flag: Shape = (value, at, fail) => {
  if (typeof value === "boolean") return value;
  throw fail(wrong(value, at, "true or false"));
};
/** `empty` is what `null` stands for in Go, which the tools that write configurations are made in. */
const list = (item: Shape, empty: unknown): Shape => (value, at, fail) => {
  if (!Array.isArray(value)) throw fail(wrong(value, at, "a list"));
  return value.map((each: unknown, i) => each === null ? empty : item(each, `${at}[${i}]`, fail));
};
const map = (item: Shape, empty: unknown): Shape => (value, at, fail) => {
  if (!isObject(value)) throw fail(wrong(value, at, "an object"));
  return Object.fromEntries(
    Object.entries(value).map((
      [key, each],
    ) => [key, each === null ? empty : item(each, `${at}.${key}`, fail)]),
  );
};
/** Members that are not listed stay as they are; `null` is read as absent. */
const members = (shapes: Readonly<Record<string, Shape>>): Shape => (value, at, fail) => {
  if (!isObject(value)) throw fail(wrong(value, at, "an object"));
  const rows = Object.entries(value).filter(([, each]) => each !== null).map(([key, each]) => {
    const shape = Object.hasOwn(shapes, key) ? shapes[key] : undefined;
    return [key, shape ? shape(each, at === "" ? key : `${at}.${key}`, fail) : each] as const;
  });
  return Object.fromEntries(rows);
};

const texts = list(text, "");
const argumentList = list(argument, "");
const empty = map(members({}), {});
/** Docker reads a single text as a list of one. */
const command: Shape = (value, at, fail) =>
  argumentList(typeof value === "string" ? [value] : value, at, fail);

const CONFIG = members({
  created: text,
  author: text,
  architecture: text,
  os: text,
  variant: text,
  "os.version": text,
  "os.features": texts,
  config: members({
    User: argument,
    ExposedPorts: empty,
    Env: argumentList,
    Entrypoint: command,
    Cmd: command,
    Volumes: empty,
    WorkingDir: argument,
    Labels: map(text, ""),
    StopSignal: text,
    StopTimeout: number,
    ArgsEscaped: flag,
    OnBuild: texts,
    Shell: argumentList,
    Healthcheck: members({
      Test: texts,
      Interval: number,
      Timeout: number,
      StartPeriod: number,
      StartInterval: number,
      Retries: number,
    }),
  }),
  history: list(
    members({ created: text, created_by: text, author: text, comment: text, empty_layer: flag }),
    {},
  ),
});

/**
 * An image configuration (image-spec config.md) whose members have the types that they should. Like Docker it takes
 * `null` for absent and refuses other types; what the specification does not name is left alone.
 */
export function checkConfig(
  json: Record<string, unknown>,
  fail: (why: string) => Error,
): Record<string, unknown> {
  return CONFIG(json, "", fail) as Record<string, unknown>;
}
