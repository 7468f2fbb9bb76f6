/** How commands are run. */
import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { processesWith } from "../processes.ts";
import { type Cases, offers } from "./cases.ts";

const stageFailed = (pattern: RegExp) => (error: unknown) => {
  assert.ok(error instanceof EngineError, String(error));
  assert.equal(error.code, "STAGE_FAILED");
  assert.match(error.message, pattern);
  return true;
};

/** A step's environment, shell, output, failure and end. */
export const commandCases: Cases = {
  "gives no layer when commands change nothing": async ({ runner, base }) => {
    const { diffId, output } = await runner.run(base, ["true", "touch /tmp/x && rm /tmp/x", ": > /dev/null"]);
    assert.equal(diffId, undefined);
    assert.equal(output, "$ true\n$ touch /tmp/x && rm /tmp/x\n$ : > /dev/null\n");
  },

  "runs commands as root, in /, with exactly the given environment": async ({ runner, base }) => {
    const env = { PATH: "/bin", GREETING: 'it\'s\n"fine" $HOME' };
    assert.equal(
      await runner.ask(base, "env | sort | grep -v -e ^PWD= -e ^SHLVL= -e ^_=", { env }),
      [
        `"fine" $HOME`,
        "GREETING=it's",
        "PATH=/bin",
        "",
      ].join("\n"),
    );
    assert.equal(await runner.ask(base, "id -u; id -g; pwd; umask"), "0\n0\n/\n0022\n");
  },

  "shares one shell between commands": async ({ runner, base }) => {
    const { output } = await runner.run(base, [
      "cd /etc; word='a  b'",
      'echo "$word"; pwd',
      "cat <<X\nhere $word\nX",
    ]);
    assert.equal(
      output,
      `$ cd /etc; word='a  b'\n$ echo "$word"; pwd\na  b\n/etc\n$ cat <<X\nhere $word\nX\nhere a  b\n`,
    );
  },

  "runs commands longer than an argument may be": async ({ runner, base }) => {
    const text = "0123456789abcdef".repeat(20_000);
    // Not from the output: the echo of the command may be more than a builder wants to show.
    const { members } = await runner.run(base, [`wc -c >/count <<X\n${text}\nX`]);
    assert.equal(members.get("count")?.content, `${text.length + 1}\n`);
  },

  "stops at the first failure and names the command and its status": async ({ runner, base }) => {
    let output = "";
    const options = { onOutput: (text: string) => void (output += text) };
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [["echo one", "sh -c 'exit 7'", "echo no"], /"app\/install".*"sh -c 'exit 7'".*status 7$/],
      [["false\ntrue", "echo no"], /"false true".*status 1$/],
      [["if", "echo no"], /"if".*status 2$/],
      [["nosuchprogram", "echo no"], /"nosuchprogram".*status 127$/],
      [["exit 0", "echo no"], /"exit 0" ended the shell/],
      [["kill -9 $$", "echo no"], /"kill -9 \$\$" was killed by SIGKILL/],
      [["-x", "echo no"], /"-x".*status 127/],
    ];
    for (const [commands, message] of cases) {
      await assert.rejects(runner.run(base, commands, options), stageFailed(message));
    }
    assert.doesNotMatch(output, /^no$/m);
  },

  "says so when the image has no shell": async ({ runner }) => {
    await assert.rejects(runner.run([], ["true"]), stageFailed(/no shell.*\/bin\/bash.*\/bin\/sh/));
  },

  "passes output on as it comes, decoded across chunk borders": async ({ runner, base }) => {
    const pieces: string[] = [];
    const seen = Promise.withResolvers<void>();
    const target = "/mnt/signal";
    const mounts = [{ kind: "cache" as const, project: "case", name: crypto.randomUUID(), target }];
    const running = runner.run(base, [
      `printf 'first '; while [ ! -e ${target}/go ]; do sleep 0.05; done`,
      "printf '\\303'; sleep 0.3; printf '\\244\\n'; printf '\\377 end'",
    ], {
      mounts,
      onOutput(text) {
        pieces.push(text);
        if (text.includes("first ")) seen.resolve();
      },
    });
    await Promise.race([seen.promise, running]);
    await runner.run(base, [`touch ${target}/go`], { mounts });
    await running;
    const text = pieces.join("").split("\n");
    assert.equal(text.at(-2), "ä");
    assert.equal(text.at(-1), "\ufffd end");
  },

  "keeps stderr apart and has no standard input": async ({ runner, base }) => {
    const seen = { stdout: "", stderr: "" };
    const commands = ["cat; echo out; echo err >&2; test ! -t 0"];
    await runner.run(base, commands, { onOutput: (text, stream) => void (seen[stream] += text) });
    assert.deepEqual(seen, { stdout: `$ ${commands[0]}\nout\n`, stderr: "err\n" });
  },

  "ends background processes with the step": async ({ runner, base }) => {
    const { output } = await runner.run(base, ["sleep 1000 & (setsid sleep 1000 &) ; echo started"]);
    assert.match(output, /started/);
  },

  "lets a shell wait for processes that it did not start itself": async ({ runner, base }) => {
    const wait =
      "(sh -c 'echo $$ > /tmp/pid; exec sleep 0.2' &); sleep 0.1; while kill -0 $(cat /tmp/pid); do sleep 0.05; done";
    await runner.run(base, [`${wait} 2>/dev/null; rm /tmp/pid`]);
  },

  "offers usual devices, /proc, /sys and host name": async ({ runner, base }) => {
    const checks = [
      "echo x > /dev/null; test $(head -c 4 /dev/zero | wc -c) = 4; test $(head -c 4 /dev/urandom | wc -c) = 4",
      "test -c /dev/full; test -c /dev/random; test -c /dev/tty; test -e /dev/ptmx; test -d /dev/pts; echo 1 > /dev/shm/x",
      "test -e /dev/fd/1; test -e /dev/stdin; echo seen > /dev/stdout; test -r /proc/self/status; test -d /sys/class",
      "test -d /proc/$$",
      "! echo x 2>/dev/null > /sys/kernel/profiling",
      "grep -q localhost /etc/hosts; test $(hostname) = dapp",
      "test $(stat -c %a /tmp) = 1777",
    ];
    assert.equal((await runner.run(base, checks)).diffId, undefined);
  },

  "shows only a loopback interface without a network": async ({ runner, base }) => {
    const list =
      "ls /sys/class/net >/dev/null; grep : /proc/net/dev | cut -d: -f1 | tr -d ' '; ip addr show lo | grep -c 'inet 127.0.0.1'";
    assert.equal(await runner.ask(base, list, { network: "none" }), "lo\n1\n");
  },

  "leaves nothing running after an abort, and starts nothing": async ({ runner, base }) => {
    const controller = new AbortController();
    const reason = new Error("stop");
    const started = Promise.withResolvers<void>();
    const length = `${1e6 + Math.floor(Math.random() * 1e6)}`;
    const running = runner.run(
      base,
      [`trap '' TERM INT; setsid sleep ${length} & echo on; sleep ${length}`],
      {
        signal: controller.signal,
        onOutput: (text) => /^on$/m.test(text) && started.resolve(),
      },
    );
    await Promise.race([started.promise, running]);
    controller.abort(reason);
    await assert.rejects(running, (error) => error === reason);
    while (processesWith(`sleep\0${length}`).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await assert.rejects(
      runner.run(base, ["true"], { signal: controller.signal }),
      (error) => error === reason,
    );
  },

  "says of no command that failed that it ran": async ({ runner, base }) => {
    let said = 0;
    await assert.rejects(runner.run(base, ["exit 3"], { ran: () => void said++ }), { code: "STAGE_FAILED" });
    assert.equal(said, 0);
  },

  "holds on to no directory of this machine after an abort": async ({ runner, base, builder }) => {
    if (!offers(builder, "host")) return;
    const controller = new AbortController();
    await using seen = await tempDirectory();
    const running = runner.run(base, [
      `echo $$ > /mnt/seen/pid; trap '' TERM INT; setsid sleep 1000 & sleep 1000`,
    ], {
      signal: controller.signal,
      mounts: [{ kind: "host" as const, source: seen.path, target: "/mnt/seen", readOnly: false }],
    });
    while (!await Deno.readTextFile(`${seen.path}/pid`).catch(() => "")) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    controller.abort();
    await assert.rejects(running);
    assert.equal(await usersOf(seen.path), "");
  },

  "calls onFailure with the file system of the failed step": async ({ runner, base }) => {
    let called = 0;
    const onFailure = () => {
      called++;
      return Promise.resolve();
    };
    await assert.rejects(runner.run(base, ["echo 1 > /x; false"], { onFailure }), stageFailed(/status 1/));
    assert.equal(called, 1);
    await runner.run(base, ["true"], { onFailure });
    assert.equal(called, 1);
  },
};

/** Mount tables of this machine that mention `path`. */
async function usersOf(path: string): Promise<string> {
  let found = "";
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^[0-9]+$/.test(name)) continue;
    const mounts = await Deno.readTextFile(`/proc/${name}/mountinfo`).catch(() => "");
    if (mounts.includes(path)) {
      found += `${name}: ${await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "")}\n`;
    }
  }
  return found;
}

async function tempDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "dapp-step-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
