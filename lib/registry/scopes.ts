/** Token scopes (distribution docs/spec/auth/scope.md) for a repository; the one needed right now goes first. */

/** Reading. */
export function pullScope(path: string): string {
  return `repository:${path}:pull`;
}

/** Storing, which reads as well. */
export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/** Removing manifests and tags. */
export function deleteScope(path: string): string {
  return `repository:${path}:delete`;
}

/** Giving up an upload: some registries take that for storing, distribution for deleting. */
export function cancelScope(path: string): string {
  return `repository:${path}:pull,push,delete`;
}
