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
  return linksOf("self").filter((path) => path.startsWith(`${dir}/`));
}

/** What a process has open. */
function linksOf(pid: number | "self"): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].flatMap(({ name }) => {
    try {
      return [Deno.readLinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}

/** Whether a process has the TCP connection (IPv4) that comes from a port of this machine. */
export function hasPort(pid: number, port: number): boolean {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = read(pid, "net/tcp").split("\n").map((line) => line.trim().split(/\s+/));
  const [, , , , , , , , , inode] = rows.find(([, local]) => local?.endsWith(hex)) ?? [];
  return inode !== undefined && linksOf(pid).some((link) => link === `socket:[${inode}]`);
}
