import assert from "node:assert/strict";
import { platformOf, platformProblem } from "../../../lib/oci/platform.ts";

Deno.test("platformProblem() knows what images are made for, and what was meant", () => {
  const good = [
    "linux/amd64",
    "arm64",
    "linux/arm/v7",
    "linux/arm/v6",
    "windows/amd64",
    "linux/386",
    "aarch64",
    "armhf",
  ];
  for (const text of good) assert.equal(platformProblem(platformOf(text)), undefined, text);
  const wrong: readonly (readonly [string, string | undefined])[] = [
    ["linux/amd46", "linux/amd64"],
    ["linux/arm46", "linux/arm64"],
    ["linx/amd64", "linux/amd64"],
    ["linux/amr/v7", "linux/arm/v7"],
    ["linux/vax", undefined],
    ["plan9/amd64", undefined],
  ];
  for (const [text, meant] of wrong) {
    const problem = platformProblem(platformOf(text));
    assert.ok(problem, text);
    assert.equal(problem.meant, meant, text);
  }
});
