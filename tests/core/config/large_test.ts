/** Dappfiles of many values: what is right is read, what is too much is refused at its place. */
import assert from "node:assert/strict";
import { buildGraph } from "../../../core/sign/graph.ts";
import { problemsOf, read } from "./support.ts";

const lines = (count: number, line: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => line(i));

Deno.test("parseConfig() reads documents by thousands, each with its lines", () => {
  const documents = lines(6000, (i) => `# about ${i}\ndimg: app${i}\nfrom: scratch\nshell: { setup: [a] }\n`);
  const { images } = read(documents.join("---\n"));
  assert.deepEqual(images.length, 6000);
  assert.deepEqual(images.at(-1)?.name, "app5999");
  assert.deepEqual(images.at(-1)?.line, 5999 * 5 + 2);
  assert.deepEqual(images.at(-1)?.document, 6000);
});

Deno.test("parseConfig() reads images that stand on each other by thousands, and tells of the circle", () => {
  const document = (i: number, on: string) => `dimg: app${i}\nfromDimg: ${on}\n`;
  const chain = (first: string) =>
    [first, ...lines(19_999, (i) => document(i + 1, `app${i}`))].reverse().join("---\n");
  const { images } = read(chain("dimg: app0\nfrom: scratch\n"));
  const graph = buildGraph({ images } as Parameters<typeof buildGraph>[0]);
  assert.deepEqual(graph.images.map(({ key }) => key), lines(20_000, (i) => `app${i}`));
  const problems = problemsOf(chain(document(0, "app2")));
  assert.deepEqual(problems.length, 1);
  assert.match(
    problems[0]!,
    /Images need each other in a circle: app2 \(.*\) -> app1 \(.*\) -> app0 \(.*\) -> app2/,
  );
});

Deno.test("parseConfig() tells what is wrong after a long text at its line", () => {
  const before = lines(20_000, (i) => `# ${i}\n`).join("") + "dimg: a\nfrom: scratch\n---\n";
  const wanted = '20005:1 bogus: Unknown key "bogus"';
  assert(problemsOf(`${before}dimg: b\nbogus: 1\nfrom: scratch\n`)[0]?.startsWith(wanted));
});

Deno.test("parseConfig() takes an alias for the last anchor of its name before it", () => {
  const text = `dimg: app\nfrom: scratch\nshell:\n  setup:\n${
    lines(10_000, (i) => `  - &a echo ${i}\n  - *a\n`).join("")
  }`;
  const { commands } = read(text).images[0]!.shell.setup!;
  assert.deepEqual(commands, lines(10_000, (i) => `echo ${i}`).flatMap((each) => [each, each]));
});

Deno.test("parseConfig() refuses too many values where there are too many", () => {
  const entries = (count: number) => lines(count, (i) => `  - ${i}\n`).join("");
  const document = (name: string, count: number) =>
    `dimg: ${name}\nfrom: scratch\nshell:\n  setup:\n${entries(count)}`;
  assert.deepEqual(problemsOf(document("a", 100_100)), [
    "100000:5 shell.setup[99995]: The document has more than 100000 values | Leave out what is not needed",
  ]);
});

Deno.test("parseConfig() stops in a document without end", () => {
  const comments = "# x\n".repeat(450_000);
  assert.deepEqual(
    problemsOf(`dimg: a\nfrom: scratch\n${comments}`)[0]?.replace(/^\d+:\d+: /, ""),
    "The document is too long to be read | Split it with a line `---`, and leave out what is not needed",
  );
});

Deno.test("parseConfig() reads what is nested, but not without end", () => {
  const nested = (depth: number) =>
    `dimg: a\nfrom: scratch\nshell:\n  setup: ${"[".repeat(depth)}${"]".repeat(depth)}\n`;
  assert.deepEqual(problemsOf(nested(90)).filter((each) => each.includes("deeply")), []);
  const [problem] = problemsOf(nested(100));
  assert.deepEqual(problem, "4:108: The document is nested too deeply to be read | Check its brackets");
  const blocks = lines(2000, (i) => `${" ".repeat(i)}a:\n`).join("");
  assert.deepEqual(problemsOf(blocks), [
    "100:101: The document is nested too deeply to be read | Check its brackets",
  ]);
});

Deno.test("parseConfig() tells the first 200 problems", () => {
  const text = lines(300, (i) => `dimg: app${i}\nfrom: scratch\nbogus: 1\n`).join("---\n");
  const problems = problemsOf(text);
  assert.deepEqual(problems.length, 200);
  assert(problems[199]?.startsWith('799:1 bogus: Unknown key "bogus"'));
});

Deno.test("parseConfig() finds images that are not there among thousands", () => {
  const text = lines(3000, (i) => `dimg: app${i}\nfromDimg: ${i === 0 ? "none" : `app${i - 1}`}\n`);
  assert.deepEqual(problemsOf(text.join("---\n")).map((each) => each.split(" | ")[0]), [
    '2:11 fromDimg: There is no dimg named "none"',
  ]);
});
