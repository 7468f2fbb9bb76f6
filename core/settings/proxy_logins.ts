import type { Environment } from "../../lib/environment.ts";

const VARIABLE = /^(?:https?|ftp|all)_proxy$/i;
const LOGIN = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/@]*:[^/@]*@)/i;

/** `user:password@` of the proxies of the environment, as commands that show their environment print them. */
export function proxyLogins(env: Environment): readonly string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    VARIABLE.test(name) ? LOGIN.exec(value ?? "")?.[1] ?? [] : []
  );
}
