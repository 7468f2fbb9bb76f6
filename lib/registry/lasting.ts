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
  /ENOTFOUND|failed to lookup address|no such host|Invalid hostname|Invalid URL|EPERM|Requires \w+ access|InvalidContentType|ERR_SSL/;

/** Whether both sides speak TLS, and one refuses the other. */
export function refusesTls(error: unknown): boolean {
  const text = textOf(error);
  return OF_TLS.test(text) && !/InvalidContentType/.test(text);
}

/** Whether what kept a request from being answered will do so again, however often it is sent. */
export function isLasting(error: unknown): boolean {
  return refusesTls(error) || OTHER.test(textOf(error));
}

/** Codes and messages of an error and of what has caused it. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code = "", message, cause } = error as Error & { readonly code?: string };
  return `${code} ${message}${cause === undefined ? "" : `\n${textOf(cause)}`}`;
}
