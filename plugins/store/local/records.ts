import {
  isDigest,
  isFact,
  isImageState,
  isSignature,
  type StageRecord,
} from "../../../core/contract/plugin.ts";
import {
  hasMembers,
  isCount,
  isEither,
  isJust,
  isListOf,
  isOptional,
  isRecordOf,
  isText,
} from "../../../lib/guard.ts";

/** Whether a file is the record of a stage, of whichever format. The image's configuration is not looked into: it was when it came here. */
export const isStageRecord = hasMembers<StageRecord>({
  format: (value): value is 2 => isCount(value),
  signature: isSignature,
  previous: isEither(isJust(null), isSignature),
  stage: isText,
  facts: isListOf(isFact),
  image: isImageState,
  trees: isOptional(isRecordOf(isDigest)),
  unseen: isOptional(isJust(true)),
  elsewhere: isOptional(
    hasMembers<NonNullable<StageRecord["elsewhere"]>>({ repository: isText, manifest: isDigest }),
  ),
  builtAt: isText,
  buildMs: isCount,
  builtBy: isOptional(
    hasMembers<NonNullable<StageRecord["builtBy"]>>({
      builder: isText,
      address: isOptional(isText),
      platform: isOptional(isText),
    }),
  ),
  addedBytes: isCount,
  origin: hasMembers<StageRecord["origin"]>({ project: isText, image: isText, commit: isOptional(isText) }),
});
