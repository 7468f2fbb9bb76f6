/** The answer of the git that the launcher has started, as it comes into its file. */
import assert from "node:assert/strict";
import { openGitAsked } from "../../cli/git_asked.ts";
import { withTempDir } from "../support/tmp.ts";

const encoder = new TextEncoder();
const HEAD = "# branch.oid 0123\0# branch.head main\0";

/** What is taken of a file with this text, for a project in ".". */
async function answerOf(
  text: string,
  signal?: AbortSignal,
  part: "gitStatus" | "gitListing" = "gitStatus",
): Promise<string | undefined> {
  return await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/dapp-12-git`, text);
    const asked = openGitAsked(`${dir}/dapp-12-git`);
    await assert.rejects(Deno.stat(`${dir}/dapp-12-git`), Deno.errors.NotFound);
    const bytes = await asked?.of(".")?.[part](signal);
    return bytes && new TextDecoder().decode(bytes);
  });
}

Deno.test("what git printed is taken when it has ended well", async () => {
  assert.equal(await answerOf(`.\0\0${HEAD}exit 0\0`), HEAD);
  const odd = `${HEAD}? exit 0\0? a b\n\0`;
  assert.equal(await answerOf(`.\0\0${odd}exit 0\0`), odd);
  assert.equal(await answerOf(".\0\0exit 0\0"), "");
});

Deno.test("the files of the commit come before that, where they were asked for", async () => {
  const rows = ["100644 blob ab\tsrc/a", "100644 blob cd\tlisted 0", ""].join("\0");
  const text = `.\0\0tree 0123 4567\0${rows}listed 0\0${HEAD}exit 0\0`;
  const listing = (text: string) => answerOf(text, undefined, "gitListing");
  assert.deepEqual([await answerOf(text), await listing(text)], [HEAD, `0123 4567\0${rows}`]);
  const failed = `.\0\0tree 0123 4567\0${rows.slice(0, 20)}\0listed 128\0${HEAD}exit 0\0`;
  assert.deepEqual([await answerOf(failed), await listing(failed)], [HEAD, undefined]);
  assert.equal(await listing(`.\0\0${HEAD}exit 0\0`), undefined);
  const cut = `.\0\0tree 0123 4567\0${rows}${HEAD}exit 0\0`;
  assert.deepEqual([await answerOf(cut), await listing(cut)], [undefined, undefined]);
});

Deno.test("a git that failed has said nothing", async () => {
  for (const code of [1, 127, 128]) assert.equal(await answerOf(`.\0\0${HEAD}exit ${code}\0`), undefined);
});

Deno.test("a git that has not ended is waited for, a while or until the run is stopped", async () => {
  await withTempDir(async (dir) => {
    const path = `${dir}/dapp-12-git`;
    for (
      const [begun, rest] of [[".\0", `\0${HEAD}exit 0\0`], [`.\0\0${HEAD}ex`, "it 0\0"], [
        `.\0\0${HEAD}exit 0`,
        "\0",
      ], [".\0\0tree 0123 4567\0listed 0\0", `${HEAD}exit 0\0`]]
    ) {
      await Deno.writeTextFile(path, begun!);
      using file = await Deno.open(path, { append: true });
      const answer = openGitAsked(path)?.of(".")?.gitStatus();
      let settled = false;
      answer?.finally(() => settled = true);
      await new Promise((done) => setTimeout(done, 20));
      assert.equal(settled, false);
      await file.write(encoder.encode(rest));
      assert.equal(new TextDecoder().decode(await answer), HEAD);
    }
  });
  assert.equal(await answerOf(`.\0\0${HEAD}`, AbortSignal.timeout(20)), undefined);
});

Deno.test("one whose writer was killed is not waited for", async () => {
  const killed = new Deno.Command("sleep", { args: ["60"] }).spawn();
  const text = `.\0${killed.pid}\0${HEAD}`;
  const stop = new AbortController();
  const answer = answerOf(text, stop.signal);
  killed.kill("SIGKILL");
  await killed.status;
  assert.equal(await answer, undefined);
  assert.equal(stop.signal.aborted, false);
  assert.equal(await answerOf(`${text}exit 0\0`), HEAD, "it had said all");
});

Deno.test("an answer about another directory is none, nor is a file that says nothing or is not there", async () => {
  assert.equal(await answerOf(`..\0\0${HEAD}exit 0\0`), undefined);
  assert.equal(await answerOf(""), undefined);
  assert.equal(await answerOf("."), undefined);
  assert.equal(openGitAsked("/nowhere/dapp-1-git"), undefined);
});

Deno.test("a file that is not the launcher's stays", async () => {
  await withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/notes`, `.\0\0${HEAD}exit 0\0`);
    assert.equal(openGitAsked(`${dir}/notes`), undefined);
    assert.equal(await Deno.readTextFile(`${dir}/notes`), `.\0\0${HEAD}exit 0\0`);
  });
});
