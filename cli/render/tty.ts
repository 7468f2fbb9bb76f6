/** Live progress at the bottom of a terminal; what is finished scrolls above it. */
import type { EngineEvent } from "../../mod.ts";
import { formatElapsed, formatRate, formatSize, formatTransfer, printable, transferEnd } from "../format.ts";
import type { Clock, Output } from "../io.ts";
import type { Style } from "../style.ts";
import { displayWidth, truncate } from "../width.ts";
import { linesFor, stageTitle } from "./lines.ts";
import { Progress } from "./progress.ts";
import type { Renderer, Step } from "./renderer.ts";
import { StageOutputs } from "./stage_outputs.ts";

/** At most ten frames in a second; without events, one in a second while something runs. */
const FRAME_MS = 100;
const TICK_MS = 1000;
/** The key of what a command follows itself; that of a stage has a "/". */
const STEP = "step";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

interface Running {
  readonly word: string;
  title: string;
  readonly since: number;
  done: number;
  total: number;
}

/** Draws what runs side by side, with elapsed times and transferred bytes. */
export class TtyRenderer implements Renderer {
  readonly #running = new Map<string, Running>();
  readonly #outputs: StageOutputs;
  readonly #progress = new Progress();
  /** Lines that will scroll, not printed yet. */
  #pending: string[] = [];
  /** The live lines on the screen. */
  #drawn: readonly string[] = [];
  #lastFrame = -Infinity;
  #timer: { readonly due: number; readonly cancel: () => void } | undefined;

  constructor(
    readonly out: Output,
    readonly clock: Clock,
    readonly options: { readonly style: Style; readonly verbose: boolean },
  ) {
    this.#outputs = new StageOutputs(options.style);
  }

  event(event: EngineEvent): void {
    this.#pending.push(...this.#outputs.lines(event));
    const progress = this.#progress.event(event);
    const live = event.type === "stage.started" || event.type === "stage.placed";
    if (!live) this.#pending.push(...linesFor(event, { ...this.options, progress }));
    this.#follow(event);
    this.#schedule(FRAME_MS);
  }

  step({ line, live }: Step): void {
    if (line) this.#pending.push(line(this.options.style));
    const running = this.#running.get(STEP);
    if (live === "") this.#running.delete(STEP);
    else if (live !== undefined && running) running.title = live;
    else if (live !== undefined) this.#start(STEP, "", { title: live, total: 0 });
    this.#schedule(FRAME_MS);
  }

  note(text: string): void {
    this.#pending.push(text);
    this.#frame();
  }

  close(): void {
    this.#running.clear();
    this.#frame();
  }

  #follow(event: EngineEvent): void {
    switch (event.type) {
      case "stage.waiting":
        return this.#start(stageTitle(event.at), "waiting   ", {
          title: `${stageTitle(event.at)}  ${printable(event.reason)}`,
          total: 0,
        });
      case "stage.started":
        return this.#start(stageTitle(event.at), "building  ", { title: stageTitle(event.at), total: 0 });
      case "stage.placed": {
        const running = this.#running.get(stageTitle(event.at));
        const { address, builder } = event.place;
        if (running) running.title = `${stageTitle(event.at)}  at ${printable(address ?? builder)}`;
        return;
      }
      case "stage.saving":
        return this.#start(stageTitle(event.at), "saving    ", { title: stageTitle(event.at), total: 0 });
      case "stage.reused":
      case "stage.fetched":
      case "stage.finished":
      case "stage.failed":
      case "stage.stopped":
        this.#running.delete(stageTitle(event.at));
        return;
      case "transfer.started":
        return this.#start(event.id, "transfer  ", { title: printable(event.what), total: event.total });
      case "transfer.progress": {
        const running = this.#running.get(event.id);
        if (running) Object.assign(running, { done: event.done, total: event.total });
        return;
      }
      case "transfer.finished": {
        const what = this.#running.get(event.id)?.title;
        this.#running.delete(event.id);
        const how = transferEnd(event);
        if (what !== undefined) {
          this.#pending.push(`${what}  ${how}  ${formatTransfer(event.done, event.ms)}`);
        }
        return;
      }
    }
  }

  #start(key: string, word: string, what: { readonly title: string; readonly total: number }): void {
    this.#running.set(key, { word, ...what, since: this.clock.now(), done: 0 });
  }

  /** Draws a frame `wait` after the last one, or at once when that has passed. */
  #schedule(wait: number): void {
    const due = this.#lastFrame + wait;
    const now = this.clock.now();
    if (due <= now) return this.#frame();
    if (this.#timer && this.#timer.due <= due) return;
    this.#timer?.cancel();
    this.#timer = { due, cancel: this.clock.after(due - now, () => this.#frame()) };
  }

  #frame(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#lastFrame = this.clock.now();
    const live = this.#liveLines();
    const same = live.length === this.#drawn.length && live.every((line, i) => line === this.#drawn[i]);
    if (this.#pending.length > 0 || !same) {
      const cursor = this.#drawn.length === 0 && live.length > 0
        ? HIDE_CURSOR
        : this.#drawn.length > 0 && live.length === 0
        ? SHOW_CURSOR
        : "";
      // One write, so that a terminal never shows half a frame.
      this.out.write([this.#erase(), ...this.#pending.map(withEnd), ...live.map(withEnd), cursor].join(""));
      this.#pending = [];
      this.#drawn = live;
    }
    if (this.#running.size > 0) this.#schedule(TICK_MS);
  }

  /** Goes back to the first live line. After a resize the terminal may have broken lines in several. */
  #erase(): string {
    if (this.#drawn.length === 0) return "";
    const { columns } = this.out.size();
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(displayWidth(line) / columns)),
      0,
    );
    return `\x1b[${rows}A\r\x1b[J`;
  }

  #liveLines(): readonly string[] {
    const { columns, rows } = this.out.size();
    const now = this.clock.now();
    const { style } = this.options;
    const width = Math.max(1, columns - 1);
    const lines = [...this.#running.values()].map(({ word, title, since, done, total }) => {
      const percent = total > 0 ? `  ${Math.min(100, Math.floor(100 * done / total))}%` : "";
      const sent = done > 0 || total > 0
        ? `  ${formatSize(done)}${total > 0 ? ` of ${formatSize(total)}` : ""}${percent}`
        : "";
      const rate = formatRate(done, now - since);
      const speed = rate === undefined ? "" : `  ${rate}`;
      return withTail(
        style.cyan(word) + title,
        [sent, speed, `  ${style.dim(formatElapsed(now - since))}`],
        width,
      );
    });
    if (this.#progress.open && lines.length > 0) lines.push(style.dim(`${this.#progress.text} stages`));
    const room = Math.max(1, rows - 2);
    const shown = lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `${lines.length - room + 1} more running`];
    return shown.map((line) => truncate(line, width));
  }
}

/** At least as much of a name must stay. */
const NAME_COLUMNS = 24;

/** The head with as much of the tail, from its end, as leaves room for a name: how long it takes is said last. */
function withTail(head: string, tail: readonly string[], width: number): string {
  let kept = "";
  for (const part of [...tail].reverse()) {
    if (displayWidth(part + kept) > width - Math.min(NAME_COLUMNS, displayWidth(head))) break;
    kept = part + kept;
  }
  return truncate(head, Math.max(1, width - displayWidth(kept))) + kept;
}

function withEnd(line: string): string {
  return `${line}\n`;
}
