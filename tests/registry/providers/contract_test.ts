import assert from "node:assert/strict";
import { Contract, type Exchanged } from "./contract.ts";

const sample: Exchanged = {
  method: "GET",
  path: "/v2/namespaces/me/repositories/app/tags",
  query: new URLSearchParams({ page: "1", page_size: "100" }),
  requestBody: "",
  status: 200,
  replyBody: JSON.stringify({
    count: 1,
    next: null,
    previous: null,
    results: [{ name: "v1", digest: "sha256:aa" }],
  }),
};

const rejected: readonly (readonly [string, Partial<Exchanged>, RegExp])[] = [
  ["an unknown path", { path: "/v3/x" }, /not in the document/],
  ["another method", { method: "PUT" }, /not in the document/],
  ["an unknown query parameter", { query: new URLSearchParams({ size: "1" }) }, /"size" is unknown/],
  ["a query parameter of another type", { query: new URLSearchParams({ page: "x" }) }, /page is string/],
  ["an unknown status", { status: 418 }, /status 418/],
  ["a reply that is not JSON", { replyBody: "<html>" }, /not JSON/],
  ["a reply without a required field", { replyBody: '{"results":[{}]}' }, /lacks "name"/],
  ["a reply with a field of another type", { replyBody: '{"results":[{"name":1}]}' }, /name is number/],
  [
    "a reply with an unknown field",
    { replyBody: '{"results":[{"name":"a","tag":"a"}]}' },
    /"tag", which is unknown/,
  ],
  ["null where it is not allowed", { replyBody: '{"results":[{"name":null}]}' }, /is null/],
  ["a body where none belongs", { requestBody: "{}" }, /a body was sent/],
];

Deno.test("Contract accepts an exchange of the document", async () => {
  const contract = await Contract.open("docker_hub");
  assert.deepEqual(contract.violations(sample), []);
});

for (const [name, change, why] of rejected) {
  Deno.test(`Contract rejects ${name}`, async () => {
    const contract = await Contract.open("docker_hub");
    const violations = contract.violations({ ...sample, ...change });
    assert.ok(violations.some((text) => why.test(text)), JSON.stringify(violations));
  });
}
