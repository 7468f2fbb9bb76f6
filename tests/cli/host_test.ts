import assert from "node:assert/strict";
import { readLine, readSome } from "../../cli/host.ts";
import { peer } from "../support/peers.ts";
import { run } from "../support/process.ts";
import { visible } from "./support.ts";
import { MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { withProject } from "../support/project.ts";

const root = new URL("../../", import.meta.url).pathname;
const cli = [Deno.execPath(), "run", "-A", `${root}cli.ts`];

/** Starts the fixture and interrupts it each time it has printed one of the texts. */
async function interrupt(mode: "orderly" | "stubborn", after: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${root}tests/cli/fixtures/build.ts`],
    env: { MODE: mode, CI: "1", NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let stderr = "";
  let next = 0;
  for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += text;
    if (next < after.length && stderr.includes(after[next]!)) {
      next++;
      child.kill("SIGINT");
    }
  }
  return { code: (await child.status).code, stderr };
}

Deno.test("the first interrupt stops the work in order", async () => {
  const { code, stderr } = await interrupt("orderly", ["working"]);
  assert.equal(
    stderr,
    `app/install  building  (first build for app)
app/install │ working
Stopping; press Ctrl-C again to stop now
error: Interrupted
fix: Run the command again: what is finished is kept
`,
  );
  assert.equal(code, 130);
});

Deno.test("the second interrupt ends the process at once", async () => {
  const { code, stderr } = await interrupt("stubborn", ["working", "Stopping"]);
  assert.equal(
    stderr,
    "app/install  building  (first build for app)\napp/install │ working\nStopping; press Ctrl-C again to stop now\n",
  );
  assert.equal(code, 130);
});

Deno.test("a real terminal, even one without a size, shows live progress and gets its cursor back", async () => {
  const script = await peer("script");
  if (!script) return;
  const command =
    `env -u CI MODE=done NO_COLOR=1 TERM=xterm '${Deno.execPath()}' run -A '${root}tests/cli/fixtures/build.ts'`;
  const { stdout } = await run([script, "-qec", command, "/dev/null"]);
  const text = visible(stdout.replaceAll("\r\n", "\n"));
  assert.match(text, /^building {2}app\/install {2}0s\n<hide>/);
  assert.match(
    text,
    /<up 1>app\/install │ working\n[\s\S]*app\/install {2}built {2}1.5s {2}no layer\n<show>app sha256:a{64}\n$/,
  );
});

Deno.test("a reader that goes away ends the output quietly", async () => {
  const command = `'${cli.join("' '")}' config schema | head -c 1`;
  const { stdout, stderr } = await run(["bash", "-o", "pipefail", "-c", command]);
  assert.deepEqual([stdout, stderr], ["{", ""]);
});

/** A stream that gives its chunks one by one, and then whatever `end` does. */
function chunked(chunks: readonly string[], end: () => Promise<null>) {
  const left = chunks.map((chunk) => new TextEncoder().encode(chunk));
  return {
    read(into: Uint8Array): Promise<number | null> {
      const chunk = left.shift();
      if (!chunk) return end();
      const part = chunk.subarray(0, into.length);
      into.set(part);
      return Promise.resolve(part.length);
    },
  };
}

Deno.test("readSome() reads to the end, but no more than 64 KiB, and not after an interrupt", async () => {
  const { signal } = new AbortController();
  const ended = () => Promise.resolve(null);
  assert.equal(await readSome(chunked(["hun", "ter2\n"], ended), signal), "hunter2\n");
  assert.equal(await readSome(chunked([], ended), signal), "");
  const forever = () => new Promise<null>(() => {});
  assert.equal((await readSome(chunked(["x".repeat(70_000)], forever), signal)).length, 65_536);
  const stopping = new AbortController();
  const reading = readSome(chunked(["half"], forever), stopping.signal);
  stopping.abort(new Error("stopped"));
  await assert.rejects(reading, /stopped/);
  await assert.rejects(readSome(chunked([], forever), stopping.signal), /stopped/);
});

Deno.test("readLine() gives one line without its end, undefined when there is none, and stops on an interrupt", async () => {
  const { signal } = new AbortController();
  const ended = () => Promise.resolve(null);
  const cases: readonly (readonly [chunks: readonly string[], line: string | undefined])[] = [
    [["y\n"], "y"],
    [["ye", "s\r\n"], "yes"],
    [["\n"], ""],
    [["y\nmore\n"], "y"],
    [["no end"], "no end"],
    [[], undefined],
  ];
  for (const [chunks, line] of cases) assert.equal(await readLine(chunked(chunks, ended), signal), line);
  const forever = () => new Promise<null>(() => {});
  assert.equal(await readLine(chunked(["y\n"], forever), signal), "y");
  const stopping = new AbortController();
  const reading = readLine(chunked(["y"], forever), stopping.signal);
  stopping.abort(new Error("stopped"));
  await assert.rejects(reading, /stopped/);
});

/** Runs a program and types once it has printed what is asked. */
async function typeAfter(question: RegExp, typed: string, [program = "", ...args]: readonly string[]) {
  const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped", stderr: "inherit" })
    .spawn();
  const input = child.stdin.getWriter();
  let text = "";
  let asked = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part.replaceAll("\r\n", "\n");
    if (asked || !question.test(text)) continue;
    asked = true;
    await input.write(new TextEncoder().encode(typed));
  }
  await input.close().catch(() => {});
  assert(asked, text);
  return { text, code: (await child.status).code };
}

Deno.test("a real terminal is asked, and what was typed counts; a pipe is not", async (t) => {
  const fixture =
    `env -u CI NO_COLOR=1 TERM=xterm '${Deno.execPath()}' run -A '${root}tests/cli/fixtures/mrproper.ts'`;
  await t.step("a pipe", async () => {
    const { stdout, stderr } = await run(["sh", "-c", fixture], { stdin: "n\n" });
    assert.deepEqual([stdout, stderr], [
      "deleted  directory  /h    all goes\n1 directory deleted; 10 B freed\n",
      "/h: 1 directory to delete, nothing to keep; 10 B will be free\n",
    ]);
  });
  const script = await peer("script");
  if (!script) return;
  const question = /Delete 1 directory from this machine\? \[y\/N\] /;
  for (
    const [typed, code, end] of [
      ["y\n", 0, /1 directory deleted; 10 B freed\n$/],
      ["n\n", 1, /Nothing was deleted\n$/],
      ["\x03", 130, /Nothing was deleted\n[^]*error: Interrupted\n/],
    ] as const
  ) {
    await t.step(JSON.stringify(typed), async () => {
      const outcome = await typeAfter(question, typed, [script, "-qec", fixture, "/dev/null"]);
      assert.match(outcome.text, end);
      assert.equal(outcome.code, code);
    });
  }
});

Deno.test("a real terminal is asked for a password, which it does not show, and Ctrl-C ends that", async (t) => {
  const script = await peer("script");
  if (!script) return;
  await using server = new MemoryRegistry();
  server.auth = { kind: "basic", user: "me", password: "my word" };
  await withProject(
    { "dappfile.yaml": "project: p\n---\ndimg: app\nfrom: scratch\n" },
    async ({ dir, home }) => {
      const push =
        `env -u CI NO_COLOR=1 TERM=xterm '${Deno.execPath()}' run -A '${root}cli.ts' dimg bp ${server.host}/p ` +
        `-C '${dir}' --home '${home}' --registry-username me`;
      const shown = `${push}; echo "code $?"; stty -a`; // whether the terminal shows what is typed again
      const question = /Password of "me" at the registry: /;
      for (
        const [title, typed, wanted] of [
          ["right, with a mistake taken back", "my wird\x7f\x7f\x7ford\n", /code 0\r?\n/],
          ["wrong", "other\n", /code 1\r?\n/],
          ["interrupted", "my w\x03", /error: Interrupted[^]*code 130\r?\n/],
        ] as const
      ) {
        await t.step(title, async () => {
          const { text } = await typeAfter(question, typed, [
            script,
            "-qec",
            `trap : INT; ${shown}`,
            "/dev/null",
          ]);
          assert.match(text, wanted);
          assert.match(text, / echo /);
          assert.doesNotMatch(text, /my w|other/);
        });
      }
    },
  );
});

Deno.test("a password is read from the real standard input", async () => {
  const command = [...cli, "dimg", "push", "--repo", "r.io/x", "--registry-username", "me"];
  const { code, stdout, stderr } = await run([...command, "--registry-password-stdin"], {
    stdin: "\r\n",
    allowFailure: true,
  });
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^error: .*: standard input holds no password\n/);
});

Deno.test("cli.ts exits with the code of main()", async () => {
  assert.match((await run([...cli, "--version"])).stdout, /^dapp \d+\.\d+\.\d+\n$/);
  const { code, stderr } = await run([...cli, "biuld"], { allowFailure: true });
  assert.equal(code, 2);
  assert.match(stderr, /Did you mean: dapp dimg build\?/);
});

Deno.test("an answer that its file has no room for is a failure, one that nobody reads is none", async () => {
  const said = async (words: string) => {
    const [program, ...args] = cli;
    const { code, stderr } = await run(["sh", "-c", words, program!, ...args], { allowFailure: true });
    return { code, stderr };
  };
  const full = await said('"$0" "$@" config schema >/dev/full');
  assert.equal(full.code, 1);
  assert.match(
    full.stderr,
    /^error: Cannot write to standard output: no space is left .*\nfix: Have it go where there is room/,
  );
  assert.doesNotMatch(full.stderr, /\n\s+at /);
  const version = await said('"$0" "$@" --version >/dev/full');
  assert.equal(version.code, 1);
  assert.match(version.stderr, /^error: Cannot print the version: No space left on device.*\n$/);
  for (const words of ["config schema", "--version"]) {
    const unread = await said(`{ sleep 0.1; "$0" "$@" ${words}; echo "$?" >&2; } | :`);
    assert.equal(unread.stderr, "0\n");
  }
});
