/** Plans, reports and an engine for tests of the commands that clean up. */
import type {
  ApplyEvent,
  ApplyReport,
  CleanupPlan,
  Engine,
  PlannedRemoval,
  TagOutcome,
  TagResult,
} from "../../core/api.ts";
import type { CleanupRequest } from "../../core/cleanup/run.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

export const repo = "r.io/shop";

function tag(name: string, kind: PlannedRemoval["kind"], fate: Partial<PlannedRemoval>): PlannedRemoval {
  const [repository, tag] = name.split(":") as [string, string];
  return {
    kind,
    repository,
    tag,
    reference: `${repo}${repository && "/"}${name}`,
    digest: digestFromHex(tag.replace(/[^0-9a-f]/g, "").padEnd(64, "0")),
    verdict: "keep",
    rule: "branch",
    why: 'branch "main" is there',
    chain: [],
    ...fate,
  };
}

const gone = { verdict: "delete", rule: "not kept", why: "no policy keeps it" } as const;

/** One image and one stage stay, with a tag of others; two images and a stage go. */
export const plan: CleanupPlan = {
  format: 1,
  project: "shop",
  repo,
  now: "2026-01-10T00:00:00Z",
  tags: [
    tag("app:main", "image", {
      plugin: "keep-branches",
      chain: ["branch main", "commit 12ab"],
      also: [{ plugin: "keep-last", rule: "newest", why: "1 of 3" }],
    }),
    tag("app:old", "image", { ...gone, chain: ["branch old"] }),
    tag("app:older", "image", gone),
    tag(":dimgstage-1", "stage", { rule: "used by an image", why: "r.io/shop/app:main stands on it" }),
    tag(":dimgstage-2", "stage", { ...gone, why: "no image needs it" }),
    tag(":theirs", "foreign", {
      rule: "not the project's",
      why: "it has no label",
      chain: ["it has no label"],
    }),
  ],
  groups: [["app", "old"], ["app", "older"], ["", "dimgstage-2"]].map(([repository, tag]) => ({
    repository: repository!,
    digest: digestFromHex(tag!.replace(/[^0-9a-f]/g, "").padEnd(64, "0")),
    remove: [tag!],
    siblings: [],
    child: false,
  })),
  freedBytes: 4_200_000,
  counts: {
    keep: { image: 1, stage: 1, foreign: 1, service: 0, broken: 0 },
    delete: { image: 2, stage: 1, foreign: 0, service: 0, broken: 0 },
  },
  notes: ["the clone is complete"],
};

/** What is said of the plan before it is applied. */
export const summary = `note: the clone is complete
r.io/shop: 2 images, 1 stage to delete; 1 image, 1 stage, 1 tag of others to keep
deleting them frees 4.2 MB once the registry has collected its garbage
`;

export const emptyPlan: CleanupPlan = {
  ...plan,
  tags: [plan.tags[0]!],
  groups: [],
  freedBytes: 0,
  counts: {
    keep: { image: 1, stage: 0, foreign: 0, service: 0, broken: 0 },
    delete: { image: 0, stage: 0, foreign: 0, service: 0, broken: 0 },
  },
  notes: [],
};

/** A report on the plan's three tags. */
export function report(
  outcomes: readonly (readonly [TagOutcome, why?: string])[],
  how: Pick<ApplyReport, "outcome" | "exitCode"> & { readonly message?: string },
): ApplyReport {
  const going = plan.tags.filter(({ verdict }) => verdict === "delete");
  const tags = outcomes.map(([outcome, why], i): TagResult => ({
    reference: going[i]!.reference,
    outcome,
    ...(why !== undefined && { why }),
  }));
  const counts = { deleted: 0, gone: 0, spared: 0, refused: 0, failed: 0, "not tried": 0 };
  for (const { outcome } of tags) counts[outcome]++;
  return { ...how, counts, tags };
}

export const complete = report([["deleted"], ["gone"], ["deleted"]], { outcome: "complete", exitCode: 0 });

/** An engine that plans `made`, and keeps what it was asked. */
export function cleaning(
  made: CleanupPlan = plan,
  done: ApplyReport = complete,
  events: readonly ApplyEvent[] = [],
) {
  const requests: (CleanupRequest | undefined)[] = [];
  const applied: CleanupPlan[] = [];
  const engine = (): Partial<Engine> => ({
    config: () =>
      Promise.resolve({ project: { plugins: [] } } as unknown as Awaited<ReturnType<Engine["config"]>>),
    planCleanup(request) {
      requests.push(request);
      return Promise.resolve(made);
    },
    applyCleanup(given, options) {
      applied.push(given);
      for (const event of events) options?.onEvent?.(event);
      return Promise.resolve(done);
    },
  });
  return { requests, applied, engine };
}
