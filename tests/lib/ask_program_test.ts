import assert from "node:assert/strict";
import { askProgram } from "../../lib/ask_program.ts";

const env = { PATH: Deno.env.get("PATH")!, X: "y" };
const never = new AbortController().signal;
const shell = (script: string, more: Partial<Parameters<typeof askProgram>[1]> = {}) =>
  askProgram("sh", { args: ["-c", script], env, longestMs: 60_000, signal: never, ...more });

Deno.test("askProgram() gives what a program says, with the variables and input it was given", async () => {
  const answer = await shell('echo "$X$HOME"; cat; echo no >&2; exit 3', { input: "in" });
  assert.deepEqual(answer, { code: 3, stdout: "y\nin", stderr: "no\n" });
  assert.deepEqual(await shell("exit 0", { input: "x".repeat(1_000_000) }), {
    code: 0,
    stdout: "",
    stderr: "",
  });
});

Deno.test("askProgram() does not wait for a program that is late, nor for what it started", async () => {
  assert.equal(await shell("sleep 1000; echo done", { longestMs: 50 }), "late");
  assert.equal(await shell("sleep 1000 & echo started", { longestMs: 50 }), "late");
});

Deno.test("askProgram() ends with the signal", async () => {
  const controller = new AbortController();
  const running = shell("sleep 1000; echo done", { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  await assert.rejects(shell("echo", { signal: controller.signal }), /enough/);
});

Deno.test("askProgram() says when there is no such program", async () => {
  await assert.rejects(
    askProgram("/no/such/program", { env, longestMs: 1_000, signal: never }),
    Deno.errors.NotFound,
  );
});
