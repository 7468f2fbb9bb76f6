/** Reads everything that a repository publishes, as a suspicious consumer: nothing may be missing or differ. */
import { digestOf } from "../../lib/oci/digest.ts";
import { MANIFEST_TYPES } from "../../lib/oci/media_type.ts";

/** Digests by tag. */
export type VerifiedTags = Readonly<Record<string, string>>;

interface Source {
  tags(): Promise<readonly string[]>;
  manifest(reference: string): Promise<Uint8Array>;
  blob(digest: string): Promise<Uint8Array>;
}

interface Named {
  readonly digest: string;
  readonly size: number;
}

/**
 * Reads every tag of a repository of a registry (plain http) with all manifests, configs and layers below it.
 *
 * @throws when one of them is absent or its content differs from its digest or size; the message names the tag
 */
export async function verifyRegistry(host: string, path: string): Promise<VerifiedTags> {
  const get = async (what: string, tries = 50): Promise<Uint8Array> => {
    const answer = await fetch(`http://${host}/v2/${path}/${what}`, {
      headers: { accept: MANIFEST_TYPES.join(", ") },
    });
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (answer.status === 200) return bytes;
    // docker-registry goes on with the PUT of a client that was killed, and lists its tag before it can read it
    if (tries > 0 && (answer.status === 404 || answer.status >= 500)) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return await get(what, tries - 1);
    }
    throw new Error(`GET ${path}/${what}: ${answer.status} ${new TextDecoder().decode(bytes)}`);
  };
  return await verify({
    async tags() {
      const { tags } = parse(await get("tags/list")) as { readonly tags: readonly string[] | null };
      return tags ?? [];
    },
    manifest: (reference) => get(`manifests/${reference}`),
    blob: (digest) => get(`blobs/${digest}`),
  });
}

/** The same for an OCI image layout directory. */
export async function verifyLayout(dir: string): Promise<VerifiedTags> {
  const { manifests } = parse(await Deno.readFile(`${dir}/index.json`)) as {
    readonly manifests: readonly { readonly digest: string; readonly annotations?: Record<string, string> }[];
  };
  const byTag = new Map(
    manifests.map(({ digest, annotations }) => [annotations?.["org.opencontainers.image.ref.name"], digest]),
  );
  const names = [...byTag.keys()];
  if (names.length < manifests.length || names.includes(undefined)) {
    throw new Error(`${dir}/index.json has a tag twice, or a manifest without one: ${names}`);
  }
  const blob = (digest: string) => Deno.readFile(`${dir}/blobs/${digest.replace(":", "/")}`);
  return await verify({
    tags: () => Promise.resolve(names as string[]),
    manifest: (reference) => blob(byTag.get(reference) ?? reference),
    blob,
  });
}

async function verify(source: Source): Promise<VerifiedTags> {
  const out: Record<string, string> = {};
  const seen = new Set<string>();
  const once = async ({ digest, size }: Named, read: (digest: string) => Promise<Uint8Array>) => {
    if (seen.has(digest)) return undefined;
    seen.add(digest);
    const bytes = await read(digest);
    const found = await digestOf(bytes);
    if (found !== digest || bytes.length !== size) {
      throw new Error(`${digest} (${size} bytes) is ${found} (${bytes.length} bytes)`);
    }
    return bytes;
  };
  const visit = async (bytes: Uint8Array) => {
    const { manifests = [], config, layers = [] } = parse(bytes) as {
      readonly manifests?: readonly Named[];
      readonly config?: Named;
      readonly layers?: readonly Named[];
    };
    for (const child of manifests) {
      const below = await once(child, (digest) => source.manifest(digest));
      if (below) await visit(below);
    }
    for (const blob of [...(config ? [config] : []), ...layers]) {
      await once(blob, (digest) => source.blob(digest));
    }
  };
  for (const tag of (await source.tags()).toSorted()) {
    try {
      const bytes = await source.manifest(tag);
      out[tag] = await digestOf(bytes);
      await visit(bytes);
    } catch (error) {
      throw new Error(`Tag "${tag}" is not whole`, { cause: error });
    }
  }
  return out;
}

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
