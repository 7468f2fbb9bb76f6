import type { PublishedTags } from "../../mod.ts";
import { columns } from "../columns.ts";
import { formatAge, formatInstant, formatSize, imageTitle, printable, shortDigest } from "../format.ts";
import { findTarget } from "../target.ts";
import { widthOf } from "../io.ts";
import { displayWidth, truncate } from "../width.ts";
import type { CommandRun } from "../command.ts";

const header = ["DIMG", "TAG", "SCHEME", "VALUE", "COMMIT", "PUBLISHED", "SIZE", "DIGEST"];

/** `dapp dimg tags`: a table of what the project has published. */
export const tags: CommandRun = async (context) => {
  const { engine, quiet, style, progress, io, answer } = context;
  const { patterns, repo } = await findTarget(context);
  const published = await (await engine()).published(patterns, { ...(repo !== undefined && { repo }) });
  for (const { reference, why } of published.unreadable ?? []) {
    progress.note(`warning: ${reference} is left out: ${why}`);
  }
  const all = published.images.flatMap(({ tags }) => tags);
  if (all.length === 0) {
    const what = patterns.length > 0 ? "no such dimg" : "nothing";
    progress.note(`note: project ${published.project} has published ${what} in ${published.repo}`);
  }
  answer(published, () => {
    if (quiet) return all.map(({ reference }) => reference);
    if (all.length === 0) return [];
    const now = io.clock.date();
    const width = widthOf(io.stdout);
    const [first = "", ...lines] = table(published, now, width).map((line) => truncate(line, width));
    return [style.dim(first), ...lines];
  });
  return 0;
};

/** Columns by index, in the order in which a narrow terminal goes without them. */
const dispensable = [7, 2, 6, 4, 3];

/** The widest table that fits: first the instants beside ages go, then whole columns. */
function table(published: PublishedTags, now: number, width: number): readonly string[] {
  const fits = (lines: readonly string[]) => lines.every((line) => displayWidth(line) <= width);
  const cells = (short: boolean, without: readonly number[]) =>
    columns(
      [header, ...rows(published, now, short).map((row) => row.map(printable))].map((row) =>
        row.filter((_, i) => !without.includes(i))
      ),
    );
  const whole = cells(false, []);
  if (fits(whole)) return whole;
  for (let n = 0; n < dispensable.length; n++) {
    const lines = cells(true, dispensable.slice(0, n));
    if (fits(lines)) return lines;
  }
  return cells(true, dispensable);
}

function rows({ images }: PublishedTags, now: number, short: boolean): string[][] {
  return images.flatMap(({ name, tags }) =>
    tags.map(({ tag, scheme, value, commit, publishedAt, size, digest }) => [
      imageTitle(name, "dimg"),
      tag,
      scheme,
      value,
      commit?.slice(0, 8) ?? "-",
      since(publishedAt, now, short),
      formatSize(size),
      shortDigest(digest),
    ])
  );
}

/** The age of a time and the time itself; only the text when it is no time, for it comes from elsewhere. */
function since(rfc3339: string, now: number, short: boolean): string {
  const age = now - Date.parse(rfc3339);
  if (Number.isNaN(age)) return rfc3339;
  return short ? formatAge(age) : `${formatAge(age)} (${formatInstant(rfc3339)})`;
}
