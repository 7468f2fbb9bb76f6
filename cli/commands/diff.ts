import type { ConfigChange, FileAspect, FileDifference, ImageDifference, ImageFile } from "../../mod.ts";
import { groupBy } from "../../lib/group_by.ts";
import { unreachable } from "../../lib/unreachable.ts";
import { columns } from "../columns.ts";
import { count, formatSize, printable } from "../format.ts";
import type { Style } from "../style.ts";
import type { CommandRun } from "../command.ts";
import { origin } from "./files.ts";

/** `dapp dimg diff`: what differs between two images. */
export const diff: CommandRun = async ({ engine, words, style, quiet, verbose, answer }) => {
  const found = await (await engine()).diff(words.IMAGE?.[0], words.OTHER?.[0]);
  answer(found, () => {
    const told = verbose ? found.files : found.files.filter((file) => !isTimeOnly(file));
    if (quiet) return told.map(({ path }) => printable(path));
    const config = verbose ? found.config : found.config.filter(({ published }) => !published);
    return lines(found, { files: told, config }, style);
  });
  return 0;
};

function isTimeOnly({ change, what }: FileDifference): boolean {
  return change === "changed" && what.every((aspect) => aspect === "time");
}

function lines(
  { before, after, sameLayers, files, config }: ImageDifference,
  told: Pick<ImageDifference, "files" | "config">,
  style: Style,
): string[] {
  const [hidden, notes] = [files.length - told.files.length, config.length - told.config.length];
  return [
    `${style.bold(printable(before.image))} → ${style.bold(printable(after.image))}`,
    `  ${formatSize(before.size)} → ${formatSize(after.size)} in layers, ${formatSize(before.bytes)} → ${
      formatSize(after.bytes)
    } in files; the lowest ${count(sameLayers, "layer")} the same`,
    ...[...groupBy(files, originOf)].map(([stage, rows]) => `  ${stage}: ${summary(rows)}`),
    ...(told.files.length > 0 ? ["", ...columns(told.files.map((file) => fileRow(file, style)))] : []),
    ...(hidden > 0 ? [style.dim(`and ${count(hidden, "path")} of another time: --verbose prints them`)] : []),
    ...(told.config.length > 0 ? ["", ...told.config.map((change) => configLine(change, style))] : []),
    ...(notes > 0
      ? [style.dim(`and ${count(notes, "label")} that publishing adds: --verbose prints them`)]
      : []),
    ...(files.length + config.length === 0 ? ["  nothing differs"] : []),
  ];
}

function originOf({ before, after }: FileDifference): string {
  const { layer, stage } = after ?? before!;
  return origin(layer, stage);
}

/** `2 added, 1 changed`. */
function summary(rows: readonly FileDifference[]): string {
  const kinds = groupBy(rows, (row) => isTimeOnly(row) ? "of another time" : row.change);
  return [...kinds].map(([kind, { length }]) => `${length} ${kind}`).join(", ");
}

function fileRow(file: FileDifference, style: Style): string[] {
  const { change, path, what, before, after } = file;
  const mark = { added: style.green("+"), removed: style.red("-"), changed: style.yellow("~") }[change];
  const details = before && after
    ? what.map((aspect) => aspectText(aspect, before, after)).join(", ")
    : formatSize((after ?? before!).size);
  return [mark, originOf(file), printable(path), details];
}

function aspectText(aspect: FileAspect, a: ImageFile, b: ImageFile): string {
  const change = (from: unknown, to: unknown) => `${aspect} ${printable(`${from} → ${to}`)}`;
  switch (aspect) {
    case "type":
      return change(a.type, b.type);
    case "content":
      return a.size === b.size ? aspect : change(...sizes(a.size, b.size));
    case "target":
      return change(a.target, b.target);
    case "device":
      return change(a.device, b.device);
    case "mode":
      return change(a.mode, b.mode);
    case "owner":
      return change(`${a.uid}:${a.gid}`, `${b.uid}:${b.gid}`);
    case "attributes":
      return change(
        Object.keys(a.xattrs ?? {}).join(" ") || "none",
        Object.keys(b.xattrs ?? {}).join(" ") || "none",
      );
    case "time":
      return change(timeText(a.mtime), timeText(b.mtime));
    default:
      return unreachable(aspect);
  }
}

/** Two sizes that differ, so that it shows. */
function sizes(from: number, to: number): [string, string] {
  const [a, b] = [formatSize(from), formatSize(to)];
  return a === b ? [`${from} B`, `${to} B`] : [a, b];
}

/** Any number can stand in an archive. */
function timeText(seconds = 0): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString();
}

function configLine({ key, before, after }: ConfigChange, style: Style): string {
  const name = printable(key);
  if (before === undefined) return `${style.green("+")} ${name}: ${printable(after!)}`;
  if (after === undefined) return `${style.red("-")} ${name}: ${printable(before)}`;
  return `${style.yellow("~")} ${name}: ${printable(before)} → ${printable(after)}`;
}
