/** AWS Signature Version 4, as much as JSON requests to one service need. */
import { sha256Hex } from "../../../core/contract/plugin.ts";

export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary keys. */
  readonly sessionToken?: string;
}

export interface SignableRequest {
  readonly method: string;
  readonly url: URL;
  /** All are signed; `host` and `x-amz-date` are added. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface SigningScope {
  readonly keys: AwsKeys;
  /** `eu-west-1` */
  readonly region: string;
  /** `ecr` */
  readonly service: string;
  readonly now: Date;
}

const encoder = new TextEncoder();

/**
 * The headers of a request with its signature added (AWS General Reference, "Signature Version 4 signing process").
 * Header names come out in lower case.
 */
export async function signAws(
  request: SignableRequest,
  { keys, region, service, now }: SigningScope,
): Promise<Record<string, string>> {
  const time = now.toISOString().replace(/[-:]|\.\d{3}/g, "");
  const date = time.slice(0, 8);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name.toLowerCase()] = value;
  headers.host = request.url.host;
  headers["x-amz-date"] = time;
  if (keys.sessionToken !== undefined) headers["x-amz-security-token"] = keys.sessionToken;
  const names = Object.keys(headers).sort();
  const signed = names.join(";");
  const canonical = [
    request.method,
    canonicalPath(request.url),
    canonicalQuery(request.url),
    ...names.map((name) => `${name}:${headers[name]!.trim().replace(/ +/g, " ")}`),
    "",
    signed,
    await sha256Hex(request.body),
  ].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = ["AWS4-HMAC-SHA256", time, scope, await sha256Hex(canonical)].join("\n");
  let key: Uint8Array = encoder.encode(`AWS4${keys.secretAccessKey}`);
  for (const part of [date, region, service, "aws4_request"]) key = await hmac(key, part);
  const signature = (await hmac(key, text)).toHex();
  headers.authorization =
    `AWS4-HMAC-SHA256 Credential=${keys.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
  return headers;
}

function canonicalPath(url: URL): string {
  return url.pathname.split("/").map((part) => encodeStrictly(decodeURIComponent(part))).join("/") || "/";
}

function canonicalQuery(url: URL): string {
  const pairs = [...url.searchParams].map(([name, value]) =>
    `${encodeStrictly(name)}=${encodeStrictly(value)}`
  );
  return pairs.sort().join("&");
}

/** Everything but unreserved characters (RFC 3986 section 2.3). */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

async function hmac(key: Uint8Array, text: string): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey(
    "raw",
    key as Uint8Array<ArrayBuffer>,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, encoder.encode(text)));
}
