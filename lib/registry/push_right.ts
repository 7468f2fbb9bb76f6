import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { UploadSession } from "./upload_session.ts";

/**
 * Makes sure that this user may store in a repository, as far as a registry tells before anything is sent: opens an upload
 * and gives it up. Failures that may pass, or mean something else, say nothing.
 *
 * @throws {RegistryError} denied; full; missing, when there is no such repository and none is made; failed, when the
 *   registry takes no uploads at all
 */
export async function requirePush(
  client: RegistryClient,
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const doing = `push to ${client.domain}/${path}`;
  let session: UploadSession;
  try {
    session = await UploadSession.open({ client, path, signal, doing });
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { status, code = "" } = error.details;
    const never = error.kind === "denied" || error.kind === "full" || status === 405 ||
      (status === 404 && code.startsWith("NAME_"));
    if (never) throw error;
    return;
  }
  await session.cancel();
}
