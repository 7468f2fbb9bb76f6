/** Where programs are when an environment does not say it: what systems take then, whatever this process has. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** An environment as programs are given it: the variables that have a value, and always a PATH. */
export function programEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const set = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { PATH: DEFAULT_PATH, ...Object.fromEntries(set) };
}
