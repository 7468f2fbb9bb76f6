/**
 * Ends a process that was started `detached`, and with it whatever it started that has not left its group; also after
 * the process itself has ended.
 */
export function endGroup(child: Deno.ChildProcess): void {
  try {
    Deno.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // Who embeds dapp may let it start some programs only; then it can end those alone.
    if (error instanceof Deno.errors.NotCapable) endProcess(child);
  }
}

/** Ends a process alone, unless it has ended by itself. */
export function endProcess(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // it has ended by itself
  }
}
