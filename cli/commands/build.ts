import type { BuildOptions, Introspection } from "../../mod.ts";
import type { CommandRun, GivenOptions } from "../command.ts";

/** `dapp dimg build`: builds and prints `name digest` for each image. */
export const build: CommandRun = async ({ engine, words, options, quiet, answer }) => {
  const result = await (await engine()).build(words.DIMG ?? [], buildOptions(options));
  answer(result, () => {
    if (options.flag("dry-run")) {
      return quiet ? [] : [`would build ${result.stagesBuilt}, cached ${result.stagesReused}`];
    }
    return result.images.map(({ name, digest }) => quiet || name === "" ? digest : `${name} ${digest}`);
  });
  return 0;
};

/** What a build is asked for beside what to build. */
export function buildOptions(options: GivenOptions): BuildOptions {
  const introspect = introspection(options);
  return {
    ...(introspect && { introspect }),
    ...(options.flag("fail-fast") && { failFast: true }),
    ...(options.text("json") !== undefined && { stages: true }),
  };
}

/** When to open a shell; undefined for never. */
function introspection(options: GivenOptions): Introspection | undefined {
  const stage = options.text("introspect-stage");
  const before = options.text("introspect-before");
  const artifactStage = options.text("introspect-artifact-stage");
  const artifactBefore = options.text("introspect-artifact-before");
  const wanted: Introspection = {
    ...(options.flag("introspect-error") && { error: true }),
    ...(options.flag("introspect-before-error") && { beforeError: true }),
    ...(stage !== undefined && { stage }),
    ...(before !== undefined && { before }),
    ...(artifactStage !== undefined && { artifactStage }),
    ...(artifactBefore !== undefined && { artifactBefore }),
  };
  return Object.keys(wanted).length > 0 ? wanted : undefined;
}
