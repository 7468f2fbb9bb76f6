/** SECURITY.md says what the probes of tests/builder/isolation_test.ts find. */
import assert from "node:assert/strict";
import { isolationRows, namespaceRow, networkRow } from "./builder/isolation_rows.ts";

Deno.test("SECURITY.md has every row that is probed, with what the probe finds, and no other", async () => {
  const text = await Deno.readTextFile(new URL("../SECURITY.md", import.meta.url));
  const rows = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()))
    .filter((cells) => cells.length === 8).map((cells) => cells.slice(1, 7)); // the table of six columns
  const table = new Map(rows.map(([title, ...cells]) => [title!, cells]));
  const { host, own } = networkRow.cells;
  const wanted = [...isolationRows, namespaceRow].map(({ title, cells }) => ({
    title,
    cells: [cells.root, cells.user, cells.docker, cells.buildah, cells.BuildKit].map((cell) =>
      cell.replaceAll("\n", "; ")
    ),
  }));
  for (const { title, cells } of wanted) assert.deepEqual(table.get(title), cells, title);
  const network = `${own}; with \`--network host\`: ${host}`;
  assert.deepEqual(table.get(networkRow.title), Array(5).fill(network));
  const known = new Set([...wanted.map(({ title }) => title), networkRow.title]);
  const others = rows.slice(2).map(([title]) => title!).filter((title) => !known.has(title));
  assert.deepEqual(others, []);
});
