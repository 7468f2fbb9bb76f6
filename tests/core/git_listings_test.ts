import assert from "node:assert/strict";
import { digestOf } from "../../core/contract/plugin.ts";
import type { SelectedFile } from "../../core/git/select.ts";
import { gitListings } from "../../core/sign/git_listings.ts";

/** Files of an entry, not in the order of their paths. */
function files(count: number, at: string): SelectedFile[] {
  const oid = "0123456789abcdef0123456789abcdef01234567";
  return Array.from({ length: count }, (_, i) => {
    const name = `${count - i}`;
    return { name, target: `${at}/${name}`, mode: "100644", oid, path: name, repo: "" };
  });
}

for (
  const [title, counts] of [["few", [3, 1]], ["many", [20_001, 2]], ["many together", [
    12_000,
    9_000,
  ]]] as const
) {
  Deno.test(`gitListings() gives the digests of its texts, entry by entry, of ${title} files`, async () => {
    const listings = gitListings(counts.map((count, i) => files(count, `/${i}`)));
    const texts = listings.texts();
    assert.deepEqual(texts.map((text) => text.split("\0").length - 1), counts);
    assert.deepEqual(await listings.digests(), await Promise.all(texts.map((text) => digestOf(text))));
    assert.deepEqual(listings.texts(), texts);
  });
}
