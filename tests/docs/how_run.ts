/** Which test executes an example, and which examples are only checked, with the reason. */
import type { Block } from "./blocks.ts";

/** Why blocks are checked for their words, and not run: each by its page and what it starts with. */
export const onlyChecked: Readonly<Record<string, readonly (readonly [file: string, starts: string])[]>> = {
  "a drawing, which structure_test.ts reads": [["ARCHITECTURE.md", "cli.ts "]],
  "it is this test run": [["CONTRIBUTING.md", "npx --yes deno@2.9.6 task test"]],
  "it compiles BuildKit from the network": [["CONTRIBUTING.md", "cd .ci/buildkit"]],
  "it is a part of this test run": [["CONTRIBUTING.md", "DAPP_TEST_REGISTRIES="]],
  "gates of their own": [["CONTRIBUTING.md", "deno fmt"]],
  "it measures for minutes": [["CONTRIBUTING.md", "deno task bench"]],
  "the image is at Docker Hub; builder_setup_test.ts brings its own": [
    ["docs/cli.md", "# container dapp-buildkitd"],
    ["docs/builders.md", "dapp builder setup"],
  ],
  "release/image_test.ts builds and runs that image": [
    ["docs/image.md", "dapp dimg bp"],
    ["docs/image.md", "docker run"],
  ],
  "a line for editors": [["docs/dappfile.md", "# yaml-language-server"]],
  "a setting of an editor": [["docs/dappfile.md", '{ "yaml.schemas"']],
  "what a run of README's project printed": [["README.md", "app/install  cached"]],
  "a line in the configuration of a daemon": [["docs/builders.md", "# buildkitd.toml"]],
  "action_test.ts runs the jobs of what it includes": [["docs/ci.md", "# .gitlab-ci.yml"]],
  "there is no cluster; its keys are looked at": [
    ["docs/cleanup.md", "apiVersion: rbac"],
    ["docs/image.md", "securityContext"],
  ],
  "release/npm_test.ts does it with the package that this commit makes": [
    ["docs/install.md", "npm install"],
    ["docs/install.md", "tar -xzf"],
    ["docs/plugins.md", "dapp plugin new"],
  ],
  "the package is not at JSR yet": [["docs/install.md", "deno install"]],
  "the parts of a release, which tests of release/ and .ci/run do": [
    ["docs/install.md", "deno task release:build"],
  ],
  "it starts this test run": [["README.md", "npx --yes deno@2.9.6 task build"]],
};

/** Why a block is not executed; undefined when it is. */
export function whyOnlyChecked(block: Block): string | undefined {
  return Object.keys(onlyChecked).find((why) =>
    onlyChecked[why]!.some(([file, starts]) => file === block.file && block.text.startsWith(starts))
  );
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
