import type { ImageFile, ImageListing, ListedLayer, WastedFile } from "../../mod.ts";
import { columns } from "../columns.ts";
import { count, formatSize, printable, shortDigest } from "../format.ts";
import { truncate } from "../width.ts";
import { widthOf } from "../io.ts";
import type { CommandRun } from "../command.ts";

/** Rows of a table that are printed without --verbose. */
const SHOWN = 40;

/** `dapp dimg files`: what is in an image, and where it comes from. */
export const files: CommandRun = async ({ engine, words, style, quiet, verbose, io, answer }) => {
  const listing = await (await engine()).files(words.IMAGE?.[0]);
  answer(listing, () => {
    if (quiet) return listing.files.map(({ path }) => printable(path));
    const [width, most] = [widthOf(io.stdout), verbose ? Infinity : SHOWN];
    const table = (head: readonly string[], rows: readonly (readonly string[])[]) => {
      if (rows.length === 0) return [];
      const [first = "", ...lines] = columns([head, ...rows.slice(0, most)]);
      const more = rows.length - lines.length;
      const rest = more > 0 ? [style.dim(`and ${more} more: --verbose prints all`)] : [];
      return ["", style.dim(first), ...lines, ...rest];
    };
    return [
      titleLine(listing),
      ...table(["LAYER", "SIZE", "BYTES", "WASTED", "FILES", "FROM"], listing.layers.map(layerRow)).map((
        line,
      ) => truncate(line, width)),
      ...table(["WASTED", "FROM", "BY", "HOW", "PATH"], listing.wasted.map(wastedRow)),
      ...table(["BYTES", "MODE", "OWNER", "FROM", "PATH"], listing.files.map(fileRow)),
    ];
  });
  return 0;
};

function titleLine(
  { image, platform, digest, layers, size, bytes, wastedBytes, files }: ImageListing,
): string {
  const id = digest ? `  ${shortDigest(digest)}` : "";
  return `${printable(image)}  ${printable(platform)}${id}: ${count(layers.length, "layer")} of ${
    formatSize(size)
  }, ${count(files.length, "path")} with ${formatSize(bytes)}, ${formatSize(wastedBytes)} wasted`;
}

function layerRow({ layer, size, bytes, wastedBytes, files, createdBy }: ListedLayer): string[] {
  return [
    String(layer),
    formatSize(size),
    formatSize(bytes),
    formatSize(wastedBytes),
    String(files),
    printable(createdBy?.replace(/^dapp /, "") ?? "-"),
  ];
}

function wastedRow({ path, size, how, layer, stage, by, byStage }: WastedFile): string[] {
  return [formatSize(size), origin(layer, stage), origin(by, byStage), how, printable(path)];
}

function fileRow({ path, mode, uid, gid, size, layer, stage, ...file }: ImageFile): string[] {
  const link = file.target !== undefined
    ? ` -> ${printable(file.target)}`
    : file.hardlink !== undefined
    ? ` = ${printable(file.hardlink)}`
    : "";
  return [
    formatSize(size),
    modeText(file.type, mode),
    `${uid}:${gid}`,
    origin(layer, stage),
    `${printable(path)}${link}`,
  ];
}

/** Where something comes from. */
export function origin(layer: number, stage: string | undefined): string {
  return stage === undefined ? `layer ${layer}` : printable(stage);
}

const letters = { file: "-", dir: "d", symlink: "l", char: "c", block: "b", fifo: "p" } as const;

/** As `ls -l` writes it. */
function modeText(type: ImageFile["type"], octal: string): string {
  const mode = parseInt(octal, 8);
  const bits = Array.from("rwxrwxrwx", (letter, i) => mode & (0o400 >> i) ? letter : "-");
  for (const [bit, at, letter] of [[0o4000, 2, "s"], [0o2000, 5, "s"], [0o1000, 8, "t"]] as const) {
    if (mode & bit) bits[at] = bits[at] === "x" ? letter : letter.toUpperCase();
  }
  return letters[type] + bits.join("");
}
