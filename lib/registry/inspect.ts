import { MAX_DOCUMENT } from "../oci/documents.ts";
import { readBody } from "./body.ts";
import type { RegistryClient } from "./client.ts";
import { nextPage } from "./link.ts";
import { pullScope } from "./scopes.ts";
import type { Digest } from "../oci/digest.ts";

/** What the distribution specification leaves open to a registry. */
export interface RegistryFeatures {
  /** Whether it tells which manifests refer to another (spec.md#listing-referrers). */
  readonly referrers: boolean;
  /** Whether a list of tags comes in pages of the size that was asked for; undefined when there are fewer than two tags. */
  readonly pages: boolean | undefined;
}

/** Asks for referrers of a manifest that is there, and for a page of one tag. @throws {RegistryError} */
export async function inspectRepository(
  client: RegistryClient,
  path: string,
  { digest, signal }: { readonly digest: Digest; readonly signal: AbortSignal },
): Promise<RegistryFeatures> {
  const scopes = [pullScope(path)];
  const asked = await client.request({
    method: "GET",
    path: `${path}/referrers/${digest}`,
    scopes,
    expect: [200, 400, 404, 405, 501],
    probe: true,
    reads: MAX_DOCUMENT,
    doing: `ask ${client.domain} for referrers`,
    signal,
  });
  const referrers = asked.status === 200 && /"manifests"\s*:/.test(await textOf(asked));
  const listed = await client.request({
    method: "GET",
    path: `${path}/tags/list?n=1`,
    scopes,
    expect: [200, 400, 404, 405],
    reads: MAX_DOCUMENT,
    doing: `list one tag of ${client.domain}/${path}`,
    signal,
  });
  const more = nextPage(listed.header("link"), listed.url) !== undefined;
  const count = listed.status === 200 ? countTags(await textOf(listed)) : 0;
  return { referrers, pages: more ? true : count > 1 ? false : undefined };
}

async function textOf(response: Awaited<ReturnType<RegistryClient["request"]>>): Promise<string> {
  return new TextDecoder().decode(await readBody(response, MAX_DOCUMENT));
}

function countTags(text: string): number {
  try {
    const { tags } = JSON.parse(text) as { tags?: unknown };
    return Array.isArray(tags) ? tags.length : 0;
  } catch {
    return 0;
  }
}
