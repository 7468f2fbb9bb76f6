import { equal, throws } from "node:assert/strict";
import { repositoryName } from "../../core/git/config_file.ts";
import { resolveUrl } from "../../core/git/remote.ts";
import { parseDockerfile } from "../../lib/dockerfile/instructions.ts";
import { layerPath } from "../../lib/layer/paths.ts";
import { withoutEnd } from "../../lib/without_end.ts";
import { parseRepo } from "../../plugins/registry/_repo.ts";

Deno.test("withoutEnd() takes away what a text ends with, and nothing else", () => {
  equal(withoutEnd("/a//", "/"), "/a");
  equal(withoutEnd("//", "/"), "");
  equal(withoutEnd("a", "/"), "a");
  equal(withoutEnd("", "/"), "");
});

Deno.test("texts of strangers take no longer than they are, whatever is in them", () => {
  // Where the end is looked for again from each slash, these take hours.
  const slashes = "/".repeat(2_000_000);
  equal(layerPath(`/a${slashes}b`), `a${slashes}b`);
  equal(repositoryName(`https://h${slashes}b`), "b");
  equal(resolveUrl(`https://h${slashes}b`, "../c"), `https://h${slashes}c`);
  throws(() => parseRepo(`h${slashes}B:t`), /REPO|repository/);
  equal(parseDockerfile(`FROM a${"\r".repeat(2_000_000)}b`).instructions.length, 1);
});
