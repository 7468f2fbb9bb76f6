/**
 * The GitHub Action and the GitLab template. Their shell steps run here as the systems' documentation says that runners
 * run them; neither system itself was here. `npm install` is a fake that puts this checkout's dapp in place.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { MemoryRegistry } from "../../testing/mod.ts";
import { denoDir, run } from "../support/process.ts";
import { writeFiles } from "../support/project.ts";
import { SETTLED, settledFile } from "../support/settled_registry.ts";
import { withTempDir } from "../support/tmp.ts";

const root = new URL("../../", import.meta.url).pathname;

interface Action {
  readonly inputs: Readonly<Record<string, { readonly default?: string; readonly description: string }>>;
  readonly runs: {
    readonly steps: readonly {
      readonly if?: string;
      readonly uses?: string;
      readonly run?: string;
      readonly env?: Readonly<Record<string, string>>;
    }[];
  };
}

interface Job {
  readonly extends?: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly before_script?: readonly string[];
  readonly script?: readonly string[];
}

async function read<T>(file: string): Promise<T> {
  return parse(await Deno.readTextFile(`${root}${file}`), { merge: true });
}

/** What a job of a fake runner left behind. */
interface Outcome {
  readonly code: number;
  readonly text: string;
  readonly outputs: string;
  readonly summary: string;
  /** What `npm` was called with. */
  readonly npm: string;
}

interface Runner {
  readonly dir: string;
  readonly env: Readonly<Record<string, string>>;
  git(...args: readonly string[]): Promise<unknown>;
}

async function withRunner(body: (runner: Runner) => Promise<void>): Promise<void> {
  await withTempDir(async (dir) => {
    for (const name of ["bin", "temp", "work"]) await Deno.mkdir(`${dir}/${name}`);
    const script = (text: string) => `#!/usr/bin/env bash\n${text}\n`;
    await Deno.writeTextFile(
      `${dir}/bin/npm`,
      script(`echo "$*" >>"${dir}/npm"; chmod +x "${dir}/bin/dapp"`),
      { mode: 0o755 },
    );
    await Deno.writeTextFile(
      `${dir}/bin/dapp`,
      script(`exec "${Deno.execPath()}" run -A --no-check "${root}cli.ts" "$@"`),
    );
    const work = `${dir}/work`;
    const git = (...args: readonly string[]) =>
      run(["git", "-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { cwd: work });
    await git("init", "-q", "-b", "main");
    await Deno.writeTextFile(
      `${work}/dappfile.yaml`,
      "project: shop\n---\ndimg: [app, other]\nfrom: scratch\ngit: [{ add: /src, to: /app }]\n",
    );
    await Deno.mkdir(`${work}/src`);
    await Deno.writeTextFile(`${work}/src/a`, "a");
    await git("add", "-A");
    await git("commit", "-q", "-m", "first");
    const env = {
      PATH: `${dir}/bin:${Deno.env.get("PATH") ?? ""}`,
      HOME: `${dir}/temp`,
      DENO_DIR: await denoDir(),
      CI: "true",
    };
    await body({ dir, env, git });
  });
}

/** Runs a shell script as a runner does; never throws for its exit code. */
async function shell(
  { dir }: Runner,
  text: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["--noprofile", "--norc", "-eo", "pipefail", "-c", text],
    cwd: `${dir}/work`,
    env: { ...env },
    clearEnv: true,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The steps of the action with these inputs, one after the other. */
async function act(runner: Runner, inputs: Readonly<Record<string, string>>): Promise<Outcome> {
  const action = await read<Action>("action.yml");
  const value = (name: string) => {
    const input = action.inputs[name];
    assert.ok(input, `there is no input "${name}"`);
    return inputs[name] ?? input.default ?? "";
  };
  for (const name of Object.keys(inputs)) value(name);
  const expand = (text: string) =>
    text.replaceAll(
      /\$\{\{ (inputs|runner)\.(\w+) \}\}/g,
      (_, space, name) => space === "inputs" ? value(name) : `${runner.dir}/${name}`,
    );
  const outputs = `${runner.dir}/outputs`;
  const summary = `${runner.dir}/summary.md`;
  await Promise.all([outputs, summary].map((path) => Deno.writeTextFile(path, "")));
  const github = {
    ...runner.env,
    GITHUB_ACTIONS: "true",
    GITHUB_ACTION_PATH: root,
    GITHUB_OUTPUT: outputs,
    GITHUB_STEP_SUMMARY: summary,
    GITHUB_REF: "refs/heads/feature/x",
    GITHUB_RUN_ID: "17",
  };
  let last = { code: 0, text: "" };
  for (const { run: text, env = {} } of action.runs.steps) {
    if (text === undefined || last.code !== 0) continue;
    assert.doesNotMatch(text, /\$\{\{/, "an expression in a script runs what it expands to");
    const own = Object.fromEntries(Object.entries(env).map(([name, each]) => [name, expand(each)]));
    last = await shell(runner, text, { ...github, ...own });
  }
  return {
    ...last,
    outputs: await Deno.readTextFile(outputs),
    summary: await Deno.readTextFile(summary),
    npm: await Deno.readTextFile(`${runner.dir}/npm`),
  };
}

Deno.test("the action builds and publishes under the branch, and says what", async () => {
  await withRunner(async (runner) => {
    const repo = `oci:${runner.dir}/repo`;
    const { code, text, outputs, summary, npm } = await act(runner, { repo, args: "--with-stages\n" });
    assert.equal(code, 0, text);
    const { version } = await read<{ version: string }>("deno.json");
    assert.match(npm, new RegExp(`^install --global .*@dapp/dapp@${version}$`, "m"));
    const names = /^images<<(\S+)\n([\s\S]*)\1\n$/.exec(outputs)?.[2]?.trim().split("\n") ?? [];
    assert.equal(names.length, 2, outputs);
    for (const name of names) assert.match(name, /^oci:.*repo.*feature-x\S* sha256:[0-9a-f]{64}$/);
    assert.match(summary, /^### dapp dimg bp\n[\s\S]*\| app \| <code>sha256:/);

    const again = await act(runner, { repo, command: "build", images: "other" });
    assert.equal(again.code, 0, again.text);
    assert.match(again.outputs, /\nother sha256:/);
    const cleanup = await act(runner, { repo, command: "cleanup", args: "--dry-run" });
    assert.equal(cleanup.code, 0, cleanup.text);
  });
});

Deno.test("the action fails as dapp does, with the place of the mistake", async () => {
  await withRunner(async (runner) => {
    await Deno.writeTextFile(`${runner.dir}/work/dappfile.yaml`, "dimg: a\nform: x\n");
    const { code, text } = await act(runner, { repo: `oci:${runner.dir}/repo` });
    assert.equal(code, 2);
    assert.match(text, /^::error file=dappfile\.yaml,line=2,col=1::/m);
    const unknown = await act(runner, { command: "destroy" });
    assert.equal(unknown.code, 2);
    assert.match(unknown.text, /^::error::dapp: "destroy" is no command of the action/m);
  });
});

Deno.test("what the action is given is words and a password, never commands", async () => {
  await withRunner(async (runner) => {
    await Deno.writeTextFile(
      `${runner.dir}/bin/dapp`,
      '#!/usr/bin/env bash\nprintf "<%s>" "$@"\necho\nprintf "stdin <%s>\\n" "$(cat)"\nenv | grep -c s3cret\nexit 0\n',
    );
    const { text } = await act(runner, {
      repo: "r.example/x",
      images: "app $(touch pwned) *",
      args: "--secret\nid=a b;touch pwned\n",
      username: "me",
      password: "s3cret $x",
    });
    assert.ok(
      text.includes(
        "<dimg><bp><app><$(touch><pwned)><*><--tag-ci><--dir><.><--repo><r.example/x><--secret><id=a b;touch pwned>" +
          "<--registry-username><me><--registry-password-stdin>",
      ),
      text,
    );
    assert.ok(text.includes("stdin <s3cret $x>\n0\n"), text);
    await assert.rejects(Deno.stat(`${runner.dir}/work/pwned`), Deno.errors.NotFound);
  });
});

Deno.test("the jobs of the GitLab template publish and clean up", async () => {
  const template = await read<Readonly<Record<string, Job>>>("templates/dapp.gitlab-ci.yml");
  const global = template.variables as unknown as Readonly<Record<string, string>>;
  await withRunner(async (runner) => {
    const predefined = {
      ...runner.env,
      GITLAB_CI: "true",
      CI_COMMIT_REF_NAME: "main",
      CI_COMMIT_BRANCH: "main",
      CI_DEFAULT_BRANCH: "main",
      CI_PROJECT_DIR: `${runner.dir}/work`,
      CI_REPOSITORY_URL: `${runner.dir}/work`,
      CI_REGISTRY_IMAGE: "registry.example.com/shop",
      CI_REGISTRY_USER: "job",
      CI_REGISTRY_PASSWORD: "token",
    };
    const job = async (name: string, more: Readonly<Record<string, string>> = {}) => {
      const own = template[name]!;
      const base = own.extends === undefined ? undefined : template[own.extends];
      const env: Record<string, string> = { ...predefined };
      for (
        const [key, text] of Object.entries({ ...global, ...base?.variables, ...own.variables, ...more })
      ) {
        env[key] = text.replaceAll(/\$(\w+)/g, (_, other: string) => env[other] ?? "");
      }
      const lines = [...own.before_script ?? base?.before_script ?? [], ...own.script ?? []];
      return await shell(runner, lines.join("\n"), env);
    };
    // A layout takes no login: the words alone are looked at.
    await Deno.writeTextFile(
      `${runner.dir}/bin/dapp`,
      '#!/usr/bin/env bash\nprintf "%s: <%s> " "$(cat)" "$PWD"; printf "<%s>" "$@"; echo\n',
    );
    const login = "<--registry-username><job><--registry-password-stdin>";
    const publish = await job("dapp");
    assert.equal(publish.code, 0, publish.text);
    assert.ok(
      publish.text.includes(
        `token: <${runner.dir}/work> <dimg><bp><--tag-ci><--dir><.><--repo><registry.example.com/shop><--with-stages>${login}`,
      ),
      publish.text,
    );
    const merge = await job("dapp:merge-request");
    assert.match(merge.text, /<dimg><build><--untrusted><--dir><\.>/);
    const cleanup = await job("dapp:cleanup", { DAPP_USERNAME: "admin", DAPP_PASSWORD: "other" });
    assert.ok(
      cleanup.text.includes(
        `other: <${runner.dir}/work> <dimg><cleanup><repo><--with-stages><--dir><.><--repo><registry.example.com/shop>` +
          "<--registry-username><admin><--registry-password-stdin>",
      ),
      cleanup.text,
    );
    const deleted = await job("dapp:branch-deleted");
    assert.ok(
      deleted.text.includes(`token: <${runner.dir}/work/.dapp-default> <dimg><cleanup>`),
      deleted.text,
    );
  });
});

/** What the workflows of docs/ci.md give the action, each as it is used. */
async function usesOfPage(): Promise<readonly Readonly<Record<string, string>>[]> {
  const page = await Deno.readTextFile(`${root}docs/ci.md`);
  const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml]) => parse(yaml!));
  const steps = examples.flatMap(({ jobs = {} }) =>
    Object.values<{ steps: { uses?: string; with?: Record<string, string> }[] }>(jobs).flatMap((job) =>
      job.steps
    )
  );
  return steps.filter(({ uses }) => uses?.startsWith("dapp/")).map((step) => step.with ?? {});
}

Deno.test("the workflows of docs/ci.md publish, and clean up", async () => {
  await using registry = new MemoryRegistry();
  const known: Readonly<Record<string, string>> = {
    "github.repository": "me/shop",
    "github.actor": "me",
    "secrets.GITHUB_TOKEN": "s3cret",
    "secrets.CLEANUP_TOKEN": "s3cret",
  };
  const outcomes: string[] = [];
  await withRunner(async (runner) => {
    const dappfile = `${runner.dir}/work/dappfile.yaml`;
    const text = (await Deno.readTextFile(dappfile)).replace("---", `plugins: [${SETTLED}]\n---`);
    await writeFiles(`${runner.dir}/work`, { "dappfile.yaml": text, ...settledFile });
    await runner.git("add", "-A");
    await runner.git("commit", "-q", "-m", "settled");
    for (const use of await usesOfPage()) {
      const inputs = Object.fromEntries(
        Object.entries(use).map(([name, text]) => [
          name,
          text.replaceAll(/\$\{\{ (\S+) \}\}/g, (_, value) => {
            assert.ok(known[value], `nobody sets "${value}"`);
            return known[value];
          }).replace("ghcr.io", registry.host),
        ]),
      );
      const { code, text, outputs, summary } = await act(runner, inputs);
      assert.equal(code, 0, text);
      outcomes.push(`${outputs}${summary}`);
    }
  });
  assert.equal(outcomes.length, 2);
  assert.match(outcomes[0]!, /\/me\/shop\/app:feature-x\S* sha256:[0-9a-f]{64}/);
  // The branch of the first is not in the repository.
  assert.match(outcomes[1]!, /^4 tags: 4 deleted$/m);
});

Deno.test("docs/ci.md gives the action inputs that it has, and explains each of them", async () => {
  const { inputs } = await read<Action>("action.yml");
  const page = await Deno.readTextFile(`${root}docs/ci.md`);
  const used = (await usesOfPage()).flatMap((use) => Object.keys(use));
  assert.ok(used.length > 5);
  assert.deepEqual(used.filter((name) => inputs[name] === undefined), []);
  for (const name of Object.keys(inputs)) {
    assert.ok(page.includes(`\`${name}\``), `input "${name}" is not explained`);
  }
});
