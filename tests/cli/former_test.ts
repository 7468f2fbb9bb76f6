import assert from "node:assert/strict";
import { dockerBuildOptions, formerCommands, formerOptions } from "../../cli/former.ts";
import { isOption } from "../../cli/options.ts";
import { table } from "../../cli/table.ts";
import { parseArgs } from "../../cli/parse.ts";
import { EngineError } from "../../core/contract/errors.ts";
import { dapp } from "./support.ts";

/** Every `dapp ...` command and every option that a text names. */
function named(text: string) {
  return {
    commands: [...text.matchAll(/dapp ((?:dimg|config|store|registry)(?: [a-z]+)*)/g)].map(([, path]) =>
      path!
    ),
    options: [...text.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name!),
  };
}

Deno.test("options and commands of the old tool, werf and docker build are answered with what to do instead", async (t) => {
  const options = { ...formerOptions, ...dockerBuildOptions };
  for (const [name, fix] of Object.entries(options)) {
    for (const args of [[`--${name}`], [`--${name}=x`], [`--${name}`, "x"]]) {
      await t.step(args.join(" "), async () => {
        const { code, stderr, engines } = await dapp(["dimg", "build", ...args]);
        assert.match(
          stderr,
          new RegExp(`^error: Cannot use option "--${name}": dapp dimg build has no such option`),
        );
        assert.ok(stderr.endsWith(`\nfix: ${fix}\n`), stderr);
        assert.deepEqual([code, engines], [2, []]);
      });
    }
    assert.ok(!isOption(name), `--${name} is an option`);
  }
  for (const [path, fix] of Object.entries(formerCommands)) {
    await t.step(path, async () => {
      const { code, stderr } = await dapp([...path.split(" "), "x"]);
      assert.equal(stderr, `error: Cannot find command "dapp ${path}"\nfix: ${fix}\n`);
      assert.equal(code, 2);
    });
  }
});

Deno.test("what is advised instead exists", () => {
  for (const fix of Object.values({ ...formerOptions, ...dockerBuildOptions, ...formerCommands })) {
    for (const path of named(fix).commands) {
      assert.ok(
        table.commands.some((command) => path === command.path || path.startsWith(`${command.path} `)),
        `"dapp ${path}" in: ${fix}`,
      );
    }
    for (const name of named(fix).options) assert.ok(isOption(name), `--${name} in: ${fix}`);
  }
});

const COMMON = ["dir=x", "name=x", "build-dir=x", "quiet", "verbose", "time", "color=on", "dry-run", "dev"];
const WARNINGS = ["ignore-config-sequential-processing-warnings"];
const TAGS = ["tag=x", "tag-slug=x", "tag-plain=x", "tag-branch", "tag-commit", "tag-build-id", "tag-ci"];
const AUTH = ["registry-username=x", "registry-username=x --registry-password=y"];
const BUILD = [
  ...[
    "tmp-dir-prefix=x",
    "lock-timeout=9",
    "git-artifact-branch=x",
    "introspect-error",
    "introspect-before-error",
  ],
  ...["introspect-stage=install", "introspect-before=install", "introspect-artifact-stage=install"],
  ...["introspect-artifact-before=install", "ssh-key=x", "build-context-directory=x", "use-system-tar"],
  ...["force-save-cache"],
];
const IMPROPER = ["improper-cache-version", "improper-git-commit", "improper-repo-cache"];
const CONTEXT = ["build-context-directory=x", "use-system-tar"];
const PUSH = [...TAGS, "with-stages", "lock-timeout=9", "git-artifact-branch=x"];

/** Every command of the old tool with all its options. */
const OLD: Readonly<Record<string, readonly string[]>> = {
  "dimg build": BUILD,
  "dimg push": [...PUSH, ...AUTH],
  "dimg spush": [...PUSH, ...AUTH],
  "dimg bp": [...BUILD, ...PUSH, ...AUTH],
  "dimg tag": TAGS,
  "dimg run": ["stage=install", "ssh-key=x"],
  "dimg list": [],
  "dimg stage image": ["stage=install"],
  "dimg build-context export": CONTEXT,
  "dimg build-context import": CONTEXT,
  "dimg cleanup": ["lock-timeout=9"],
  "dimg cleanup repo": ["with-stages", "without-kube", "lock-timeout=9", "kubernetes-timeout=9", ...AUTH],
  "dimg flush local": ["with-stages"],
  "dimg flush repo": ["with-stages", "lock-timeout=9", ...AUTH],
  "dimg mrproper": ["all", "improper-dev-mode-cache", "improper-cache-version-stages"],
  "dimg stages push": AUTH,
  "dimg stages pull": ["all", ...AUTH],
  "dimg stages cleanup local": [...IMPROPER, ...AUTH],
  "dimg stages cleanup repo": [...IMPROPER, ...AUTH],
  "dimg stages flush local": [],
  "dimg stages flush repo": AUTH,
  "kube deploy": [],
  "kube dismiss": [],
  "kube render": [],
  "kube lint": [],
  "kube secret generate": [],
  "kube chart create": [],
  "update": [],
  "slug": [],
  "sample list": [],
  "sample create": [],
};

Deno.test("every option and command of the old tool is taken, or answered with what to use now", async (t) => {
  for (const [path, own] of Object.entries(OLD)) {
    await t.step(path, async () => {
      for (const option of [...own, ...(path === "slug" ? [] : [...COMMON, ...WARNINGS])]) {
        const args = [...path.split(" "), ...`--${option}`.split(" ")];
        const parsed = await parseArgs(args, table).catch((error: unknown) => error);
        if (!(parsed instanceof EngineError)) continue;
        // A word may be missing: the option was taken. Other advice than to look at help is an answer.
        const taken = /is missing/.test(parsed.message);
        const answered = !/^Run: dapp .*--help$/.test(parsed.fix) ||
          /Did you mean|leave it out|: use /.test(parsed.message);
        assert.ok(taken || answered, `${args.join(" ")}: ${parsed.message}\n${parsed.fix}`);
      }
    });
  }
});
