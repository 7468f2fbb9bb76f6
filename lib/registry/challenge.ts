/** One challenge of a `WWW-Authenticate` header. */
export interface Challenge {
  /** Lower case. */
  readonly scheme: string;
  /** Keys in lower case. */
  readonly params: Readonly<Record<string, string>>;
}

/** The challenge of a 401 answer that can be met: Bearer, else Basic; undefined when it has none. */
export function challengeOf(response: { header(name: string): string | undefined }): Challenge | undefined {
  const challenges = parseChallenges(response.header("www-authenticate") ?? "");
  return challenges.find(({ scheme, params }) => scheme === "bearer" && params.realm) ??
    challenges.find(({ scheme }) => scheme === "basic");
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;

/**
 * Reads a `WWW-Authenticate` value (RFC 9110 section 11.6.1): several challenges may be joined by commas, quoted
 * values hold commas and escapes. What cannot be understood is passed over.
 */
export function parseChallenges(header: string): Challenge[] {
  const out: { scheme: string; params: Record<string, string> }[] = [];
  let at = 0;
  const skip = (chars: string) => {
    while (at < header.length && chars.includes(header[at]!)) at++;
  };
  const token = (): string | undefined => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(header)?.[0];
    if (match) at += match.length;
    return match;
  };
  while (at < header.length) {
    skip(" \t,");
    const word = token();
    if (word === undefined) {
      at++;
      continue;
    }
    const afterWord = at;
    skip(" \t");
    if (header[at] === "=" && out.length > 0) {
      at++;
      skip(" \t");
      const value = header[at] === '"' ? quoted() : token() ?? "";
      out.at(-1)!.params[word.toLowerCase()] = value;
    } else {
      at = afterWord;
      out.push({ scheme: word.toLowerCase(), params: {} });
    }
  }
  return out;

  function quoted(): string {
    let value = "";
    for (at++; at < header.length && header[at] !== '"'; at++) {
      if (header[at] === "\\" && at + 1 < header.length) at++;
      value += header[at];
    }
    at++;
    return value;
  }
}
