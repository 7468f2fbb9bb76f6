import type { Environment } from "./environment.ts";

/** Where the store of this user is when nothing else is said, from the environment; undefined where that does not tell. */
export function homeOf(env: Environment): string | undefined {
  if (env.DAPP_HOME) return env.DAPP_HOME;
  if (env.XDG_DATA_HOME?.startsWith("/")) return `${env.XDG_DATA_HOME}/dapp`;
  return env.HOME ? `${env.HOME}/.local/share/dapp` : undefined;
}
