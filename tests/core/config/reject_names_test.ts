import assert from "node:assert/strict";
import { parseConfig } from "../../../core/config/parse.ts";
import { problemsOf } from "./support.ts";

const FORM = "Write it as [HOST/]PATH[:TAG][@DIGEST], the path in lower-case letters";
const TAG = '1 to 128 letters, digits, "_", "." and "-", not starting with . or -';

const images: readonly (readonly [name: string, why: string, hint?: string])[] = [
  ["Foo:bar", '"Foo" is no repository name: upper-case letters are not allowed there', FORM],
  ["debian:12:3", `"12:3" is no tag, wanted are ${TAG}`, FORM],
  ["debian:", `"" is no tag, wanted are ${TAG}`, FORM],
  ["debian@sha256:12", '"sha256:12" is no digest, wanted is "sha256:" and 64 hex digits', FORM],
  ["r.example.com:99999/x", '"r.example.com:99999" is no host name', FORM],
  [
    "r.example.com//x",
    '"" is no repository name: wanted are lower-case letters and digits, separated by ".", "_", "__" or "-"',
    FORM,
  ],
  ["a".repeat(300), "it is longer than 255 characters", FORM],
  ["oci:", "no path follows it, wanted is oci:DIR:TAG"],
  ["archive::app", "no path follows it, wanted is archive:FILE"],
];

const repos: readonly (readonly [name: string, why: RegExp])[] = [
  ["foo:tag", /^no plugin opens "foo:", .* give it with --tag tag/],
  ["oic:images/all", /^no plugin opens "oic:".*Did you mean "oci:images\/all"\?/],
  ["oci:", /^the directory is missing/],
  ["oci:images:app", /^a tag follows the directory/],
  ["localhost:5000", /^it has no path/],
  ["r.example.com/x@sha256:12", /^it has a digest/],
  ["r.example.com/a_-b", /^"a_-b" is no repository name/],
];

const FROM_PLUGIN = "plugins: [./names.ts]\nrepo: s3:Bucket\n---\ndimg: a\nfrom: s3:Bucket:x:y\n";

Deno.test("parseConfig() says which names of images nothing could open, and where they stand", async (t) => {
  for (const [name, why, hint] of images) {
    await t.step(name.slice(0, 20), () => {
      const said = problemsOf(`dimg: [a, b]\ngit: []\nfrom: "${name}"\n`);
      assert.equal(said.length, 1);
      assert.ok(said[0]!.startsWith("3:7 from: "), said[0]!);
      assert.ok(said[0]!.endsWith(`" names no image: ${why}${hint ? ` | ${hint}` : ""}`), said[0]!);
    });
  }
});

Deno.test("parseConfig() says the same of REPO", async (t) => {
  for (const [name, why] of repos) {
    await t.step(name, () => {
      const said = problemsOf(`project: x\nrepo: "${name}"\n---\ndimg: a\nfrom: scratch\n`);
      assert.equal(said.length, 1);
      const start = `2:7 repo: "${name}" names no repository: `;
      assert.ok(said[0]!.startsWith(start), said[0]!);
      assert.match(said[0]!.slice(start.length), why);
    });
  }
});

Deno.test("parseConfig() takes any name where plugins of others may open it, and those of dapp's own", () => {
  assert.deepEqual(problemsOf(FROM_PLUGIN), []);
  assert.equal(problemsOf(FROM_PLUGIN.replace("./names.ts", "builder-buildkit")).length, 2);
  const bare = FROM_PLUGIN.replace(/^plugins.*\n/, "");
  assert.equal(problemsOf(bare).length, 2);
  parseConfig(bare, { file: "dappfile.yaml", env: {}, openNames: true });
  for (
    const repo of ["oci:images", "oci:/a/b/", ":minikube", "localhost:5000/x", "shop", "r.example.com/a__b-c"]
  ) {
    assert.deepEqual(
      problemsOf(`repo: "${repo}"\n---\ndimg: a\nfrom: debian:12@sha256:${"0".repeat(64)}\n`),
      [],
    );
  }
});
