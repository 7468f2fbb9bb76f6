import { z } from "zod";
import { suggest } from "../../lib/suggest.ts";
import {
  absolutePathOrVariable,
  checked,
  LIST_OR_SCALAR,
  listOf,
  type Refuse,
  SCALAR,
  text,
  word,
} from "./fields.ts";

/** A command: a text is run by a shell, a list as it is. */
function command(
  wrap: (text: string) => readonly string[],
  normalise = (list: (string | undefined)[]) => list,
) {
  return z.preprocess(
    (value) =>
      value === null ? undefined : typeof value === "string" && value.trim() !== "" ? wrap(value) : value,
    z.array(z.string().optional()).transform(normalise).optional(),
  ).meta(LIST_OR_SCALAR);
}
const shellForm = () => command((value) => ["/bin/sh", "-c", value]);

const healthTest = command(
  (value) => value.trim() === "NONE" ? ["NONE"] : ["CMD-SHELL", value],
  (list) => ["CMD", "CMD-SHELL", "NONE"].includes(list[0] ?? "") ? list : ["CMD", ...list],
);

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

const port = checked((value, refuse) => {
  if (value.includes("$")) return value.includes("/") ? value : `${value}/tcp`;
  const match = /^(\d+)(?:-(\d+))?(?:\/(.*))?$/.exec(value);
  if (!match) {
    return refuse(
      `"${value}" is not a port`,
      value.includes(":")
        ? "EXPOSE names ports of the container only, such as `8080`"
        : "Write it like `8080`, `53/udp` or `7000-7010`",
    );
  }
  const [, first, last = first, protocol = "tcp"] = match;
  for (const number of [first!, last!]) {
    if (Number(number) < 1 || Number(number) > 65535) {
      return refuse(`Port ${number} is not between 1 and 65535`);
    }
  }
  if (Number(last) < Number(first)) {
    return refuse(`Port range "${value}" runs backwards`, `Did you mean \`${last}-${first}\`?`);
  }
  const known = ["tcp", "udp", "sctp"];
  if (!known.includes(protocol.toLowerCase())) {
    const near = suggest(protocol, known);
    return refuse(
      `Protocol "${protocol}" is not known`,
      near ? `Did you mean \`${near}\`?` : "Use tcp, udp or sctp",
    );
  }
  const range = Number(first) === Number(last) ? `${Number(first)}` : `${Number(first)}-${Number(last)}`;
  return `${range}/${protocol.toLowerCase()}`;
});

const SIGNALS =
  ("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN " +
    "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split(" ").map((name) => `SIG${name}`);

const signal = checked((value, refuse) => {
  if (/^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= 64) return value;
  const name = value.startsWith("SIG") ? value : `SIG${value}`;
  if (SIGNALS.includes(name) || /^SIGRTM(?:IN\+\d+|AX-\d+|IN|AX)$/.test(name)) return name;
  const near = /^\d+$/.test(value) ? undefined : suggest(value, SIGNALS) ?? suggest(`SIG${value}`, SIGNALS);
  return refuse(
    `"${value}" is not a signal`,
    near ? `Did you mean \`${near}\`?` : "Write a name such as SIGTERM, or a number",
  );
});

/** A map of names to texts, also accepted as a list of `NAME=value`. */
function pairs(check: (name: string, refuse: Refuse) => unknown) {
  const name = checked((value, refuse) => {
    check(value, refuse);
    return value;
  });
  return z.preprocess((value) => value ?? undefined, z.unknown()).transform((value, ctx) => {
    if (value === undefined) return undefined;
    const out: [string, string][] = [];
    const refuse = (path: (string | number)[], message: string, hint?: string) =>
      ctx.addIssue({ code: "custom", message, path, params: { hint } });
    const keep = (key: string, item: string, path: (string | number)[]) => {
      const parsed = name.safeParse(key);
      if (parsed.success) return void out.push([key, item]);
      const issue = parsed.error.issues[0]!;
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
  }).meta({ type: ["object", "array", "null"], additionalProperties: SCALAR, items: SCALAR });
}

const envName = (name: string, refuse: Refuse) => {
  if (name === "") return refuse("The name is empty");
  if (/[\s=]/.test(name)) {
    return refuse(`"${name}" is not a name of a variable`, "Names contain no spaces and no =");
  }
};
const labelName = (name: string, refuse: Refuse) => {
  if (name.trim() === "") return refuse("The name is empty");
};

/** The keys of `HEALTHCHECK` when it is a map. */
const healthcheckShape = {
  test: healthTest.describe(
    "The command: a text for a shell, a list to run as it is, or NONE to drop the base image's check.",
  ),
  cmd: healthTest.describe("The same as `test`."),
  interval: duration.optional().describe("Time between checks, such as `30s`."),
  timeout: duration.optional().describe("Time after which one check has failed."),
  startPeriod: duration.optional().describe("Time after the start in which failures do not count."),
  retries: retries.optional().describe("Failures in a row that make the container unhealthy."),
};

/** The keys below `docker`. */
export const dockerShape = {
  CMD: shellForm().describe("Default command: a list is run as it is, a text by /bin/sh."),
  ENTRYPOINT: shellForm().describe(
    "Program of the image: a list is run as it is, a text by /bin/sh. Drops the base image's CMD.",
  ),
  ENV: pairs(envName).describe("Environment variables, added to those of the base image."),
  LABEL: pairs(labelName).describe("Labels, added to those of the base image."),
  EXPOSE: listOf(port).describe("Ports the program listens on: `8080`, `53/udp` or `7000-7010`."),
  VOLUME: listOf(absolutePathOrVariable).describe("Directories whose content lives outside the container."),
  ONBUILD: listOf(text).describe("Dockerfile instructions for images that are built on this one."),
  WORKDIR: absolutePathOrVariable.optional().describe("Absolute directory in which the program starts."),
  USER: word.optional().describe("User, or `user:group`, that the program runs as."),
  STOPSIGNAL: signal.optional().describe("Signal that asks the program to stop."),
  HEALTHCHECK: z.preprocess(
    (value) =>
      value === null
        ? undefined
        : typeof value === "string" || Array.isArray(value)
        ? { test: value }
        : value,
    z.strictObject(healthcheckShape).optional(),
  ).meta({
    type: ["object", ...LIST_OR_SCALAR.type],
    description: "How to tell whether the container is healthy: a command, a map, or NONE.",
  }),
};
