/** Processes of this machine with `text` in their command line, but for this one. */
export function processesWith(text: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name))
    .filter((pid) => pid > 0 && pid !== Deno.pid && commandLine(pid).includes(text));
}

function commandLine(pid: number): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return ""; // it has ended
  }
}
