/** What is advised when a command of a stage failed about a file of git. */
import assert from "node:assert/strict";
import { missingFileHint, notStartedHint } from "../../core/build/missing_file.ts";

const undeclared = ["src/main.rs", "src/a.txt", "Gemfile", "README.md", "dappfile.yaml", "vendor/x/y.js"].map(
  (name) => ({
    entry: 0,
    name,
    target: `/app/${name}`,
  }),
);

Deno.test("missingFileHint() names the file that tools ask for, in their words", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["cat: can't open '/app/README.md': No such file or directory", '"README.md" to'],
    [
      "  either src/lib.rs, src/main.rs, a [lib] section, or [[bin]] section must be present",
      '"src/main.rs" to',
    ],
    ["Could not locate Gemfile", '"Gemfile" to'],
    ["make: *** No rule to make target 'src/a.txt', needed by 'all'.  Stop.", '"src/a.txt" to'],
    // Where a directory is missing, and the one around it: what the inner one has.
    [
      "ls: /app: No such file or directory\nls: /app/src: No such file or directory",
      '"src/main.rs" (and 1 more) to',
    ],
    ["ls: /app: No such file or directory", '"src/main.rs" (and 5 more) to'],
    [
      "ls: /app/src: No such file or directory\ncat: can't open 'README.md': No such file or directory",
      '"README.md" to',
    ],
    ["error: expected one of", undefined],
  ];
  for (const [output, wanted] of cases) {
    const hint = missingFileHint(output, "setup", undeclared);
    assert.ok(
      wanted === undefined ? hint === undefined : hint?.includes(`add ${wanted}`),
      `${output}: ${hint}`,
    );
  }
});

Deno.test("notStartedHint() tells a script without a right from one whose first line starts nothing", () => {
  const delivered = ["/app/run.sh", "/app/tools/x"];
  const cases: readonly (readonly [string, RegExp | undefined])[] = [
    // What busybox, dash and bash were seen to say.
    ["/dev/.dapp/script: eval: line 3: /app/run.sh: not found", /"\/app\/run\.sh" is there.*CRLF/],
    ["dash: 1: ./run.sh: not found", /"\/app\/run\.sh" is there/],
    ["bash: line 1: ./run.sh: cannot execute: required file not found", /"\/app\/run\.sh" is there/],
    ["sh: tools/x: Permission denied", /"\/app\/tools\/x" is not executable/],
    ["sh: ./tools/x: Permission denied", /"\/app\/tools\/x" is not executable.*--chmod=\+x/],
    ["bash: line 1: /app/run.sh: Permission denied", /sh \/app\/run\.sh$/],
    // Never seen here: what older releases of bash say.
    ["bash: /app/run.sh: /bin/sh^M: bad interpreter: No such file or directory", /is there/],
    // Of a command in the script, and of files that are not there.
    ["/app/run.sh: line 2: foo: not found", undefined],
    ["/app/run.sh: 2: foo: not found", undefined],
    ["sh: /app/other.sh: not found", undefined],
    ["cat: /app/none: Permission denied", undefined],
    ["sh: ./x: Permission denied", undefined],
  ];
  for (const [output, wanted] of cases) {
    const hint = notStartedHint(`start\n${output}\nend`, ["cd /app && ./run.sh"], delivered);
    if (wanted === undefined) assert.equal(hint, undefined, output);
    else assert.match(hint ?? "", wanted, output);
  }
});
