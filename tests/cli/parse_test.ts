import { table } from "../../cli/table.ts";
import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/errors.ts";
import { parseArgs } from "../../cli/parse.ts";
import { parseCompression } from "../../cli/scan.ts";
import { dapp } from "./support.ts";
import type { Parsed } from "../../cli/command.ts";

async function parsed(line: string): Promise<Parsed> {
  const result = await parseArgs(line.split(" "), table);
  assert("command" in result, `${line} is a whole command`);
  return result;
}

Deno.test("parseArgs() takes options anywhere, with = or a space", async (t) => {
  const same = [
    "--dir x dimg build app -q",
    "dimg --dir=x build app --quiet",
    "dimg build app --dir x -q",
    "-C x dimg build -q app",
    "-qC x dimg build app",
    "-Cx dimg build app -q",
    "-q dimg build -C=x app",
    "--no-quiet dimg build --dir y --dir x app --quiet",
  ];
  for (const line of same) {
    await t.step(line, async () => {
      const { command, options, words } = await parsed(line);
      assert.equal(command.path, "dimg build");
      assert.equal(options.text("dir"), "x");
      assert.equal(options.flag("quiet"), true);
      assert.deepEqual(words, { DIMG: ["app"] });
    });
  }
});

Deno.test("parseArgs() assigns words to positionals, the required one last", async () => {
  assert.deepEqual((await parsed("dimg export oci:out")).words, { DEST: ["oci:out"] });
  assert.deepEqual((await parsed("dimg export a b oci:out")).words, { DIMG: ["a", "b"], DEST: ["oci:out"] });
  assert.deepEqual((await parsed("dimg explain a install")).words, { DIMG: ["a"], STAGE: ["install"] });
  assert.deepEqual((await parsed("dimg stage image")).words, {});
});

Deno.test("parseArgs() goes on from a command to those below it, whatever stands between", async () => {
  const lines = {
    "dimg cleanup": ["dimg cleanup", []],
    "dimg cleanup repo": ["dimg cleanup repo", []],
    "dimg cleanup --with-stages repo app r.io/x": ["dimg cleanup repo", ["app", "r.io/x"]],
    "dimg -n cleanup repo repo": ["dimg cleanup repo", ["repo"]],
    "dimg stages flush repo r.io/x": ["dimg stages flush repo", ["r.io/x"]],
  } as const;
  for (const [line, [path, words]] of Object.entries(lines)) {
    const { command, loose } = await parsed(line);
    assert.deepEqual([command.path, loose], [path, words], line);
  }
  assert.deepEqual(
    await parseArgs(["dimg", "cleanup", "repo", "--help"], table).then((p) => "helpFor" in p && p.helpFor),
    "dimg cleanup repo",
  );
});

Deno.test("parseArgs() passes everything after -- through", async () => {
  const { words, rest, options } = await parsed("dimg run app -e A=1 --env B -- ls --quiet -- -v");
  assert.deepEqual(words, { DIMG: ["app"] });
  assert.deepEqual(rest, ["ls", "--quiet", "--", "-v"]);
  assert.deepEqual(options.all("env"), ["A=1", "B"]);
  assert.equal(options.flag("quiet"), false);
});

Deno.test("parseArgs() tells --json from --json=events, and takes no separate value for it", async () => {
  assert.equal((await parsed("dimg build --json")).options.text("json"), "");
  assert.equal((await parsed("dimg build --json=events")).options.text("json"), "events");
  assert.deepEqual((await parsed("dimg build --json app")).words, { DIMG: ["app"] });
});

Deno.test("parseArgs() negates flags and colors", async () => {
  assert.equal((await parsed("dimg build --dev --no-dev")).options.flag("dev"), false);
  assert.equal((await parsed("dimg build --no-color")).options.text("color"), "never");
});

Deno.test("parseArgs() accepts values that begin with - after =, and an empty entrypoint", async () => {
  const result = await parseArgs(["dimg", "run", "--workdir=-x", "--entrypoint", ""], table);
  assert("command" in result);
  assert.equal(result.options.text("workdir"), "-x");
  assert.equal(result.options.text("entrypoint"), "");
});

Deno.test("parseCompression() knows kinds and levels", () => {
  assert.deepEqual(parseCompression("gzip"), { kind: "gzip", level: 4 });
  assert.deepEqual(parseCompression("gzip:9"), { kind: "gzip", level: 9 });
  assert.deepEqual(parseCompression("zstd:19"), { kind: "zstd", level: 19 });
  for (const bad of ["", "gzip:1", "gzip:10", "zstd:0", "zstd:20", "gzip:", "xz", "gzip:4:4"]) {
    assert.equal(parseCompression(bad), undefined, bad);
  }
});

const mistakes: readonly (readonly [line: string, message: string, fix?: string])[] = [
  ["build", 'Cannot find command "dapp build". Did you mean: dapp dimg build?', "Run: dapp --help"],
  [
    "dimg biuld",
    'Cannot find command "dapp dimg biuld". Did you mean: dapp dimg build?',
    "Run: dapp dimg --help",
  ],
  ["bild", 'Cannot find command "dapp bild". Did you mean: dapp dimg build?'],
  ["dimg chek", 'Cannot find command "dapp dimg chek". Did you mean: dapp dimg check repo?'],
  ["dimg clenup", 'Cannot find command "dapp dimg clenup". Did you mean: dapp dimg cleanup?'],
  ["stage-image", 'Cannot find command "dapp stage-image". Did you mean: dapp dimg stage image?'],
  ["stage image", 'Cannot find command "dapp stage". Did you mean: dapp dimg stage?'],
  [
    "check",
    'Cannot find command "dapp check". Did you mean: dapp config check or dapp store check or dapp registry check or dapp dimg check repo?',
  ],
  ["dimgs", 'Cannot find command "dapp dimgs". Did you mean: dapp dimg?'],
  ["image", 'Cannot find command "dapp image". Did you mean: dapp dimg stage image?'],
  ["push", 'Cannot find command "dapp push". Did you mean: dapp dimg push or dapp dimg stages push?'],
  ["bp app", 'Cannot find command "dapp bp". Did you mean: dapp dimg bp?'],
  ["stages pull x", 'Cannot find command "dapp stages". Did you mean: dapp dimg stages?'],
  [
    "dimg stage push",
    'Cannot find command "dapp dimg stage push". Did you mean: dapp dimg push or dapp dimg stages push?',
  ],
  [
    "dimg zzz",
    'Cannot find command "dapp dimg zzz". The commands here are stage, flush, check, stages, build, plan, explain, files, diff, list, run, export, lock, push, spush, bp, tag, tags, cleanup, mrproper, restore',
  ],
  [
    "zzz",
    'Cannot find command "dapp zzz". The commands here are dimg, config, store, plugin, builder, registry, init, migrate, slug, completion, help, doctor, version',
  ],
  [
    "cleanup",
    'Cannot find command "dapp cleanup". Did you mean: dapp dimg cleanup or dapp dimg cleanup repo or dapp dimg stages cleanup local or dapp dimg stages cleanup repo?',
    "Run: dapp --help",
  ],
  [
    "flush repo r.io/x",
    'Cannot find command "dapp flush". Did you mean: dapp dimg flush local or dapp dimg flush repo or dapp dimg stages flush local or dapp dimg stages flush repo?',
  ],
  ["mrproper --all", 'Cannot find command "dapp mrproper". Did you mean: dapp dimg mrproper?'],
  [
    "dimg cleanup r.io/x",
    'Cannot use argument "r.io/x": dapp dimg cleanup takes no arguments. Did you mean: dapp dimg cleanup repo r.io/x?',
    "Run: dapp dimg cleanup --help",
  ],
  [
    "dimg cleanup app r.io/x -n",
    'Cannot use argument "app": dapp dimg cleanup takes no arguments. Did you mean: dapp dimg cleanup repo app r.io/x?',
  ],
  [
    "dimg cleanup --with-stages",
    'Cannot use option "--with-stages": dapp dimg cleanup has no such option. Did you mean: dapp dimg cleanup repo?',
  ],
  [
    "dimg flush r.io/x",
    'Cannot find command "dapp dimg flush r.io/x". Did you mean: dapp dimg flush repo r.io/x?',
    "Run: dapp dimg flush --help",
  ],
  [
    "dimg stages cleanup r.io/x --improper-repo-cache",
    'Cannot find command "dapp dimg stages cleanup r.io/x". Did you mean: dapp dimg stages cleanup repo r.io/x?',
  ],
  [
    "dimg stages flush all",
    'Cannot find command "dapp dimg stages flush all". The commands here are local, repo',
  ],
  [
    "dimg stages cleanup repo r.io/x",
    "Cannot run dapp dimg stages cleanup repo: nothing says what to remove, wanted is one of --improper-repo-cache, --improper-cache-version, --improper-git-commit",
    "Run: dapp dimg stages cleanup repo --help",
  ],
  [
    "dimg stages cleanup local",
    "Cannot run dapp dimg stages cleanup local: nothing says what to remove, wanted is one of --improper-repo-cache, --improper-cache-version, --improper-git-commit",
  ],
  [
    "dimg mrproper",
    "Cannot run dapp dimg mrproper: nothing says what to remove, wanted is one of --all, --improper-dev-mode-cache, --improper-cache-version-stages",
  ],
  [
    "dimg stages cleanup local --improper-repo-cache=r.io/x",
    'Cannot use option "--improper-repo-cache=r.io/x": it takes no value, REPO is a word of its own: --improper-repo-cache r.io/x',
  ],
  [
    "dimg cleanup repo r.io/x --kubernetes-timeout soon",
    'Cannot use option "--kubernetes-timeout" with "soon": wanted is a whole number of seconds',
  ],
  ["dimg cleanup repo r.io/x --plan", 'Cannot use option "--plan": it needs a value, FILE'],
  [
    "dimg flush repo r.io/x --plan p.json",
    'Cannot use option "--plan": dapp dimg flush repo has no such option, it belongs to dapp dimg cleanup repo',
  ],
  ["slug", "Cannot run dapp slug: STRING is missing"],
  ["slug a b", 'Cannot use argument "b": dapp slug takes no more than STRING'],
  [
    "dimg push app r.io/x --tag",
    'Cannot use option "--tag": it needs a value, TAG',
    "Run: dapp dimg push --help",
  ],
  ["dimg push r.io/x --tag=", 'Cannot use option "--tag" with "": the value is empty, wanted is TAG'],
  [
    "dimg push r.io/x --tag --tag-branch",
    'Cannot use option "--tag": it needs a value, TAG. If "--tag-branch" is meant, write --tag=--tag-branch',
  ],
  ["dimg push r.io/x --tag-ci=x", 'Cannot use option "--tag-ci=x": it takes no value'],
  [
    "dimg push r.io/x --tags 1.0",
    'Cannot use option "--tags": dapp dimg push has no such option. Did you mean "--tag"?',
  ],
  [
    "dimg push r.io/x -t 1.0",
    'Cannot use option "-t": dapp dimg push has no such option. Did you mean "--tag"?',
  ],
  [
    "dimg build -t 1.0",
    'Cannot use option "-t": dapp dimg build has no such option. Did you mean: dapp dimg bp --tag?',
  ],
  ["dimg plan -t 1.0", 'Cannot use option "-t": dapp dimg plan has no such option'],
  ["dimg build -f x", 'Cannot use option "-f": dapp dimg build has no such option. Did you mean "--config"?'],
  [
    "dimg build --with-stages",
    'Cannot use option "--with-stages": dapp dimg build has no such option. Did you mean: dapp dimg bp?',
  ],
  [
    "dimg build --tag 1.0",
    'Cannot use option "--tag": dapp dimg build has no such option. Did you mean: dapp dimg bp?',
  ],
  ["dimg build --tag-calver", 'Cannot use option "--tag-calver": dapp dimg build has no such option'],
  ["dimg --tag-calver", 'Cannot use option "--tag-calver": dapp dimg has no such option'],
  [
    "dimg --tag-env prod push r.io/x",
    'Cannot use option "--tag-env" before a command: write --tag-env=prod',
  ],
  ["dimg spush a b c", 'Cannot use argument "c": dapp dimg spush takes no more than DIMG and REPO'],
  [
    "dimg spush a r.io/x --repo r.io/y",
    'Cannot use argument "r.io/x": REPO is given by --repo already, leave one of them out',
  ],
  ["registry check a b", 'Cannot use argument "b": dapp registry check takes no more than REPO'],
  [
    "registry check a --repo b",
    'Cannot use argument "a": REPO is given by --repo already, leave one of them out',
  ],
  [
    "dimg tag shop --with-stages",
    'Cannot use option "--with-stages": dapp dimg tag has no such option, it belongs to dapp dimg push, dapp dimg spush, dapp dimg bp and others',
  ],
  [
    "dimg push r.io/x --naming deep",
    'Cannot use option "--naming" with "deep": wanted is one of nested, flat',
  ],
  [
    "dimg push r.io/x --insecure-registry http://r.io",
    'Cannot use option "--insecure-registry" with "http://r.io": wanted is a host, with its port if it has one, such as localhost:5000',
  ],
  [
    "dimg build --repo-read-only",
    'Cannot use option "--repo-read-only" without REPO: give --repo as well',
  ],
  [
    "dimg build --paralel 3",
    'Cannot use option "--paralel": dapp dimg build has no such option. Did you mean "--parallel"?',
    "Run: dapp dimg build --help",
  ],
  ["dimg build --zzz", 'Cannot use option "--zzz": dapp dimg build has no such option'],
  ["dimg build -z", 'Cannot use option "-z": dapp dimg build has no such option'],
  ["--zzz", 'Cannot use option "--zzz": dapp has no such option', "Run: dapp --help"],
  [
    "dimg build --no-parallel",
    'Cannot use option "--no-parallel": dapp dimg build has no such option. Did you mean "--parallel"?',
  ],
  ["dimg build --no-dev=1", 'Cannot use option "--no-dev": dapp dimg build has no such option'],
  [
    "dimg plan --stage x",
    'Cannot use option "--stage": dapp dimg plan has no such option, it belongs to dapp dimg stage image, dapp dimg run',
  ],
  [
    "config check -n",
    'Cannot use option "--dry-run" (-n): dapp config check has no such option, it belongs to dapp dimg build, dapp dimg plan, dapp dimg explain and others',
  ],
  ["dimg build --dir", 'Cannot use option "--dir": it needs a value, PATH'],
  [
    "dimg build --dir --quiet",
    'Cannot use option "--dir": it needs a value, PATH. If "--quiet" is meant, write --dir=--quiet',
  ],
  ["dimg build --dir=", 'Cannot use option "--dir" with "": the value is empty, wanted is PATH'],
  ["dimg build --quiet=yes", 'Cannot use option "--quiet=yes": it takes no value'],
  [
    "dimg build --color=blue",
    'Cannot use option "--color" with "blue": wanted is one of auto, always, never, on, off',
  ],
  [
    "dimg build --json=event",
    'Cannot use option "--json" with "event": wanted is events. Did you mean "events"?',
  ],
  [
    "dimg build --network bridge",
    'Cannot use option "--network" with "bridge": wanted is one of private, host, none',
  ],
  ["dimg build --parallel 0", 'Cannot use option "--parallel" with "0": wanted is a whole number from 1'],
  ["dimg build --parallel 1.5", 'Cannot use option "--parallel" with "1.5": wanted is a whole number from 1'],
  [
    "dimg build --lock-timeout 5m",
    'Cannot use option "--lock-timeout" with "5m": wanted is a whole number of seconds',
  ],
  [
    "dimg build --compression xz",
    'Cannot use option "--compression" with "xz": wanted is gzip, gzip:2 to gzip:9, zstd, or zstd:1 to zstd:19',
  ],
  ["dimg run -e =x", 'Cannot use option "-e" with "=x": wanted is NAME=VALUE or NAME'],
  [
    "dimg run app ls -l",
    'Cannot use option "-l": dapp dimg run has no such option, and those of CMD come after "--"',
  ],
  [
    "dimg run app ls",
    'Cannot use argument "ls": a command comes after "--". Did you mean: dapp dimg run app -- ls?',
  ],
  [
    "dimg run app -v /a:/b",
    'Cannot use argument "/a:/b": a command comes after "--". Did you mean: dapp dimg run app -- /a:/b, or --volume /a:/b?',
  ],
  [
    "dimg run -it --rm app",
    'Cannot use option "-it": dapp dimg run has no such option: leave it out, it is always so',
  ],
  [
    "dimg run --rm app",
    'Cannot use option "--rm": dapp dimg run has no such option: leave it out, it is always so',
  ],
  [
    "dimg run -p 80:80 app",
    'Cannot use option "-p": dapp dimg run has no such option: the command uses this machine\'s network with --network host',
  ],
  [
    "dimg run --dry-run",
    'Cannot use option "--dry-run": dapp dimg run has no such option any more',
    "See which stages are built with: dapp dimg plan",
  ],
  ["dimg explain a b c", 'Cannot use argument "c": dapp dimg explain takes no more than DIMG and STAGE'],
  ["dimg lock now", 'Cannot use argument "now": dapp dimg lock takes no arguments'],
  ["dimg export", "Cannot run dapp dimg export: DEST is missing"],
  ["dimg build -- x", 'Cannot use "--": dapp dimg build takes no command after it'],
  ["completion tcsh", 'Cannot complete for "tcsh": the shells are bash, zsh, fish. Did you mean "bash"?'],
  ["help dimg bild", 'Cannot find command "dapp dimg bild". Did you mean: dapp dimg build?'],
];

Deno.test("main() answers usage mistakes with exit code 2, what is wrong, and the way to help", async (t) => {
  for (const [line, message, fix] of mistakes) {
    await t.step(line, async () => {
      const { code, stdout, stderr, engines } = await dapp(line.split(" "));
      assert.equal(stderr.split("\n")[0], `error: ${message}`);
      if (fix) assert.equal(stderr.split("\n")[1], `fix: ${fix}`);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      assert.equal(engines.length, 0);
    });
  }
});

const secrets: readonly (readonly [line: string, message: string])[] = [
  [
    "--registry-password hunter2",
    "Cannot use a registry password without user: give --registry-username as well",
  ],
  [
    "--registry-password-stdin",
    "Cannot use a registry password without user: give --registry-username as well",
  ],
  [
    "--registry-username me --registry-password hunter2 --registry-password-stdin",
    'Cannot use option "--registry-password" with "--registry-password-stdin": give one of them',
  ],
  [
    "--registry-password -xunter2",
    'Cannot use option "--registry-password": it needs a value, PASSWORD. If it begins with "-", write --registry-password=PASSWORD',
  ],
  [
    "--registry-password-stdin=hunter2",
    'Cannot use option "--registry-password-stdin": it takes no value',
  ],
  [
    "--registry-pasword=hunter2",
    'Cannot use option "--registry-pasword": dapp dimg push has no such option. Did you mean "--registry-password"?',
  ],
  [
    "--password hunter2",
    'Cannot use option "--password": dapp dimg push has no such option. Did you mean "--registry-password"?',
  ],
  [
    "-phunter2",
    'Cannot use option "-p": dapp dimg push has no such option. Did you mean "--registry-password"?',
  ],
];

Deno.test("no message repeats a password", async (t) => {
  for (const [options, message] of secrets) {
    await t.step(options, async () => {
      const { code, stderr } = await dapp(["dimg", "push", "r.io/x", ...options.split(" ")]);
      assert.deepEqual([code, stderr], [2, `error: ${message}\nfix: Run: dapp dimg push --help\n`]);
    });
  }
  await t.step("before a command", async () => {
    const { stderr } = await dapp("--registry-pasword hunter2 dimg push r.io/x".split(" "));
    assert.equal(
      stderr,
      'error: Cannot use option "--registry-pasword": dapp has no such option. Did you mean "--registry-password"?\n' +
        "fix: Run: dapp --help\n",
    );
  });
});

Deno.test("parseArgs() throws EngineError with code USAGE", async () => {
  await assert.rejects(
    parseArgs(["nope"], table),
    (error) => error instanceof EngineError && error.code === "USAGE",
  );
});
