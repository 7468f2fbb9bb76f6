import { migrate } from "../../cli/migrate/migrate.ts";
import type { BuiltImage } from "../../mod.ts";
import { busyboxBase } from "../support/bases.ts";
import type { TestProject } from "../support/project.ts";

/** Migrates what a project has of another tool, and builds it; busybox takes the place of the base image. */
export async function migratedBuild(
  { dir, write, commit, engine }: TestProject,
  kind: Parameters<typeof migrate>[0],
  base: string,
): Promise<Awaited<ReturnType<typeof migrate>> & { readonly images: readonly BuiltImage[] }> {
  const migrated = await migrate(kind, [], {
    name: "shop",
    read: (path) => Deno.readTextFile(`${dir}/${path}`).catch(() => undefined),
    list: async (path) =>
      (await Array.fromAsync(Deno.readDir(`${dir}/${path}`)).catch(() => [])).map(({ name }) => name),
  });
  await write({ "dappfile.yaml": migrated.text.replaceAll(base, `oci:${await busyboxBase()}:latest`) });
  await commit();
  await using made = engine();
  const { images } = await made.build();
  return { ...migrated, images };
}
