import { isObject } from "../../lib/guard.ts";
import { MAX_DOCUMENT } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { labels, ociLabels, type StageChain, stageTag } from "../contract/labels.ts";
import type { RemoteManifest, Repository } from "../contract/registry.ts";
import { configOf, type KnownManifest, neededBy, readKnown } from "./manifest_facts.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Where the facts of a manifest come from beside itself. */
export interface FactSources {
  /** Of the manifest. */
  readonly repository: Repository;
  /** REPO itself, which has the stages. */
  readonly root: Repository;
  /** A manifest that an index refers to. */
  manifest(digest: Digest): Promise<KnownManifest | undefined>;
  readonly signal: AbortSignal;
}

/**
 * Reads a manifest or an index, with what it says of dapp: in its annotations, or where these are gone, as after a copy
 * with another tool, in the labels of its configuration. Whoever builds on an image inherits its labels; such an image
 * is not dapp's, but is known to need the same stages.
 *
 * @throws {OciError} when it is neither
 */
export async function readFacts(
  { bytes, mediaType }: Pick<RemoteManifest, "bytes" | "mediaType">,
  title: string,
  sources: FactSources,
): Promise<KnownManifest> {
  const known = readKnown(bytes, mediaType, title);
  const { annotations, children } = known;
  const own = [labels.project, labels.service, labels.removed];
  if (own.some((key) => annotations[key] !== undefined)) return known;
  if (children.length > 0) {
    const found = await Promise.all(children.map((child) => sources.manifest(child)));
    const parts = found.filter((part) => part !== undefined);
    const [first] = parts;
    if (!first) return known;
    // A copy by such a tool lost all annotations. Where images have theirs, somebody made the index from them.
    const isCopy = parts.every(({ fromLabels }) => fromLabels);
    const facts = { ...(isCopy && first.annotations), ...neededOfAll(parts) };
    return { ...known, annotations: { ...facts, ...annotations }, ...(isCopy && { fromLabels: true }) };
  }
  const config = configOf(bytes, mediaType, title);
  if (!config || config.size > MAX_DOCUMENT) return known;
  const labelled = await factsInLabels(config, sources);
  return labelled ? { ...known, annotations: { ...labelled, ...annotations }, fromLabels: true } : known;
}

/** What says on which stages an image stands, and nothing of whose it is. */
function neededOf(facts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const keys = [labels.signature, labels.previous, labels.stages];
  return Object.fromEntries(Object.entries(facts).filter(([key]) => keys.some((each) => each === key)));
}

/** The same for what consists of several images. */
function neededOfAll(parts: readonly KnownManifest[]): Readonly<Record<string, string>> {
  const signatures = new Set(parts.flatMap(({ annotations }) => neededBy(annotations)));
  if (signatures.size === 0) return {};
  const stages = [...signatures].map((signature) => ({ stage: "", signature }));
  const chain: StageChain = [{ image: "", stages }];
  return { [labels.stages]: JSON.stringify(chain) };
}

async function factsInLabels(
  config: { readonly digest: Digest; readonly size: number },
  { repository, root, signal }: FactSources,
): Promise<Readonly<Record<string, string>> | undefined> {
  const json = parse(await repository.blob(config, signal));
  const container = isObject(json?.config) ? json.config : {};
  const given = isObject(container.Labels) ? container.Labels : {};
  const found: Record<string, string> = {};
  for (const key of [...Object.values(labels), ociLabels.version]) {
    const value = given[key];
    if (typeof value === "string") found[key] = value;
  }
  const { [labels.project]: project, [labels.signature]: signature } = found;
  if (project === undefined || signature === undefined) return undefined;
  const chain = await chainOfStage(root, signature, signal);
  if (chain) found[labels.stages] = JSON.stringify(chain);
  return isLastByDapp(json) ? found : neededOf(found);
}

/** Whether the last thing that was done to an image was done by dapp. */
function isLastByDapp(json: Record<string, unknown> | undefined): boolean {
  const last: unknown = Array.isArray(json?.history) ? json.history.at(-1) : undefined;
  return isObject(last) && typeof last.created_by === "string" && last.created_by.startsWith("dapp ");
}

/** All stages that one stands on or imports from, as its configuration tells; undefined when it is not in REPO. */
async function chainOfStage(
  root: Repository,
  signature: string,
  signal: AbortSignal,
): Promise<StageChain | undefined> {
  const manifest = await root.manifest(stageTag(signature), signal);
  if (!manifest) return undefined;
  try {
    const config = configOf(manifest.bytes, manifest.mediaType, `stage ${signature}`);
    const json = config && config.size <= MAX_DOCUMENT ? parse(await root.blob(config, signal)) : undefined;
    const member = isObject(json?.dapp) ? json.dapp : {};
    const stages = (Array.isArray(member.stages) ? member.stages : []).flatMap((row: unknown) =>
      isObject(row) && typeof row.stage === "string" && typeof row.signature === "string"
        ? [{ stage: row.stage, signature: row.signature }]
        : []
    );
    return stages.length === 0 ? undefined : [{ image: "", stages }];
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
