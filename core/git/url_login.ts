/** A URL whose login does not stand in command lines, which every user of a machine can read. */
export interface HiddenLogin {
  /** The URL without its login. */
  readonly url: string;
  /** Arguments of git that go before its command. */
  readonly args: readonly string[];
  /** What only processes of the same user can read. */
  readonly env: Readonly<Record<string, string>>;
}

/** Answers git from the environment; `printf` is a command of the shell itself. */
const HELPER = `!f() { printf 'username=%s\\npassword=%s\\n' "$DAPP_GIT_USERNAME" "$DAPP_GIT_PASSWORD"; }; f`;

/**
 * Takes the name and password out of a URL that git reads over HTTP, and gives them to git in another way. They are for
 * that server alone, and, as in a URL, no helper of the user is asked. A name alone stays: it is what helpers are asked
 * with.
 */
export function hideLogin(url: string): HiddenLogin {
  const match = /^((?:https?|ftps?):\/\/)([^/?#:@]*):([^/?#@]*)@([^/?#@]+)(.*)$/is.exec(url);
  const [, scheme = "", name = "", password = "", host = "", rest = ""] = match ?? [];
  const login = [decoded(name), decoded(password)] as const;
  // git refuses such a URL itself.
  if (!match || /[\0\r\n]/.test(login.join(""))) return { url, args: [], env: {} };
  const key = `credential.${scheme}${host}.helper`;
  return {
    url: `${scheme}${host}${rest}`,
    args: ["-c", `${key}=`, "-c", `${key}=${HELPER}`],
    env: { DAPP_GIT_USERNAME: login[0], DAPP_GIT_PASSWORD: login[1] },
  };
}

/** As git reads it: "%" that begins no byte is a character. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (bytes) => {
    try {
      return decodeURIComponent(bytes);
    } catch {
      return bytes;
    }
  });
}
