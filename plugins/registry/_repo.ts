import { EngineError } from "../../core/contract/errors.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { parseReference } from "../../lib/oci/reference.ts";
import { suggest } from "../../lib/suggest.ts";
import { withoutEnd } from "../../lib/without_end.ts";

/** The scheme of directories. */
const LAYOUT = "oci";

/** REPO in a registry. */
export interface Repo {
  /** Host with optional port. */
  readonly domain: string;
  /** Below the host. */
  readonly path: string;
}

/**
 * Reads `host[:port]/path`, completed as Docker does. A tag, a digest, a scheme or a slash at the end is a mistake.
 *
 * @throws {EngineError} REPO_INVALID, with what was probably meant
 */
export function parseRepo(text: string): Repo {
  const fail = (why: string, fix?: string, meant = mendRepo(text)) => {
    const hint = meant === undefined ? "" : `. Did you mean "${meant}"?`;
    return new EngineError("REPO_INVALID", `Cannot use repository "${text}": ${why}${hint}`, {
      ...(fix !== undefined && { fix }),
    });
  };
  // Both cases by name: the first expression with `i` takes V8 half a millisecond.
  if (/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\//.test(text)) throw fail("it has a scheme, wanted is host/path");
  if (text.endsWith("/")) throw fail('it ends with "/", wanted is host/path');
  if (text.includes("@")) throw fail("it has a digest or user name, wanted is host/path");
  if (/^[^/]+:\d+$/.test(text)) throw fail("it has no path, wanted is host/path");
  const [, scheme, rest = ""] = /^([a-zA-Z][a-zA-Z0-9+-]*):(?!\d+(?:\/|$))(.*)$/s.exec(text) ?? [];
  if (scheme !== undefined) {
    const known = suggest(scheme, [LAYOUT]);
    const named = `ame ${LAYOUT}:DIR, or what a plugin under \`plugins:\` opens`;
    throw fail(
      `no plugin opens "${scheme}:", and no tag belongs to it`,
      rest.includes("/")
        ? `N${named}`
        : `If ":${rest}" is a tag, leave it out and give it with --tag ${rest}; else n${named}`,
      known && `${known}:${rest}`,
    );
  }
  if (/:[^/]*$/.test(text)) {
    const tag = text.slice(text.lastIndexOf(":") + 1);
    throw fail(
      "it has a tag, wanted is host/path without one",
      `Leave ":${tag}" out, and give the tag with --tag ${tag}`,
    );
  }
  try {
    const { domain, path } = parseReference(text);
    return { domain, path };
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw fail(error.message.slice(error.message.indexOf('": ') + 3));
  }
}

/** The nearest thing that could be a repository; undefined when that is no better. */
function mendRepo(text: string): string | undefined {
  const path = text.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/\/{2,}/g, "/");
  const bare = withoutEnd(path, "/");
  const named = bare.replace(/@sha256:.*$/, "").replace(/^[^/@]*@/, "");
  const slash = named.indexOf("/");
  if (slash < 0) return undefined;
  const mended = (named.slice(0, slash) + named.slice(slash).replace(/:[^/]*$/, "")).toLowerCase();
  if (mended === text) return undefined;
  try {
    parseReference(mended);
    return mended;
  } catch {
    return undefined;
  }
}
