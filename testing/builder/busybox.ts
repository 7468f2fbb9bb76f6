/** The image that builders are tested on. */
import type { LayerRef, Store } from "../../core/contract/plugin.ts";
import { makeLayer } from "./layers.ts";

const USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n";
const GROUPS = "root:x:0:\nnogroup:x:65534:\n";

/**
 * Puts a small image into a store: every applet of busybox in /bin, /etc/passwd with root and nobody, /tmp.
 *
 * @param busybox a statically linked one of this machine (Debian: busybox-static). Absent: `/bin/busybox`
 */
export async function busyboxLayers(store: Store, busybox = "/bin/busybox"): Promise<readonly LayerRef[]> {
  const { stdout } = await new Deno.Command(busybox, { args: ["--list"] }).output();
  const applets = new TextDecoder().decode(stdout).split("\n").filter((name) =>
    name !== "" && name !== "busybox"
  );
  const dir = (path: string, mode = 0o755) => ({ path, type: "dir" as const, mode });
  const layer = await makeLayer(store, [
    ...["bin", "dev", "etc", "home", "proc", "root", "sys"].map((path) => dir(path)),
    dir("tmp", 0o1777),
    ...["usr", "var"].map((path) => dir(path)),
    dir("var/tmp", 0o1777),
    { path: "etc/group", content: GROUPS },
    { path: "etc/passwd", content: USERS },
    { path: "bin/busybox", mode: 0o755, bytes: await Deno.readFile(busybox) },
    ...applets.map((name) => ({
      path: `bin/${name}`,
      type: "symlink" as const,
      link: "busybox",
      mode: 0o777,
    })),
  ]);
  return [layer];
}
