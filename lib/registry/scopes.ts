/** Token scopes (distribution docs/spec/auth/scope.md) for a repository; the one needed right now goes first. */

/** Reading. */
export function pullScope(path: string): string {
  return `repository:${path}:pull`;
}

/** Storing, which reads as well. */
export function pushScope(path: string): string {
  return `repository:${path}:pull,push`;
}

/** Scopes for reading and storing, of those for reading one repository alone; undefined for any others. */
export function storing(scopes: readonly string[]): readonly string[] | undefined {
  const path = scopes.length === 1 ? /^repository:(.+):pull$/.exec(scopes[0]!)?.[1] : undefined;
  return path === undefined ? undefined : [pushScope(path)];
}

/** Removing manifests and tags. */
export function deleteScope(path: string): string {
  return `repository:${path}:delete`;
}

/** Giving up an upload: some registries take that for storing, distribution for deleting. */
export function cancelScope(path: string): string {
  return `repository:${path}:pull,push,delete`;
}
