import type { RegistryError } from "./errors.ts";

/** How the user calls what messages are about. */
export interface AdviceWords {
  /** Host with optional port, `docker.io` for Docker Hub. */
  readonly domain: string;
  /** What was asked for, wherever it was given: "REPO". */
  readonly name: string;
  /** Where the login of this run was given, if it was: "--registry-username and --registry-password". */
  readonly login: string;
  /** How hosts are allowed that cannot be verified: "--insecure-registry". */
  readonly insecure: string;
}

const HUB = 'a name whose part before the first "/" has no "." and no ":" is one of Docker Hub';

/** In the words of Node.js, of the wire and of the kernel. */
const NO_WAY =
  /ENETUNREACH|EHOSTUNREACH|ETIMEDOUT|timed out|timeout|network is unreachable|no route to host/i;

/** What to do about a failure of a registry; undefined where nobody can tell. */
export function adviceFor({ kind, message, details }: RegistryError, words: AdviceWords): string | undefined {
  if (details.fix !== undefined) return details.fix;
  const { domain } = words;
  const { method, url = "" } = details;
  // Storage and token servers have certificates of their own.
  const host = URL.parse(url)?.host ?? domain;
  const login = `Log in with: docker login${domain === "docker.io" ? "" : ` ${domain}`}`;
  if (kind === "denied") {
    if (details.given && details.login !== "weak") {
      return `Correct ${words.login}: that is the login of this run`;
    }
    if (details.login === "none") return `${login}${hub(domain)}`;
    if (details.login !== "weak") return login;
    const rights = details.lacking === undefined
      ? "the rights of this login"
      : `its right to ${details.lacking}`;
    const other = details.given
      ? `give another one with ${words.login}`
      : `log in as somebody else: ${login.slice(13)}`;
    return `Check ${rights}, and that the repository exists; or ${other}`;
  }
  if (details.unusableFiles) return "Correct the files that the message names";
  if (details.variable !== undefined) return `Correct or unset ${details.variable}`;
  if (kind === "locked") {
    return "Have the rule of the registry changed that the message names, or use other tags or another repository";
  }
  if (kind === "full") {
    return method === "GET" || method === "HEAD"
      ? "Have the quota raised that the message names"
      : "Make room in the registry: dapp dimg cleanup repo and stages cleanup repo, then its garbage collection; " +
        "or have its quota or disk enlarged";
  }
  if (kind === "limited") {
    const wait = details.retryAfterMs;
    const later = wait === undefined ? "later" : `in ${Math.ceil(wait / 60_000)} min`;
    return domain === "docker.io" ? `${login}, or try again ${later}` : `Try again ${later}`;
  }
  if (details.code === "NAME_UNKNOWN" || details.code === "NAME_INVALID") {
    return `Create the project or repository first, or correct ${words.name}`;
  }
  if (/with a page that is not the registry's|the answer is not JSON/.test(message)) {
    return `Check that the registry runs, what answers in its place, and the host in ${words.name}`;
  }
  if (details.status === 413) return "Raise the largest body that the proxy before the registry lets through";
  if (/certificate (?:expired on|is not valid before) /.test(message)) {
    return "Have the registry's certificate renewed, or set the clock of this machine right";
  }
  if (/certificate not valid for name|certificate's altnames/.test(message)) {
    return `Call the registry by a name that its certificate has, or name the host with ${words.insecure}`;
  }
  if (/wants a client certificate/.test(message)) {
    return `Put the certificate and its key into /etc/docker/certs.d/${host}, as client.cert and client.key`;
  }
  if (/does not take the client certificate/.test(message)) {
    return `Put one that it takes into /etc/docker/certs.d/${host}, as client.cert, with its key as client.key`;
  }
  if (/the proxy (?:wants|lets|closed|that)/.test(message)) {
    return "Check the proxy that HTTP_PROXY or HTTPS_PROXY names, and its login: http://USER:PASSWORD@HOST:PORT";
  }
  if (/does not speak TLS/.test(message)) {
    return `Name the host with ${words.insecure}, if plain http is meant`;
  }
  if (/certificate|SELF_SIGNED|CERT_/i.test(message)) {
    return `Put the registry's CA into /etc/docker/certs.d/${host}/ca.crt, or name the host with ${words.insecure}`;
  }
  if (/ through the proxy /.test(message)) {
    return "Check the proxy that HTTP_PROXY or HTTPS_PROXY names, or name the registry in NO_PROXY";
  }
  if (details.status === undefined && /^Cannot log in to registry/.test(message)) {
    return "Check that the token server works which the message names, and that this machine reaches it";
  }
  if (/no such host/.test(message)) {
    return domain === "docker.io"
      ? `Check this machine's network and name server, or the proxy in HTTPS_PROXY; ${HUB}`
      : `Check the host in ${words.name}, and that this machine can resolve it`;
  }
  if (/\bEPERM\b|Requires net access/.test(message)) {
    return "Run Deno with --allow-net as well, or with -A: without it nothing can be reached";
  }
  if (/ECONNREFUSED|connection refused/i.test(message)) {
    return `Check host and port in ${words.name}, and that the registry runs`;
  }
  if (details.status === undefined && NO_WAY.test(message)) {
    return `Check this machine's network, or the proxy in HTTPS_PROXY${hub(domain)}`;
  }
  return undefined;
}

function hub(domain: string): string {
  return domain === "docker.io" ? `; ${HUB}` : "";
}
