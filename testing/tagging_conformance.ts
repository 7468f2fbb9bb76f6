/** What every tag scheme must do. */
import { deepStrictEqual, ok } from "node:assert/strict";
import { type CiFacts, EngineError, type GitFacts, isTag, type Plugin, tagOf } from "../plugin.ts";
import { createTestHost, type TestHostOptions } from "./host.ts";
import { frozen } from "./frozen.ts";
import { openPlugin } from "./open_plugin.ts";

/** A tag scheme with options that let it work. */
export interface TaggingSubject<Input> {
  /** The scheme. */
  readonly plugin: Plugin<Input>;
  /** As a dappfile writes them. */
  readonly options?: Input;
  /** What it finds on the machine. */
  readonly host?: TestHostOptions;
  /** Good values for its flags that take one. @default the text "value" */
  readonly values?: Readonly<Record<string, string>>;
}

const commit = "0123456789abcdef0123456789abcdef01234567";

/** What may be checked out. */
const checkouts: Readonly<Record<string, GitFacts>> = {
  "a branch": { commit, branch: "main" },
  "a branch that is no tag": { commit, branch: "feature/Ünï_cödé #42" },
  "a branch with a very long name": { commit, branch: `feature/${"x".repeat(300)}` },
  "a branch without commits": { commit: undefined, branch: "main" },
  "a detached head": { commit, branch: undefined },
  "uncommitted changes": { commit: undefined, branch: "main", uncommitted: ["README.md"] },
  "no git at all": { commit: undefined, branch: undefined },
};

const value = (text?: string) => ({ value: text, variables: ["CI_X"] });
const systems: Readonly<Record<string, CiFacts | undefined>> = {
  "no CI": undefined,
  "CI that builds a branch": {
    name: "Test CI",
    tag: value(),
    branch: value("feature/x"),
    buildId: value("17"),
  },
  "CI that builds a tag": {
    name: "Test CI",
    tag: value("v1.0+build"),
    branch: value(),
    buildId: value("a b"),
  },
  "CI that says nothing": { name: "Test CI", tag: value(), branch: value(), buildId: value() },
};

/**
 * Registers a test with a step for each rule: flags are well named; every checkout and CI system leads to valid tags, or
 * to an error that says what is missing and what to do; equal facts give equal tags; other schemes' flags are left alone.
 */
export function taggingConformance<Input>(name: string, subject: TaggingSubject<Input>): void {
  const { plugin, options, host: hostOptions, values = {} } = subject;
  Deno.test(`${name}: conformance of a tag scheme`, async (t) => {
    await using host = await createTestHost(hostOptions);
    const more = options === undefined ? {} : { options };
    await using opened = await openPlugin(plugin, host, more);
    const flags = await opened.tagFlags();

    await t.step("its flags start with tag, and help has a line for each", () => {
      ok(flags.length > 0, "it has no flag, so nobody can ask for its tags");
      for (const flag of flags) {
        ok(/^tag(-[a-z0-9]+)*$/.test(flag.name), `"${flag.name}" is no name like tag-calver`);
        ok(
          /^[^A-Z\n][^\n]*[^.\n]$/.test(flag.summary),
          `"${flag.summary}" is not one line, lower case, no period`,
        );
      }
    });

    for (const { name: flag, value: wanted } of flags) {
      const wish = wanted === undefined ? flag : `${flag}=${values[flag] ?? "value"}`;
      for (const [checkout, git] of Object.entries(checkouts)) {
        for (const [system, ci] of Object.entries(systems)) {
          await t.step(`--${wish}, ${checkout}, ${system}`, async () => {
            const facts = { git: frozen(git), images: frozen(["a", "b"]), ...(ci && { ci: frozen(ci) }) };
            const ask = () => opened.tags(wish, facts).catch(expectedFailure);
            const first = await ask();
            deepStrictEqual(await ask(), first, "the same facts give other tags the second time");
            if (first instanceof EngineError) return;
            for (const { tag, scheme, value } of first) {
              ok(isTag(tag), `"${tag}" is no valid tag: make one with tagOf()`);
              ok(
                scheme !== "" && value !== "",
                "scheme and value are recorded with the image, and must say something",
              );
              ok(
                tag !== "latest" || wanted !== undefined,
                "nothing is published as latest that nobody called so",
              );
            }
          });
        }
      }
    }

    await t.step("flags of others are left alone", async () => {
      const hooks = await plugin.load(options, host);
      try {
        const { tags } = hooks;
        const handler = typeof tags === "function" ? tags : tags?.handler;
        ok(handler, "it answers no tags");
        const request = {
          wishes: [{ flag: "tag-of-somebody-else", value: tagOf("x") }],
          images: ["a"],
          git: checkouts["a branch"]!,
          ci: undefined,
          now: host.now,
        };
        const context = { signal: new AbortController().signal, dryRun: false, emit() {} };
        deepStrictEqual(await handler(request, context), []);
      } finally {
        await hooks[Symbol.asyncDispose]?.();
      }
    });
  });
}

/** What a scheme says when facts are missing: an error for people. Everything else is a mistake of the scheme. */
function expectedFailure(error: unknown): EngineError {
  const codes = ["TAG_SOURCE_MISSING", "USAGE"];
  if (error instanceof EngineError && codes.includes(error.code)) {
    ok(error.message.length > 0 && error.fix.length > 0);
    return error;
  }
  throw error;
}
