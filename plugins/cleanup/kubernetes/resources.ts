import type { JsonPath } from "../_json_path.ts";

/** A list of the API and where its objects name images. */
export interface Resource {
  /** `/apis/apps/v1/deployments`; several are tried in turn when a cluster does not know the first. */
  readonly paths: readonly string[];
  /** Absent: every `image`, `imageID` and volume `reference` anywhere in the object. */
  readonly images?: JsonPath;
  /** A user named it, for its images: one that names none is a mistake, and what it names may lack the tag. */
  readonly listed?: true;
}

/**
 * What can hold a pod, in this moment or after a rollback: replica sets and controller revisions are the history that
 * `kubectl rollout undo` goes back to.
 */
export const WORKLOADS: readonly Resource[] = [
  "/api/v1/pods",
  "/api/v1/replicationcontrollers",
  "/apis/apps/v1/deployments",
  "/apis/apps/v1/replicasets",
  "/apis/apps/v1/statefulsets",
  "/apis/apps/v1/daemonsets",
  "/apis/apps/v1/controllerrevisions",
  "/apis/batch/v1/jobs",
].map((path): Resource => ({ paths: [path] })).concat({
  paths: ["/apis/batch/v1/cronjobs", "/apis/batch/v1beta1/cronjobs"],
});

/** The same list within a namespace; a path that names one already stays. */
export function within(path: string, namespace: string): string {
  return path.replace(/^(\/api\/[^/]+|\/apis\/[^/]+\/[^/]+)\/([^/]+)$/, `$1/namespaces/${namespace}/$2`);
}
