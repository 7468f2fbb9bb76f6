import { count } from "../format.ts";
import type { CommandRun } from "../command.ts";

/**
 * `dapp config check`: reads the dappfile and loads the plugins that it names, cleanup policies as well, of which a
 * build would say nothing; warnings arrive as events, errors are thrown.
 */
export const configCheck: CommandRun = async ({ engine, quiet, answer }) => {
  const checked = await engine();
  const { file, images, warnings } = await checked.config();
  await checked.plugins();
  const [dimgs, artifacts] = (["dimg", "artifact"] as const)
    .map((kind) => images.filter((image) => image.kind === kind).map(({ name }) => name)) as [
      string[],
      string[],
    ];
  answer({ file, dimgs, artifacts, warnings }, () => {
    const what = [
      count(dimgs.length, "dimg"),
      ...(artifacts.length > 0 ? [count(artifacts.length, "artifact")] : []),
    ];
    return quiet ? [] : [`${file} is valid: ${what.join(", ")}`];
  });
  return 0;
};

/** `dapp config render`: the dappfile spelled out. */
export const configRender: CommandRun = async ({ engine, answer }) => {
  const { file, documents, text } = await (await engine()).renderConfig();
  answer({ file, documents }, () => text.trimEnd().split("\n"));
  return 0;
};

/** `dapp config schema`: the JSON Schema of a dappfile document. */
export const configSchema: CommandRun = async ({ io }) => {
  const { configJsonSchema } = await import("../../mod.ts");
  io.stdout.write(`${JSON.stringify(await configJsonSchema(), undefined, 2)}\n`);
  return 0;
};
