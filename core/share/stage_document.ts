import { type BuiltManifest, manifestWith, textDocument } from "../../lib/oci/build.ts";
import { hasMembers, isEither, isJust, isListOf, isObject, isRecordOf, isText } from "../../lib/guard.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
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
}

/** Config member that holds it (image-spec config.md: implementations ignore what they do not know). */
const MEMBER = "dapp";
const FORMAT = 1;
/** Tools refuse configs beyond 4 MiB; listings that do not fit are left out, and `explain` names no files then. */
const MAX_LISTINGS = 2 << 20;
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
  { stages, image, trees, listings }: StageDocument,
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
  const member = { format: FORMAT, stages, listings: packed, trees };
  return configText({ ...image.config, ...{ [MEMBER]: member } });
}

/** Reads what {@linkcode encodeStage} wrote, whatever tool copied it; undefined when it is something else. */
export async function decodeStage(
  image: ImageState,
  signature: Signature,
): Promise<StageDocument | undefined> {
  const { [MEMBER]: member, ...config } = image.config as ImageState["config"] & Record<string, unknown>;
  if (!isObject(member) || member.format !== FORMAT) return undefined;
  const { stages, listings, trees } = member;
  if (!Array.isArray(stages) || !stages.every(isFacts) || stages.at(-1)?.signature !== signature) {
    return undefined;
  }
  const texts = new Map<Digest, string>();
  let unpacked = 0;
  for (const [digest, value] of Object.entries(isObject(listings) ? listings : {})) {
    if (!isDigest(digest) || typeof value !== "string") return undefined;
    const text = await unpack(value, MAX_TEXT - unpacked).catch(() => undefined);
    if (text === undefined || await digestOf(text) !== digest) return undefined;
    unpacked += text.length;
    texts.set(digest, text);
  }
  const shown = trees ?? {};
  if (!isRecordOf(isDigest)(shown) || !Object.values(shown).every((digest) => texts.has(digest))) {
    return undefined;
  }
  return {
    stages,
    image: { config: config as ImageState["config"], layers: image.layers },
    trees: shown,
    listings: texts,
  };
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
