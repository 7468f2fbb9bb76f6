/** What methods of roles may answer, as strictly as {@linkcode checkAnswer} takes what hooks do. */
import * as z from "../../../../lib/zod.ts";
import type {
  BuilderLeftovers,
  HistoryRow,
  ListedManifest,
  ListedTag,
  RegistryCapabilities,
  RegistryFeatures,
  RemoteManifest,
  RemovalOutcome,
  ResolvedImage,
  StageRecord,
  StoreReport,
  SweepReport,
} from "../../../contract/plugin.ts";
import { isStageRecord } from "../../../contract/guards.ts";
import { type Digest, isDigest } from "../../../../lib/oci/digest.ts";
import { hasMembers, isAnything, isFlag, isListOf } from "../../../../lib/guard.ts";
import { place, signature, strict, text } from "../../answers.ts";
import { Remote } from "../wire.ts";
import type { Page } from "./shapes.ts";

/** A page of a list, whatever is in it. */
export const isPage = hasMembers<Page>({ items: isListOf(isAnything), done: isFlag });

const count = z.int().nonnegative();
const texts = z.record(z.string(), z.string());

export const digest = z.custom<Digest>(isDigest, "digest");
export const flag = z.boolean();
export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, "Uint8Array");

/** More than all years that are written with four digits. */
const MOST_OFF_MS = 1e15;

export const capabilities = strict<RegistryCapabilities>({
  naming: z.enum(["nested", "flat"]),
  nested: flag,
  deletion: z.enum(["tag", "manifest", "none", "unknown"]),
  listing: z.enum(["names", "digests", "times"]),
  pulls: flag,
  settleMs: z.number().nonnegative().optional(),
  atOnce: z.number().int().positive().optional(),
  clockOffMs: z.number().gte(-MOST_OFF_MS).lte(MOST_OFF_MS).optional(),
});

export const manifest = strict<RemoteManifest>({ digest, bytes, mediaType: text }).optional();
export const blobState = z.enum(["there", "absent", "lost", "damaged"]);

export const uploaded = z.enum(["present", "mounted", "uploaded"]);
export const digests = z.array(digest);
export const features = strict<RegistryFeatures>({ referrers: flag, pages: flag.optional() });

export const listedTag = strict<ListedTag>({
  tag: text,
  digest: digest.optional(),
  pushedAt: text.optional(),
  pulledAt: text.nullable().optional(),
  locked: z.string().optional(),
  manifest: strict<ListedManifest>({
    annotations: texts,
    labels: texts,
    bytes: count,
    children: digests,
  }).optional(),
});

export const removal = z.discriminatedUnion("outcome", [
  z.strictObject({
    outcome: z.literal("removed"),
    by: z.enum(["tag", "manifest"]),
    left: z.string().optional(),
  }),
  z.strictObject({ outcome: z.literal("absent") }),
  z.strictObject({ outcome: z.literal("inseparable"), why: z.string() }),
  z.strictObject({ outcome: z.literal("refused"), why: z.string() }),
]) as z.ZodType<RemovalOutcome>;

export const resolvedImage = strict<ResolvedImage>({ id: digest, pin: digest.optional() });

const problems = z.array(z.string());
export const size = count.optional();
export const blobPath = text;
export const stored = z.strictObject({ mediaType: z.string(), digest, size: count });
export const record = z.custom<StageRecord>(isStageRecord, "record of a stage").optional();
export const history = z.array(
  strict<HistoryRow>({ signature, at: text }),
);
export const claimed = z.map(signature, z.string());
export const storeReport = strict<StoreReport>({
  blobs: count,
  bytes: count,
  stages: count,
  problems,
  repaired: problems,
});
export const swept = strict<SweepReport>({
  path: text,
  blobs: count,
  bytes: count,
  busy: flag,
  memos: z.strictObject({ path: text, count, bytes: count }).optional(),
});

const remote = z.custom<Remote>((value) => value instanceof Remote, "promise");
/** A layer that a builder says it made; `blob` answers with it when it is compressed. */
const newLayer = z.strictObject({ diffId: digest, blob: remote });
export type SaidLayer = z.output<typeof newLayer>;
const layer = { mediaType: text, digest, size: count, diffId: digest };

export const mounts = z.array(z.enum(["host", "cache", "tmp", "memory", "secret", "ssh"])).optional();
export { place };
export const stepResult = z.strictObject({ layer: newLayer.optional() });
export const madeLayer = z.strictObject({ ...layer, file: text });
export const dockerfileResult = z.strictObject({
  config: z.looseObject({}),
  layers: z.array(z.union([newLayer, z.strictObject(layer)])),
});
export const leftovers = strict<BuilderLeftovers>({
  path: text,
  count,
  kept: z.array(z.string()),
});
