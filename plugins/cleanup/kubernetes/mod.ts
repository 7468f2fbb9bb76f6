import { definePlugin } from "../../../core/contract/plugin.ts";
import { keep } from "../../../core/contract/reasons.ts";
import { keepUsed } from "../_in_use.ts";
import { parseJsonPath } from "../_json_path.ts";
import { patternsOption } from "../../../core/contract/option_schemas.ts";
import { aliases } from "../_options.ts";

/**
 * Keeps images that Kubernetes runs, or would run after a rollback. What cannot be found out is a failure, so nothing is
 * deleted.
 */
export const keepKubernetes = definePlugin({
  name: "keep-kubernetes",
  api: 1,
  options: (z) => {
    const namespace = z.string().regex(
      /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      "wanted is the name of a namespace",
    );
    return z.strictObject({
      /** Names of contexts; all of the kubeconfig when left out. */
      contexts: patternsOption(z).optional(),
      /** Only what is in these namespaces; everything when left out. */
      namespaces: z.union([namespace.transform((one) => [one]), z.array(namespace).min(1)]).optional(),
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
      aliases: aliases(z).optional(),
      /** Whether it is a failure that there is no kubeconfig. */
      required: z.boolean().default(true),
    });
  },
  setup: ({ contexts, namespaces, kubeconfig, resources, aliases, required }) => ({
    keep: async ({ inventory, env, projectDir, signal: outer }, { emit }) => {
      // What one cluster does not tell makes the others needless.
      const failed = new AbortController();
      const signal = AbortSignal.any([outer, failed.signal]);
      try {
        const { findClusters } = await import("./find_clusters.ts");
        const places = { env, projectDir, file: kubeconfig };
        const found = await findClusters(places, { contexts, required, exec: { env, signal, emit } });
        if (found.kind === "none") {
          emit({ type: "detail", text: "Kubernetes is not asked: there is no kubeconfig" });
          return [];
        }
        if (found.kind === "lost") {
          const why = `KUBECONFIG names "${found.path}", which does not exist`;
          const text = `${why}: every image stays, since nobody knows what runs in Kubernetes`;
          emit({ type: "note", level: "warn", text });
          return inventory.images.map((image) => keep(image, "Kubernetes unknown", why));
        }
        const { imagesIn } = await import("./cluster.ts");
        const { WORKLOADS } = await import("./resources.ts");
        const listed = resources.map(({ path, images }) => ({
          paths: [path],
          listed: true as const,
          ...(images && { images }),
        }));
        const scan = { resources: [...WORKLOADS, ...listed], namespaces, env, signal, emit };
        const used = await Promise.all(found.clusters.map((cluster) => imagesIn(cluster, scan)));
        return keepUsed(inventory, used.flat(), { rule: "runs in Kubernetes", ...(aliases && { aliases }) });
      } finally {
        failed.abort();
      }
    },
  }),
});
