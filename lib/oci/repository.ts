import { suggest } from "../suggest.ts";
import { withoutEnd } from "../without_end.ts";
import { NameError, parseReference } from "./reference.ts";

/** The scheme of directories. */
const LAYOUT = "oci";

/** Why a text names no repository. */
export interface RepositoryProblem {
  /** What is wrong, to follow a colon; with what was probably meant. */
  readonly why: string;
  /** What to do, where more is known. */
  readonly fix?: string;
}

/**
 * What is wrong with `host[:port]/path` or `oci:DIR`; undefined when nothing is. A tag, a digest, a scheme or a slash at
 * the end is a mistake. What plugins open may be called otherwise.
 */
export function repositoryProblem(text: string): RepositoryProblem | undefined {
  if (text.startsWith(`${LAYOUT}:`)) return layoutProblem(text.slice(LAYOUT.length + 1));
  const wrong = (why: string, fix?: string, meant = mended(text)): RepositoryProblem => {
    const hint = meant === undefined ? "" : `. Did you mean "${meant}"?`;
    return { why: `${why}${hint}`, ...(fix !== undefined && { fix }) };
  };
  // Both cases by name: the first expression with `i` takes V8 half a millisecond.
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//.test(text)) return wrong("it has a scheme, wanted is host/path");
  if (text.endsWith("/")) return wrong('it ends with "/", wanted is host/path');
  if (text.includes("@")) return wrong("it has a digest or user name, wanted is host/path");
  if (/^[^/]+:\d+$/.test(text)) return wrong("it has no path, wanted is host/path");
  const [, scheme, rest = ""] = /^([a-zA-Z][a-zA-Z0-9+-]*):(?!\d+(?:\/|$))(.*)$/s.exec(text) ?? [];
  if (scheme !== undefined) {
    const known = suggest(scheme, [LAYOUT]);
    const named = `ame ${LAYOUT}:DIR, or what a plugin under \`plugins:\` opens`;
    return wrong(
      `no plugin opens "${scheme}:", and no tag belongs to it`,
      rest.includes("/")
        ? `N${named}`
        : `If ":${rest}" is a tag, leave it out and give it with --tag ${rest}; else n${named}`,
      known && `${known}:${rest}`,
    );
  }
  if (/:[^/]*$/.test(text)) {
    const tag = text.slice(text.lastIndexOf(":") + 1);
    return wrong(
      "it has a tag, wanted is host/path without one",
      `Leave ":${tag}" out, and give the tag with --tag ${tag}`,
    );
  }
  try {
    parseReference(text);
    return undefined;
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return wrong(error.why);
  }
}

function layoutProblem(dir: string): RepositoryProblem | undefined {
  if (withoutEnd(dir, "/") === "") return { why: "the directory is missing, wanted is oci:DIR" };
  return dir.includes(":") ? { why: "a tag follows the directory, wanted is oci:DIR" } : undefined;
}

/** The nearest thing that could be a repository; undefined when that is no better. */
function mended(text: string): string | undefined {
  const path = text.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/{2,}/g, "/");
  const bare = withoutEnd(path, "/");
  const named = bare.replace(/@sha256:.*$/, "").replace(/^[^/@]*@/, "");
  const slash = named.indexOf("/");
  if (slash < 0) return undefined;
  const meant = (named.slice(0, slash) + named.slice(slash).replace(/:[^/]*$/, "")).toLowerCase();
  if (meant === text) return undefined;
  try {
    parseReference(meant);
    return meant;
  } catch {
    return undefined;
  }
}
