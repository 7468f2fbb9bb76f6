import { deepStrictEqual, rejects, strictEqual, throws } from "node:assert/strict";
import { nextPage } from "../../../lib/registry/link.ts";
import { readPages } from "../../../lib/registry/pages.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { cutResponse, failure, MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { clientOf } from "../../support/registry_client.ts";

const { signal } = new AbortController();

async function list(registry: MemoryRegistry, path = "a"): Promise<string[]> {
  await using client = clientOf(registry.host);
  return await Array.fromAsync(listTags(client, path, { signal }));
}

Deno.test("listTags() gives every tag once", async (t) => {
  await using registry = new MemoryRegistry();
  const wanted = Array.from({ length: 25 }, (_, at) => `v${at}`).sort();
  for (const tag of wanted) await registry.addImage("a", tag);
  await t.step("from one page", async () => deepStrictEqual(await list(registry), wanted));
  await t.step("from several", async () => {
    registry.pageSize = 10;
    registry.seen.length = 0;
    deepStrictEqual(await list(registry), wanted);
    strictEqual(registry.seen.length, 3);
    registry.pageSize = undefined;
  });
  await t.step("none from a repository without any", async () => {
    await registry.addBlob("empty", new Uint8Array());
    deepStrictEqual(await list(registry, "empty"), []);
    deepStrictEqual(await list(registry, "unknown"), []);
  });
  await t.step("though the connection ends within a page", async () => {
    registry.pageSize = 10;
    registry.fault(() => undefined);
    registry.fault(() => cutResponse(new TextEncoder().encode(JSON.stringify({ tags: wanted })), 40));
    deepStrictEqual(await list(registry), wanted);
    registry.pageSize = undefined;
  });
  await t.step("though pages overlap, and one is empty", async () => {
    const page = (tags: readonly string[], next?: string) => () =>
      Response.json({ tags }, next === undefined ? {} : { headers: { link: `<${next}>; rel=next` } });
    registry.fault(page(["x", "y"], "?page=2"));
    registry.fault(page([], "/v2/a/tags/list?page=3"));
    registry.fault(page(["y", "z"]));
    deepStrictEqual(await list(registry), ["x", "y", "z"]);
  });
});

Deno.test("listTags() refuses what leads nowhere", async (t) => {
  await using registry = new MemoryRegistry();
  const answers: readonly (readonly [string, () => Response, RegExp])[] = [
    [
      "pages in a circle",
      () => Response.json({ tags: ["x"] }, { headers: { link: '</v2/a/tags/list>; rel="next"' } }),
      /that came before/,
    ],
    [
      "another host",
      () => Response.json({ tags: ["x"] }, { headers: { link: '<http://other.invalid/x>; rel="next"' } }),
      /it leads to http:\/\/other\.invalid\/x/,
    ],
    [
      "a next page that is not there",
      () => Response.json({ tags: ["x"] }, { headers: { link: '</v2/gone/tags/list>; rel="next"' } }),
      /answered 404 to .*gone.*, which it named as the next page/,
    ],
    [
      "a Link that cannot be understood",
      () => Response.json({ tags: ["x"] }, { headers: { link: "<" } }),
      /Link header cannot be understood: </,
    ],
    ["no tags", () => Response.json({ name: "a" }), /has no "tags"/],
    ["an error that comes as 200", () => Response.json({ errors: [] }), /has no "tags"/],
    ["null", () => Response.json(null), /has no "tags"/],
    ["no JSON", () => new Response("<html>"), /is not JSON/],
    ["no names", () => Response.json({ tags: [1] }), /is no list of names/],
    ["no right", () => failure(403, "DENIED"), /answered 403/],
  ];
  for (const [title, answer, message] of answers) {
    await t.step(title, async () => {
      registry.fault(answer);
      await rejects(list(registry), { message });
    });
  }
});

Deno.test("readPages() gives up a list whose pages have no end", async () => {
  await using registry = new MemoryRegistry();
  for (let at = 0; at < 12; at++) await registry.addImage("a", `v${at}`);
  registry.pageSize = 2;
  await using client = clientOf(registry.host);
  const listing = { path: "a/tags/list", scopes: [], doing: "list the tags of a", signal };
  strictEqual((await Array.fromAsync(readPages(client, { ...listing, maxPages: 6 }))).length, 6);
  await rejects(Array.fromAsync(readPages(client, { ...listing, maxPages: 5 })), /names more than 5 pages/);
});

Deno.test("nextPage() reads Link", () => {
  const page = new URL("https://reg.example:5000/v2/a/tags/list?n=1");
  const cases: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, undefined],
    ["", undefined],
    ['</x?last=a%2Fb>; rel="next"', "https://reg.example:5000/x?last=a%2Fb"],
    ['<list?last=b>;rel=next;type="json"', "https://reg.example:5000/v2/a/tags/list?last=b"],
    ['</p>; rel="prev", </n>; rel="next"', "https://reg.example:5000/n"],
    ['</p>; rel="first prev"', undefined],
    ['</n>; type=x; rel="last next"', "https://reg.example:5000/n"],
    ['<http://reg.example/n?a=1>; rel="next"', "https://reg.example:5000/n?a=1"],
    [
      '</p?last=a,b>; rel="previous",</n?q=name=~a,b;c>; REL = "NEXT"',
      "https://reg.example:5000/n?q=name=~a,b;c",
    ],
    ['</n?q=a b>; title="rel=\\"prev\\", x"; rel=next', "https://reg.example:5000/n?q=a%20b"],
    ["</n>; rel='next'", "https://reg.example:5000/n"],
    ["?last=z; rel=next", "https://reg.example:5000/v2/a/tags/list?last=z"],
    ["/p; rel=prev, /n; rel=next", "https://reg.example:5000/n"],
    ["</n?last=z>", "https://reg.example:5000/n?last=z"],
    ["</p>; rel=prev, </n?last=z>; n=1", "https://reg.example:5000/n?last=z"],
    ['</f>; rel="first", </l>; rel="last"', undefined],
  ];
  for (const [header, wanted] of cases) strictEqual(nextPage(header, page)?.href, wanted, header!);
  // Where it looks for the end again from each character, these take hours.
  for (const long of [" ", ",", ", "].map((text) => text.repeat(2_000_000))) {
    throws(() => nextPage(`a${long}<`, page), /cannot be understood/);
  }
});
