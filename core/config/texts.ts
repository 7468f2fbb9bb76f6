/** What texts of a dappfile must look like: names, addresses and amounts. */
import { parseBytes, parseDuration } from "../../lib/quantity.ts";
import { suggest } from "../../lib/suggest.ts";
import { about, checked } from "./fields.ts";
import { withoutEnd } from "../../lib/without_end.ts";

/** One of a few words. */
export function oneOf<const T extends string>(...values: readonly T[]) {
  return about(
    checked((value, refuse): T => {
      const found = values.find((v) => v === value);
      if (found !== undefined) return found;
      const near = suggest(value, values);
      const list = values.map((v) => `\`${v}\``).join(" or ");
      return refuse(`"${value}" is not allowed: it must be ${list}`, near && `Did you mean \`${near}\`?`);
    }),
    { enum: [...values] },
  );
}

/** What `from` names. */
export const baseImage = checked((value, refuse) => {
  if (value.trim() === "") return refuse("The image name is empty", "Name a base image, or write `scratch`");
  // These name files, which may be called anything.
  if (/^(?:archive|oci):/.test(value)) return value;
  if (/\s/.test(value)) return refuse(`Image name "${value}" contains white space`);
  const odd = /["'`[\]{}<>|\\]/.exec(value);
  if (odd) return refuse(`Image name "${value}" contains \`${odd[0]}\``);
  const scheme = /^(https?|docker):\/\/(.*)$/.exec(value);
  if (scheme) return refuse(`Image name "${value}" is a URL`, `Did you mean "${scheme[2]}"?`);
  return value;
});

/** A branch or tag of git. */
export const refName = checked((value, refuse) => {
  if (value === "") return refuse("The name is empty");
  const bad = /[\s~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$/.exec(value);
  if (!bad) return value;
  const how = bad.index === 0 ? "starts with" : "contains";
  return refuse(`"${value}" is not a name of a branch or tag: it ${how} "${bad[0]}"`);
});

/** A commit of git, in full. */
export const commitId = checked((value, refuse) =>
  /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(value) ? value.toLowerCase() : refuse(
    `"${value}" is not a full commit id: 40 or 64 hex digits are wanted`,
    "Print it with: git rev-parse NAME",
  )
);

const URL_FORMS = "Use https://host/path, ssh://host/path, git@host:path, file:///path or an absolute path";

/** Another repository. */
export const gitUrl = checked((value, refuse) => {
  if (/\s/.test(value)) return refuse("The URL contains white space");
  const scheme = /^([A-Za-z][\w+.-]*):\/\//.exec(value)?.[1];
  if (scheme) {
    const known = ["https", "http", "ssh", "git", "file"];
    if (!known.includes(scheme)) {
      return refuse(`"${scheme}" is not a way to reach a git repository`, URL_FORMS);
    }
    const shape = scheme === "file" ? /^file:\/\/\/./ : /^\w+:\/\/(?:[^/@]*@)?[\w[][^/]*\/./;
    return shape.test(value) ? value : refuse("The URL names no repository", URL_FORMS);
  }
  if (/^\/[^/]/.test(value) || /^(?:[\w.-]+@)?\w[\w.-]*:[^:].*$/.test(value)) return value;
  return refuse(`"${value}" is not the address of a git repository`, URL_FORMS);
});

/** REPO; what it names is looked at in `names.ts`. */
export const repo = checked((value, refuse) => {
  if (/\s/.test(value) || value === "") return refuse(`"${value}" is not a repository`);
  return withoutEnd(value, "/");
});

/** A user or group of an image. */
export const owner = checked((value, refuse) => {
  if (!/^[^\s:]+$/.test(value)) {
    return refuse(
      `"${value}" is not a name or number`,
      value.includes(":") ? "`owner` and `group` are two keys" : undefined,
    );
  }
  return value;
});

/** How a secret is called. */
export const secretId = checked((value, refuse) =>
  /^[A-Za-z0-9][\w.-]{0,127}$/.test(value)
    ? value
    : refuse(`"${value}" is not an id`, "Use letters, digits, `_`, `.` and `-`; commands see /run/secrets/ID")
);

/** A variable of the environment. */
export const variable = checked((value, refuse) => {
  if (/^[A-Za-z_]\w*$/.test(value)) return value;
  const meant = /^\$\{?(\w+)\}?$|^\$\{\{\s*env\.(\w+)/.exec(value);
  return refuse(
    `"${value}" is not a name of a variable`,
    meant ? `Name it alone: \`${meant[1] ?? meant[2]}\`` : "Use letters, digits and `_`",
  );
});

/** Milliseconds, as people write them. */
export const duration = checked((value, refuse) =>
  parseDuration(value) ??
    refuse(`"${value}" is not a duration`, "Write a number with s, m, h, d or w, such as 2h")
);

/** Bytes, likewise. */
export const bytes = checked((value, refuse) =>
  parseBytes(value) ??
    refuse(`"${value}" is not a size`, "Write a number with B, kB, MB, GB or TB, such as 50GB")
);
