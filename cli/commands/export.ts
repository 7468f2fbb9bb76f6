import { imageTitle } from "../format.ts";
import type { CommandRun } from "../command.ts";

/** `dapp dimg export`: writes built images somewhere else and prints `reference digest` for each. */
export const exportImages: CommandRun = async ({ engine, words, options, quiet, answer }) => {
  const patterns = words.DIMG ?? [];
  const destination = words.DEST![0]!;
  if (options.flag("dry-run")) {
    const images = await (await engine()).list(patterns);
    answer(
      { destination, dryRun: true, images: images.map(({ name }) => ({ name })) },
      () => images.map(({ name }) => `would export ${imageTitle(name, "dimg")} to ${destination}`),
    );
    return 0;
  }
  const result = await (await engine()).export(patterns, destination);
  answer(
    result,
    () => result.images.map(({ reference, digest }) => quiet ? digest : `${reference} ${digest}`),
  );
  return 0;
};
