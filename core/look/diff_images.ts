import { comparePaths } from "../../lib/layer/path_order.ts";
import { EngineError } from "../contract/errors.ts";
import { type ConfigChange, configChanges } from "./config_changes.ts";
import { findStage } from "./find_stage.ts";
import { type ImageFile, type ImageListing, listingOf, type LookedImage } from "./list_files.ts";
import type { LookNeeds } from "./needs.ts";
import { type OpenedImage, openImage, openStage } from "./open_image.ts";
import { readLayers } from "./read_layers.ts";

/** What differs between two images. JSON-printable. */
export interface ImageDifference {
  /** The image that is compared. */
  readonly before: LookedImage;
  /** What it is compared with. */
  readonly after: LookedImage;
  /** How many layers they have in common, from the lowest on. */
  readonly sameLayers: number;
  /** In the order of a walk. */
  readonly files: readonly FileDifference[];
  /** What differs in their configuration. */
  readonly config: readonly ConfigChange[];
}

/** A path that differs. */
export interface FileDifference {
  /** Absolute. */
  readonly path: string;
  /** What became of it. */
  readonly change: "added" | "removed" | "changed";
  /** What differs of one that is in both; none otherwise. */
  readonly what: readonly FileAspect[];
  /** What it was. */
  readonly before?: ImageFile;
  /** What it is. */
  readonly after?: ImageFile;
}

/** What can differ of a path. */
export type FileAspect = "type" | "content" | "target" | "device" | "mode" | "owner" | "attributes" | "time";

/**
 * Compares two images; a single one, which is of the dappfile, with the one that was built before it.
 *
 * @throws as `openImage`; NOT_BUILT when there is none before it
 */
export async function diffImages(
  session: LookNeeds,
  one: string | undefined,
  other: string | undefined,
): Promise<ImageDifference> {
  const opened = other === undefined
    ? await nowAndBefore(session, one)
    : await Promise.all([openImage(session, one), openImage(session, other)]);
  const read = await readLayers(session, opened);
  const [before, after] = opened.map((image, i) => listingOf(image, read[i]!)) as [
    ImageListing,
    ImageListing,
  ];
  const [a, b] = opened;
  const same = b.state.layers.findIndex(({ diffId }, i) => diffId !== a.state.layers[i]?.diffId);
  return {
    before: looked(before),
    after: looked(after),
    sameLayers: same < 0 ? b.state.layers.length : same,
    files: [...differences(before.files, after.files)],
    config: configChanges(a.state.config, b.state.config),
  };
}

/** What is built of a stage now, after what was built of it before. */
async function nowAndBefore(
  session: LookNeeds,
  name: string | undefined,
): Promise<readonly [OpenedImage, OpenedImage]> {
  const found = await findStage(session, name);
  if (!found) {
    throw new EngineError(
      "USAGE",
      `Cannot compare "${name}": it is no dimg, so nothing is known to be before it`,
      {
        fix: "Name two images: dapp dimg diff BEFORE AFTER",
      },
    );
  }
  const { title, signature, image, stage } = found;
  const after = await openStage(session, signature, title);
  const { stages } = await session.store();
  const { name: project } = await session.project();
  for (const row of await stages.history(project, image.node.key, stage.spec.name)) {
    if (row.signature === signature) continue;
    const known = await stages.whole(row.signature) ?? await stages.record(row.signature);
    if (!known) continue;
    return [await openStage(session, row.signature, `${title} of ${row.at}`), after];
  }
  throw new EngineError("NOT_BUILT", `Cannot compare ${title}: nothing that was built of it before is here`, {
    fix: "Name two images: dapp dimg diff BEFORE AFTER",
  });
}

function looked({ files: _files, layers: _layers, wasted: _wasted, ...image }: ImageListing): LookedImage {
  return image;
}

/** Both are in the order of a walk. */
function* differences(
  before: readonly ImageFile[],
  after: readonly ImageFile[],
): Generator<FileDifference> {
  for (let i = 0, j = 0; i < before.length || j < after.length;) {
    const [a, b] = [before[i], after[j]];
    const order = !a ? 1 : !b ? -1 : comparePaths(a.path, b.path);
    if (order <= 0) i++;
    if (order >= 0) j++;
    if (order < 0) yield { path: a!.path, change: "removed", what: [], before: a! };
    else if (order > 0) yield { path: b!.path, change: "added", what: [], after: b! };
    else {
      const what = aspects.filter((name) => differs[name](a!, b!));
      if (what.length > 0) yield { path: a!.path, change: "changed", what, before: a!, after: b! };
    }
  }
}

const differs: Readonly<Record<FileAspect, (a: ImageFile, b: ImageFile) => boolean>> = {
  type: (a, b) => a.type !== b.type,
  content: (a, b) => a.type === b.type && a.digest !== b.digest,
  target: (a, b) => a.type === b.type && a.target !== b.target,
  device: (a, b) => a.type === b.type && a.device !== b.device,
  mode: (a, b) => a.mode !== b.mode,
  owner: (a, b) => a.uid !== b.uid || a.gid !== b.gid,
  attributes: (a, b) => JSON.stringify(a.xattrs) !== JSON.stringify(b.xattrs),
  time: (a, b) => a.mtime !== b.mtime && a.mtime !== undefined && b.mtime !== undefined,
};
const aspects = Object.keys(differs) as readonly FileAspect[];
