/** Which test executes an example, and which examples are only checked, with the reason. */
import type { Block } from "./blocks.ts";

/** Blocks of a page that are checked for their words, and not run. */
interface OnlyChecked {
  readonly file: string;
  /** What they start with. */
  readonly starts: string;
  readonly why: string;
}

export const onlyChecked: readonly OnlyChecked[] = [
  { file: "ARCHITECTURE.md", starts: "cli.ts ", why: "a drawing, which structure_test.ts reads" },
  { file: "CONTRIBUTING.md", starts: "npx --yes deno@2.9.6 task test", why: "it is this test run" },
  { file: "CONTRIBUTING.md", starts: "cd .ci/buildkit", why: "it compiles BuildKit from the network" },
  { file: "CONTRIBUTING.md", starts: "DAPP_TEST_REGISTRIES=", why: "it is a part of this test run" },
  { file: "CONTRIBUTING.md", starts: "deno fmt", why: "gates of their own" },
  { file: "CONTRIBUTING.md", starts: "deno task bench", why: "it measures for minutes" },
  {
    file: "docs/cli.md",
    starts: "# container dapp-buildkitd",
    why: "the image is at Docker Hub; builder_setup_test.ts brings its own",
  },
  {
    file: "docs/builders.md",
    starts: "dapp builder setup",
    why: "the image is at Docker Hub; builder_setup_test.ts brings its own",
  },
  { file: "docs/image.md", starts: "dapp dimg bp", why: "release/image_test.ts builds and runs that image" },
  { file: "docs/image.md", starts: "docker run", why: "release/image_test.ts builds and runs that image" },
  { file: "README.md", starts: "# yaml-language-server", why: "a line for editors" },
  { file: "README.md", starts: '{ "yaml.schemas"', why: "a setting of an editor" },
  { file: "README.md", starts: "app/install  cached", why: "what a run of README's project printed" },
  { file: "docs/builders.md", starts: "# buildkitd.toml", why: "a line in the configuration of a daemon" },
  { file: "docs/ci.md", starts: "# .gitlab-ci.yml", why: "action_test.ts runs the jobs of what it includes" },
  { file: "docs/cleanup.md", starts: "apiVersion: rbac", why: "there is no cluster; its keys are looked at" },
  { file: "docs/image.md", starts: "securityContext", why: "there is no cluster; its keys are looked at" },
  {
    file: "docs/install.md",
    starts: "",
    why: "release/npm_test.ts installs the package that this commit makes",
  },
  {
    file: "docs/plugins.md",
    starts: "dapp plugin new",
    why: "release/plugin_new_test.ts does it with the package",
  },
  { file: "README.md", starts: "npx --yes deno@2.9.6 task build", why: "it starts this test run" },
];

/** Why a block is not executed; undefined when it is. */
export function whyOnlyChecked(block: Block): string | undefined {
  return onlyChecked.find(({ file, starts }) => file === block.file && block.text.startsWith(starts))?.why;
}

/** Whether docs_examples_test.ts runs a block, or `deno test --doc` does. */
export function runsAsPage({ info }: Block): boolean {
  return /^sh run\b|\bfile=|^text said$/.test(info) || info === "ts";
}

/** Whether commands_test.ts runs a block. */
export function isCommands(block: Block): boolean {
  return /^(?:sh|console)$/.test(block.info) && whyOnlyChecked(block) === undefined;
}

/** Whether action_test.ts does what a workflow wants of the action. */
export function isWorkflow({ info, text }: Block): boolean {
  return info === "yaml" && text.startsWith("# .github/workflows/");
}

/** Whether dappfiles_test.ts builds a block. */
export function isDappfile({ info, text }: Block): boolean {
  return info === "yaml" && !/^# \.\w+/.test(text) &&
    /^(?:project|dimg|artifact|template|plugins):/m.test(text);
}

/** Whether release/npm_test.ts has a block in a program: all are type-checked with the package, and the tests run. */
export function isTyped({ info }: Block): boolean {
  return /^ts ignore\b/.test(info);
}
