/**
 * What BuildKit 0.34.2 was seen to do: its parser, its words and its filter of a local context were given these inputs
 * by a small Go program, and the answers were written down. Nothing of it was written by hand.
 */
import assert from "node:assert/strict";
import { selectContext } from "../../../lib/dockerfile/context.ts";
import { DockerfileError } from "../../../lib/dockerfile/error.ts";
import { IgnoreError, parseIgnore } from "../../../lib/dockerfile/ignore.ts";
import { parseDockerfile } from "../../../lib/dockerfile/instructions.ts";
import { VariableError } from "../../../lib/dockerfile/variables.ts";
import { expandWord } from "../../../lib/dockerfile/words.ts";
import seen from "./seen_in_buildkit.json" with { type: "json" };

Deno.test("an ignore file leaves the same files and directories as BuildKit's local context", async (t) => {
  const tree = seen.tree.map((name) => ({ name, mode: "100644" }));
  for (const { text, kept, error } of seen.ignore) {
    await t.step(JSON.stringify(text), () => {
      if (error !== undefined) {
        assert.throws(() => parseIgnore(text), IgnoreError);
        return;
      }
      const { files, emptyDirs } = selectContext(tree, parseIgnore(text), undefined);
      const dirs = new Set<string>();
      for (const path of [...files.map(({ name }) => name), ...emptyDirs.map((dir) => `${dir}/`)]) {
        for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
          dirs.add(path.slice(0, at + 1));
        }
      }
      assert.deepEqual([...files.map(({ name }) => name), ...dirs].sort(), kept?.toSorted());
    });
  }
});

Deno.test("a Dockerfile is split into the instructions that BuildKit sees", async (t) => {
  for (const { text, instructions, error } of seen.parse) {
    await t.step(JSON.stringify(text), () => {
      if (error !== undefined) {
        assert.throws(() => parseDockerfile(text), DockerfileError);
        return;
      }
      assert.deepEqual(
        parseDockerfile(text).instructions.map(({ name, flags, line, lastLine, heredocs }) => ({
          name,
          flags,
          line,
          lastLine,
          heredocs,
        })),
        instructions,
      );
    });
  }
});

Deno.test("words have the values that BuildKit gives them", async (t) => {
  const env = new Map(Object.entries(seen.env));
  for (const { word, escape, value, error } of seen.words) {
    await t.step(`${word} with ${escape}`, () => {
      if (error === undefined) assert.equal(expandWord(word, escape, env), value);
      else assert.throws(() => expandWord(word, escape, env), VariableError);
    });
  }
});
