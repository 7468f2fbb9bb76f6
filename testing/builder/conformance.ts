/** What every builder must do, wherever it runs commands. */
import assert from "node:assert/strict";
import type { BuilderSubject, CaseContext, Cases } from "./cases.ts";
import { changeCases } from "./change_cases.ts";
import { commandCases } from "./command_cases.ts";
import { imageCases } from "./image_cases.ts";
import { secretCases } from "./secret_cases.ts";
import { shareCases } from "./share_cases.ts";
import { StageRunner } from "./stage_runner.ts";

/**
 * Registers a test with a step for each rule of a builder: how commands run, what they see, which of their changes are in
 * the layer and how it is written, images made elsewhere, mounts, secrets, and the end of it all. What a builder does not
 * offer to mount is not asked of it. `make` gives undefined when the builder cannot be had on this machine.
 */
export function builderConformance(name: string, make: () => Promise<BuilderSubject | undefined>): void {
  Deno.test(`${name}: conformance of a builder`, async (t) => {
    const subject = await make();
    if (!subject) return;
    await using _ = subject;
    const context: CaseContext = {
      ...subject,
      runner: new StageRunner(subject.builder, subject.store, subject.share),
    };
    await t.step("it has a name", () => assert.match(context.builder.name, /^[a-z0-9]+(-[a-z0-9]+)*$/));
    const cases: Cases = { ...commandCases, ...changeCases, ...imageCases, ...secretCases, ...shareCases };
    for (const [title, work] of Object.entries(cases)) await t.step(title, () => work(context));
  });
}
