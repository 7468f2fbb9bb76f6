import { slug as slugOf } from "../../lib/slug/slug.ts";
import type { CommandRun } from "../command.ts";

/** `dapp slug STRING`: prints the slug. */
export const slug: CommandRun = ({ words, answer }) => {
  const text = words.STRING![0]!;
  const made = slugOf(text);
  answer({ text, slug: made }, () => [made]);
  return Promise.resolve(0);
};
