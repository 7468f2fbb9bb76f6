/** The commands that publish images under tags. */
import type { PublishReport, PushOptions } from "../../mod.ts";
import { count, formatSize } from "../format.ts";
import { findTarget } from "../target.ts";
import { buildOptions } from "./build.ts";
import type { CommandRun, Context } from "../command.ts";

/** `dapp dimg push`: publishes built images and prints `reference digest` for each tag. */
export const push: CommandRun = (context) => publish(context, "push", {});

/** `dapp dimg spush`: publishes one image as REPO:TAG. */
export const spush: CommandRun = (context) => publish(context, "push", { single: true });

/** `dapp dimg bp`: builds and publishes. */
export const bp: CommandRun = (context) =>
  publish(context, "push", { build: true, ...buildOptions(context.options) });

/** `dapp dimg tag`: gives images their names in the local Docker engine. */
export const tag: CommandRun = (context) => publish(context, "tag", {});

async function publish(context: Context, how: "push" | "tag", extra: PushOptions): Promise<number> {
  const { options, quiet, progress, answer } = context;
  const { patterns, repo, tags } = await findTarget(context, { git: true, registry: how === "push" });
  const engine = await context.engine();
  const report = await engine[how](patterns, {
    ...extra,
    ...(repo !== undefined && { repo }),
    ...(tags.length > 0 && { tags }),
    ...(options.flag("with-stages") && { withStages: true }),
  });
  if (!report.dryRun) progress.note(summary(report));
  answer(report, () => report.dryRun ? wouldWrite(report, how, quiet) : published(report, quiet));
  return 0;
}

function published({ images }: PublishReport, quiet: boolean): string[] {
  return images.flatMap(({ tags }) =>
    tags.map(({ reference, digest }) => quiet || digest === undefined ? reference : `${reference} ${digest}`)
  );
}

/** Exactly the names that would be written, in the order they would be. */
function wouldWrite({ images, stages }: PublishReport, how: string, quiet: boolean): string[] {
  return [...stages, ...images.flatMap(({ tags }) => tags)]
    .filter(({ state }) => state === "would push")
    .map(({ reference }) => quiet ? reference : `would ${how} ${reference}`);
}

/** `3 tags, 1 of them there before; 4.2 MB uploaded, 12 MB mounted, 30 MB there before` */
function summary({ images, bytes: { uploaded, mounted, present } }: PublishReport): string {
  const tags = images.flatMap(({ tags }) => tags);
  const before = tags.filter(({ state }) => state === "exists").length;
  const moved = [[uploaded, "uploaded"], [mounted, "mounted"], [present, "there before"]] as const;
  const sizes = moved.filter(([size], i) => i === 0 || size > 0).map(([size, what]) =>
    `${formatSize(size)} ${what}`
  );
  const known = before === 0
    ? ""
    : before === tags.length
    ? ", all there before"
    : `, ${before} of them there before`;
  // The local Docker engine counts no bytes.
  const local = tags.length > 0 && tags.every(({ digest }) => digest === undefined);
  return `${count(tags.length, "tag")}${known}${local ? "" : `; ${sizes.join(", ")}`}`;
}
