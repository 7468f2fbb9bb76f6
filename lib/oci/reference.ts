import { type Digest, isDigest } from "./digest.ts";
import { OciError } from "./errors.ts";

/** The full name of an image in a registry (github.com/distribution/reference). */
export interface Reference {
  /** Host with optional port, in lower case: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** Repository below the host. */
  readonly path: string;
  /** `latest` when neither tag nor digest was given. */
  readonly tag?: string;
  /** Decides over the tag. */
  readonly digest?: Digest;
}

/** A text that is no image name. */
export class NameError extends OciError {
  /** @param why what is wrong with it, to follow a colon */
  constructor(text: string, readonly why: string) {
    super("invalid", `Cannot read image name "${text}": ${why}`, { fix: FORM });
  }
}

const FORM = "Write it as [HOST/]PATH[:TAG][@DIGEST], the path in lower-case letters";

const PART = "[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?";
const DOMAIN = new RegExp(`^(?:${PART}(?:\\.${PART})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const MAX_NAME = 255;

/**
 * Reads `[domain/]path[:tag][@digest]` and completes it as Docker does: `ubuntu` is
 * `docker.io/library/ubuntu:latest`. The first component is a host only if it has a "." or ":", is `localhost`, or has
 * an upper-case letter.
 *
 * @throws {NameError} with the reason
 */
export function parseReference(text: string): Reference {
  const fail = (why: string) => new NameError(text, why);
  if (text === "") throw fail("it is empty");
  if (/^[0-9a-f]{64}$/.test(text)) throw fail("it is an image id, wanted is a name");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw fail(`"${digest}" is no digest, wanted is "sha256:" and 64 hex digits`);
  }
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) {
    throw fail(
      `"${tag}" is no tag, wanted are 1 to 128 letters, digits, "_", "." and "-", not starting with . or -`,
    );
  }
  const { domain, path } = splitDomain(colon < 0 ? named : named.slice(0, colon));
  // Also what looks like one may be none: a port above 65535, numbers that are no address, letters that are not encoded.
  if (!DOMAIN.test(domain) || !URL.canParse(`https://${domain}`)) throw fail(`"${domain}" is no host name`);
  for (const component of path.split("/")) {
    if (COMPONENT.test(component)) continue;
    const why = /[A-Z]/.test(component)
      ? "upper-case letters are not allowed there"
      : 'wanted are lower-case letters and digits, separated by ".", "_", "__" or "-"';
    throw fail(`"${component}" is no repository name: ${why}`);
  }
  if (domain.length + 1 + path.length > MAX_NAME) throw fail(`it is longer than ${MAX_NAME} characters`);
  return {
    domain,
    path,
    ...(tag !== undefined ? { tag } : digest === undefined && { tag: "latest" }),
    ...(digest !== undefined && { digest }),
  };
}

function splitDomain(name: string): { readonly domain: string; readonly path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const isHost = /[.:A-Z]/.test(first) || first === "localhost";
  const host = first.toLowerCase();
  const domain = !isHost || host === "index.docker.io" ? "docker.io" : host;
  const path = isHost ? name.slice(slash + 1) : name;
  return { domain, path: domain === "docker.io" && !path.includes("/") ? `library/${path}` : path };
}

/** Whether `text` may stand after the ":" of an image name. */
export function isTag(text: string): boolean {
  return TAG.test(text);
}

/** The full name. */
export function formatReference({ domain, path, tag, digest }: Reference): string {
  return `${domain}/${path}${tag === undefined ? "" : ":" + tag}${digest === undefined ? "" : "@" + digest}`;
}

/** The name as Docker shows it: without `docker.io/` and `library/`. */
export function familiarName(reference: Reference): string {
  return formatReference(reference).replace(/^docker\.io\/(library\/)?/, "");
}
