import assert from "node:assert/strict";
import { same } from "./composed_cases.ts";
import { problemsOf, read, withoutLines } from "./support.ts";

/** Rules without where they stand: documents are counted otherwise when they are spelled out. */
function rules(text: string): unknown {
  return withoutLines(read(text).images.map(({ document: _, ...rule }) => rule));
}

Deno.test("a composed dappfile means what it is spelled out", async (t) => {
  for (const { name, short, long } of same) {
    await t.step(name, () => assert.deepEqual(rules(short), rules(long)));
  }
});

interface Wrong {
  readonly name: string;
  readonly text: string;
  readonly want: readonly string[];
}

const chain = Array.from({ length: 60 }, (_, i) => `template: t${i}\nextends: t${i + 1}\n---\n`).join("");

const wrong: readonly Wrong[] = [
  {
    name: "a template that is not there",
    text: "template: web\nfrom: x\n---\ndimg: app\nextends: [web, wbe]\n",
    want: ['5:16 extends: There is no template named "wbe" | Did you mean `web`?'],
  },
  {
    name: "no templates at all",
    text: "dimg: app\nfrom: x\nextends: web\n",
    want: [
      '3:10 extends: There is no template named "web" | There are no templates: add a document with `template: NAME`',
    ],
  },
  {
    name: "a circle",
    text: "template: a\nextends: b\n---\ntemplate: b\nextends: a\n---\ndimg: app\nfrom: x\nextends: a\n",
    want: ["5:10 extends: Templates extend each other in a circle: a -> b -> a | Take one of them out"],
  },
  {
    name: "a chain without end",
    text: `${chain}template: t60\n---\ndimg: app\nfrom: x\nextends: t0\n`,
    want: ["149:10 extends: Templates extend each other more than 50 deep | Let them extend fewer"],
  },
  {
    name: "two templates of a name",
    text: "template: a\n---\ntemplate: a\n---\ndimg: app\nfrom: x\nextends: a\n",
    want: ['3:11 template: Two templates are named "a": first on line 1 | Rename one'],
  },
  {
    name: "a template without a name, and one that is an image",
    text: "template: ~\nfrom: x\n---\ntemplate: a\ndimg: b\nfrom: x\n---\ndimg: c\nfrom: x\n",
    want: [
      "1:1 template: The template has no name | Write `template: NAME`; documents inherit it with `extends: NAME`",
      "4:1 template: A document is a dimg or a template, not both: see lines 5 and 4 | Split it with a line `---`",
    ],
  },
  {
    name: "what nobody uses is looked at too",
    text: 'template: a\nform: x\nshell: { instal: "${{ matrix.x }}" }\n---\ndimg: app\nfrom: x\n',
    want: [
      '2:1 form: Unknown key "form" in a document with `template` | Did you mean `from`?',
      '3:10 shell.instal: Unknown key "instal" in shell | Did you mean `install`?',
    ],
  },
  {
    name: "what is wrong in a template is said once, where it stands",
    text:
      "template: a\nfrom: [x]\nshell: { install: [ok, { a: b }] }\n---\ndimg: [p, q]\nextends: a\n---\ndimg: r\nextends: a\n",
    want: [
      '2:7 from: "from" takes a text: found a list',
      "3:24 shell.install[1]: \"install[1]\" takes shell commands: found a map, because the text contains `: ` | Put quotes around the command: 'a: b'",
    ],
  },
  {
    name: "`...` without anything to inherit",
    text: "dimg: a\nfrom: x\nshell: { install: [..., a] }\n",
    want: [
      "3:20: `...` stands for inherited entries: this document inherits nothing | Name a template with `extends`, or leave the entry out",
    ],
  },
  {
    name: "names in defaults",
    text: "defaults: { dimg: a, extends: b }\n---\ndimg: a\nfrom: x\n",
    want: [
      '1:13 defaults.dimg: "dimg" cannot be inherited by every document | Put it into the documents themselves',
      '1:22 defaults.extends: "extends" cannot be inherited by every document | Put it into the documents themselves',
      // The merged document is looked at all the same, and has a dimg of its own.
    ],
  },
  {
    name: "a matrix that makes one name twice",
    text: "dimg: a\nfrom: x\nmatrix: { v: [1, 2] }\n",
    want: ['1:7 dimg: Two dimgs are named "a": both on line 1 | Put ${{ matrix.NAME }} into the name'],
  },
  {
    name: "a matrix bomb",
    text: `dimg: a\nfrom: x\nmatrix:\n${
      [..."abcdefgh"].map((name) => `  ${name}: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n`).join("")
    }`,
    want: [
      "4:3 matrix: The matrix makes 100000000 images: at most 5000 are allowed | Use fewer values, or list the combinations that are wanted",
    ],
  },
  {
    name: "values that are none",
    text: 'dimg: a\nfrom: x\nmatrix: { a-b: 1, b: [], c: ~, d: [[1]], e: "${{ env.X }}" }\n',
    want: [
      '3:11 matrix: "a-b" is not a name for a value | Use letters, digits and `_`',
      '3:22 matrix: "b" has no values | Give it at least one',
      '3:26 matrix: A value of "c" is empty | Write "" for the empty text',
      '3:36 matrix: A value of "d" is a list | Values are texts',
      '3:45 matrix: A value of "e" has an expression | Values are plain texts: use expressions where they are used',
    ],
  },
  {
    name: "a matrix that is no map",
    text: "dimg: a\nfrom: x\nmatrix: [a, b]\n",
    want: [
      "3:10 matrix: The matrix is no map | Write `matrix: { NAME: [VALUE, VALUE] }`",
      "3:13 matrix: The matrix is no map | Write `matrix: { NAME: [VALUE, VALUE] }`",
    ],
  },
  {
    name: "values that the matrix does not have",
    text:
      'dimg: "a-${{ matrix.nod }}"\nfrom: "${{ matrix.y }}"\nmatrix: { node: [1] }\n---\ndimg: b\nfrom: ${{ matrix.x }}\n',
    want: [
      '1:10 dimg: The matrix has no "nod" | Did you mean ${{ matrix.node }}?',
      '2:8 from: The matrix has no "y" | The matrix has node',
      '6:7 from: There is no matrix with "x" | Add `matrix: { x: [...] }` to the document',
    ],
  },
];

Deno.test("mistakes in composed dappfiles are told where they stand", async (t) => {
  for (const { name, text, want } of wrong) {
    await t.step(name, () => assert.deepEqual(problemsOf(text), want));
  }
});

Deno.test("what documents and matrices expand to is bounded", async (t) => {
  const list = `[${Array.from({ length: 3000 }, (_, i) => i).join(",")}]`;
  await t.step("values of templates in many images", () => {
    const text = `template: big\nfrom: x\nshell: { install: ${list} }\n---\n` +
      `dimg: "a\${{ matrix.v }}"\nextends: big\nmatrix: { v: ${list} }\n`;
    const [first] = problemsOf(text);
    assert.match(first ?? "", /^3:\d+: The configuration expands to more than 1000000 values/);
  });
  await t.step("characters of a value that is used often", () => {
    const use = "${{ matrix.v }}".repeat(50_000);
    const text = `dimg: a\nfrom: x\nmatrix: { v: ${
      "x".repeat(1000)
    } }\nshell: { install: ["${use}", "${use}"] }\n`;
    const found = problemsOf(text);
    assert.ok(found.some((each) => /grows beyond|67108864 characters/.test(each)), found.join("\n"));
  });
  await t.step("`...` in a long row of templates", () => {
    const many = Array.from(
      { length: 49 },
      (_, i) =>
        `template: t${i}\n${i ? `extends: t${i - 1}\n` : ""}shell: { install: [..., ${
          "a,".repeat(1000)
        }b] }\n---\n`,
    ).join("");
    const found = problemsOf(`${many}dimg: a\nfrom: x\nextends: t48\n`);
    assert.ok(found.some((each) => /expands to more than/.test(each)), found.join("\n"));
  });
});
