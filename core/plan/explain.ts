import { EngineError } from "../contract/errors.ts";
import { imageKey, stageTitle } from "../sign/graph.ts";
import { refOf } from "../sign/stage_ref.ts";
import { compareStage, imagesOf, type PlanInputs } from "./plan.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { didYouMean } from "../../lib/suggest.ts";
import type { FactChange, Plan, PlannedStage } from "../contract/results.ts";
import type { StepPlace } from "../contract/place.ts";
import type { Signature } from "../contract/signature.ts";

export interface ExplainInputs extends PlanInputs {
  /** The commit that last changed each absolute image path of an image's git entries: `<short id> <subject>`. */
  commits(
    image: SignedImage,
    paths: readonly string[],
    since: string | undefined,
  ): Promise<ReadonlyMap<string, string>>;
}

/** Says for every stage of `keys` (or the one named) which facts changed since its nearest earlier build. */
export async function explainBuild(
  signed: SignedGraph,
  plan: Plan,
  wanted: { readonly keys: ReadonlySet<string>; readonly stage?: string | undefined },
  inputs: ExplainInputs,
): Promise<Explanation> {
  const { stage: name, keys } = wanted;
  if (name !== undefined) requireStage(signed.images, name);
  const has = (image: SignedImage) => image.stages.some(({ spec }) => spec.name === name);
  const own = name !== undefined && signed.images.some((image) => keys.has(image.node.key) && has(image));
  const images: ExplainedImage[] = [];
  const plannedOf = new Map(plan.images.map((image) => [imageKey(image.kind, image.name), image]));
  for (const image of signed.images) {
    // A stage that is named is one of the selected images, if they have it; otherwise those they need are explained too.
    if (own && !keys.has(image.node.key)) continue;
    const { kind, name } = image.node.rule;
    const planned = plannedOf.get(image.node.key)!;
    const stages: ExplainedStage[] = [];
    for (const [i, stage] of image.stages.entries()) {
      const row = planned.stages[i]!;
      const chosen = wanted.stage === undefined ? row.state === "build" : row.stage === wanted.stage;
      if (!chosen) continue;
      const facts = stage.facts.map(({ key, value }) => ({ key, value }));
      stages.push({
        ...await explainStage(signed, image, stage, row, inputs),
        ...(wanted.stage !== undefined && { facts }),
      });
    }
    if (stages.length > 0) images.push({ name, kind, stages });
  }
  return { project: inputs.project, images };
}

async function explainStage(
  signed: SignedGraph,
  image: SignedImage,
  stage: SignedStage,
  row: PlannedStage,
  inputs: ExplainInputs,
): Promise<ExplainedStage> {
  const found = await compareStage(image, stage, inputs);
  const { stage: known, at } = found.with ?? {};
  const changes = await withCommits(found.changes, image, known?.commit, inputs);
  return {
    stage: row.stage,
    signature: row.signature,
    state: row.state,
    hermetic: row.hermetic,
    ...(known && at && {
      comparedWith: {
        signature: known.signature,
        at,
        ...(known.commit && { commit: known.commit }),
        ...(known.builtBy && { builtBy: known.builtBy }),
      },
    }),
    rippleOnly: known !== undefined && changes.length === 0,
    changes,
    ripplesTo: changes.length > 0 ? ripples(signed, image, stage) : [],
  };
}

async function withCommits(
  changes: readonly FactChange[],
  image: SignedImage,
  since: string | undefined,
  inputs: ExplainInputs,
): Promise<FactChange[]> {
  const paths = changes.flatMap((c) => c.kind === "files" ? c.files.map((f) => f.path) : []);
  if (paths.length === 0) return [...changes];
  const commits = await inputs.commits(image, paths, since);
  return changes.map((change) =>
    change.kind !== "files" ? change : {
      ...change,
      files: change.files.map((file) => {
        const commit = commits.get(file.path);
        return commit ? { ...file, commit } : file;
      }),
    }
  );
}

/** Every later stage, here and in images that use this one, whose signature depends on `stage`. */
function ripples(signed: SignedGraph, image: SignedImage, stage: SignedStage): string[] {
  const out: string[] = [];
  const after = (of: SignedImage, from: number) => {
    for (const s of of.stages.slice(from)) {
      out.push(stageTitle(refOf(of, s)));
    }
  };
  after(image, image.stages.indexOf(stage) + 1);
  const touched = new Set([image.node.key]);
  for (const other of signed.images) {
    const first = other.stages.findIndex((s) => imagesOf(other, s).some((key) => touched.has(key)));
    if (first < 0 || touched.has(other.node.key)) continue;
    touched.add(imageKey(other.node.rule.kind, other.node.rule.name));
    after(other, first);
  }
  return out;
}

/** The stage of an image that has a name. @throws STAGE_UNKNOWN naming those that there are */
export function stageOf(image: SignedImage, name: string): SignedStage {
  requireStage([image], name);
  return image.stages.find(({ spec }) => spec.name === name)!;
}

/** @throws STAGE_UNKNOWN naming the stages there are */
export function requireStage(images: readonly SignedImage[], stage: string): void {
  const names = [...new Set(images.flatMap(({ stages }) => stages.map(({ spec }) => spec.name)))];
  if (names.includes(stage)) return;
  const there = names.length === 0 ? "there are none" : `the stages here are ${names.join(", ")}`;
  throw new EngineError("STAGE_UNKNOWN", `Cannot find stage "${stage}": ${there}${didYouMean(stage, names)}`);
}

/** A diff of facts between a stage now and its nearest earlier build. */
export interface Explanation {
  /** Name of the project. */
  readonly project: string;
  /** One row for each image. */
  readonly images: readonly ExplainedImage[];
}

/** Stages of one image that differ. */
export interface ExplainedImage {
  /** Name of the dimg or artifact; "" is the nameless one. */
  readonly name: string;
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** One row for each stage, in order. */
  readonly stages: readonly ExplainedStage[];
}

/** How one stage differs from its nearest earlier build. */
export interface ExplainedStage {
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** What a build would do with it. */
  readonly state: "cached" | "covered" | "build" | "unneeded";
  /** Whether the signature covers all that its commands see. */
  readonly hermetic: boolean;
  /** The earlier build it is compared with; undefined = this stage was never built here. */
  readonly comparedWith?: {
    readonly signature: Signature;
    readonly at: string;
    readonly commit?: string;
    /** Where its commands ran. */
    readonly builtBy?: StepPlace;
  };
  /** True when only the stage before it changed. */
  readonly rippleOnly: boolean;
  /** Facts that differ. */
  readonly changes: readonly FactChange[];
  /** Later stages, of this and of other images, whose signatures change because of this one: `image/stage`. */
  readonly ripplesTo: readonly string[];
  /** All facts, for a single stage that was asked for by name. */
  readonly facts?: readonly { readonly key: string; readonly value: string }[];
}
