import assert from "node:assert/strict";
import type { EngineEvent, StageRef } from "../../core/contract/events.ts";
import { cleanLine, LineBuffer } from "../../cli/render/output_lines.ts";
import { PlainRenderer } from "../../cli/render/plain.ts";
import { chooseRenderer, type Step } from "../../cli/render/renderer.ts";
import { TtyRenderer } from "../../cli/render/tty.ts";
import { createStyle, wantsColor } from "../../cli/style.ts";
import {
  formatAge,
  formatDuration,
  formatElapsed,
  formatInstant,
  formatParts,
  formatRate,
  formatSize,
  formatTransfer,
  printable,
  printableLines,
  shortDigest,
} from "../../cli/format.ts";
import { displayWidth, truncate } from "../../cli/width.ts";
import { FakeClock, FakeOutput, visible } from "./support.ts";
import { digestFromHex } from "../../lib/oci/digest.ts";

const signature = "ab".repeat(32);
const at = (stage: string, image = "app", kind: StageRef["kind"] = "dimg"): StageRef => ({
  image,
  kind,
  stage,
});
const started = (ref: StageRef): EngineEvent => ({
  type: "stage.started",
  at: ref,
  signature,
  reason: "commands changed",
});
const output = (ref: StageRef, text: string, stream: "stdout" | "stderr" = "stdout"): EngineEvent => ({
  type: "stage.output",
  at: ref,
  stream,
  text,
});
const finished = (ref: StageRef, ms: number, size: number): EngineEvent => ({
  type: "stage.finished",
  at: ref,
  signature,
  ms,
  runningMs: ms,
  savingMs: 0,
  waitingMs: 0,
  size,
});
const ready = (built: number): EngineEvent => ({
  type: "image.ready",
  image: "app",
  kind: "dimg",
  digest: digestFromHex(`12ab34cd56ef${"0".repeat(52)}`),
  signature,
  built,
  reused: 9 - built,
  ms: 65_400,
  preparingMs: 400,
  waitingMs: 0,
  runningMs: 60_000,
  savingMs: 5000,
});

function plain(options: { color?: boolean; verbose?: boolean } = {}) {
  const out = new FakeOutput();
  const clock = new FakeClock();
  const style = createStyle(options.color ?? false);
  return {
    out,
    clock,
    renderer: new PlainRenderer(out, clock, { style, verbose: options.verbose ?? false }),
  };
}

function tty() {
  const out = new FakeOutput(true);
  const clock = new FakeClock();
  return { out, clock, renderer: new TtyRenderer(out, clock, { style: createStyle(false), verbose: false }) };
}

Deno.test("PlainRenderer prints one line for each change", () => {
  const { out, clock, renderer } = plain();
  const events: EngineEvent[] = [
    { type: "note", level: "warn", text: "uncommitted changes are not included" },
    { type: "note", level: "info", text: "debian is not in dappfile.lock" },
    { type: "detail", text: "unseen" },
    { type: "stage.reused", at: at("from"), signature, reason: "in the store" },
    { type: "transfer.started", id: "1", what: "layer 3f2a… of debian", total: 29_000_000 },
    { type: "transfer.progress", id: "1", done: 5_000_000, total: 29_000_000 },
    { type: "transfer.finished", id: "1", done: 29_000_000, ms: 3_210 },
    { type: "transfer.started", id: "2", what: "layer 5b1c… of REPO", total: 29_000_000 },
    { type: "transfer.finished", id: "2", done: 1_000_000, ms: 1_000, failed: true },
    { type: "transfer.started", id: "3", what: "pushing 3f2a to REPO", total: 29_000_000 },
    { type: "transfer.finished", id: "3", done: 5_000_000, ms: 1_000, stopped: true },
    started(at("install")),
    { type: "lock.waiting", resource: "app/setup", holder: "process 123" },
    output(at("install"), "one\ntw"),
    output(at("install"), "warn\n", "stderr"),
    output(at("install"), "o\nrest"),
    finished(at("install"), 12_300, 4_200_000),
    started(at("docker")),
    finished(at("docker"), 12, 0),
    started(at("buildArtifact", "web", "artifact")),
    { type: "stage.failed", at: at("buildArtifact", "web", "artifact"), signature, message: "exit code 1" },
    ready(2),
    ready(0),
  ];
  for (const event of events) renderer.event(event);
  renderer.note("bye");
  renderer.close();
  assert.equal(
    out.text,
    `warning: uncommitted changes are not included
note: debian is not in dappfile.lock
app/from  cached  (in the store)
layer 3f2a… of debian  29 MB
layer 3f2a… of debian  done  29 MB in 3.2s, 9.0 MB/s
layer 5b1c… of REPO  29 MB
layer 5b1c… of REPO  failed  1.0 MB in 1.0s, 1.0 MB/s
pushing 3f2a to REPO  29 MB
pushing 3f2a to REPO  stopped  5.0 MB in 1.0s, 5.0 MB/s
app/install  building  (commands changed)
app/setup  waiting for process 123
app/install │ one
app/install │ warn
app/install │ two
app/install │ rest
app/install  built  12s  +4.2 MB
app/docker  building  (commands changed)
app/docker  built  12ms  no layer
artifact web/buildArtifact  building  (commands changed)
artifact web/buildArtifact  failed  exit code 1
app  built  (2 stages built, 7 cached)  1m 05s (1m 00s running, 5s saving)
app  up to date  (9 stages cached)
bye
`,
  );
  assert.equal(clock.pending, 0);
});

const digest = digestFromHex(`12ab34cd56ef${"0".repeat(52)}`);
const reference = "registry.example.com/shop/app:1.0";
const sharing: readonly EngineEvent[] = [
  {
    type: "stage.fetched",
    at: at("install"),
    signature,
    from: "registry.example.com/shop",
    size: 4_200_000,
    ms: 300,
  },
  {
    type: "stage.published",
    at: at("buildArtifact", "web", "artifact"),
    signature,
    reference: "registry.example.com/shop:dimgstage-abab",
    size: 29_000_000,
    ms: 12,
  },
  {
    type: "registry.waiting",
    host: "registry.example.com",
    ms: 5_000,
    reason: "list the tags of registry.example.com/shop",
  },
  { type: "tag.published", image: "app", reference, digest, state: "pushed" },
  { type: "tag.published", image: "app", reference, digest, state: "exists" },
  { type: "tag.published", image: "app", reference, state: "pushed" },
  { type: "tag.published", image: "", reference: "registry.example.com/shop:\x1b[2J", state: "would push" },
];
const shared = `app/install  fetched  from registry.example.com/shop  4.2 MB in 300ms, 14 MB/s
artifact web/buildArtifact  published  registry.example.com/shop:dimgstage-abab  29 MB in 12ms
registry.example.com  waiting  5.0s  (list the tags of registry.example.com/shop)
app  pushed  registry.example.com/shop/app:1.0  sha256:12ab34cd56ef…
app  exists  registry.example.com/shop/app:1.0  sha256:12ab34cd56ef…
app  tagged  registry.example.com/shop/app:1.0
(nameless)  would push  registry.example.com/shop:\\x1b[2J
`;

Deno.test("a build of several stages counts them, sums up, names the slowest, and says what a failure leaves", () => {
  const { out, renderer } = plain();
  const sig = (n: number) => String(n).repeat(64);
  const stages = ["from", "install", "setup"].map((stage, i) => ({ at: at(stage), signature: sig(i) }));
  const done = (
    i: number,
    times: { runningMs: number; savingMs: number; waitingMs: number },
  ): EngineEvent => ({
    type: "stage.finished",
    ...stages[i]!,
    ms: times.runningMs + times.savingMs,
    ...times,
    size: 1_000_000,
  });
  const events: EngineEvent[] = [
    { type: "build.started", stages },
    done(0, { runningMs: 20, savingMs: 30, waitingMs: 0 }),
    { type: "stage.waiting", ...stages[1]!, reason: "for layers to be unpacked" },
    done(1, { runningMs: 3_940, savingMs: 2_040, waitingMs: 1_200 }),
    { type: "stage.reused", ...stages[2]!, reason: "built meanwhile" },
    {
      type: "stage.failed",
      at: at("install", "b"),
      signature,
      message: "exit code 1",
      running: [at("install", "c")],
      notStarted: ["1", "2", "3", "4", "5", "6", "7"].map((stage) => at(stage, "d")),
    },
    { type: "stage.stopped", at: at("install", "c"), signature },
    {
      type: "build.finished",
      images: 2,
      stagesBuilt: 2,
      stagesReused: 1,
      ms: 14_000,
      preparingMs: 1_400,
      waitingMs: 0,
      runningMs: 4_400,
      savingMs: 8_200,
      publishingMs: 0,
      slowest: [{ at: at("install"), ms: 5_980 }, { at: at("from"), ms: 50 }],
    },
  ];
  for (const event of events) renderer.event(event);
  renderer.close();
  assert.equal(
    out.text,
    `app/from  built  50ms  +1.0 MB  1/3
app/install  built  6.0s (4.0s running, 2.0s saving) after waiting 1.2s  +1.0 MB  2/3
app/setup  cached  (built meanwhile)  3/3
b/install  failed  exit code 1
still running: c/install  (what is finished is kept; --fail-fast stops them)
not started: d/1, d/2, d/3, d/4, d/5, d/6 and 1 more
c/install  stopped  (--fail-fast)
2 images in 14s: 2 stages built, 1 cached  (1s preparing, 5s running, 8s saving)
slowest: app/install 6.0s
`,
  );
});

Deno.test("formatParts() prints parts that add up to the whole that is printed", () => {
  const parsed = (text: string) => {
    const found = /^(?:(\d+)h )?(?:(\d+)m ?)?(?:([\d.]+)s)?(?:(\d+)ms)?/.exec(text)!;
    if (/^\d+ms/.test(text)) return Number.parseInt(text);
    const [, h = "0", m = "0", s = "0"] = found;
    return Math.round(1000 * (3600 * Number(h) + 60 * Number(m) + Number(s)));
  };
  let seed = 3;
  const random = (n: number) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  for (let round = 0; round < 2000; round++) {
    const limit = [900, 9_000, 50_000, 3_000_000][round % 4]!;
    const sizes = Array.from({ length: 1 + random(5) }, () => random(limit));
    const ms = sizes.reduce((a, b) => a + b, 0);
    const { whole, parts } = formatParts(ms, sizes.map((size) => [size, "x"]));
    assert.equal(
      parts.map(parsed).reduce((a, b) => a + b, 0),
      parsed(whole),
      `${whole}: ${parts.join(", ")}`,
    );
  }
  assert.deepEqual(formatParts(5_980, [[3_940, "running"], [2_040, "saving"], [0, "waiting"]]), {
    whole: "6.0s",
    parts: ["4.0s running", "2.0s saving"],
  });
});

Deno.test("TtyRenderer cuts names, not how long it takes, and says what waits and what is saved", () => {
  const { out, clock, renderer } = tty();
  out.columns = 40;
  const long = at("install", "a-rather-long-name-of-a-service");
  renderer.event({ type: "build.started", stages: [1, 2].map((n) => ({ at: long, signature: String(n) })) });
  renderer.event({ type: "stage.waiting", at: long, signature, reason: "for layers to be unpacked" });
  clock.advance(5_000);
  assert.match(visible(out.text).trimEnd().split("\n").at(-2)!, /waiting {3}a-rather-long-.*… {2}[45]s$/);
  renderer.event(started(long));
  clock.advance(65_000);
  const lines = visible(out.text).trimEnd().split("\n");
  assert.match(lines.at(-2)!, /building {2}a-rather-long-.*… {2}1m 0[45]s$/);
  assert.equal(lines.at(-1), "0/2 stages");
  renderer.event({ type: "stage.saving", at: long, signature });
  clock.advance(2_000);
  assert.match(visible(out.text).trimEnd().split("\n").at(-2)!, /saving {4}a-rather-long-.*… {2}[12]s$/);
  for (const line of visible(out.text).split("\n")) {
    assert.ok(displayWidth(line.replace(/<.*?>/g, "")) < 40, line);
  }
  renderer.close();
});

Deno.test("PlainRenderer prints one line for each stage and tag that is shared", () => {
  const { out, clock, renderer } = plain();
  for (const event of sharing) renderer.event(event);
  assert.equal(out.text, shared);
  assert.equal(clock.pending, 0);
});

Deno.test("TtyRenderer lets the same lines scroll above what runs", () => {
  const { out, clock, renderer } = tty();
  renderer.event(started(at("setup")));
  out.take();
  for (const event of sharing) renderer.event(event);
  clock.advance(100);
  assert.equal(visible(out.take()), `<up 1>${shared}building  app/setup  0s\n`);
  renderer.close();
});

Deno.test("PlainRenderer repeats the elapsed time of what runs long, each 30 seconds", () => {
  const { out, clock, renderer } = plain();
  renderer.event(started(at("install")));
  clock.advance(10_000);
  renderer.event({ type: "transfer.started", id: "1", what: "layer", total: 100_000_000 });
  renderer.event({ type: "transfer.progress", id: "1", done: 20_000_000, total: 100_000_000 });
  out.take();
  clock.advance(19_999);
  assert.equal(out.take(), "");
  clock.advance(1);
  assert.equal(out.take(), "app/install  still running  (30s)\n");
  clock.advance(10_000);
  assert.equal(out.take(), "layer  still running  20 MB of 100 MB  667 kB/s  (30s)\n");
  clock.advance(20_000);
  assert.equal(out.take(), "app/install  still running  (1m 00s)\n");
  renderer.close();
  assert.equal(clock.pending, 0);
});

/** A step that was done, with what goes on after it. */
const step = (live?: string, line?: string): Step => ({
  event: { type: "test.step" },
  ...(line !== undefined && { line: () => line }),
  ...(live !== undefined && { live }),
});

Deno.test("PlainRenderer prints a step's line at once, and how far the work has come each 30 seconds", () => {
  const { out, clock, renderer } = plain();
  renderer.step(step("1 of 9", "first"));
  clock.advance(20_000);
  renderer.step(step("5 of 9"));
  assert.equal(out.take(), "first\n");
  clock.advance(10_000);
  assert.equal(out.take(), "5 of 9  still running  (30s)\n");
  renderer.step(step(undefined, "second"));
  renderer.step(step(""));
  clock.advance(60_000);
  assert.equal(out.take(), "second\n");
  assert.equal(clock.pending, 0);
});

Deno.test("TtyRenderer keeps how far the work has come below the lines of steps", () => {
  const { out, clock, renderer } = tty();
  const frames: string[] = [];
  for (const one of [step("1 of 9"), step("5 of 9", "first"), step(undefined, "second"), step("")]) {
    renderer.step(one);
    clock.advance(100);
    frames.push(visible(out.take()));
  }
  renderer.close();
  assert.deepEqual(frames, [
    "1 of 9  0s\n<hide>",
    "<up 1>first\n5 of 9  0s\n",
    "<up 1>second\n5 of 9  0s\n",
    "<up 1><show>",
  ]);
  assert.equal(clock.pending, 0);
});

Deno.test("PlainRenderer colors words and prints details when asked", () => {
  const { out, renderer } = plain({ color: true, verbose: true });
  renderer.event({ type: "detail", text: "more" });
  renderer.event(ready(0));
  assert.equal(
    visible(out.text),
    "<2>more<22>\n<1>app<22>  <32>up to date<39>  (9 stages cached)\n",
  );
});

Deno.test("TtyRenderer draws what runs below what is finished", () => {
  const { out, clock, renderer } = tty();
  const frames: string[] = [];
  const frame = () => {
    if (out.text !== "") frames.push(visible(out.take()));
  };
  renderer.event(started(at("install")));
  frame();
  renderer.event(started(at("install", "日本語")));
  renderer.event(output(at("install"), "npm ci\n"));
  frame();
  clock.advance(100);
  frame();
  clock.advance(1000);
  frame();
  renderer.event({ type: "transfer.started", id: "1", what: "layer 3f2a", total: 30_000_000 });
  renderer.event({ type: "transfer.progress", id: "1", done: 15_000_000, total: 30_000_000 });
  clock.advance(100);
  frame();
  renderer.event({ type: "transfer.finished", id: "1", done: 30_000_000, ms: 100 });
  renderer.event({ type: "transfer.started", id: "2", what: "layer 5b1c", total: 30_000_000 });
  renderer.event({ type: "transfer.finished", id: "2", done: 5_000_000, ms: 100, stopped: true });
  renderer.event(finished(at("install"), 1_200, 4_200_000));
  clock.advance(100);
  frame();
  renderer.event(finished(at("install", "日本語"), 1_300, 0));
  clock.advance(100);
  frame();
  renderer.close();
  frame();
  assert.deepEqual(frames, [
    "building  app/install  0s\n<hide>",
    "<up 1>app/install │ npm ci\nbuilding  app/install  0s\nbuilding  日本語/install  0s\n",
    "<up 2>building  app/install  1s\nbuilding  日本語/install  1s\n",
    "<up 2>building  app/install  1s\nbuilding  日本語/install  1s\ntransfer  layer 3f2a  15 MB of 30 MB  50%  150 MB/s  0s\n",
    "<up 3>layer 3f2a  done  30 MB in 100ms, 300 MB/s\nlayer 5b1c  stopped  5.0 MB in 100ms, 50 MB/s\napp/install  built  1.2s  +4.2 MB\nbuilding  日本語/install  1s\n",
    "<up 1>日本語/install  built  1.3s  no layer\n<show>",
  ]);
  assert.equal(clock.pending, 0);
});

Deno.test("TtyRenderer draws at most ten frames in a second, and none when nothing runs", () => {
  const { out, clock, renderer } = tty();
  renderer.event(started(at("install")));
  for (let i = 0; i < 1000; i++) {
    renderer.event(output(at("install"), `${i}\n`));
    clock.advance(1);
  }
  assert(out.writes <= 11, `${out.writes} writes`);
  renderer.event(finished(at("install"), 1000, 0));
  clock.advance(200);
  const { writes } = out;
  assert.equal(clock.pending, 0);
  clock.advance(60_000);
  assert.equal(out.writes, writes);
  assert.equal(out.text.match(/│ \d+$/gm)?.length, 1000);
});

Deno.test("TtyRenderer fits lines to the terminal and finds its first line again after a resize", () => {
  const { out, clock, renderer } = tty();
  out.columns = 24;
  renderer.event(started(at("import:after-install", "frontend")));
  assert.equal(visible(out.take()), "building  frontend/impo…\n<hide>".replace("impo…", "imp…"));
  // 23 columns are now three rows of a terminal with ten.
  out.columns = 10;
  clock.advance(1000);
  assert.equal(visible(out.take()).slice(0, 6), "<up 3>");
});

Deno.test("TtyRenderer keeps the live lines within the height of the terminal", () => {
  const { out, clock, renderer } = tty();
  out.rows = 5;
  for (let i = 0; i < 9; i++) renderer.event(started(at("install", `app${i}`)));
  clock.advance(100);
  assert.match(visible(out.take()), /building {2}app1\/install {2}0s\n7 more running\n$/);
});

Deno.test("TtyRenderer leaves nothing behind when it is closed while something runs", () => {
  const { out, clock, renderer } = tty();
  renderer.event(started(at("install")));
  out.take();
  renderer.note("Stopping");
  assert.equal(visible(out.take()), "<up 1>Stopping\nbuilding  app/install  0s\n");
  renderer.close();
  assert.equal(visible(out.take()), "<up 1><show>");
  assert.equal(clock.pending, 0);
});

Deno.test("cleanLine() keeps colors only, and of a progress bar what it drew last", () => {
  const cases: readonly (readonly [line: string, color: boolean, wanted: string])[] = [
    ["plain", true, "plain"],
    ["a\tb", true, "a\tb"],
    ["\x1b[31mred\x1b[0m", false, "red"],
    ["\x1b[31mred", true, "\x1b[31mred\x1b[0m"],
    ["\x1b[2K\x1b[1Gdone\x1b[?25h", true, "done"],
    ["10%\r50%\r100%", true, "100%"],
    ["line\r", true, "line"],
    ["\x1b]0;title\x07text", true, "text"],
    ["\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", true, "link"],
    ["\x1b(Btext\x1b=", false, "text"],
    ["bell\x07 back\x08 \x9b31m", false, "bell back 31m"],
    ["\x1b", true, ""],
  ];
  for (const [line, color, wanted] of cases) {
    assert.equal(cleanLine(line, color), wanted, JSON.stringify(line));
  }
});

Deno.test("cleanLine() takes no longer than the line, whatever is in it", () => {
  // Where it looks for something again from each character, these take hours.
  const many = 4_000_000;
  assert.equal(cleanLine("\r".repeat(many) + "x", false), "x");
  assert.equal(cleanLine("x" + "\r".repeat(many), false), "x");
  assert.equal(cleanLine("\x1b[".repeat(many) + "mx", false), "x");
});

Deno.test("LineBuffer gives whole lines, and the rest at the end", () => {
  const buffer = new LineBuffer(false);
  assert.deepEqual(buffer.add("a\nb"), ["a"]);
  assert.deepEqual(buffer.add("c\n\n"), ["bc", ""]);
  assert.equal(buffer.end(), undefined);
  buffer.add("tail");
  assert.equal(buffer.end(), "tail");
  assert.equal(buffer.add("x".repeat(70_000)).length, 1);
});

Deno.test("displayWidth() counts columns", () => {
  const cases: readonly (readonly [text: string, width: number])[] = [
    ["abc", 3],
    ["日本", 4],
    ["한국", 4],
    ["é", 1],
    ["e\u0301", 1],
    ["👍", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["❤️", 2],
    ["│…→", 3],
    ["\x1b[31m日\x1b[0m", 2],
    ["a\u200bb", 2],
    ["", 0],
  ];
  for (const [text, width] of cases) assert.equal(displayWidth(text), width, JSON.stringify(text));
});

Deno.test("truncate() cuts by columns and keeps color sequences", () => {
  assert.equal(truncate("abcdef", 6), "abcdef");
  assert.equal(truncate("abcdef", 4), "abc…");
  assert.equal(truncate("日本語", 4), "日…");
  assert.equal(truncate("\x1b[1mabcdef\x1b[22m", 3), "\x1b[1mab…\x1b[22m");
  assert.equal(truncate("abc", 0), "");
});

Deno.test("chooseRenderer() draws live only for someone who looks", () => {
  const base = { json: undefined, quiet: false, isTerminal: true, shell: false, env: {} };
  assert.equal(chooseRenderer(base), "tty");
  assert.equal(chooseRenderer({ ...base, json: "" }), "tty");
  assert.equal(chooseRenderer({ ...base, isTerminal: false }), "plain");
  assert.equal(chooseRenderer({ ...base, shell: true }), "plain");
  assert.equal(chooseRenderer({ ...base, env: { CI: "true" } }), "plain");
  assert.equal(chooseRenderer({ ...base, env: { CI: "" } }), "tty");
  assert.equal(chooseRenderer({ ...base, env: { CI: "false" } }), "tty");
  assert.equal(chooseRenderer({ ...base, env: { TERM: "dumb" } }), "plain");
  assert.equal(chooseRenderer({ ...base, quiet: true }), "quiet");
  assert.equal(chooseRenderer({ ...base, quiet: true, json: "events" }), "json");
});

Deno.test("wantsColor() follows the option, then the environment, then the stream", () => {
  const terminal = { isTerminal: true };
  const pipe = { isTerminal: false };
  assert.equal(wantsColor(terminal, "auto", {}), true);
  assert.equal(wantsColor(pipe, "auto", {}), false);
  assert.equal(wantsColor(pipe, "always", { NO_COLOR: "1" }), true);
  assert.equal(wantsColor(pipe, "on", {}), true);
  assert.equal(wantsColor(terminal, "never", { FORCE_COLOR: "1" }), false);
  assert.equal(wantsColor(terminal, "off", {}), false);
  assert.equal(wantsColor(terminal, "auto", { NO_COLOR: "1", FORCE_COLOR: "1" }), false);
  assert.equal(wantsColor(terminal, "auto", { NO_COLOR: "" }), true);
  assert.equal(wantsColor(pipe, "auto", { FORCE_COLOR: "1" }), true);
  assert.equal(wantsColor(pipe, "auto", { FORCE_COLOR: "0" }), false);
  assert.equal(wantsColor(terminal, "auto", { FORCE_COLOR: "0" }), false);
  assert.equal(wantsColor(pipe, "auto", { CLICOLOR_FORCE: "1", TERM: "dumb" }), true);
  assert.equal(wantsColor(terminal, "auto", { TERM: "dumb" }), false);
});

Deno.test("printable() shows control characters instead of sending them to the terminal", () => {
  assert.equal(printable("/a\x1b[2J\x9b\r"), "/a\\x1b[2J\\x9b\\x0d");
  assert.equal(printable("not UTF-8: \udcff, and 😀"), "not UTF-8: \\xff, and 😀");
  assert.equal(printable("two\nlines\tand ünïcode"), "two\\x0alines\tand ünïcode");
  assert.equal(printable("a\u202eb\u2028c"), "a\\u202eb\\u2028c");
  assert.equal(printableLines("a\r\nerror: b"), "a\\x0d\n  error: b");
  const { out, renderer } = plain();
  renderer.event({ ...started(at("install")), reason: "1 file changed (/\x1b[2J)" } as EngineEvent);
  assert.equal(out.text, "app/install  building  (1 file changed (/\\x1b[2J))\n");
});

Deno.test("sizes, durations and digests are short", () => {
  const sizes = [0, 999, 1000, 9_949, 9_960, 999_499, 999_500, 4_200_000, 29_000_000, 1.5e9, 2e15, 2e19];
  assert.deepEqual(sizes.map(formatSize), [
    "0 B",
    "999 B",
    "1.0 kB",
    "9.9 kB",
    "10 kB",
    "999 kB",
    "1.0 MB",
    "4.2 MB",
    "29 MB",
    "1.5 GB",
    "2.0 PB",
    "20000 PB",
  ]);
  const durations = [
    0,
    12.4,
    999,
    999.6,
    9_940,
    9_960,
    59_400,
    59_600,
    65_000,
    3_599_000,
    3_720_000,
    90_000_000,
  ];
  assert.deepEqual(durations.map(formatDuration), [
    "0ms",
    "12ms",
    "999ms",
    "1.0s",
    "9.9s",
    "10s",
    "59s",
    "1m 00s",
    "1m 05s",
    "59m 59s",
    "1h 02m",
    "25h 00m",
  ]);
  assert.deepEqual([999, 59_999, 60_000].map(formatElapsed), ["0s", "59s", "1m 00s"]);
  assert.equal(shortDigest(`sha256:${"a".repeat(64)}`), "sha256:aaaaaaaaaaaa…");
  assert.equal(shortDigest("b".repeat(64)), "bbbbbbbbbbbb…");
  assert.equal(shortDigest("short"), "short");
});

Deno.test("what was moved is said with its rate, and times as ages and instants", () => {
  assert.equal(formatTransfer(4_200_000, 300), "4.2 MB in 300ms, 14 MB/s");
  assert.equal(formatTransfer(0, 12), "0 B in 12ms");
  assert.equal(formatTransfer(10, 0), "10 B in 0ms");
  assert.equal(formatRate(999, 1000), "999 B/s");
  assert.equal(formatRate(0, 1000), undefined);
  const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
  const ages = [-hour, 0, minute - 1, minute, hour - 1, hour, 2 * day - 1, 2 * day, 400 * day];
  assert.deepEqual(ages.map(formatAge), [
    "just now",
    "just now",
    "just now",
    "1m ago",
    "59m ago",
    "1h ago",
    "47h ago",
    "2d ago",
    "400d ago",
  ]);
  assert.equal(formatInstant("2026-01-02T03:04:59.9+01:00"), "2026-01-02 02:04 UTC");
  assert.equal(formatInstant("soon"), "soon");
});
