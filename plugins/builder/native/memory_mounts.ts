/** Directories of a step that are in memory. */
import { mount, MS } from "./libc.ts";
import type { MountSpec } from "./protocol.ts";

/** Makes those that are to be bound into a step, each with its own size, in the step's mount namespace. */
export function mountMemory(mounts: readonly MountSpec[]): void {
  for (const { source, memory } of mounts) {
    if (memory === undefined) continue;
    Deno.mkdirSync(source, { recursive: true, mode: 0o700 });
    mount("tmpfs", source, "tmpfs", MS.NOSUID | MS.NODEV, `mode=1777,size=${memory}`);
  }
}
