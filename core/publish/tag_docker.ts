import { builtImages } from "../build/built_images.ts";
import { DockerEngine, DockerError } from "../../lib/docker/engine.ts";
import { manifestOf } from "../../lib/oci/build.ts";
import { NameError, parseReference } from "../../lib/oci/reference.ts";
import { EngineError } from "../contract/errors.ts";
import { exportImages } from "../export/mod.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { withLabels } from "./image_document.ts";
import { outgoingImages, prepareTags, type TagNeeds } from "./push.ts";
import type { PublishedImage, PublishReport } from "../contract/results.ts";
import type { Naming, OutgoingTag, PushOptions } from "./outgoing.ts";

/** Puts built images into the local Docker engine, under the names that `push` would give them. */
export async function tagInDocker(
  session: TagNeeds & { readonly options: Pick<ResolvedOptions, "dir"> },
  repo: string,
  patterns: readonly string[],
  options: PushOptions,
): Promise<PublishReport> {
  const { env, signal, dryRun, registry, emit } = session.options;
  const nodes = await session.select(patterns);
  const hub = domainOf(repo) === "docker.io";
  const naming: Naming = {
    naming: registry.naming ?? (hub ? "flat" : "nested"),
    reference: ({ repository, tag }) => `${repo}${repository && "/" + repository}:${tag}`,
  };
  const tags = await prepareTags([session], nodes, naming, options);
  const outgoing = await outgoingImages(session, nodes, tags, [await builtImages(session, nodes)]);
  const store = await session.store();
  const images: PublishedImage[] = [];
  try {
    await using engine = new DockerEngine(env);
    for (const { node, tags, images: [image] } of outgoing) {
      const rows: PublishedImage["tags"][number][] = [];
      for (const row of tags) {
        const state = withLabels(image!.state, row.facts);
        const { config, manifest } = await manifestOf(state);
        // The classic store calls an image by its config, containerd's by its manifest.
        const id = await engine.imageId(row.reference, signal);
        const exists = id === config.digest || id === manifest.digest;
        if (!exists && !dryRun) {
          const archive = `${await store.blobs.scratch()}/tag-${crypto.randomUUID()}.tar`;
          const named = { name: node.rule.name, reference: row.reference, state };
          await exportImages([named], `docker-archive:${archive}`, {
            store,
            projectDir: session.options.dir,
            signal,
            progress() {},
          });
          await engine.load(archive, signal);
          await Deno.remove(archive);
        }
        rows.push({ ...describe(row), state: exists ? "exists" : dryRun ? "would push" : "pushed" });
        const { state: done, reference } = rows.at(-1)!;
        emit({ type: "tag.published", image: node.rule.name, reference, state: done });
      }
      images.push({ name: node.rule.name, signature: image!.signature, tags: rows });
    }
  } catch (error) {
    if (!(error instanceof DockerError)) throw error;
    throw new EngineError("DOCKER_FAILED", error.message, { cause: error });
  }
  const { name: project } = await session.project();
  return { project, repo, dryRun, images, stages: [], bytes: { uploaded: 0, mounted: 0, present: 0 } };
}

function describe({ reference, tag: { tag, scheme, value, plugin } }: OutgoingTag) {
  return { reference, tag, scheme, value, plugin };
}

function domainOf(repo: string): string {
  try {
    return parseReference(`${repo}:tag`).domain;
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    throw new EngineError("REPO_INVALID", `Cannot read image name "${repo}": ${error.why}`, { cause: error });
  }
}
