/** What /proc says about processes of a test. */
import { processesWith } from "../../testing/processes.ts";

function read(pid: number, file: string): string {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/${file}`);
  } catch {
    return ""; // it has ended
  }
}

/** A field of /proc/PID/status, "" when there is none. */
export function statusOf(pid: number, field: string): string {
  return new RegExp(`^${field}:\\s*(.*)`, "m").exec(read(pid, "status"))?.[1] ?? "";
}

/** Helper processes of the native builder that `pid` or its children have started. */
export function helpersOf(pid: number): number[] {
  const isBelow = (each: number): boolean =>
    each === pid || (each > 1 && isBelow(Number(statusOf(each, "PPid"))));
  return processesWith("native/helper.ts").filter((each) =>
    read(each, "cmdline").split("\0")[0] === Deno.execPath() && isBelow(each)
  );
}

/** Files that this process has open below a directory. */
export function openBelow(dir: string): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(`${dir}/`) ? [path] : [];
    } catch {
      return []; // closed meanwhile
    }
  });
}
