/** Who goes first in a helper. */
import assert from "node:assert/strict";
import { compressBeside, gatherFirst, unpackingTurn } from "../../plugins/builder/native/turns.ts";

Deno.test("unpackingTurn() comes once the changes of a step are gathered, also when that failed", async () => {
  for (const end of ["resolve", "reject"] as const) {
    const happened: string[] = [];
    const gathered = Promise.withResolvers<unknown>();
    const gathering = gatherFirst(() => gathered.promise).then(() => {}, () => {});
    const turn = unpackingTurn().then(() => happened.push("unpacked"));
    // Whatever is not held back has happened after that.
    await unpackedAlone();
    happened.push(end);
    gathered[end](new Error("full"));
    await Promise.all([gathering, turn]);
    assert.deepEqual(happened, [end, "unpacked"]);
    await unpackingTurn();
  }
});

Deno.test("unpackingTurn() lets answers of a thread in that compresses", async () => {
  const channel = new MessageChannel();
  const answered = Promise.withResolvers<string>();
  channel.port2.onmessage = () => answered.resolve("answered");
  const compressing = compressBeside(() => answered.promise);
  channel.port1.postMessage("block");
  // Unpacking alone would go on in microtasks, and let no message in.
  for (let i = 0; i < 1000; i++) {
    await unpackingTurn();
    if (await Promise.race([answered.promise, "not yet"]) === "answered") break;
  }
  answered.resolve("nobody was let in");
  assert.equal(await compressing, "answered");
  channel.port1.close();
  channel.port2.close();
});

/** As long as a turn takes that nobody holds back. */
async function unpackedAlone(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}
