import * as z from "../../lib/zod_mini.ts";
import {
  type PortRange,
  readAbsolutePath,
  readLabelName,
  readPorts,
  readSignal,
  readVariableName,
  readWord,
} from "../../lib/dockerfile/values.ts";
import { isLiteral, parseTemplate, VariableError } from "../../lib/dockerfile/variables.ts";
import {
  about,
  checked,
  LIST_OR_SCALAR,
  listOf,
  optional,
  preprocess,
  type Refuse,
  refused,
  SCALAR,
  text,
} from "./fields.ts";

/** First element of a command that was written as a text, for a shell to run; no list can begin with it. */
export const SHELL_FORM = "\0";

/** A command: a text is run by a shell, a list as it is. */
function command(
  wrap: (text: string) => readonly string[],
  normalise = (list: (string | undefined)[]) => list,
) {
  return about(
    preprocess(
      (value) =>
        value === null ? undefined : typeof value === "string" && value.trim() !== "" ? wrap(value) : value,
      z.optional(z.pipe(z.array(z.optional(z.string())), z.transform(normalise))),
    ),
    LIST_OR_SCALAR,
  );
}
const programForm = () => command((value) => [SHELL_FORM, value]);

const healthTest = () =>
  command(
    (value) => value.trim() === "NONE" ? ["NONE"] : ["CMD-SHELL", value],
    (list) => ["CMD", "CMD-SHELL", "NONE"].includes(list[0] ?? "") ? list : ["CMD", ...list],
  );

/**
 * A value in which variables of the image may stand. `read` checks what it says; where that depends on the image, it
 * is checked again when the variables are known.
 */
function checkTemplate(
  value: string,
  refuse: Refuse,
  read: (text: string, refuse: Refuse) => string,
): string {
  if (!value.includes("$")) return read(value, refuse);
  try {
    const template = parseTemplate(value);
    if (isLiteral(template)) read(template.join(""), refuse);
    return value;
  } catch (error) {
    if (error instanceof VariableError) {
      return refuse(
        `"${value}" cannot be expanded: ${error.message}`,
        "Write \\$ for a dollar that is meant as such",
      );
    }
    throw error;
  }
}

function template(read: (text: string, refuse: Refuse) => string) {
  return checked((value, refuse) => checkTemplate(value, refuse, read));
}

const UNITS: Readonly<Record<string, number>> = { h: 3600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 };

/** A time span such as `30s` or `1m30s`, in nanoseconds; Docker takes 0 or at least a millisecond. */
const duration = checked((value, refuse) => {
  if (value === "0") return 0;
  if (/^\d+(\.\d+)?$/.test(value)) return refuse(`"${value}" has no unit`, `Did you mean \`${value}s\`?`);
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+$/.test(value)) {
    return refuse(`"${value}" is not a time span`, "Write it like `30s`, `1m30s` or `500ms`");
  }
  let total = 0;
  for (const [, number, unit] of value.matchAll(/([\d.]+)(h|ms|m|s|us|ns)/g)) {
    total += Number(number) * UNITS[unit!]!;
  }
  const rounded = Math.round(total);
  return rounded > 0 && rounded < 1e6 ? refuse(`"${value}" is shorter than a millisecond`) : rounded;
});

const retries = checked((value, refuse) =>
  /^\d{1,9}$/.test(value) ? Number(value) : refuse(`"${value}" is not a whole number`)
);

const ports = template((value, refuse) => {
  const words = value.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) refuse("The value is empty");
  return words.map((word) => formatPorts(readPorts(word, refuse))).join(" ");
});

function formatPorts({ first, last, protocol }: PortRange): string {
  return `${first === last ? first : `${first}-${last}`}/${protocol}`;
}

/** A map of names to texts, also accepted as a list of `NAME=value`. */
function pairs(name: z.ZodType<string>, content: z.ZodType<string>) {
  const read = z.transform((written: unknown, { issues }) => {
    const value = written ?? undefined;
    if (value === undefined) return undefined;
    const out: [string, string][] = [];
    const refuse = (path: (string | number)[], message: string, hint?: string) =>
      issues.push(refused(value, message, hint, path));
    const keep = (key: string, item: string, path: (string | number)[]) => {
      const wrong = [name.safeParse(key), content.safeParse(item)].find(({ success }) => !success);
      if (!wrong) return void out.push([key, item]);
      const issue = wrong.error!.issues[0]!;
      refuse(
        path,
        issue.message,
        issue.code === "custom" ? issue.params?.hint as string | undefined : undefined,
      );
    };
    if (typeof value !== "object" || value === null) {
      refuse(
        [],
        "A map of names and values is wanted: found a text",
        "Write `NAME: value` on a line of its own",
      );
      return z.NEVER;
    }
    for (const [key, item] of Object.entries(value)) {
      const path = [Array.isArray(value) ? Number(key) : key];
      const label = Array.isArray(value) ? "The entry" : `"${key}"`;
      if (item === undefined) continue;
      if (item === null) {
        refuse(path, `${label} has no value`, 'Write "" for an empty one');
      } else if (typeof item !== "string") {
        refuse(path, `${label} takes a text: found ${Array.isArray(item) ? "a list" : "a map"}`);
      } else if (!Array.isArray(value)) keep(key, item, path);
      else if (!item.includes("=")) {
        refuse(path, `"${item}" has no value`, `Write \`${item}=value\`, or use a map`);
      } else keep(item.slice(0, item.indexOf("=")), item.slice(item.indexOf("=") + 1), path);
    }
    // Sorted, because the order of keys must not reach the image.
    const last = new Map(out);
    return Object.fromEntries([...last].sort(([a], [b]) => a < b ? -1 : 1));
  });
  return about(read, { type: ["object", "array", "null"], additionalProperties: SCALAR, items: SCALAR });
}

/** The same where variables of the image may stand. */
function templatePairs(readName: (name: string, refuse: Refuse) => string) {
  return pairs(template(readName), template((value) => value));
}

/** Build arguments of a Dockerfile; nothing in them is replaced. */
export const buildArguments = pairs(checked(readVariableName), z.string());

/** The keys of `HEALTHCHECK` when it is a map. */
const healthcheckShape = {
  test: about(
    healthTest(),
    "The command: a text for a shell, a list to run as it is, or NONE to drop the base image's check.",
  ),
  cmd: about(healthTest(), "The same as `test`."),
  interval: optional(duration, "Time between checks, such as `30s`."),
  timeout: optional(duration, "Time after which one check has failed."),
  startPeriod: optional(duration, "Time after the start in which failures do not count."),
  startInterval: optional(duration, "Time between checks in that time."),
  retries: optional(retries, "Failures in a row that make the container unhealthy."),
};

/** The keys below `docker`. */
export const dockerShape = {
  CMD: about(programForm(), "Default command: a list is run as it is, a text by the image's shell."),
  ENTRYPOINT: about(
    programForm(),
    "Program of the image: a list is run as it is, a text by the image's shell. Drops the base image's `CMD`.",
  ),
  ENV: about(
    templatePairs(readVariableName),
    "Environment variables: a map, or a list of `NAME=value`; added to those of the base image.",
  ),
  LABEL: about(templatePairs(readLabelName), "Labels, likewise."),
  EXPOSE: about(listOf(ports), "Ports the program listens on: `8080`, `53/udp` or `7000-7010`."),
  VOLUME: about(
    listOf(template(readAbsolutePath)),
    "Absolute paths of directories whose content lives outside the container.",
  ),
  ONBUILD: about(listOf(text), "Dockerfile instructions for images that are built on this one."),
  WORKDIR: optional(template(readAbsolutePath), "Absolute directory in which the program starts."),
  USER: optional(template(readWord), "User, or `user:group`, that the program runs as."),
  STOPSIGNAL: optional(
    template(readSignal),
    "Signal that asks the program to stop: a name such as `SIGTERM`, or a number.",
  ),
  HEALTHCHECK: about(
    preprocess(
      (value) =>
        value === null
          ? undefined
          : typeof value === "string" || Array.isArray(value)
          ? { test: value }
          : value,
      z.optional(z.strictObject(healthcheckShape)),
    ),
    {
      type: ["object", ...LIST_OR_SCALAR.type],
      description: "How to tell whether the container is healthy: a command, a map, or NONE.",
    },
  ),
};
