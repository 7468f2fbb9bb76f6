/** The lines that stay: one for each thing that happened. Shared by the renderers for people. */
import type { EngineEvent, StageRef } from "../../mod.ts";
import {
  count,
  formatDuration,
  formatSize,
  formatTransfer,
  imageTitle,
  printable,
  shortDigest,
} from "../format.ts";
import type { Style } from "../style.ts";

/** `image/stage`, the name of a stage in text. */
export function stageTitle(at: StageRef): string {
  return `${imageTitle(at.image, at.kind)}/${at.stage}`;
}

/** The line for an event, or undefined when it has none of its own. */
export function lineFor(event: EngineEvent, style: Style, verbose: boolean): string | undefined {
  switch (event.type) {
    case "note":
      return event.level === "warn"
        ? `${style.yellow("warning:")} ${printable(event.text)}`
        : `note: ${printable(event.text)}`;
    case "detail":
      return verbose ? style.dim(printable(event.text)) : undefined;
    case "stage.reused":
      return row(style, event.at, style.green("cached"), `(${event.reason})`);
    case "stage.started":
      return row(style, event.at, style.cyan("building"), `(${event.reason})`);
    case "stage.finished": {
      const size = event.size > 0 ? `+${formatSize(event.size)}` : "no layer";
      return row(style, event.at, style.green("built"), `${formatDuration(event.ms)}  ${size}`);
    }
    case "stage.failed":
      return row(style, event.at, style.red("failed"), event.message);
    case "image.ready":
      return imageLine(event, style);
    case "stage.published": {
      // Most of it may have been there, so there is no rate.
      const took = `${formatSize(event.size)} in ${formatDuration(event.ms)}`;
      return row(style, event.at, style.green("published"), `${event.reference}  ${took}`);
    }
    case "stage.fetched": {
      const moved = formatTransfer(event.size, event.ms);
      return row(style, event.at, style.green("fetched"), `from ${event.from}  ${moved}`);
    }
    case "tag.published":
      return tagLine(event, style);
    case "registry.waiting":
      return `${style.bold(printable(event.host))}  ${style.yellow("waiting")}  ` +
        `${formatDuration(event.ms)}  (${printable(event.reason)})`;
    case "lock.waiting":
      return `${style.bold(event.resource)}  waiting for ${event.holder}`;
    case "stage.output":
    case "transfer.started":
    case "transfer.progress":
    case "transfer.finished":
      return undefined;
  }
}

function row(style: Style, at: StageRef, word: string, rest: string): string {
  return `${style.bold(stageTitle(at))}  ${word}  ${printable(rest)}`;
}

function imageLine(event: EngineEvent & { readonly type: "image.ready" }, style: Style): string {
  const title = style.bold(imageTitle(event.image, event.kind));
  const digest = shortDigest(event.digest);
  if (event.built === 0) {
    return `${title}  ${style.green("up to date")}  ${digest}  (${count(event.reused, "stage")} cached)`;
  }
  const stages = `(${count(event.built, "stage")} built, ${event.reused} cached)`;
  return `${title}  ${style.green("built")}  ${digest}  ${stages}  ${formatDuration(event.ms)}`;
}

function tagLine(event: EngineEvent & { readonly type: "tag.published" }, style: Style): string {
  // The local Docker engine gives no digest, and nothing is pushed there.
  const local = event.state === "pushed" && event.digest === undefined;
  const state = event.state === "would push"
    ? style.cyan(event.state)
    : style.green(local ? "tagged" : event.state);
  const digest = event.digest === undefined ? "" : `  ${shortDigest(event.digest)}`;
  return `${style.bold(imageTitle(event.image, "dimg"))}  ${state}  ${printable(event.reference)}${digest}`;
}
