import { deepStrictEqual, rejects } from "node:assert/strict";
import { AnswerReader, WireError } from "../../../lib/registry/wire_answer.ts";

/** Reads an answer that comes in pieces of so many bytes, each of which is overwritten by the next. */
async function answerIn(size: number, bytes: Uint8Array) {
  const buffer = new Uint8Array(size);
  let at = 0;
  const reader = new AnswerReader(() => {
    if (at >= bytes.length) return Promise.resolve(null);
    const piece = bytes.subarray(at, at += size);
    buffer.set(piece);
    return Promise.resolve(buffer.subarray(0, piece.length));
  });
  const { status, headers, ends } = await reader.head();
  let body = "";
  for await (const piece of reader.body({ status, headers, ends }, "GET")) {
    body += String.fromCharCode(...piece);
  }
  return { status, headers: Object.fromEntries(headers), ends, body };
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

const HINTS = "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n";

Deno.test("AnswerReader reads the same however an answer comes", async (t) => {
  const texts: Readonly<Record<string, string>> = {
    "plain": "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:\t b c \t\r\nx-a: d\r\nX-Empty:\r\n\r\nabc",
    "interim answers, bare line feeds": `${HINTS}${HINTS}HTTP/1.1 404 No\nContent-Length: 3\n\nabc`,
    "bytes beyond ASCII": "HTTP/1.1 200 \xe9\r\nX-A: \xc3\xa4\x80\xff\r\nContent-Length: 3\r\n\r\na\xffc",
    "closed": "HTTP/1.0 200 OK\r\nConnection: Keep-Alive, close\r\n\r\n\r\n\n",
  };
  for (const [name, text] of Object.entries(texts)) {
    await t.step(name, async () => {
      const bytes = latin1(text);
      const whole = await answerIn(bytes.length, bytes);
      for (let size = 1; size < bytes.length; size++) deepStrictEqual(await answerIn(size, bytes), whole);
    });
  }
  await t.step("what that is", async () => {
    deepStrictEqual(await answerIn(999, latin1(texts.plain!)), {
      status: 200,
      headers: { "content-length": "3", "x-a": "b c, d", "x-empty": "" },
      ends: false,
      body: "abc",
    });
    const beyond = await answerIn(999, latin1(texts["bytes beyond ASCII"]!));
    deepStrictEqual([beyond.headers["x-a"], beyond.body], ["\xc3\xa4\x80\xff", "a\xffc"]);
  });
});

Deno.test("AnswerReader refuses heads that can be understood in two ways, however they come", async (t) => {
  const lines = ["a: b\rc", "a: b\0", "a : b", " a: b", "a", ": b", "\xe4: b", "a: b\r", "\xef\xbb\xbfa: b"];
  for (const line of lines) {
    await t.step(JSON.stringify(line), async () => {
      const bytes = latin1(`HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 0\r\n\r\n`);
      for (const size of [1, 20, bytes.length]) await rejects(answerIn(size, bytes), WireError);
    });
  }
  await t.step("a mark before the first line", async () => {
    const bytes = latin1("\xef\xbb\xbfHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    for (const size of [1, bytes.length]) await rejects(answerIn(size, bytes), WireError);
  });
});
