/** Variables that name the proxies of this machine. */
export const PROXY_VARIABLES: readonly string[] = ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"]
  .flatMap((name) => [name, name.toUpperCase()]);

const LOGIN = /^([a-z][a-z0-9+.-]*:\/\/)?([^/@]*@)/i;

/** `user:password@` of the proxies of the environment, as commands that show their environment print them. */
export function proxyLogins(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const logins = PROXY_VARIABLES.flatMap((name) => LOGIN.exec(env[name] ?? "")?.[2] ?? []);
  return logins.filter((login) => login.includes(":"));
}

/** A proxy's address without user and password. */
export function withoutLogin(proxy: string): string {
  return proxy.replace(LOGIN, "$1");
}
