import type { PublishedTags } from "../../mod.ts";
import { columns } from "../columns.ts";
import { formatAge, formatInstant, formatSize, imageTitle, printable, shortDigest } from "../format.ts";
import { findTarget } from "../target.ts";
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
    const [first = "", ...lines] = columns([
      header,
      ...rows(published, io.clock.date()).map((row) => row.map(printable)),
    ]);
    return [style.dim(first), ...lines];
  });
  return 0;
};

function rows({ images }: PublishedTags, now: number): string[][] {
  return images.flatMap(({ name, tags }) =>
    tags.map(({ tag, scheme, value, commit, publishedAt, size, digest }) => [
      imageTitle(name, "dimg"),
      tag,
      scheme,
      value,
      commit?.slice(0, 8) ?? "-",
      since(publishedAt, now),
      formatSize(size),
      shortDigest(digest),
    ])
  );
}

/** The age of a time and the time itself; only the text when it is no time, for it comes from elsewhere. */
function since(rfc3339: string, now: number): string {
  const age = now - Date.parse(rfc3339);
  return Number.isNaN(age) ? rfc3339 : `${formatAge(age)} (${formatInstant(rfc3339)})`;
}
