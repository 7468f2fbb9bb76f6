/** The native builder as a process: killed, on a terminal, with little memory, next to others. */
import assert from "node:assert/strict";
import { peer } from "../support/peers.ts";
import { processesWith } from "../../testing/processes.ts";
import { run } from "../support/process.ts";
import { until } from "../support/until.ts";
import { withStore } from "./native_store.ts";

const rootless = Deno.uid() !== 0;
const script = new URL("./native_main.ts", import.meta.url).pathname;
const deno = [Deno.execPath(), "run", "--allow-all", "--quiet"];
const argv = (
  home: string,
  layout: string,
  work: unknown,
) => [...deno, script, home, layout, JSON.stringify(work)];

Deno.test("NativeBuilder dies with its process, leaving no process and no mount", async () => {
  await withStore(async (home, layout) => {
    const mark = `mark-${crypto.randomUUID()}`;
    const sleeper = `sh -c "sleep 1000; :" ${mark}`;
    const commands = [`(trap '' TERM HUP INT; setsid ${sleeper} &); echo started; ${sleeper}`];
    const [program, ...args] = argv(home, layout, { commands });
    const child = new Deno.Command(program!, { args, stdout: "piped", stdin: "null" }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("\nstarted\n");) {
      const { value, done } = await reader.read();
      assert.ok(!done, text);
      text += value;
    }
    await until(() => processesWith(mark).length >= 3); // this child, two shells
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await until(() => processesWith(mark).length === 0);
    assert.ok(!(await Deno.readTextFile("/proc/self/mountinfo")).includes(home));
    // the next one removes what is left
    const next = await run(argv(home, layout, { commands: ["echo 1 > /x"] }));
    assert.match(next.stdout, /layer sha256:/);
    const native = rootless ? `${home}/native/user` : `${home}/native`;
    assert.deepEqual([...Deno.readDirSync(`${native}/run`)].map(({ name }) => name), [".gate"]);
  });
});

Deno.test("NativeBuilder.shell() passes input, output and exit code through", async (t) => {
  await withStore(async (home, layout) => {
    const shell = async (step: unknown, stdin = "") =>
      await run(argv(home, layout, { shell: step }), { stdin, allowFailure: true });
    await t.step("piped input and exit code", async () => {
      const { stdout, stderr, code } = await shell(
        { argv: ["sh", "-c", "cat; echo err >&2; exit 7"] },
        "in\n",
      );
      assert.deepEqual([stdout, stderr, code], ["in\n", "err\n", 7]);
    });
    await t.step("128 + n for a signal", async () => {
      assert.equal((await shell({ argv: ["sh", "-c", "kill -9 $$"] })).code, 137);
    });
    await t.step("users and groups by name and number, a new working directory", async () => {
      const id = async (user: string) =>
        (await shell({ argv: ["sh", "-c", "echo $(id -u) $(id -g) $(pwd)"], user, cwd: "/new/dir" })).stdout;
      assert.equal(await id(""), "0 0 /new/dir\n");
      assert.equal(await id("nobody"), "65534 65534 /new/dir\n");
      assert.equal(await id("1234"), "1234 0 /new/dir\n");
      assert.equal(await id("1234:nogroup"), "1234 65534 /new/dir\n");
      assert.equal(await id("65534"), "65534 65534 /new/dir\n");
      const { stderr, code } = await shell({ argv: ["true"], user: "nobodyelse" });
      assert.match(stderr, /user "nobodyelse" is not in \/etc\/passwd/);
      assert.notEqual(code, 0);
    });
    await t.step("programs by PATH, with a message when there is none", async () => {
      const said = async (name: string) => (await shell({ argv: [name] })).stderr;
      assert.match(await said("nosuch"), /"nosuch" is not in the image \(PATH is/);
      assert.match(await said("/bin/nosuch"), /"\/bin\/nosuch" is not in the image$/m);
      assert.match(await said("/etc/passwd"), /"\/etc\/passwd" is a file that nobody may execute/);
      assert.match(await said("/etc"), /"\/etc" is no file/);
    });
    await t.step("volumes, also of single files, and a network of its own", async () => {
      const dir = `${home}/../volume`;
      await Deno.mkdir(dir);
      await Deno.writeTextFile(`${dir}/f`, "content\n");
      const mounts = [
        { kind: "host", source: dir, target: "/v", readOnly: false },
        { kind: "host", source: `${dir}/f`, target: "/etc/f", readOnly: true },
      ];
      const command =
        "cat /etc/f; echo new > /v/new; echo no 2>/dev/null >> /etc/f || echo read-only; grep -c : /proc/net/dev";
      const { stdout } = await shell({ argv: ["sh", "-c", command], mounts, network: "none" });
      assert.equal(stdout, "content\nread-only\n1\n");
      assert.equal(await Deno.readTextFile(`${dir}/new`), "new\n");
    });
    await t.step("other users have their home and may open the streams they write to", async () => {
      const command = "echo one >/dev/stdout; echo two >/dev/stderr; echo $HOME; id -u";
      const step = { argv: ["sh", "-c", command], user: "4711:4712", env: { PATH: "/bin" } };
      const piped = await shell(step);
      assert.deepEqual([piped.stdout, piped.stderr], ["one\n/\n4711\n", "two\n"]);
      const file = `${home}/../streams`;
      const words = argv(home, layout, { shell: step }).map((word) => `'${word}'`).join(" ");
      await run(["sh", "-c", `${words} >'${file}' 2>'${file}.err'`]);
      assert.equal(await Deno.readTextFile(file), "one\n/\n4711\n");
      assert.equal(await Deno.readTextFile(`${file}.err`), "two\n");
    });
    await t.step("what it writes is gone afterwards", async () => {
      await shell({ argv: ["sh", "-c", "rm -r /etc/passwd; echo > /gone"] });
      const { stdout } = await shell({ argv: ["sh", "-c", "ls / | grep gone; wc -l < /etc/passwd"] });
      assert.equal(stdout, "2\n");
    });
    await t.step("a terminal with its size, /dev/console and job control", async () => {
      const tool = await peer("script");
      if (!tool) return;
      const command = argv(home, layout, { shell: { argv: ["sh"] } }).map((arg) => `'${arg}'`).join(" ");
      const input =
        "test -t 0 && stty size; test -c /dev/console && echo console; sleep 100 & jobs; kill %1; exit 5\n";
      const { stdout, code } = await run([tool, "-qec", `stty rows 33 cols 77; ${command}`, "/dev/null"], {
        stdin: input,
        allowFailure: true,
      });
      assert.match(stdout, /33 77/);
      assert.match(stdout, /^console/m);
      assert.match(stdout, /\[1\].*sleep 100/);
      assert.doesNotMatch(stdout, /job control turned off|can't access tty/);
      assert.equal(code, 5, stdout);
    });
    await t.step("in the file system of a failed step", async () => {
      const work = { introspect: true, commands: ["echo kept > /kept; false"] };
      const { stdout } = await run(argv(home, layout, work), {
        stdin: "cat /kept; exit 9\n",
        allowFailure: true,
      });
      assert.match(
        stdout,
        /\nkept\n[^]*shell ended with 9\n.*"echo kept > \/kept; false" ended with exit status 1/,
      );
    });
  });
});

Deno.test("NativeBuilder captures 2 GB with a heap of 256 MB", async () => {
  await withStore(async (home, layout) => {
    const commands = ["dd if=/dev/urandom of=/data bs=1M count=50; truncate -s 2G /data; echo end >> /data"];
    const { stdout } = await run(
      argv(home, layout, { commands, peak: true, helperFlags: ["--v8-flags=--max-old-space-size=256"] }),
    );
    assert.match(stdout, /layer sha256:/);
    const peak = Number(/^peak ([0-9]+) kB/m.exec(stdout)?.[1]);
    assert.ok(peak > 20 * 1024, "no helper was seen");
    assert.ok(peak < 400 * 1024, `${peak} kB at most`);
  });
});

Deno.test("NativeBuilder lets processes share one store", async () => {
  await withStore(async (home, layout) => {
    const work = { commands: ["mkdir /d; echo same > /d/f"] };
    const all = await Promise.all([1, 2, 3].map(() => run(argv(home, layout, work))));
    assert.equal(new Set(all.map(({ stdout }) => stdout)).size, 1);
    assert.match(all[0]!.stdout, /layer sha256:/);
  });
});

Deno.test("NativeBuilder unpacks layers again that an unclean stop may have torn", async () => {
  await withStore(async (home, layout) => {
    const native = rootless ? `${home}/native/user` : `${home}/native`;
    const work = { commands: ["cat /etc/passwd > /copy"] };
    await run(argv(home, layout, work));
    for (const { name } of Deno.readDirSync(`${native}/l`)) {
      const file = `${native}/l/${name}/meta.json`;
      await Deno.remove(`${native}/l/${name}/synced`).catch(() => {});
      await Deno.writeTextFile(
        file,
        (await Deno.readTextFile(file)).replace(/"boot":"[^"]*"/, '"boot":"before"'),
      );
      await Deno.writeTextFile(`${native}/l/${name}/d/etc/passwd`, "").catch(() => {});
    }
    const { stdout } = await run(argv(home, layout, { commands: ["wc -l < /etc/passwd"] }));
    assert.match(stdout, /\n2\n/);
  });
});
