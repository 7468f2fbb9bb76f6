import { redactUrl, RegistryError } from "./errors.ts";

interface Link {
  readonly target: string;
  /** Names in lower case. */
  readonly params: ReadonlyMap<string, string>;
}

/**
 * The address of the next page in a `Link` header (RFC 8288), resolved against the page's own; undefined on the last
 * page. Scheme, host and port stay those of the page: registries behind proxies confuse http and https. A link that does
 * not say what it is leads on, since clients of registries follow whatever is there.
 *
 * @throws {RegistryError} refused, when it leads to another host or cannot be understood: a list that ends there would
 *   be short
 */
export function nextPage(header: string | undefined, page: URL): URL | undefined {
  if (header === undefined || header.trim() === "") return undefined;
  const refuse = (why: string) =>
    new RegistryError(`Cannot read the page after ${redactUrl(page)}: ${why}`, {
      kind: "refused",
      url: redactUrl(page),
    });
  const links = parseLinks(header);
  if (links.length === 0) throw refuse(`its Link header cannot be understood: ${header.slice(0, 200)}`);
  const next = links.find((link) => relations(link)?.includes("next")) ??
    links.find((link) => relations(link) === undefined);
  if (!next) return undefined;
  const { target } = next;
  if (!URL.canParse(target, page)) throw refuse("its address is no URL");
  const url = new URL(target, page);
  if (url.hostname !== page.hostname || !["http:", "https:"].includes(url.protocol)) {
    throw refuse(`it leads to ${redactUrl(url)}`);
  }
  return new URL(`${url.pathname}${url.search}`, page);
}

/** Relation types in lower case; undefined when the link does not tell any. */
function relations({ params }: Link): readonly string[] | undefined {
  const types = params.get("rel")?.toLowerCase().split(/[\s']+/).filter((type) => type !== "") ?? [];
  return types.length === 0 ? undefined : types;
}

/**
 * The links of a header. Targets may hold any character but ">", quoted values commas and escapes. Some servers leave the
 * brackets out; then the target ends at ";", or at a comma that a space follows.
 */
function parseLinks(header: string): Link[] {
  const links: Link[] = [];
  const BEFORE = /[\s,]*/y;
  const TARGET = /<([^>]*)>|([^\s<>;][^<>;]*?)(?=;|,\s|$)/y;
  const PARAM = /\s*;\s*(?:([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?)?/y;
  for (let at = 0; at < header.length;) {
    BEFORE.lastIndex = at;
    BEFORE.exec(header);
    TARGET.lastIndex = BEFORE.lastIndex;
    const target = TARGET.exec(header);
    if (!target) return BEFORE.lastIndex === header.length ? links : [];
    at = TARGET.lastIndex;
    const params = new Map<string, string>();
    for (let param; PARAM.lastIndex = at, (param = PARAM.exec(header)) !== null;) {
      at = PARAM.lastIndex;
      const [, name, quoted, plain = ""] = param;
      // The first of a name counts (RFC 8288 section 3.3).
      const key = name?.toLowerCase();
      if (key && !params.has(key)) params.set(key, quoted?.replace(/\\(.)/g, "$1") ?? plain);
    }
    links.push({ target: (target[1] ?? target[2] ?? "").trim(), params });
  }
  return links;
}
