/**
 * Lets `uid` open this process's standard streams by name (`/dev/stdout`): opening checks the owner of what is behind
 * them, which is whoever started dapp. Pipes change hands for good, since they end with the run. A terminal is left to
 * whoever sits at it, and so are files.
 */
export function ownStreams(uid: number): void {
  for (const fd of [0, 1, 2]) {
    const path = `/proc/self/fd/${fd}`;
    try {
      if (Deno.statSync(path).isFifo) Deno.chownSync(path, uid, null);
    } catch (error) {
      // closed, or of a user that this namespace does not know: the stream itself works all the same
      if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
        throw error;
      }
    }
  }
}
