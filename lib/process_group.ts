import { findAllowed } from "./programs.ts";

/**
 * Starts a process whose group has its number, and which Ctrl-C is not for. Where Deno has to see to that (`detached`) it
 * forks all of this process, which takes 2 to 5 ms; `setsid` does it after a start without a fork.
 *
 * @param env all variables of it, PATH among them
 * @throws what `Deno.Command` does
 */
export function startGroup(
  program: string,
  args: readonly string[],
  { env, ...options }: Omit<Deno.CommandOptions, "args" | "detached" | "clearEnv"> & {
    readonly env: Readonly<Record<string, string>>;
  },
): Deno.ChildProcess {
  // One that is not there, or not allowed, is not started by something else either, which would say so in its words.
  const setsid = findAllowed(program, env) && findAllowed("setsid", env);
  return new Deno.Command(setsid ?? program, {
    ...options,
    args: setsid === undefined ? [...args] : [program, ...args],
    detached: setsid === undefined,
    clearEnv: true,
    env,
  }).spawn();
}

/**
 * Ends a process that {@linkcode startGroup} has started, and with it whatever it started that has not left its group; also
 * after the process itself has ended.
 */
export function endGroup(child: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    Deno.kill(-child.pid, signal);
  } catch {
    // Its group is to be made yet, or who embeds dapp lets it start some programs only: then it can end those alone.
    endProcess(child, signal);
  }
}

/** Ends a process alone, unless it has ended by itself. */
export function endProcess(child: Deno.ChildProcess, signal: Deno.Signal = "SIGKILL"): void {
  try {
    child.kill(signal);
  } catch {
    // it has ended by itself
  }
}
