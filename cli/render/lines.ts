/** The lines that stay: one for each thing that happened. Shared by the renderers for people. */
import type { EngineEvent, StageRef } from "../../mod.ts";
import {
  count,
  formatDuration,
  formatParts,
  formatSize,
  formatTransfer,
  imageTitle,
  printable,
  printableLines,
  shortDigest,
  shortTag,
} from "../format.ts";
import type { Style } from "../style.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** Parts of a stage's time shorter than this are not worth a word. */
const NOTABLE_MS = 100;
/** A run that built nothing says how long it took from here on. */
const SLOW_RUN_MS = 1000;
/** Stages quicker than this are not named among the slowest. */
const SLOW_MS = 1000;
/** Names of stages in one line. */
const SHOWN = 6;

/** `image/stage`, the name of a stage in text. */
export function stageTitle(at: StageRef): string {
  return `${imageTitle(at.image, at.kind)}/${at.stage}`;
}

export interface LineOptions {
  readonly style: Style;
  readonly verbose: boolean;
  /** How far the build has come with this event: `7/12`; "" when it has one stage or the event ends none. */
  readonly progress: string;
}

/** The lines for an event; none when it has none of its own. */
export function linesFor(event: EngineEvent, options: LineOptions): readonly string[] {
  const { style, progress } = options;
  if (event.type === "build.finished") return [...summaryLines(event, style), ...slowestLines(event, style)];
  const line = lineFor(event, options);
  if (line === undefined) return [];
  const first = progress === "" ? line : `${line}  ${style.dim(progress)}`;
  switch (event.type) {
    case "stage.failed":
      return [first, ...failureLines(event, style)];
    default:
      return [first];
  }
}

function lineFor(event: EngineEvent, { style, verbose }: LineOptions): string | undefined {
  switch (event.type) {
    case "note":
      return event.level === "warn"
        ? `${style.yellow("warning:")} ${printableLines(event.text)}`
        : `note: ${printableLines(event.text)}`;
    case "detail":
      return verbose ? style.dim(printableLines(event.text)) : undefined;
    case "stage.reused":
      return row(style, event.at, style.green("cached"), `(${event.reason})`);
    case "stage.started":
      return row(style, event.at, style.cyan("building"), `(${event.reason})`);
    case "stage.placed":
      return row(style, event.at, style.cyan("running"), `at ${event.place.address ?? event.place.builder}`);
    case "stage.finished": {
      const size = event.size > 0 ? `+${formatSize(event.size)}` : "no layer";
      return row(style, event.at, style.green("built"), `${stageTime(event)}  ${size}`);
    }
    case "stage.stopped":
      return row(style, event.at, style.yellow("stopped"), "(--fail-fast)");
    case "stage.failed":
      return row(style, event.at, style.red("failed"), failureText(event));
    case "image.ready":
      return imageLine(event, style);
    case "stage.published": {
      // Most of it may have been there, so there is no rate.
      const took = `${formatSize(event.size)} in ${formatDuration(event.ms)}`;
      return row(style, event.at, style.green("published"), `${shortTag(event.reference)}  ${took}`);
    }
    case "stage.fetched": {
      if (event.left !== undefined) {
        const rest = `in ${event.from}  ${formatSize(event.left)} stay there`;
        return row(style, event.at, style.green("found"), rest);
      }
      const moved = formatTransfer(event.size, event.ms);
      return row(style, event.at, style.green("fetched"), `from ${event.from}  ${moved}`);
    }
    case "tag.published":
      return tagLine(event, style);
    case "registry.waiting":
      return `${style.bold(printable(event.host))}  ${style.yellow("waiting")}  ` +
        `${formatDuration(event.ms)}  (${printable(event.reason)})`;
    case "lock.waiting":
      return `${style.bold(event.resource)}  waiting for ${printable(event.holder)}`;
    case "build.started":
    case "build.finished":
    case "stage.waiting":
    case "stage.saving":
    case "stage.output":
    case "transfer.started":
    case "transfer.progress":
    case "transfer.finished":
      return undefined;
    default:
      return unreachable(event);
  }
}

function row(style: Style, at: StageRef, word: string, rest: string): string {
  return `${style.bold(stageTitle(at))}  ${word}${rest === "" ? "" : `  ${printable(rest)}`}`;
}

/** `3.9s`, with what is saving of it and what came before it where that is worth a word. */
function stageTime(
  { ms, runningMs, savingMs, waitingMs }: EngineEvent & { readonly type: "stage.finished" },
) {
  const { whole, parts } = formatParts(ms, [[runningMs, "running"], [savingMs, "saving"]]);
  const own = savingMs >= NOTABLE_MS && parts.length > 1 ? `${whole} (${parts.join(", ")})` : whole;
  return waitingMs >= NOTABLE_MS ? `${own} after waiting ${formatDuration(waitingMs)}` : own;
}

/** What the line does not say already; nothing where the error is the next line. */
function failureText({ at, message, running }: EngineEvent & { readonly type: "stage.failed" }): string {
  if (running?.length === 0) return "";
  const known = `Cannot build stage "${stageTitle(at)}": `;
  return message.startsWith(known) ? message.slice(known.length) : message;
}

function failureLines(
  { running = [], notStarted = [] }: EngineEvent & { readonly type: "stage.failed" },
  style: Style,
): readonly string[] {
  const names = (stages: readonly StageRef[]) => {
    const shown = stages.slice(0, SHOWN).map(stageTitle).join(", ");
    return stages.length > SHOWN ? `${shown} and ${stages.length - SHOWN} more` : shown;
  };
  return [
    ...(running.length > 0
      ? [
        `${style.yellow("still running:")} ${
          names(running)
        }  (what is finished is kept; --fail-fast stops them)`,
      ]
      : []),
    ...(notStarted.length > 0 ? [`${style.yellow("not started:")} ${names(notStarted)}`] : []),
  ];
}

/** `3 images in 14s: 9 stages built, 3 cached  (1s preparing, 5s running, 8s saving)`; no time that is not worth a word. */
function summaryLines(event: EngineEvent & { readonly type: "build.finished" }, style: Style) {
  const { images, stagesBuilt, stagesReused } = event;
  // The line of one image says it all.
  if (images < 2) return [];
  const stages = `${count(stagesBuilt, "stage")} built, ${stagesReused} cached`;
  const what = style.bold(count(images, "image"));
  if (stagesBuilt === 0 && event.ms < SLOW_RUN_MS) return [`${what}: ${stages}`];
  const { whole, parts } = formatParts(event.ms, [
    [event.preparingMs, "preparing"],
    [event.waitingMs, "waiting"],
    [event.runningMs, "running"],
    [event.savingMs, "saving"],
    [event.publishingMs, "publishing"],
  ]);
  const took = parts.length > 1 ? `  (${parts.join(", ")})` : "";
  return [`${what} in ${whole}: ${stages}${took}`];
}

/** The slowest stages, where there are several and that is worth a word. */
function slowestLines({ slowest }: EngineEvent & { readonly type: "build.finished" }, style: Style) {
  const slow = slowest.filter(({ ms }) => ms >= SLOW_MS);
  if (slowest.length < 2 || slow.length === 0) return [];
  return [
    style.dim(`slowest: ${slow.map(({ at, ms }) => `${stageTitle(at)} ${formatDuration(ms)}`).join(", ")}`),
  ];
}

/** Without its digest: standard output has the one that can be used, of the image here or of what was published. */
function imageLine(event: EngineEvent & { readonly type: "image.ready" }, style: Style): string {
  const title = style.bold(imageTitle(event.image, event.kind));
  if (event.built === 0) {
    return `${title}  ${style.green("up to date")}  (${count(event.reused, "stage")} cached)`;
  }
  const stages = `(${count(event.built, "stage")} built, ${event.reused} cached)`;
  const { whole, parts } = formatParts(event.ms, [
    [event.preparingMs, "preparing"],
    [event.waitingMs, "waiting"],
    [event.runningMs, "running"],
    [event.savingMs, "saving"],
  ]);
  const took = parts.length > 1 ? `${whole} (${parts.join(", ")})` : whole;
  return `${title}  ${style.green("built")}  ${stages}  ${took}`;
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
