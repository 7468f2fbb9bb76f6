/**
 * What of this process's environment is a matter of the process itself. No other module of lib, core and plugins reads it:
 * they are told what their environment is, so that engines in one process can have different ones.
 */

/** All of it: what an engine has when it is not told otherwise. */
export function ownEnvironment(): Record<string, string> {
  return Deno.env.toObject();
}

/** What a Deno needs that this one starts: where modules and packages are kept, and libraries. */
export function denoEnvironment(): Record<string, string> {
  const own = (name: "DENO_DIR" | "XDG_CACHE_HOME" | "HOME" | "LD_LIBRARY_PATH") => Deno.env.get(name);
  const cache = own("XDG_CACHE_HOME") ?? (own("HOME") && `${own("HOME")}/.cache`);
  const dir = own("DENO_DIR") ?? (cache && `${cache}/deno`);
  const libraries = own("LD_LIBRARY_PATH");
  return {
    DENO_NO_UPDATE_CHECK: "1",
    NO_COLOR: "1",
    ...(dir && { DENO_DIR: dir }),
    ...(libraries && { LD_LIBRARY_PATH: libraries }),
  };
}

/** Variables of proxies. */
const PROXIES = ["all_proxy", "http_proxy", "https_proxy"].flatMap((name) => [name, name.toUpperCase()]);

/** Whether the built-in `fetch` takes a proxy for every host: it reads what this process has, whatever an engine has. */
export function fetchTakesProxy(): boolean {
  return PROXIES.some((name) => Deno.env.get(name));
}
