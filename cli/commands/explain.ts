import type {
  Engine,
  ExplainedImage,
  ExplainedStage,
  Explanation,
  FactChange,
  FileChange,
} from "../../mod.ts";
import { count, formatInstant, imageTitle, printable, shortDigest } from "../format.ts";
import type { Style } from "../style.ts";
import type { CommandRun } from "../command.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** `dapp dimg explain`: which facts of which stages changed since they were last built. */
export const explain: CommandRun = async ({ engine, words, style, quiet, verbose, answer }) => {
  const [dimg, stage] = await named(await engine(), words.DIMG?.[0], words.STAGE?.[0]);
  const result = await (await engine()).explain(dimg, stage);
  // Stages that change only because one before them did are named there; asked for by name, they are shown.
  const all = verbose || stage !== undefined;
  answer(
    result,
    () => quiet ? changedStages(result) : explanationLines(all ? result : withoutRipples(result), style),
  );
  return 0;
};

/** A dimg and a stage, which may be written as every output names them: `app/install`. */
async function named(engine: Engine, dimg: string | undefined, stage: string | undefined) {
  const slash = dimg?.lastIndexOf("/") ?? -1;
  if (dimg === undefined || stage !== undefined || slash < 0) return [dimg, stage] as const;
  const known = (await engine.list()).some(({ name }) => name === dimg);
  return known ? [dimg, stage] as const : [dimg.slice(0, slash), dimg.slice(slash + 1)] as const;
}

/** `image/stage` of each stage with a change of its own. */
function changedStages({ images }: Explanation): string[] {
  return images.flatMap(({ name, kind, stages }) =>
    stages.filter(({ rippleOnly }) => !rippleOnly).map(({ stage }) => `${imageTitle(name, kind)}/${stage}`)
  );
}

/** The same without stages that something else explains. */
function withoutRipples(result: Explanation): Explanation {
  const told = new Set(result.images.flatMap(({ stages }) => stages.flatMap(({ ripplesTo }) => ripplesTo)));
  const images = result.images.map((image) => ({
    ...image,
    stages: image.stages.filter(({ stage, rippleOnly }) =>
      !rippleOnly || !told.has(`${imageTitle(image.name, image.kind)}/${stage}`)
    ),
  }));
  return { ...result, images: images.filter(({ stages }) => stages.length > 0) };
}

function explanationLines({ images }: Explanation, style: Style): string[] {
  if (images.length === 0) return ["Nothing changed: every stage is built"];
  const stages = images.flatMap((image) => image.stages.map((stage) => ({ image, stage })));
  return stages.flatMap(({ image, stage }, i) => {
    // What is said of several in a row is said once, below them.
    const [before, after] = [stages[i - 1]?.stage, stages[i + 1]?.stage];
    const apart = before === undefined || isFirst(before) && isFirst(stage) ? [] : [""];
    const [title, ...more] = stageLines(image, stage, style);
    return [...apart, title!, ...(isFirst(stage) && after && isFirst(after) ? [] : more)];
  });
}

/** Whether all there is to say of a stage is that it was never built. */
function isFirst({ comparedWith, changes, facts, ripplesTo }: ExplainedStage): boolean {
  return !comparedWith && changes.length === 0 && !facts && ripplesTo.length === 0;
}

function stageLines(image: ExplainedImage, stage: ExplainedStage, style: Style): string[] {
  const { comparedWith, changes, facts, ripplesTo } = stage;
  const title = style.bold(`${imageTitle(image.name, image.kind)}/${stage.stage}`);
  const marks = stage.hermetic ? "" : style.yellow("  not hermetic: its commands see undeclared files");
  const head = [`${title}  ${stage.state}  ${shortDigest(stage.signature)}${marks}`];
  if (!comparedWith) head.push("  no earlier build here to compare with");
  else {
    const commit = comparedWith.commit ? ` at commit ${comparedWith.commit.slice(0, 8)}` : "";
    const place = comparedWith.builtBy?.address;
    const by = place === undefined ? "" : ` by BuildKit at ${printable(place)}`;
    head.push(
      `  compared with ${shortDigest(comparedWith.signature)}, built ${
        formatInstant(comparedWith.at)
      }${commit}${by}`,
    );
  }
  if (stage.rippleOnly) head.push("  only the stage before it changed");
  const changed = changes.flatMap((change) => changeLines(change, style));
  const after = ripplesTo.length > 0 ? [`  changes with it: ${ripplesTo.join(", ")}`] : [];
  const lines = [...head, ...changed, ...after];
  if (facts) {
    const width = widest(facts.map(({ key }) => key));
    lines.push("  all facts:");
    for (const { key, value } of facts) {
      const [first = "", ...rest] = key === "commands" ? commandLines(value) : [shown(value)];
      lines.push(`    ${key.padEnd(width)}  ${first}`);
      for (const line of rest) lines.push(`    ${" ".repeat(width)}  ${line}`);
    }
  }
  return lines;
}

/** Length of the longest text, of which there may be more than a function takes arguments. */
function widest(texts: readonly string[]): number {
  return texts.reduce((most, { length }) => Math.max(most, length), 0);
}

/** The commands of a stage as they are run, a line each. */
function commandLines(value: string): string[] {
  return (JSON.parse(value) as string[]).flatMap((command) => command.split("\n")).map(printable);
}

function changeLines(change: FactChange, style: Style): string[] {
  switch (change.kind) {
    case "value":
      return [`  ${change.key}: ${valueChange(change, style)}`];
    case "commands":
      return [`  ${change.key}:`, ...change.diff.map((line) => `    ${diffLine(line, style)}`)];
    case "files": {
      const width = widest(change.files.map(({ path }) => printable(path)));
      return [
        `  ${change.key}: ${count(change.files.length, "file")}`,
        ...change.files.map((file) => `    ${fileLine(file, width, style)}`),
      ];
    }
    default:
      return unreachable(change);
  }
}

function valueChange({ before, after }: FactChange & { readonly kind: "value" }, style: Style): string {
  if (before === undefined) return `${style.green("added")} ${shown(after ?? "")}`;
  if (after === undefined) return `${style.red("removed")}, it was ${shown(before)}`;
  return `${shown(before)} → ${shown(after)}`;
}

function diffLine(line: string, style: Style): string {
  const text = printable(`${line.slice(0, 1)} ${line.slice(1)}`);
  return line.startsWith("+") ? style.green(text) : line.startsWith("-") ? style.red(text) : text;
}

function fileLine({ path, change, before, after, commit }: FileChange, width: number, style: Style): string {
  const paint = change === "added" ? style.green : change === "removed" ? style.red : style.yellow;
  const ids = [before, after].filter((id) => id !== undefined).map(shortId).join(" → ");
  return `${paint(change.padEnd("modified".length))}  ${printable(path).padEnd(width)}  ${ids}${
    commit ? `  (${printable(commit)})` : ""
  }`;
}

/** The first digits of a git object id; what follows it stays. */
function shortId(id: string): string {
  return id.replace(/^([0-9a-f]{8})[0-9a-f]{32,56}/, "$1");
}

/** A fact's value on one line. */
function shown(value: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(value)) return shortDigest(value);
  return /^[\x21-\x7e]+$/.test(value) && !value.startsWith('"') ? value : JSON.stringify(value);
}
