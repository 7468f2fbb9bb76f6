import { definePlugin } from "../../core/contract/plugin.ts";
import { withoutEnd } from "../../lib/without_end.ts";
import { requireRepo } from "./_repo.ts";

const KIND = "layout";

/**
 * An OCI image layout directory as REPO: `oci:DIR`, with locking, so that everything works with no server. All tags are
 * in the one `index.json`, where `skopeo copy oci:DIR:TAG …` finds them. A relative DIR starts at the project.
 */
export const registryLayout = definePlugin({
  name: "registry-layout",
  api: 1,
  setup: () => ({
    openRegistry: async ({ repo, kind, projectDir }) => {
      if (!repo.startsWith("oci:") || (kind ?? KIND) !== KIND) return undefined;
      requireRepo(repo);
      const path = withoutEnd(repo.slice("oci:".length), "/");
      const { LayoutBackend } = await import("./_layout_backend.ts");
      return await LayoutBackend.open(repo, path.startsWith("/") ? path : `${projectDir}/${path}`);
    },
  }),
});
