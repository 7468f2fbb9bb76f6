/** Answers that are kept: a machine that builds in a new directory each time would keep one for each. */
export const MOST = 512;

/** Removes the older half of the files of a directory where they are too many, with what a dapp that was killed has left. */
export async function thinOut(dir: string): Promise<void> {
  const names = Array.from(Deno.readDirSync(dir), ({ name }) => name);
  if (names.length <= MOST) return;
  const files = names.map((name) => ({ name, at: Number(Deno.statSync(`${dir}/${name}`).mtime) }));
  files.sort((a, b) => a.at - b.at);
  for (const { name } of files.slice(0, MOST / 2)) await Deno.remove(`${dir}/${name}`);
}
