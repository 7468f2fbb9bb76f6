import type { Config, GitStage, ImageRule, ImportRule, UserStage } from "../contract/config.ts";
import { EngineError } from "../contract/errors.ts";
import type { StageRef } from "../contract/events.ts";
import { compareEntries } from "./entry_key.ts";
import { needsFirst } from "../../lib/needs_first.ts";

/** One step of an image, before anything is known of its inputs. */
export interface StageSpec {
  /** The YAML name, or `git:<stage>`, `import:before-install` and the like. */
  readonly name: string;
  readonly work:
    | { readonly kind: "from" }
    /** The whole of a Dockerfile, in the place of `from`. */
    | { readonly kind: "dockerfile" }
    | { readonly kind: "run"; readonly stage: UserStage; readonly commands: readonly string[] }
    | { readonly kind: "import"; readonly rules: readonly ImportRule[] }
    /** The files that commands of `stage` declare; undefined = the rest of the tree. */
    | { readonly kind: "git"; readonly stage: GitStage | undefined }
    | { readonly kind: "docker" };
}

/** An image with its conveyor. `key` is unique in the graph. */
export interface ImageNode {
  readonly key: string;
  readonly rule: ImageRule;
  readonly stages: readonly StageSpec[];
  /** Keys of images it stands on or imports from. */
  readonly needs: readonly string[];
}

/** Images in an order in which each comes after those it needs. */
export interface BuildGraph {
  readonly images: readonly ImageNode[];
  node(key: string): ImageNode;
}

/** The key of an image; dimgs and artifacts may share a name. */
export function imageKey(kind: "dimg" | "artifact", name: string): string {
  return kind === "dimg" ? name : `artifact:${name}`;
}

/** How an image is called in messages. */
export function imageTitle(kind: "dimg" | "artifact", name: string): string {
  if (kind === "artifact") return `artifact ${name}`;
  return name === "" ? "the nameless dimg" : name;
}

/** How a stage is called in messages: `app/install`, `artifact assets/setup`, `(nameless)/docker`. */
export function stageTitle({ kind, image, stage }: StageRef): string {
  return `${kind === "artifact" ? `artifact ${image}` : image || "(nameless)"}/${stage}`;
}

/**
 * Lays out every image's stages, leaving out those that the configuration alone shows to be empty.
 *
 * @throws CONFIG_INVALID on a cycle or an unknown image, which only a plugin can cause after validation
 */
export function buildGraph(config: Config): BuildGraph {
  const nodes = new Map<string, ImageNode>();
  for (const rule of config.images) {
    const key = imageKey(rule.kind, rule.name);
    const needs = rule.imports.map((i) => imageKey("artifact", i.artifact));
    if (rule.base.kind === "dimg" || rule.base.kind === "artifact") {
      needs.push(imageKey(rule.base.kind, rule.base.name));
    }
    nodes.set(key, { key, rule, stages: conveyor(rule), needs: [...new Set(needs)] });
  }
  const node = (key: string) => {
    const found = nodes.get(key);
    if (!found) throw new EngineError("CONFIG_INVALID", `Cannot order the images: "${key}" is not defined`);
    return found;
  };
  const ordered = needsFirst(nodes.keys(), (key) => node(key).needs, (way) => {
    const circle = [...way, way[0]].join(" -> ");
    throw new EngineError("CONFIG_INVALID", `Cannot order the images: ${circle} is a cycle`);
  });
  return { images: ordered.map(node), node };
}

function conveyor(rule: ImageRule): StageSpec[] {
  const first = rule.base.kind === "dockerfile" ? "dockerfile" : "from";
  const stages: StageSpec[] = [{ name: first, work: { kind: first } }];
  const imports = (when: "before" | "after", stage: "install" | "setup") => {
    const rules = rule.imports.filter((i) => i[when] === stage).sort(compareEntries);
    if (rules.length > 0) stages.push({ name: `import:${when}-${stage}`, work: { kind: "import", rules } });
  };
  const git = (stage: GitStage | undefined) => {
    if (rule.git.length > 0) {
      stages.push({ name: stage ? `git:${stage}` : "gitArchive", work: { kind: "git", stage } });
    }
  };
  const run = (stage: UserStage) => stages.push(...runStages(rule, stage));

  run("beforeInstall");
  imports("before", "install");
  git("install");
  run("install");
  imports("after", "install");
  git("beforeSetup");
  run("beforeSetup");
  imports("before", "setup");
  git("setup");
  run("setup");
  imports("after", "setup");
  if (rule.kind === "artifact") {
    git("buildArtifact");
    run("buildArtifact");
    // Without commands that could declare files, an artifact is there for its git files alone.
    if (!Object.keys(rule.shell).some((stage) => stage !== "beforeInstall")) git(undefined);
  } else {
    git(undefined);
    if (rule.docker) stages.push({ name: "docker", work: { kind: "docker" } });
  }
  return stages;
}

/** Names of the stages that an image will probably have: without those to which no git entry declares files. */
export function likelyStages(rule: ImageRule, stages: readonly StageSpec[]): readonly string[] {
  return stages.flatMap(({ name, work }) => {
    if (work.kind !== "git" || work.stage === undefined) return [name];
    const { stage } = work;
    const declared = rule.git.some(({ stageDependencies, visibleAll }) =>
      visibleAll || (stageDependencies[stage]?.length ?? 0) > 0
    );
    return declared ? [name] : [];
  });
}

/** Stages of an image at which git files can arrive, in order; undefined is the rest of the tree at the end. */
export function conveyorGitStages(rule: ImageRule): readonly (GitStage | undefined)[] {
  return conveyor(rule).flatMap(({ work }) => work.kind === "git" ? [work.stage] : []);
}

function runStages(rule: ImageRule, stage: UserStage): StageSpec[] {
  const shell = rule.shell[stage];
  if (!shell) return [];
  if (!rule.asLayers || shell.commands.length < 2) {
    return [{ name: stage, work: { kind: "run", stage, commands: shell.commands } }];
  }
  return shell.commands.map((command, i) => ({
    name: `${stage}.${i + 1}`,
    work: { kind: "run", stage, commands: [command] },
  }));
}
