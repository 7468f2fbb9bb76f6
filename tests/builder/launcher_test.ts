/** Programs of system calls, run by themselves. */
import assert from "node:assert/strict";
import { CallProgram } from "../../plugins/builder/native/launcher.ts";
import { withTempDir } from "../support/tmp.ts";

async function runProgram(program: CallProgram) {
  return await withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/program`, program.build(), { mode: 0o755 });
    const { code, stdout } = await new Deno.Command(`${dir}/program`, { clearEnv: true }).output();
    return { code, stdout, text: new TextDecoder().decode(stdout) };
  });
}

const say = (
  text: string,
): [string, string, [number, string, number]] => ["speak", "write", [1, text, text.length]];

Deno.test("a program makes its calls in order, follows its branches and ends", async () => {
  const program = new CallProgram()
    .call(...say("one "))
    .call("enter", "chdir", ["/none"], { failed: "after" })
    .call(...say("never "))
    .label("after")
    .call("ask", "umask", [0o22], { equals: 0o7777, then: "wrong", otherwise: "right" })
    .label("wrong")
    .call(...say("wrong "))
    .label("right")
    .call(...say("two"))
    .call("end", "exit_group", [7])
    .end(1);
  const { code, text } = await runProgram(program);
  assert.deepEqual([code, text], [7, "one two"]);
});

Deno.test("a program forks, runs a command with its environment, and reads how it ended", async () => {
  const status = new Uint8Array(8);
  const program = new CallProgram()
    .call("fork", "clone", [17], { equals: 0, then: "child" })
    .call("wait", "wait4", [-1, status, 0, 0])
    .call("tell", "write", [1, status, 4])
    .call("end", "exit_group", [0])
    .label("child")
    .call("start", "execve", ["/bin/sh", ["sh", "-c", "printf %s $A$1; exit 3", "x", "b", 0], ["A=a", 0]])
    .end(1);
  const { stdout } = await runProgram(program);
  assert.deepEqual([...stdout], [0x61, 0x62, 0, 3, 0, 0]);
});

Deno.test("a failure without a branch is a record that names the call and the error", async () => {
  const program = new CallProgram().call(...say("")).call("open the door", "chdir", ["/none"]).end(1);
  const { code, stdout } = await runProgram(program);
  assert.equal(code, 126);
  assert.deepEqual(program.explain(stdout), { what: "open the door", errno: 2 });
  assert.equal(program.explain(new Uint8Array(4)), undefined);
  assert.equal(program.explain(new Uint8Array(16)), undefined);
});

Deno.test("programs for both processors are sound ELF files", () => {
  for (const [machine, title] of [["x86_64", "X86-64"], ["aarch64", "AArch64"]] as const) {
    const bytes = new CallProgram(machine).call(...say("x")).end(1).build();
    const view = new DataView(bytes.buffer);
    assert.equal(view.getUint32(0), 0x7f454c46, title);
    assert.equal(view.getUint16(18, true), machine === "x86_64" ? 62 : 183);
    // the entry is in the first segment, whose file range holds it
    const entry = Number(view.getBigUint64(24, true)) - 0x400000;
    assert.ok(entry > 0 && entry < Number(view.getBigUint64(64 + 32, true)));
    for (let i = 0; i < view.getUint16(56, true); i++) {
      assert.notEqual(view.getUint32(64 + i * 56 + 4, true) & 3, 3, "writable and executable");
    }
  }
});
