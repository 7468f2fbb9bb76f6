/** Token scopes (distribution docs/spec/auth/scope.md) for a repository; the one needed right now goes first. */

/** Reading. */
export function pullScope(path: string): string {
  return `repository:${path}:pull`;
}

/** Storing, which reads as well. */
export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/**
 * Scopes for all that storing in one repository takes, of those for reading or storing there alone; undefined for any
 * others.
 *
 * @param origin a repository that blobs may be taken over from
 */
export function storing(scopes: readonly string[], origin?: string): readonly string[] | undefined {
  const path = scopes.length === 1 ? /^repository:(.+):pull(?:,push)?$/.exec(scopes[0]!)?.[1] : undefined;
  if (path === undefined) return undefined;
  return origin === undefined || origin === path ? [pushScope(path)] : [pushScope(path), pullScope(origin)];
}

/** Removing manifests and tags. */
export function deleteScope(path: string): string {
  return `repository:${path}:delete`;
}

/** Giving up an upload: some registries take that for storing, distribution for deleting. */
export function cancelScope(path: string): string {
  return `repository:${path}:pull,push,delete`;
}
