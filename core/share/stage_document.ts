import { type BuiltManifest, manifestWith, textDocument } from "../../lib/oci/build.ts";
import { hasMembers, isEither, isJust, isListOf, isObject, isRecordOf, isText } from "../../lib/guard.ts";
import { type LayerOutline, parseOutline } from "../../lib/layer/outline.ts";
import { type ImageConfig, mediaTypes } from "../../lib/oci/types.ts";
import { labels } from "../contract/labels.ts";
import { configText } from "./stage_config.ts";
import type { ImageState } from "../contract/store.ts";
import type { StageFacts } from "../plan/known_facts.ts";
import { isSignature, type Signature } from "../contract/signature.ts";
import { type Digest, digestOf, isDigest } from "../../lib/oci/digest.ts";
import { isFact } from "../contract/guards.ts";

/** A stage as it is kept in a registry: an image that any tool can pull, with what `explain` needs in its config. */
export interface StageDocument {
  /** The stage itself is the last; before it all that it stands on or imports from, as far as known. */
  readonly stages: readonly StageFacts[];
  readonly image: ImageState;
  /** As in the record of the stage. */
  readonly trees: Readonly<Record<string, Digest>>;
  /** Texts of the listings that facts and trees are digests of. */
  readonly listings: ReadonlyMap<Digest, string>;
  /** On its way out: texts of `formatOutline` of layers that the stage adds, by diffID; those that fit are told. */
  readonly outlines?: ReadonlyMap<Digest, string>;
}

/** What is in layers, by diffID: texts of `formatOutline`, packed. */
export type PackedOutlines = ReadonlyMap<Digest, string>;

/** What holds it: a config with one member more (image-spec config.md: implementations ignore what they do not know). */
interface StageConfig extends ImageConfig {
  readonly dapp?: unknown;
}

const FORMAT = 1;
/** Tools refuse configs beyond 4 MiB; listings that do not fit are left out, and `explain` names no files then. */
const MAX_LISTINGS = 2 << 20;
/** What outlines may take in a config; layers whose outlines do not fit are downloaded by those who build on them. */
const MAX_OUTLINES = 1 << 20;
/** What the listings of a foreign config may unpack to together, in characters. */
const MAX_TEXT = 64 << 20;

/**
 * Writes a stage for a registry. Nothing in it depends on who built it, when, or where: whoever builds the same stage
 * gets the same manifest. Undefined when trees that later stages need do not fit.
 */
export async function encodeStage(
  document: StageDocument,
  project: string,
): Promise<BuiltManifest | undefined> {
  const text = await stageConfigText(document);
  if (text === undefined) return undefined;
  const { signature, previous, stage } = document.stages.at(-1)!;
  const config = await textDocument(mediaTypes.config, text);
  return await manifestWith(config, document.image.layers, {
    [labels.project]: project,
    [labels.dimg]: "false",
    [labels.stage]: stage,
    [labels.signature]: signature,
    ...(previous && { [labels.previous]: previous }),
  });
}

/** The configuration of a stage in a registry. Undefined when trees that later stages need do not fit. */
export async function stageConfigText(
  { stages, image, trees, listings, outlines = new Map() }: StageDocument,
): Promise<string | undefined> {
  const packed: Record<string, string> = {};
  const needed = new Set(Object.values(trees));
  let room = MAX_LISTINGS;
  // Trees first, then the newest facts.
  const wanted = [
    ...needed,
    ...stages.toReversed().flatMap(({ facts }) => facts.flatMap((f) => f.listing ? [f.value] : [])),
  ];
  for (const digest of new Set(wanted)) {
    const text = listings.get(digest);
    const bytes = text === undefined ? undefined : await pack(text);
    if (bytes !== undefined && bytes.length <= room) {
      packed[digest] = bytes;
      room -= bytes.length;
    } else if (needed.has(digest)) return undefined;
  }
  const layers: Record<string, string> = {};
  let roomForOutlines = MAX_OUTLINES;
  for (const [diffId, text] of outlines) {
    const bytes = await pack(text);
    if (bytes.length > roomForOutlines) continue;
    layers[diffId] = bytes;
    roomForOutlines -= bytes.length;
  }
  const member = {
    format: FORMAT,
    stages,
    listings: packed,
    trees,
    ...(Object.keys(layers).length > 0 && { layers }),
  };
  const config: StageConfig = { ...image.config, dapp: member };
  return configText(config);
}

/**
 * Reads what {@linkcode encodeStage} wrote, whatever tool copied it; undefined when it is something else.
 *
 * @param known gives a listing that is here already, as those of the commit that is checked out are: unpacking loads Deno's
 * streams, which takes longer
 */
export async function decodeStage(
  image: ImageState,
  signature: Signature,
  known: (digest: Digest) => Promise<string | undefined>,
): Promise<StageDocument | undefined> {
  const { dapp: member, ...config }: StageConfig = image.config;
  if (!isObject(member) || member.format !== FORMAT) return undefined;
  const { stages, listings, trees } = member;
  if (!Array.isArray(stages) || !stages.every(isFacts) || stages.at(-1)?.signature !== signature) {
    return undefined;
  }
  const texts = new Map<Digest, string>();
  let unpacked = 0;
  for (const [digest, value] of Object.entries(isObject(listings) ? listings : {})) {
    if (!isDigest(digest) || typeof value !== "string") return undefined;
    let text = await known(digest);
    if (text === undefined) {
      text = await unpack(value, MAX_TEXT - unpacked).catch(() => undefined);
      if (text === undefined || await digestOf(text) !== digest) return undefined;
      unpacked += text.length;
    }
    texts.set(digest, text);
  }
  const shown = trees ?? {};
  if (!isRecordOf(isDigest)(shown) || !Object.values(shown).every((digest) => texts.has(digest))) {
    return undefined;
  }
  return {
    stages,
    image: { config, layers: image.layers },
    trees: shown,
    listings: texts,
  };
}

/** The outlines in the configuration of a stage, unread; none where there are none. */
export function packedOutlines({ config }: ImageState): PackedOutlines {
  const { dapp: member }: StageConfig = config;
  const layers = isObject(member) && member.format === FORMAT ? member.layers : undefined;
  const rows = Object.entries(isObject(layers) ? layers : {});
  return new Map(rows.filter((row): row is [Digest, string] => isDigest(row[0]) && isText(row[1])));
}

/** Reads an outline that anybody may have packed. @throws {LayerError} */
export async function unpackOutline(packed: string): Promise<LayerOutline> {
  const text = await unpack(packed, MAX_TEXT).catch(() => "");
  return parseOutline(text);
}

const isFacts = hasMembers<StageFacts>({
  stage: isText,
  signature: isSignature,
  previous: isEither(isJust(null), isSignature),
  facts: isListOf(isFact),
});

async function pack(text: string): Promise<string> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  return bytes.toBase64();
}

async function unpack(value: string, limit: number): Promise<string> {
  const bytes = Uint8Array.fromBase64(value);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > limit) throw new RangeError("too long");
  }
  return text + decoder.decode();
}
