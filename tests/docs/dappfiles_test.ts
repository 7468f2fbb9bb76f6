/**
 * Dappfiles of the documentation that docs_examples_test.ts does not build, since their bases are at Docker Hub, are built
 * here: upon one base for all of them, in which apt-get, npm, go and others are scripts that leave behind what the next
 * line wants, and with git repositories of this machine under the addresses of the example. Dockerfiles need a daemon of
 * BuildKit, and are left out where there is none.
 */
import assert from "node:assert/strict";
import { busyboxBase } from "../support/bases.ts";
import { startBuildkitd } from "../support/buildkitd.ts";
import { denoDir, run } from "../support/process.ts";
import { type FileSpec, startProject, writeFiles } from "../support/project.ts";
import { withTempDir } from "../support/tmp.ts";
import { allTexts, withDimg } from "./blocks.ts";
import { isDappfile } from "./how_run.ts";

const root = new URL("../../", import.meta.url).pathname;
const read = (path: string) => Deno.readTextFileSync(`${root}${path}`);
const texts = await allTexts();
const dappfiles = texts.flatMap(({ blocks }) => blocks).filter(isDappfile);

/** Programs of the bases that examples name, as far as an example looks at what they leave. */
const PROGRAMS: Readonly<Record<string, string>> = {
  "apt-get": "",
  useradd: "",
  node: "",
  python3: "",
  tini: "",
  npm: 'case "$*" in "run build") mkdir -p dist && echo built > dist/index.js ;; esac',
  make: 'case $1 in -C) mkdir -p "$2/out" && echo made > "$2/out/index.js" ;; esac',
  go: 'while [ "$1" != -o ]; do shift; done; mkdir -p "${2%/*}" && cp /bin/true "$2"',
  curl: "tar -c -C /etc passwd",
  git: 'test "$1" = clone && mkdir -p "$3"',
};

const PROJECT: Readonly<Record<string, FileSpec>> = {
  ".gitignore": "/base\n",
  ...Object.fromEntries(
    [
      ...["requirements.txt", "src/main.py", "src/index.js", "web/index.html", "package.json"],
      ...["package-lock.json", "go.mod", "go.sum", "main.go", "lib/part.js", "api/main.js", "docs/page.md"],
      ...["services/api/main.js", "services/web/main.js", "services/admin/main.js", "static/a.css"],
    ].map((path) => [path, `${path}\n`]),
  ),
  "images/templates.yaml": "template: small\nfrom: scratch\n",
  "services/web/images.yaml": "dimg: web\nextends: small\n",
  "services/web/Dockerfile": "FROM scratch AS release\nCOPY main.js /\n",
  "build/api.Dockerfile": "FROM scratch AS release\nCOPY main.go /\n",
  "assets/Dockerfile": "FROM scratch\nCOPY a.css /srv/www/\n",
  "assets/a.css": "a\n",
  "tools/tag_calver.ts": read("examples/tag_calver.ts"),
  "tools/keep_deployed.ts": read("examples/keep_deployed.ts"),
  "examples/keep_deployed.ts": read("examples/keep_deployed.ts"),
  "tag_team.ts":
    texts.flatMap(({ blocks }) => blocks).find(({ info }) => info.endsWith("name=tag_team.ts"))!.text,
};

/** Plugins that examples name without showing them. */
const ANY_PLUGIN = (name: string) =>
  `import { definePlugin } from "@dapp/dapp/plugin";
export default definePlugin({
  name: "${name}",
  api: 1,
  options: (z) => z.looseObject({}),
  setup: () => ({}),
});
`;

/** A layout with the programs, in \`dir\`/base. */
async function makeBase(dir: string, dapp: (...words: string[]) => Promise<unknown>): Promise<void> {
  await run(["cp", "-r", await busyboxBase(), `${dir}/base`]);
  const stubs = Object.entries(PROGRAMS).map(([name, text]) => [`stubs/${name}`, {
    text: `#!/bin/sh\n${text}\n`,
    mode: 0o755,
  }]);
  await writeFiles(dir, {
    ...Object.fromEntries(stubs),
    "activate": { text: "#!/bin/sh\n", mode: 0o755 },
    "dappfile.yaml": `dimg: base
from: oci:base:latest
git:
  - { add: /stubs, to: /bin }
  - { add: /activate, to: /activate }
shell:
  setup: mkdir -p /etc/ssl/certs /src /srv && echo ca > /etc/ssl/certs/ca.pem && echo 'www-data:x:33:33::/:/bin/sh' >> /etc/passwd && echo 'www-data:x:33:' >> /etc/group
`,
  });
  await run(["git", "-C", dir, "add", "-A"]);
  await dapp("dimg", "build", "--dev", "--quiet");
  await dapp("dimg", "export", "--dev", "oci:made");
  await run(["rm", "-rf", `${dir}/base`, `${dir}/stubs`, `${dir}/activate`]);
  await Deno.rename(`${dir}/made`, `${dir}/base`);
}

Deno.test("dappfiles of the documentation are built", async (t) => {
  await using buildkitd = dappfiles.some(({ text }) => /^dockerfile:/m.test(text))
    ? await startBuildkitd()
    : undefined;
  await withTempDir(async (dir) => {
    const { dir: project, home, commit } = await startProject(dir, PROJECT);
    for (const name of ["stamp", "store", "other", "inputs"]) {
      await writeFiles(project, { [`tools/${name}.ts`]: ANY_PLUGIN(name) });
    }
    const remote = await startProject(`${dir}/remote`, { "dist/css/a.css": "a", "dist/js/a.js": "a" });
    await remote.git("tag", "v1.10");
    const models = `${dir}/models`;
    await Deno.mkdir(models);
    const user = `${dir}/user`;
    await writeFiles(user, { ".netrc": "machine x login y password zzzzzzzz\n" });
    using _agent = Deno.listen({ transport: "unix", path: `${dir}/agent` });
    const env: Record<string, string> = {
      SSH_AUTH_SOCK: `${dir}/agent`,
      PATH: Deno.env.get("PATH")!,
      HOME: user,
      DENO_DIR: await denoDir(),
      DAPP_HOME: home,
      GIT_CONFIG_COUNT: "3",
      NPM_TOKEN: "token of npm",
      LICENSE_KEY: "key of the license",
    };
    for (
      const [i, url] of [
        "https://example.com/group/theme.git",
        "git@example.com:group/fonts.git",
        "/srv/git/icons",
      ].entries()
    ) {
      env[`GIT_CONFIG_KEY_${i}`] = `url.${remote.dir}.insteadOf`;
      env[`GIT_CONFIG_VALUE_${i}`] = url;
    }
    const dapp = async (...words: string[]) =>
      await run([Deno.execPath(), "run", "-A", "--no-check", `${root}cli.ts`, ...words], {
        cwd: project,
        env,
        inheritEnv: false,
      });
    await makeBase(project, dapp);
    await commit();
    const here = (text: string) =>
      text.replaceAll(/^(\s*from:) (?!scratch$)\S.*$/gm, "$1 oci:base:base")
        .replaceAll("/srv/models", models)
        .replaceAll(/(?<=use: )(?:npm:|\/opt\/team\/)[^\s,}]+/gm, (name) =>
          `./tools/${name.startsWith("/") ? "inputs" : "other"}.ts`)
        .replaceAll("https://example.com/tag_calver.ts", "./tools/tag_calver.ts")
        .replaceAll("0123456789abcdef0123456789abcdef01234567", remoteHead);
    const remoteHead = await remote.git("rev-parse", "HEAD");
    for (const { file, line, text } of dappfiles) {
      const needsDaemon = /^dockerfile:/m.test(text);
      const left = needsDaemon && !buildkitd;
      await t.step(`${file}:${line}${left ? ": left out, there is no BuildKit" : ""}`, async () => {
        if (left) return;
        await writeFiles(project, { "dappfile.yaml": here(withDimg(text)) });
        await commit();
        if (needsDaemon) env.BUILDKIT_HOST = buildkitd!.address;
        const { stdout } = await dapp("dimg", "build");
        delete env.BUILDKIT_HOST;
        assert.match(stdout, /sha256:[0-9a-f]{64}/);
      });
    }
  });
});
