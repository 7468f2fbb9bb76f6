/**
 * Commands of the documentation that docs_examples_test.ts does not run, since they need a registry, a cluster or a CI
 * system, are run here: each page in a project of its own that is built and published, against a registry on this machine
 * whose name takes the place of the example's. Docker and BuildKit are real where they are found. kubectl is a script that
 * looks whether the files that it is given are there.
 */
import { MemoryRegistry } from "../../testing/mod.ts";
import { busyboxBase } from "../support/bases.ts";
import { startBuildkitd } from "../support/buildkitd.ts";
import { useDocker } from "../support/docker.ts";
import { startDockerRegistry } from "../support/docker_registry.ts";
import { denoDir, run } from "../support/process.ts";
import { type FileSpec, startProject } from "../support/project.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";
import { withTempDir } from "../support/tmp.ts";
import { allTexts, type Block } from "./blocks.ts";
import { isCommands } from "./how_run.ts";

const root = new URL("../../", import.meta.url).pathname;
const SHOP = "registry.example.com/shop";

/** What a block needs that its page leaves to the reader, before it runs; by what it has. */
const BEFORE: readonly (readonly [has: string, script: string])[] = [
  // As on a runner of GitLab.
  ["--tag-ci", "export GITLAB_CI=true CI_COMMIT_REF_NAME=main CI_COMMIT_BRANCH=main"],
  ["dapp dimg spush", "cd services/web && dapp dimg build"],
  ["--untrusted", "sed -i /^plugins/d dappfile.yaml && git commit -qam plain"],
  ["--improper-repo-cache", `dapp dimg bp ${SHOP}`],
  ["dapp dimg lock", "trap 'rm dappfile.lock' EXIT"],
  ["dapp dimg restore", `dapp dimg bp ${SHOP} --tag 1.0 && dapp dimg flush repo ${SHOP}`],
  ["shop/web:1.0", `dapp dimg bp ${SHOP} --tag 1.0`],
  ["dapp dimg diff", "date +%N >> src/index.html && git commit -qam changed && dapp dimg build"],
  ["dapp init", "mkdir new && cd new"],
  ["dapp migrate", "cd old"],
  ["/fish/completions/", "mkdir -p ~/.config/fish/completions"],
];

/** Blocks that a Docker engine answers, and those that a BuildKit daemon does. */
const DOCKER = /^dapp (?:dimg tag |builder )/m;
const BUILDKIT = "unix:///run/buildkit/buildkitd.sock";

const engine = useDocker();
const blocks = (await allTexts()).flatMap((text) => text.blocks).filter(isCommands);

function projectFiles(): Readonly<Record<string, FileSpec>> {
  const dimg = (name: string) =>
    `---\ndimg: ${name}\nfrom: oci:base:latest\ngit: [{ add: /src, to: /app }]\n` +
    `shell: { install: "echo ${name} > /installed" }\ndocker: { CMD: ["true"] }\n`;
  return {
    "dappfile.yaml": `project: shop\nplugins: [${SETTLED}]\n${dimg("app")}${dimg("web")}`,
    ...settledFile,
    ".gitignore": "base/\nout/\nweb.tar\napp.tar\ncerts/\n",
    "src/index.html": "hi\n",
    "services/web/dappfile.yaml": "dimg: web\nfrom: scratch\n",
    "old/werf.yaml": `project: shop\nconfigVersion: 1\n---\nimage: web\nfrom: debian:12\n`,
    "old/web/Dockerfile": "FROM debian:12\nRUN true\n",
    "old/api/Dockerfile": "FROM debian:12\nRUN true\n",
    "deploy/kubernetes/certificates.sh": {
      text: Deno.readTextFileSync(`${root}deploy/kubernetes/certificates.sh`),
      mode: 0o755,
    },
    "deploy/kubernetes/buildkitd.yaml": Deno.readTextFileSync(`${root}deploy/kubernetes/buildkitd.yaml`),
  };
}

const PROGRAMS = {
  dapp: `exec "${Deno.execPath()}" run -A --no-check "${root}cli.ts" "$@"`,
  // tests/release installs what is released.
  npm: 'case "$*" in "install --global @dapp/dapp") ;; *) echo "npm $*?" >&2; exit 1 ;; esac',
  kubectl:
    `for word; do case $word in --from-file=*) test -f "\${word##*=}" ;; *.yaml) test -f "$word" ;; esac || {
  echo "kubectl: no file: $word" >&2; exit 1; }; done`,
};

function scriptOf({ info, text }: Block): string {
  const script = info === "console"
    ? [...text.matchAll(/^\$ (.*)$/gm)].map(([, command]) => `${command}\n`).join("")
    : text;
  const before = BEFORE.flatMap(([has, line]) => script.includes(has) ? [line] : []);
  return [...before, script].join("\n");
}

for (const [file, own] of Map.groupBy(blocks, ({ file }) => file)) {
  Deno.test(`the commands of ${file} run`, async (t) => {
    await using distribution = await startDockerRegistry();
    await using memory = distribution ? undefined : new MemoryRegistry();
    await using buildkitd = own.some(({ text }) => text.includes(BUILDKIT))
      ? await startBuildkitd()
      : undefined;
    const host = (distribution ?? memory)!.host;
    await withTempDir(async (dir) => {
      const project = await startProject(dir, projectFiles());
      await run(["cp", "-r", await busyboxBase(), `${project.dir}/base`]);
      await Deno.mkdir(`${dir}/bin`);
      for (const [name, text] of Object.entries(PROGRAMS)) {
        await Deno.writeTextFile(`${dir}/bin/${name}`, `#!/usr/bin/env bash\n${text}\n`, { mode: 0o755 });
      }
      const env = {
        PATH: `${dir}/bin:${Deno.env.get("PATH")}`,
        HOME: `${dir}/user`,
        DENO_DIR: await denoDir(),
        DAPP_HOME: project.home,
        GIT_CONFIG_GLOBAL: "/dev/null",
        GIT_CONFIG_SYSTEM: "/dev/null",
        GIT_AUTHOR_NAME: "T",
        GIT_AUTHOR_EMAIL: "t@example.com",
        GIT_COMMITTER_NAME: "T",
        GIT_COMMITTER_EMAIL: "t@example.com",
        NO_COLOR: "1",
        PASSWORD: "secret",
        ...engine()?.env,
      };
      await Deno.mkdir(env.HOME);
      const shell = async (script: string) => {
        const text = script.replaceAll("registry.example.com", host).replaceAll("localhost:5000", host)
          .replaceAll(/(?<=^dapp .*)\bREPO\b/gm, `${host}/shop`)
          .replaceAll(BUILDKIT, buildkitd?.address ?? BUILDKIT);
        await run(["bash", "-eo", "pipefail", "-c", text], { cwd: project.dir, env, inheritEnv: false });
      };
      await shell(`dapp dimg bp ${SHOP} --with-stages --quiet`);
      for (const block of own) {
        const name = `line ${block.line}`;
        const without = DOCKER.test(block.text) && !engine() || block.text.includes(BUILDKIT) && !buildkitd;
        await t.step(without ? `${name}: left out, there is no daemon` : name, async () => {
          if (!without) await shell(scriptOf(block));
        });
      }
    });
  });
}
