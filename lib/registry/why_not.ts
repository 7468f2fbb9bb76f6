/** What rustls, the kernel, Deno and Node.js say, and how people say it. */
const WORDS: readonly (readonly [said: RegExp, told: (match: RegExpExecArray) => string])[] = [
  [/close_notify|error reading a body/, () => "the connection ended before the answer"],
  [/unexpected end of file/, () => "the connection ended while TLS was set up"],
  [/NoApplicationProtocol/, () => "it does not speak HTTP/1.1"],
  [/InvalidContentType/, () => "it does not speak TLS"],
  [/alert: ProtocolVersion/, () => "it speaks no version of TLS that is spoken here"],
  [/alert: CertificateRequired/, () => "it wants a client certificate"],
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
  return text.replace(/ \(os error \d+\)/, "") || "the request was not answered";
}

/** The day of seconds since 1970, such as `2020-02-01`. */
function dayOf(seconds = "0"): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 10);
}
