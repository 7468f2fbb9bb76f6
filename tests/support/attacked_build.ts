/** Builds by BuildKit that are raced, killed, aborted and watched. */
import type { EngineOptions } from "../../mod.ts";
import { type Buildkitd, type BuildkitdOptions, findBuildkitd, startBuildkitd } from "./buildkitd.ts";
import { openProject, type TestProject } from "./project.ts";

/** A daemon, where BuildKit is found. */
export async function start(options?: BuildkitdOptions): Promise<Buildkitd | undefined> {
  return await findBuildkitd() === undefined ? undefined : await startBuildkitd(options);
}

/** The same project on another machine. */
export function twin({ dir, home }: TestProject): TestProject {
  return openProject(dir, `${home}-twin`);
}

/** Builds all of it. */
export async function build(project: TestProject, options: EngineOptions) {
  await using engine = project.engine(options);
  return await engine.build();
}

/** Resolves when a step has printed a line. */
export function printed(project: TestProject, line: RegExp, options: EngineOptions): {
  readonly options: EngineOptions;
  readonly seen: Promise<void>;
} {
  const seen = Promise.withResolvers<void>();
  const onEvent: EngineOptions["onEvent"] = (event) => {
    project.events.push(event);
    if (event.type === "stage.output" && line.test(event.text)) seen.resolve();
  };
  return { options: { ...options, onEvent }, seen: seen.promise };
}

/** What a build printed. */
export function output({ events }: TestProject): string {
  return events.flatMap((event) => event.type === "stage.output" ? [event.text] : []).join("");
}

/** Waits until something is so. @throws after a minute */
export async function until(holds: () => boolean, otherwise: string): Promise<void> {
  for (const end = Date.now() + 60_000; !holds();) {
    if (Date.now() > end) throw new Error(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
