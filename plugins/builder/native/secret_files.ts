/** Secrets as files of a step: in memory, for root alone, read-only, and never part of what is captured. */
import { mount, MS, restrictMount, unmount } from "./libc.ts";
import type { RunRequest } from "./protocol.ts";
import { type Bind, stepPaths } from "./rootfs.ts";

/**
 * One bind for each secret. They come from a file system in memory that only the step's mount namespace has, and of
 * which nothing but the files stays.
 */
export function secretBinds({ run, secrets }: Pick<RunRequest, "run" | "secrets">): Bind[] {
  const { secrets: dir } = stepPaths(run);
  return secrets.map(({ target, content }): Bind => ({
    target,
    kind: "file",
    mount(full) {
      const file = `${dir}/value`;
      Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
      mount("tmpfs", dir, "tmpfs", MS.NOSUID | MS.NODEV | MS.NOEXEC, "mode=700,size=1024k");
      try {
        Deno.writeFileSync(file, Uint8Array.fromBase64(content), { mode: 0o400 });
        mount(file, full, "", MS.BIND);
        restrictMount(full, MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC);
      } finally {
        unmount(dir);
      }
    },
  }));
}
