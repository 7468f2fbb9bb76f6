import type * as Zod from "../../lib/zod.ts";
import { EngineError } from "../contract/errors.ts";
import { SERVICE_TAG_PREFIX } from "../contract/labels.ts";
import { isTag } from "../../lib/oci/reference.ts";
import { subjectInName } from "../protocol/subject_in_name.ts";
import { isSpare } from "../protocol/spare_tags.ts";
import { ATTACHED, type CleanupPlan, FORGOTTEN, LEFT, OLD_STAGE } from "./plan.ts";
import { isSignature } from "../contract/signature.ts";
import { isDigest } from "../../lib/oci/digest.ts";

/**
 * Reads a plan that was printed as JSON, strictly: nothing unknown, and groups that say the same as tags.
 *
 * @throws USAGE with what is wrong
 */
export async function parsePlan(text: string): Promise<CleanupPlan> {
  const fail = (why: string) =>
    new EngineError("USAGE", `Cannot read the cleanup plan: ${why}`, {
      fix: "Make a new plan: dapp dimg cleanup repo REPO --dry-run --json > FILE",
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw fail("it is not JSON");
  }
  const z = await import("../../lib/zod.ts");
  const { optionProblems } = await import("../contract/option_problems.ts");
  const digest = z.string().refine(isDigest, "is no digest");
  const signature = z.string().refine(isSignature, "is no signature");
  const tag = z.string().refine(isTag, "is no tag");
  const kind = z.enum(["image", "stage", "foreign", "service", "broken"]);
  const line = z.string();
  const counts = z.strictObject({
    image: z.int(),
    stage: z.int(),
    foreign: z.int(),
    service: z.int(),
    broken: z.int(),
  });
  const schema: Zod.ZodType<CleanupPlan> = z.strictObject({
    format: z.literal(1),
    project: line.min(1),
    repo: line.min(1),
    now: z.iso.datetime(),
    tags: z.array(z.strictObject({
      kind,
      repository: line,
      tag,
      reference: line,
      digest: digest.exactOptional(),
      verdict: z.enum(["keep", "delete"]),
      rule: line,
      why: line,
      plugin: line.exactOptional(),
      chain: z.array(line),
      also: z.array(z.strictObject({ plugin: line, rule: line, why: line })).exactOptional(),
      signature: signature.exactOptional(),
      remembered: z.literal(true).exactOptional(),
      dimg: line.exactOptional(),
      scheme: line.exactOptional(),
      commit: line.exactOptional(),
      time: line.exactOptional(),
      bytes: z.int().min(0).exactOptional(),
    })),
    groups: z.array(z.strictObject({
      repository: line,
      digest: digest.exactOptional(),
      remove: z.array(tag).min(1),
      siblings: z.array(tag),
      child: z.boolean(),
      children: z.array(digest).min(1).exactOptional(),
    })),
    freedBytes: z.int().min(0),
    counts: z.strictObject({ keep: counts, delete: counts }),
    notes: z.array(line),
  });
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const [{ path, message } = {}] = optionProblems(parsed.error.issues, schema);
    throw fail(`it is not what --dry-run --json prints${path ? ` at ${path}: ${message}` : ""}`);
  }
  const problem = contradiction(parsed.data);
  if (problem) throw fail(problem);
  return parsed.data;
}

/** What in a plan does not fit together, as after an edit by hand. */
function contradiction({ tags, groups }: CleanupPlan): string | undefined {
  const byKey = new Map(tags.map((tag) => [`${tag.repository}:${tag.tag}`, tag]));
  if (byKey.size !== tags.length) return "a tag is listed twice";
  let removed = 0;
  for (const { repository, digest, remove } of groups) {
    for (const name of remove) {
      const tag = byKey.get(`${repository}:${name}`);
      if (!tag) return `group ${digest} removes "${name}", which is not among the tags`;
      if (tag.verdict !== "delete") return `group ${digest} removes ${tag.reference}, which is to be kept`;
      if (tag.digest !== digest) return `group ${digest} removes ${tag.reference}, which has another digest`;
      const own = tag.rule === FORGOTTEN && isSpare(tag.tag) ||
        tag.rule === LEFT && !tag.tag.startsWith(SERVICE_TAG_PREFIX);
      if (own) {
        removed++;
        continue;
      }
      const service = tag.kind === "service" || tag.tag.startsWith(SERVICE_TAG_PREFIX);
      if (
        service ||
        (tag.kind === "foreign" && tag.rule !== OLD_STAGE &&
          !(tag.rule === ATTACHED && subjectInName(tag.tag)))
      ) {
        return `${tag.reference} is not the project's`;
      }
      removed++;
    }
  }
  const going = tags.filter(({ verdict }) => verdict === "delete").length;
  return removed === going ? undefined : `${going} tags are to go, but groups remove ${removed}`;
}
