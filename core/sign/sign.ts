import type { ImageRule } from "../contract/config.ts";
import { type BuildGraph, imageKey, type ImageNode, type StageSpec } from "./graph.ts";
import { baseName, isOwn } from "./base_rule.ts";
import { entryKey } from "./entry_key.ts";
import { formatFact } from "./stage_formats.ts";
import { compareText, type Fact, type Signature, signatureOf } from "../contract/signature.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { unreachable } from "../../lib/unreachable.ts";
import { EngineError } from "../contract/errors.ts";

/** Whether a failure has to do with the name of a base, rather than with this machine. */
function isOfBase(error: unknown): error is EngineError {
  return error instanceof EngineError && /^(SOURCE|REGISTRY)_/.test(error.code);
}

/** A stage with its signature and the facts behind it. */
export interface SignedStage {
  readonly spec: StageSpec;
  readonly signature: Signature;
  readonly previous: Signature | null;
  readonly facts: readonly Fact[];
  /** False when the stage's commands see files that the signature does not cover. */
  readonly hermetic: boolean;
}

export interface SignedImage {
  readonly node: ImageNode;
  /** Without the stages that turned out to be empty. */
  readonly stages: readonly SignedStage[];
}

export interface SignedGraph {
  readonly images: readonly SignedImage[];
  image(key: string): SignedImage;
}

/** What signing needs to know of the world. */
export interface SignInputs {
  /** `os/architecture[/variant]` */
  readonly platform: string;
  /** The fixed modification time, seconds since 1970. */
  readonly epoch: number;
  /** Digest of a base image by the text after `from:`, for `platform` if that is another. */
  baseDigest(name: string, platform?: string): Promise<Digest>;
  /** The dappfile, for messages. */
  readonly file: string;
  /** What a Dockerfile makes of an image that has one. */
  dockerfile(node: ImageNode): Promise<DockerfileFacts>;
  /** Facts of the git stages of an image by stage name; a stage without an entry is empty. */
  gitFacts(rule: ImageRule): Promise<ReadonlyMap<string, GitStageFacts>>;
  /** What plugins add. */
  pluginFacts(rule: ImageRule, spec: StageSpec): Promise<readonly Fact[]>;
}

export interface GitStageFacts {
  readonly facts: readonly Fact[];
  readonly hermetic: boolean;
}

/** What a Dockerfile adds to the signature, and the images that it uses. */
export interface DockerfileFacts extends GitStageFacts {
  readonly images: readonly { readonly name: string; readonly platform?: string }[];
}

/** The last stage of an image: its final state. */
export function lastStage(image: SignedImage): SignedStage {
  const last = image.stages.at(-1);
  if (!last) throw new TypeError(`Image "${image.node.key}" has no stages`);
  return last;
}

/** Computes the signature of every stage of the images named by `keys` and of all that they need. */
export async function signGraph(
  graph: BuildGraph,
  keys: ReadonlySet<string>,
  inputs: SignInputs,
): Promise<SignedGraph> {
  const wanted = new Set(keys);
  // Those that are added come to their turn.
  for (const key of wanted) for (const need of graph.node(key).needs) wanted.add(need);

  const nodes = graph.images.filter((image) => wanted.has(image.key));
  // Everything that reads the outside world starts at once; the signatures then follow in order.
  const world = nodes.map((node) => ({
    base: isOwn(node.rule.base) || node.rule.base.kind === "dockerfile"
      ? undefined
      : inputs.baseDigest(baseName(node.rule)).catch((error: unknown) => {
        const { file = inputs.file, line } = node.rule;
        throw isOfBase(error) ? error.withDetails({ at: `${file}:${line}` }) : error;
      }),
    dockerfile: node.rule.base.kind === "dockerfile" ? dockerfileFacts(node, inputs) : undefined,
    git: inputs.gitFacts(node.rule),
    plugins: Promise.all(node.stages.map((spec) => inputs.pluginFacts(node.rule, spec))),
  }));
  await Promise.all(world.flatMap((w) => [w.base, w.dockerfile, w.git, w.plugins]));

  const signed = new Map<string, SignedImage>();
  const image = (key: string) => {
    const found = signed.get(key);
    if (!found) throw new TypeError(`Image "${key}" is not signed`);
    return found;
  };
  for (const [i, node] of nodes.entries()) {
    const git = await world[i]!.git;
    const plugins = await world[i]!.plugins;
    const base = await world[i]!.base;
    const dockerfile = await world[i]!.dockerfile;
    const stages: SignedStage[] = [];
    let [previous, hermetic]: [Signature | null, boolean] = [null, true];
    for (const [s, spec] of node.stages.entries()) {
      const own = ownFacts(node.rule, spec, {
        base,
        dockerfile: dockerfile?.facts ?? [],
        git,
        inputs,
        final: (key) => lastStage(image(key)).signature,
      });
      if (!own) continue;
      const facts = [{ key: "stage", value: spec.name }, formatFact(spec.work), ...own, ...plugins[s]!];
      if (spec.work.kind === "dockerfile") hermetic &&= dockerfile?.hermetic ?? true;
      if (spec.work.kind === "git") hermetic &&= git.get(spec.name)?.hermetic ?? true;
      const signature = await signatureOf(previous, facts);
      stages.push({ spec, signature, previous, facts, hermetic: hermetic || spec.name === "gitArchive" });
      previous = signature;
    }
    signed.set(node.key, { node, stages });
  }
  return { images: [...signed.values()], image };
}

interface Known {
  readonly base: Digest | undefined;
  readonly dockerfile: readonly Fact[];
  readonly git: ReadonlyMap<string, GitStageFacts>;
  readonly inputs: SignInputs;
  final(key: string): Signature;
}

/** The facts that make a stage what it is; undefined when it is empty. */
function ownFacts(rule: ImageRule, spec: StageSpec, known: Known): readonly Fact[] | undefined {
  const { work } = spec;
  switch (work.kind) {
    case "from":
      return fromFacts(rule, known);
    case "dockerfile":
      return [...present([...groundFacts(rule, known), ...secretFacts(rule)]), ...known.dockerfile];
    case "git":
      return known.git.get(spec.name)?.facts;
    case "import":
      return work.rules.flatMap((r) => {
        const at = entryKey("import", r, work.rules);
        const [include, exclude] = [r.includePaths, r.excludePaths].map((paths) =>
          paths.toSorted(compareText)
        );
        const files = JSON.stringify([r.add, r.to, include, exclude, r.owner ?? "", r.group ?? ""]);
        return [
          { key: `${at}.artifact`, value: known.final(imageKey("artifact", r.artifact)) },
          { key: `${at}.files`, value: files },
        ];
      });
    case "run": {
      const shell = rule.shell[work.stage];
      const mounts = rule.mounts.map((m) => `${m.to} ${m.from}`).sort(compareText);
      return present([
        ["commands", JSON.stringify(work.commands)],
        ["cacheVersion", shell?.cacheVersion],
        ["stageCacheVersion", shell?.stageCacheVersion],
        ["mounts", mounts.length > 0 ? JSON.stringify(mounts) : undefined],
        ...secretFacts(rule),
      ]);
    }
    case "docker":
      return Object.entries(rule.docker ?? {}).map(([key, value]) => ({
        key: `docker.${key}`,
        value: JSON.stringify(
          isRecord(value) ? Object.entries(value).sort((a, b) => compareText(a[0], b[0])) : value,
        ),
      }));
    default:
      return unreachable(work);
  }
}

/** What commands can see of secrets but their values, which are not signed. */
function secretFacts({ secrets, ssh }: ImageRule): [string, string | undefined][] {
  const rows = secrets.map(({ id, target = "", as = "", version = "" }) => [id, target, as, version]);
  rows.sort((a, b) => compareText(a[0]!, b[0]!));
  return [
    ["secrets", rows.length > 0 ? JSON.stringify(rows) : undefined],
    ["ssh", ssh.length > 0 ? JSON.stringify(ssh) : undefined],
  ];
}

function fromFacts(rule: ImageRule, { base, inputs, final }: Known): readonly Fact[] {
  const value = isOwn(rule.base) ? final(imageKey(rule.base.kind, rule.base.name)) : base;
  return present([["base", value], ...groundFacts(rule, { inputs })]);
}

/** What every image begins with, whatever it stands on. */
function groundFacts(
  { fromCacheVersion }: ImageRule,
  { inputs }: Pick<Known, "inputs">,
): [string, string | undefined][] {
  return [
    ["platform", inputs.platform],
    ["cacheVersion", fromCacheVersion],
    ["epoch", String(inputs.epoch)],
  ];
}

/** What a Dockerfile says, with the digests of the images that it uses. */
async function dockerfileFacts(node: ImageNode, inputs: SignInputs) {
  const { facts, images, hermetic } = await inputs.dockerfile(node);
  const bases = images.map(async ({ name, platform }) => ({
    key: `base[${platform === undefined ? name : `${name} ${platform}`}]`,
    value: await inputs.baseDigest(name, platform),
  }));
  return { facts: [...facts, ...await Promise.all(bases)], hermetic };
}

function present(rows: readonly (readonly [string, string | undefined])[]): Fact[] {
  return rows.flatMap(([key, value]) => value === undefined ? [] : [{ key, value }]);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
