import type { CommandRun } from "../command.ts";

/** `dapp dimg list`: the names of dimgs. */
export const list: CommandRun = async ({ engine, words, progress, verbose, answer }) => {
  const dimgs = await (await engine()).list(words.DIMG ?? []);
  if (verbose && dimgs.some(({ name }) => name === "")) progress.note("note: the dimg here has no name");
  answer({ dimgs }, () => dimgs.flatMap(({ name }) => name === "" ? [] : [name]));
  return 0;
};

/** `dapp dimg stage image`: the cache name of one stage. */
export const stageImage: CommandRun = async ({ engine, words, options, verbose, progress, answer }) => {
  const image = await (await engine()).stageImage(words.DIMG?.[0], options.text("stage"));
  if (verbose && !image.present) progress.note(`note: stage ${image.stage} is not in the store`);
  answer(image, () => [image.name]);
  return 0;
};
