import { definePlugin, EngineError } from "../../../core/contract/plugin.ts";
import { keepUsed } from "../_in_use.ts";
import { parseJsonPath } from "../_json_path.ts";
import { patterns } from "../_options.ts";

/**
 * Keeps images that Kubernetes runs, or would run after a rollback. A cluster that does not answer is a failure, so
 * nothing is deleted.
 */
export const keepKubernetes = definePlugin({
  name: "keep-kubernetes",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Names of contexts; all of the kubeconfig when left out. */
      contexts: patterns(z).optional(),
      /** A kubeconfig instead of those in KUBECONFIG or ~/.kube/config. */
      kubeconfig: z.string().min(1).optional(),
      /** More lists to read, such as custom resources. */
      resources: z.array(z.strictObject({
        /** `/apis/argoproj.io/v1alpha1/rollouts` */
        path: z.string().regex(
          /^\/apis?\/[\w./-]+$/,
          "wanted is a path of the API such as /apis/GROUP/VERSION/RESOURCES",
        ),
        /** Where its objects name images, a JSON path; anything called `image` when left out. */
        images: z.string().transform((text, ctx) => {
          try {
            return parseJsonPath(text);
          } catch (error) {
            ctx.addIssue({ code: "custom", message: (error as Error).message });
            return z.NEVER;
          }
        }).optional(),
      })).default([]),
      /** Other names under which the clusters pull from REPO. */
      aliases: patterns(z).optional(),
      /** Whether it is a failure that there is no kubeconfig. */
      required: z.boolean().default(true),
    }),
  setup: ({ contexts, kubeconfig, resources, aliases, required }) => ({
    keep: async ({ inventory, env, projectDir, signal }) => {
      const { readClusters } = await import("./kubeconfig.ts");
      const clusters = await readClusters({ env, projectDir, file: kubeconfig, contexts, signal });
      if (!clusters) {
        if (!required) return [];
        throw new EngineError(
          "PLUGIN_FAILED",
          "Cannot find out what runs in Kubernetes: there is no kubeconfig, wanted is one in KUBECONFIG or ~/.kube/config",
          { fix: "Set KUBECONFIG, or leave Kubernetes out with --without-kube" },
        );
      }
      const { imagesIn, WORKLOADS } = await import("./cluster.ts");
      const lists = [
        ...WORKLOADS,
        ...resources.map(({ path, images }) => ({ paths: [path], ...(images && { images }) })),
      ];
      const used = await Promise.all(clusters.map((cluster) => imagesIn(cluster, lists, signal)));
      return keepUsed(inventory, used.flat(), { rule: "runs in Kubernetes", ...(aliases && { aliases }) });
    },
  }),
});
