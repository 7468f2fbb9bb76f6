/** What every plugin must do that adds facts to signatures. */
import { deepStrictEqual, notDeepStrictEqual, ok } from "node:assert/strict";
import type { Plugin, StageNode } from "../plugin.ts";
import { createTestHost, type TestHostOptions } from "./host.ts";
import { frozen } from "./frozen.ts";
import { openPlugin } from "./open_plugin.ts";

/** A plugin with options that let it work. */
export interface InputsSubject<Input> {
  /** The plugin. */
  readonly plugin: Plugin<Input>;
  /** As a dappfile writes them. */
  readonly options?: Input;
  /** What it finds on the machine. */
  readonly host?: TestHostOptions;
  /** What it must notice: files of the project that are written in between. */
  readonly change?: Readonly<Record<string, string>>;
  /** Stages to ask for. */
  readonly stages: readonly StageNode[];
}

/**
 * Registers a test with a step for each rule: facts are texts under keys of their own; equal inputs give equal facts, in
 * any run and at any time; what it is there to notice changes them.
 */
export function inputsConformance<Input>(name: string, subject: InputsSubject<Input>): void {
  Deno.test(`${name}: conformance of a plugin that adds facts to signatures`, async (t) => {
    const { plugin, options, stages, change } = subject;
    await using host = await createTestHost(subject.host);
    const ask = async () => {
      await using opened = await openPlugin(plugin, host, options === undefined ? {} : { options });
      return await Promise.all(stages.map((stage) => opened.stageInputs(frozen(stage))));
    };
    const first = await ask();
    await t.step("keys are different, and nothing of this machine is in them", () => {
      for (const facts of first) {
        const keys = facts.map(({ key }) => key);
        deepStrictEqual([...new Set(keys)], keys);
        ok(!JSON.stringify(facts).includes(host.projectDir), "the place of the project is no input");
      }
    });
    await t.step("a later run with the same inputs gives the same facts", async () => {
      host.pass("30d");
      deepStrictEqual(await ask(), first);
    });
    if (change) {
      await t.step("what changes is noticed", async () => {
        await host.write(change);
        notDeepStrictEqual(await ask(), first);
      });
    }
  });
}
