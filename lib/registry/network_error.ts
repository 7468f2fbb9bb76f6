import { withoutNumbers } from "../file_failure.ts";
import type { HostCertificates } from "./certificates.ts";
import { GoneError, redactUrl, RegistryError } from "./errors.ts";
import { TOO_SLOW } from "./pace.ts";

/** Go's servers, docker-registry among them, say so as well where none was shown. */
const NOT_TAKEN = "it does not take the client certificate";
const WANTED = "it wants a client certificate";

/** What rustls, the kernel, Deno, Node.js and undici say, and how people say it. */
const WORDS: readonly (readonly [said: RegExp, told: (match: RegExpExecArray) => string])[] = [
  [/Proxy response \(407\)|Proxy Authentication Required/, () => "the proxy wants a login (407)"],
  [/Proxy response \((\d+)\) !== 200/, ([, status]) => `the proxy lets nobody through (${status})`],
  [/Proxy Connection failed/, () => "the proxy closed the connection"],
  [/close_notify|error reading a body/, () => "the connection ended before the answer"],
  [
    /unexpected end of file|disconnected before secure TLS connection/,
    () => "the connection ended while TLS was set up",
  ],
  [/^other side closed$|^socket hang up$/, () => "the connection ended before the answer"],
  [/^Connect Timeout Error.* timeout: (\d+)ms/, ([, ms]) => `no connection within ${seconds(ms)} s`],
  [/^Headers Timeout Error/, () => "no answer came in time"],
  [/^Body Timeout Error/, () => "the answer paused for too long"],
  [/does not match the HTTP\/1\.1 protocol|^Parse Error/, () => "what came is no HTTP"],
  [/NoApplicationProtocol/, () => "it does not speak HTTP/1.1"],
  [/InvalidContentType/, () => "it does not speak TLS"],
  [/alert: ProtocolVersion/, () => "it speaks no version of TLS that is spoken here"],
  [/alert: CertificateRequired/, () => WANTED],
  [
    /alert: (?:UnknownCA|BadCertificate|UnsupportedCertificate|Certificate(?:Unknown|Expired|Revoked))/,
    () => NOT_TAKEN,
  ],
  [/alert: HandshakeFailure/, () => "it refuses the TLS that is spoken here, or wants a client certificate"],
  [/alert: Unrecogni[sz]edName/, () => "it has nothing under this name"],
  [/not valid after (\d+)/, ([, end]) => `its certificate expired on ${dayOf(end)}`],
  [/not valid before (\d+)/, ([, start]) => `its certificate is not valid before ${dayOf(start)}`],
];

/** Why there is no connection to a host, or no answer, in words for people, without what URLs may hold. */
export function whyNot(error: unknown, hostname: string): string {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  // The built-in `fetch` says what happened in what it names as the cause, after the whole address.
  if (message === "fetch failed" && cause) return whyNot(cause, hostname);
  const text = (message || code || String(error)).replace(
    /^error sending request .*client error \(\w+\)(?:: |$)/s,
    "",
  );
  if (code === "ENOTFOUND" || /failed to lookup address/i.test(text)) return `no such host "${hostname}"`;
  for (const [said, told] of WORDS) {
    const match = said.exec(text);
    if (match) return told(match);
  }
  return withoutNumbers(text) || "the request was not answered";
}

function seconds(ms = "0"): number {
  return Math.round(Number(ms) / 1000);
}

/** The day of seconds since 1970, such as `2020-02-01`. */
function dayOf(seconds = "0"): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 10);
}

/** The code of a failure of TLS, which is spoken there: one side does not take what the other one is or offers. */
export const TLS_REFUSED = "TLS_REFUSED";

/** In the words and codes of rustls, OpenSSL and Node.js. Alerts that say that something went wrong by the way may pass. */
const OF_TLS = new RegExp(
  "certificate|CERT_|SELF_SIGNED|ERR_TLS|peer is incompatible|fatal alert: (?:HandshakeFailure|ProtocolVersion|" +
    "InsufficientSecurity|Unrecogni[sz]edName|NoApplicationProtocol|UnknownCA|AccessDenied|InappropriateFallback)",
  "i",
);
/** Names, rights and addresses are what they are, and so is who answers TLS with something else. */
const OTHER =
  /ENOTFOUND|failed to lookup address|no such host|Invalid hostname|Invalid URL|EPERM|Requires \w+ access|InvalidContentType|ERR_SSL|Proxy response \(40[37]\)|Proxy Authentication Required/;

/** Whether both sides speak TLS, and one refuses the other. */
function refusesTls(error: unknown): boolean {
  const text = textOf(error);
  return OF_TLS.test(text) && !/InvalidContentType/.test(text);
}

/** Whether what kept a request from being answered will do so again, however often it is sent. */
function isLasting(error: unknown): boolean {
  return refusesTls(error) || OTHER.test(textOf(error));
}

/** Codes and messages of an error and of what has caused it. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", message, cause } = error as Error & { readonly code?: string };
  return `${code} ${message}${cause === undefined ? "" : `\n${textOf(cause)}`}`;
}

/** The code of a failure that a kept connection was gone; nobody knows what has arrived. */
export const GONE = "GONE";

/**
 * What kept an answer from coming, or, with `begun`, its end: the signal's reason when that is aborted, else a
 * {@linkcode RegistryError}.
 *
 * @param exchange `certificates`: those for the host, whose files that cannot be used are told where TLS is refused;
 *   `proxy`: whom the host is reached through, who alone looks its name up
 */
export function networkError(
  error: unknown,
  { method, url, begun = false, certificates = {}, proxy }: {
    readonly method: string;
    readonly url: URL;
    readonly begun?: boolean;
    readonly certificates?: HostCertificates;
    readonly proxy?: URL | undefined;
  },
  signal: AbortSignal,
): unknown {
  if (signal.aborted) return signal.reason;
  const { code } = error as { code?: string };
  const shown = redactUrl(url);
  const refused = refusesTls(error);
  const unused = refused ? certificates.unusable ?? [] : [];
  const said = whyNot(error, (proxy ?? url).hostname);
  const why = [said === NOT_TAKEN && !certificates.cert ? WANTED : said, ...unused].join("; ");
  const way = proxy ? ` through the proxy ${proxy.host}` : "";
  return new RegistryError(`Cannot ${begun ? "read" : "reach"} ${shown}${way}: ${why}`, {
    kind: "failed",
    method,
    url: shown,
    retryable: !isLasting(error),
    ...(refused && { code: TLS_REFUSED }),
    ...(unused.length > 0 && { unusableFiles: true }),
    ...(code === TOO_SLOW && { code }),
    ...(error instanceof GoneError && { code: GONE }),
    cause: error,
  });
}
