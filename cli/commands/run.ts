import type { CommandRun } from "../command.ts";

/** `dapp dimg run`: runs a command in an image and passes its exit code through. */
export const run: CommandRun = async ({ engine, words, options, rest, io }) => {
  const pattern = words.DIMG?.[0];
  const [stage, workdir, user, entrypoint] = (["stage", "workdir", "user", "entrypoint"] as const)
    .map((name) => options.text(name));
  const takeBack = io.lendTerminal();
  try {
    return await (await engine()).run({
      command: rest,
      env: options.all("env"),
      volumes: options.all("volume"),
      ...(pattern !== undefined && { pattern }),
      ...(stage !== undefined && { stage }),
      ...(workdir !== undefined && { workdir }),
      ...(user !== undefined && { user }),
      ...(entrypoint !== undefined && { entrypoint }),
    });
  } finally {
    takeBack();
  }
};
