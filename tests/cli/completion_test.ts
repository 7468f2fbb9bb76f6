import assert from "node:assert/strict";
import { bashScript } from "../../cli/complete/bash.ts";
import { fishScript } from "../../cli/complete/fish.ts";
import { zshScript } from "../../cli/complete/zsh.ts";
import { stageNames } from "../../cli/options.ts";
import { table } from "../../cli/table.ts";
import { parseConfig } from "../../core/config/parse.ts";
import { buildGraph } from "../../core/sign/graph.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { withProject } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { dapp } from "./support.ts";
import { commandOptions } from "../../cli/command.ts";

/** What the shells must offer after a line, whatever else they offer. */
interface Case {
  readonly line: string;
  readonly offers: readonly string[];
  /** Exactly these and nothing else. */
  readonly only?: true;
  readonly not?: readonly string[];
}

const cases: readonly Case[] = [
  {
    line: "dapp ",
    offers: [
      "dimg",
      "init",
      "config",
      "store",
      "migrate",
      "plugin",
      "builder",
      "registry",
      "slug",
      "completion",
      "help",
      "doctor",
      "version",
    ],
    only: true,
  },
  { line: "dapp d", offers: ["dimg", "doctor"], only: true },
  {
    line: "dapp dimg ",
    offers: [
      "build",
      "plan",
      "explain",
      "files",
      "diff",
      "list",
      "stage",
      "stages",
      "flush",
      "check",
      "cleanup",
      "mrproper",
      "restore",
      "run",
      "export",
      "lock",
      "push",
      "spush",
      "bp",
      "tag",
      "tags",
    ],
    only: true,
  },
  { line: "dapp dimg stage ", offers: ["image"], only: true },
  { line: "dapp dimg build ", offers: ["app", "web"], only: true },
  { line: "dapp dimg build app ", offers: ["app", "web"], only: true },
  { line: "dapp dimg build w", offers: ["web"], only: true },
  { line: "dapp dimg build --dir other ", offers: ["other-app"], only: true },
  { line: "dapp -C other dimg build ", offers: ["other-app"], only: true },
  { line: "dapp dimg build --introspect-", offers: ["--introspect-error", "--introspect-stage"] },
  {
    line: "dapp dimg plan --",
    offers: ["--json", "--json=events", "--parallel"],
    not: ["--introspect-error", "--stage"],
  },
  { line: "dapp dimg build --network ", offers: ["private", "host", "none"], only: true },
  { line: "dapp dimg stage image app --stage before", offers: ["beforeInstall", "beforeSetup"], only: true },
  { line: "dapp dimg explain app buildA", offers: ["buildArtifact"], only: true },
  {
    line: "dapp dimg export ",
    offers: ["app", "web", "oci:", "oci-archive:", "docker-archive:"],
    only: true,
  },
  { line: "dapp dimg stages ", offers: ["push", "pull", "cleanup", "flush"], only: true },
  { line: "dapp dimg stages cleanup ", offers: ["local", "repo"], only: true },
  { line: "dapp dimg stages cleanup local ", offers: ["oci:"], only: true },
  { line: "dapp dimg stages cleanup local --improper-", offers: ["--improper-repo-cache"], not: ["--all"] },
  { line: "dapp dimg check repo --re", offers: ["--read", "--repair"] },
  { line: "dapp dimg cleanup ", offers: ["repo"], only: true },
  { line: "dapp dimg cleanup --", offers: ["--dry-run"], not: ["--with-stages", "--repo", "--yes"] },
  { line: "dapp dimg cleanup repo ", offers: ["app", "web", "oci:"], only: true },
  { line: "dapp dimg cleanup repo --", offers: ["--with-stages", "--without-kube", "--plan", "--yes"] },
  { line: "dapp dimg cleanup repo --kubernetes-timeout 5 w", offers: ["web"], only: true },
  { line: "dapp dimg flush ", offers: ["local", "repo"], only: true },
  { line: "dapp dimg flush local ", offers: ["app", "web"], only: true },
  { line: "dapp dimg mrproper --improper-", offers: ["--improper-dev-mode-cache"] },
  { line: "dapp dimg restore ", offers: ["oci:"], only: true },
  { line: "dapp dimg restore r.io/x ", offers: [], only: true },
  { line: "dapp dimg push ", offers: ["app", "web", "oci:"], only: true },
  { line: "dapp dimg spush ", offers: ["app", "web", "oci:"], only: true },
  { line: "dapp dimg spush app ", offers: ["oci:"], only: true },
  { line: "dapp dimg push --tag 1.0 w", offers: ["web"], only: true },
  { line: "dapp dimg push --repo x a", offers: ["app"], only: true },
  {
    line: "dapp dimg push --tag",
    offers: [
      "--tag",
      "--tag-slug",
      "--tag-plain",
      "--tag-branch",
      "--tag-commit",
      "--tag-build-id",
      "--tag-ci",
      "--tag-team",
      "--tag-day",
    ],
    only: true,
  },
  { line: "dapp dimg bp --tag-t", offers: ["--tag-team"], only: true },
  { line: "dapp dimg push --dir other --tag-b", offers: ["--tag-branch", "--tag-build-id"], only: true },
  { line: "dapp dimg build --tag", offers: [], only: true },
  { line: "dapp dimg bp --naming ", offers: ["nested", "flat"], only: true },
  { line: "dapp dimg build --re", offers: ["--repo", "--repo-read-only", "--registry-password-stdin"] },
  { line: "dapp dimg run --registry-", offers: ["--registry-kind"], not: ["--registry-password-stdin"] },
  { line: "dapp dimg stages pull app --", offers: ["--all", "--repo"], not: ["--tag", "--naming"] },
  { line: "dapp registry ", offers: ["check"], only: true },
  { line: "dapp registry check ", offers: ["oci:"], only: true },
  { line: "dapp slug ", offers: [], only: true },
  { line: "dapp completion ", offers: ["bash", "zsh", "fish"], only: true },
  { line: "dapp help dimg st", offers: ["stage", "stages"], only: true },
  { line: "dapp dimg lock ", offers: [], only: true },
];

/** Calls `body` in a directory with a program `dapp` that knows two dimgs, and another one in directory `other`. */
async function withFakeDapp(body: (dir: string) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    const script = `#!/bin/sh
case "$*" in
  "dimg list -q") printf 'app\\nweb\\n' ;;
  "dimg push --help" | "dimg bp --help")
    printf 'Options:\\n      --tag TEXT  a tag\\n\\nOptions of plugins:\\n'
    printf '      --tag-team NAME   publish under the team (tag-team)\\n'
    printf '      --tag-day         publish under the day (tag-day)\\n' ;;
  "dimg push --dir other --help") printf '\\nOptions of plugins are not known: Cannot load plugin "./p.ts": --tag-boom\\n' ;;
  "dimg list -q --dir other" | "dimg list -q --dir=other") echo other-app ;;
  *) exit 1 ;;
esac
`;
    await Deno.writeTextFile(`${dir}/dapp`, script, { mode: 0o755 });
    await body(dir);
  });
}

function check({ line, offers, only, not = [] }: Case, found: readonly string[]): void {
  if (only) assert.deepEqual([...found].sort(), [...offers].sort(), line);
  for (const word of offers) assert(found.includes(word), `${line} offers ${word}, not only ${found}`);
  for (const word of not) assert(!found.includes(word), `${line} does not offer ${word}`);
}

function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** Runs the completion function as bash does, and gives the replies. */
async function askBash(dir: string, line: string, words: readonly string[]): Promise<string[]> {
  const quoted = (text: string) => `'${text}'`;
  const program = `${bashScript(table)}
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
COMP_WORDS=(${words.map(quoted).join(" ")})
COMP_CWORD=${words.length - 1}
COMP_LINE=${quoted(line)}
COMP_POINT=${line.length}
_dapp dapp "\${COMP_WORDS[COMP_CWORD]}" ""
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const env = { PATH: `${dir}:${Deno.env.get("PATH")}` };
  return lines((await run(["bash", "-c", program], { env, cwd: dir })).stdout);
}

Deno.test("bash completes commands, options, values, dimgs and stages", async (t) => {
  await run(["bash", "-n"], { stdin: bashScript(table) });
  await withFakeDapp(async (dir) => {
    for (const one of cases) {
      await t.step(one.line, async () => check(one, await askBash(dir, one.line, one.line.split(" "))));
    }
    await t.step("offers every option of every command", async () => {
      for (const command of table.commands) {
        const { path } = command;
        const found = await askBash(dir, `dapp ${path} --`, ["dapp", ...path.split(" "), "--"]);
        const ofPlugins = path === "dimg push" || path === "dimg bp" ? ["tag-team", "tag-day"] : [];
        const wanted = [...commandOptions(command), ...ofPlugins].map((name) => `--${name}`);
        assert.deepEqual(found.filter((word) => !word.includes("=")).sort(), wanted.sort(), path);
      }
    });
    await t.step("replies with what follows the last word break", async () => {
      const color = await askBash(dir, "dapp dimg plan --color=al", [
        "dapp",
        "dimg",
        "plan",
        "--color",
        "=",
        "al",
      ]);
      assert.deepEqual(color, ["always"]);
      const json = await askBash(dir, "dapp dimg plan --json=", ["dapp", "dimg", "plan", "--json", "="]);
      assert.deepEqual(json, ["events"]);
      const git = ["dapp", "dimg", "run", "--stage", "git", ":", "in"];
      assert.deepEqual(await askBash(dir, "dapp dimg run --stage git:in", git), ["install"]);
    });
    await t.step("offers directories and files where they belong", async () => {
      await Deno.mkdir(`${dir}/project`);
      assert.deepEqual(await askBash(dir, "dapp --dir pro", ["dapp", "--dir", "pro"]), ["project"]);
      const run = ["dapp", "dimg", "run", "--", "pro"];
      assert.deepEqual(await askBash(dir, "dapp dimg run -- pro", run), ["project"]);
      await Deno.writeTextFile(`${dir}/plan.json`, "");
      const plan = ["dapp", "dimg", "cleanup", "repo", "--plan", "pl"];
      assert.deepEqual(await askBash(dir, plan.join(" "), plan), ["plan.json"]);
    });
  });
});

Deno.test("bash offers the flags of a project's plugins, and is silent about one that is broken", async () => {
  const plugin = `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "tag-team",
  api: 1,
  setup: () => ({ tagFlags: () => [{ name: "tag-team", value: "NAME", summary: "the team" }], tags: () => [] }),
});
`;
  const files = {
    "dappfile.yaml": "plugins: [./team.ts]\n---\ndimg: app\nfrom: scratch\n",
    "team.ts": plugin,
  };
  await withProject(files, async ({ dir, home, write }) => {
    const program = new URL("../../cli.ts", import.meta.url).pathname;
    const script =
      `#!/bin/sh\nexec '${Deno.execPath()}' run -A --no-check '${program}' "$@" --home '${home}'\n`;
    await Deno.writeTextFile(`${dir}/dapp`, script, { mode: 0o755 });
    const line = "dapp dimg push --tag-t";
    assert.deepEqual(await askBash(dir, line, line.split(" ")), ["--tag-team"]);
    await write({ "team.ts": "throw new Error('--tag-t');" });
    assert.deepEqual(await askBash(dir, line, line.split(" ")), []);
  });
});

Deno.test("zsh accepts its script and calls it", async () => {
  const zsh = await peer("zsh");
  if (!zsh) return;
  await run([zsh, "-n"], { stdin: zshScript(table) });
  await withFakeDapp(async (dir) => {
    await Deno.writeTextFile(`${dir}/_dapp`, zshScript(table));
    for (const one of cases) {
      // The builtins that put words on the screen print them instead.
      const program = `
compdef() { :; }
compset() { :; }
_files() { :; }
_message() { :; }
compadd() {
  while [[ $1 == -* ]]; do
    case $1 in
      -S) shift 2 ;;
      -a) print -rl -- "\${(@P)2}"; return ;;
      *) shift ;;
    esac
  done
  print -rl -- "$@"
}
_describe() {
  [[ $1 == -o ]] && shift
  local entry
  for entry in "\${(@P)2}"; do print -r -- "\${\${entry//\\\\:/}%%:*}"; done
}
source ${dir}/_dapp
words=(\${(s: :)1})
[[ $1 == *' ' ]] && words+=("")
CURRENT=\${#words}
_dapp
`;
      const env = { PATH: `${dir}:${Deno.env.get("PATH")}` };
      const { stdout } = await run([zsh, "-f", "-c", program, "zsh", one.line], { env, cwd: dir });
      const last = one.line.split(" ").at(-1)!;
      check(one, lines(stdout).filter((word) => word.startsWith(last)));
    }
  });
});

Deno.test("fish completes the same", async (t) => {
  const fish = await peer("fish");
  if (!fish) return;
  await withFakeDapp(async (dir) => {
    await Deno.writeTextFile(`${dir}/dapp.fish`, fishScript(table));
    await run([fish, "--no-execute", `${dir}/dapp.fish`], { env: { HOME: dir } });
    for (const one of cases) {
      await t.step(one.line, async () => {
        const program = `source ${dir}/dapp.fish; complete -C '${one.line}'`;
        const env = { HOME: dir, PATH: `${dir}:${Deno.env.get("PATH")}` };
        const { stdout, stderr } = await run([fish, "--no-config", "-c", program], { env, cwd: dir });
        assert.equal(stderr, "");
        check(one, lines(stdout).map((line) => line.split("\t")[0]!));
      });
    }
  });
});

Deno.test("dapp completion prints the scripts", async () => {
  for (
    const [shell, script] of [["bash", bashScript(table)], ["zsh", zshScript(table)], [
      "fish",
      fishScript(table),
    ]] as const
  ) {
    assert.equal((await dapp(["completion", shell])).stdout, script);
  }
});

Deno.test("every stage that an image can have is completed", () => {
  const files = "git: [{ add: /, to: /x }]";
  const imports = ["before", "after"].flatMap((when) =>
    ["install", "setup"].map((stage) => `{ artifact: a, add: /x, to: /${when}${stage}, ${when}: ${stage} }`)
  );
  const commands = "beforeInstall: x, install: x, beforeSetup: x, setup: x";
  const documents = [
    "project: p",
    `dimg: d\nfrom: scratch\n${files}\nimport: [${imports}]\nshell: { ${commands} }\ndocker: { USER: u }`,
    `artifact: a\nfrom: scratch\n${files}\nshell: { ${commands}, buildArtifact: x }`,
    "dimg: f\ndockerfile: Dockerfile",
  ];
  const { config } = parseConfig(documents.join("\n---\n"), { file: "dappfile.yaml", env: {} });
  const possible = buildGraph(config).images.flatMap(({ stages }) => stages.map(({ name }) => name));
  assert.deepEqual([...stageNames].sort(), [...new Set(possible)].sort());
});
