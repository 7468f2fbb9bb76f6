/** What every plugin for a CI system must do. */
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Plugin } from "../plugin.ts";
import { createTestHost } from "./host.ts";
import { frozen } from "./frozen.ts";
import { openPlugin } from "./open_plugin.ts";

/** A CI system with environments that it sets. */
export interface CiSubject<Input> {
  /** The plugin. */
  readonly plugin: Plugin<Input>;
  /** As a dappfile writes them. */
  readonly options?: Input;
  /** What the build is -> what the system sets for it: `"a branch": { DRONE: "true", ... }`. */
  readonly environments: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What other systems set, as far as it matters for not being taken for them. */
const others: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "no variable at all": {},
  "a machine that is no CI": { HOME: "/root", PATH: "/usr/bin:/bin", LANG: "C.UTF-8" },
  "a system that says CI=true and nothing else": { CI: "true" },
};

/**
 * Registers a test with a step for each rule: it keeps silent where it is not meant; where it is, it names itself, each
 * fact says where it was looked for, and a build is of a tag or of a branch, never of both.
 */
export function ciConformance<Input>(name: string, subject: CiSubject<Input>): void {
  Deno.test(`${name}: conformance of a CI system`, async (t) => {
    const { plugin, options, environments } = subject;
    await using host = await createTestHost();
    await using opened = await openPlugin(plugin, host, options === undefined ? {} : { options });
    for (const [where, env] of Object.entries(others)) {
      await t.step(`${where}: it keeps silent`, async () => {
        strictEqual(await opened.detectCi(frozen(env)), undefined);
      });
    }
    ok(Object.keys(environments).length > 0, "no environment was given");
    for (const [build, env] of Object.entries(environments)) {
      await t.step(`${build}: it says what is built, and where that was looked for`, async () => {
        const facts = await opened.detectCi(frozen(env));
        ok(facts, "it does not know its own environment");
        ok(/\S/.test(facts.name));
        for (
          const [fact, { value, variables }] of Object.entries({ ...facts, name: undefined }).filter(isFact)
        ) {
          ok(variables.length > 0, `${fact} does not say which variables were asked`);
          ok(value !== "", `${fact} is empty: what is not there is undefined`);
        }
        ok(
          facts.tag.value === undefined || facts.branch.value === undefined,
          "it is of a tag and of a branch",
        );
        deepStrictEqual(await opened.detectCi(frozen(env)), facts);
      });
    }
  });
}

type Entry = [string, { readonly value: string | undefined; readonly variables: readonly string[] }];

function isFact(entry: [string, unknown]): entry is Entry {
  return typeof entry[1] === "object" && entry[1] !== null && "variables" in entry[1];
}
