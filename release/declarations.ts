/** Types of the entry points for editors and compilers, as `deno pack` derives them. */
import { project } from "./project.ts";
import { runTool } from "./run.ts";

/** Writes the .d.ts files of the public modules to `dir`. */
export async function declarations(dir: string): Promise<void> {
  const work = await Deno.makeTempDir({ prefix: "dapp-release-" });
  try {
    const tarball = `${work}/types.tgz`;
    await runTool(
      [Deno.execPath(), "pack", "--quiet", "--allow-dirty", "--no-source-maps", "--output", tarball],
      project.root,
    );
    await Deno.mkdir(dir, { recursive: true });
    await runTool(
      [
        "tar",
        "-xzf",
        tarball,
        "-C",
        dir,
        "--strip-components=1",
        "--exclude",
        "package/types",
        "--wildcards",
        "package/*.d.ts",
      ],
      project.root,
    );
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}
