/** One line for each change: for logs, pipes and terminals that cannot move their cursor. */
import type { EngineEvent } from "../../mod.ts";
import type { CiOutput } from "../ci/output.ts";
import { formatElapsed, formatRate, formatSize, formatTransfer, printable, transferEnd } from "../format.ts";
import type { Clock, Output } from "../io.ts";
import type { Style } from "../style.ts";
import { linesFor, stageTitle } from "./lines.ts";
import { Progress } from "./progress.ts";
import type { Renderer, Step } from "./renderer.ts";
import { StageOutputs } from "./stage_outputs.ts";

const REPEAT_MS = 30_000;
/** The key of what a command follows itself; that of a stage has a "/". */
const STEP = "step";

interface Running {
  title: string;
  /** What it does: `running`. */
  word: string;
  readonly since: number;
  done: number;
  total: number;
  said: number;
}

/** Prints every change as a line; what runs longer repeats its elapsed time every 30 seconds. */
export class PlainRenderer implements Renderer {
  readonly #running = new Map<string, Running>();
  readonly #outputs: StageOutputs;
  readonly #progress = new Progress();
  #cancel: (() => void) | undefined;

  constructor(
    readonly out: Output,
    readonly clock: Clock,
    readonly options: {
      readonly style: Style;
      readonly verbose: boolean;
      /** For the log of a CI system that understands more than text. */
      readonly ci?: CiOutput | undefined;
    },
  ) {
    this.#outputs = new StageOutputs(options.style);
  }

  event(event: EngineEvent): void {
    const output = this.#outputs.lines(event);
    const { style, verbose, ci } = this.options;
    if (ci) ci.lines(event, output);
    else for (const line of output) this.#print(line);
    if (ci?.mark(event)) return;
    const progress = this.#progress.event(event);
    for (const line of linesFor(event, { style, verbose, progress })) this.#print(line);
    const transfer = this.#transferLine(event);
    if (transfer !== undefined) this.#print(transfer);
    this.#follow(event);
  }

  step({ line, live }: Step): void {
    if (line) this.#print(line(this.options.style));
    if (live === undefined) return;
    const running = this.#running.get(STEP);
    if (live === "") this.#running.delete(STEP);
    else if (running) running.title = live;
    else this.#start(STEP, { title: live, word: "running" });
    this.#schedule();
  }

  note(text: string): void {
    this.#print(text);
  }

  close(): void {
    this.#stop();
    this.options.ci?.close();
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #print(line: string): void {
    this.out.write(`${line}\n`);
  }

  #transferLine(event: EngineEvent): string | undefined {
    if (event.type === "transfer.started") {
      return `${printable(event.what)}${event.total > 0 ? `  ${formatSize(event.total)}` : ""}`;
    }
    if (event.type !== "transfer.finished") return undefined;
    const what = this.#running.get(event.id)?.title ?? event.id;
    return `${what}  ${transferEnd(event)}  ${formatTransfer(event.done, event.ms)}`;
  }

  #follow(event: EngineEvent): void {
    switch (event.type) {
      case "stage.waiting":
        this.#start(stageTitle(event.at), { title: stageTitle(event.at), word: `waiting ${event.reason}` });
        break;
      case "stage.started":
        this.#start(stageTitle(event.at), { title: stageTitle(event.at), word: "running" });
        break;
      case "stage.placed": {
        const running = this.#running.get(stageTitle(event.at));
        if (running) running.word = `running at ${printable(event.place.address ?? event.place.builder)}`;
        break;
      }
      case "stage.saving":
        this.#start(stageTitle(event.at), { title: stageTitle(event.at), word: "saving" });
        break;
      case "stage.reused":
      case "stage.fetched":
      case "stage.finished":
      case "stage.failed":
      case "stage.stopped":
        this.#running.delete(stageTitle(event.at));
        break;
      case "transfer.started":
        this.#start(event.id, { title: printable(event.what), word: "running" }, event.total);
        break;
      case "transfer.progress": {
        const running = this.#running.get(event.id);
        if (running) Object.assign(running, { done: event.done, total: event.total });
        break;
      }
      case "transfer.finished":
        this.#running.delete(event.id);
        break;
    }
    this.#schedule();
  }

  #start(key: string, what: Pick<Running, "title" | "word">, total = 0): void {
    const now = this.clock.now();
    this.#running.set(key, { ...what, since: now, said: now, done: 0, total });
  }

  #schedule(): void {
    if (this.#running.size === 0) return this.#stop();
    if (this.#cancel) return;
    const next = Math.min(...[...this.#running.values()].map(({ said }) => said)) + REPEAT_MS;
    this.#cancel = this.clock.after(Math.max(0, next - this.clock.now()), () => {
      this.#cancel = undefined;
      this.#repeat();
      this.#schedule();
    });
  }

  #repeat(): void {
    const now = this.clock.now();
    for (const running of this.#running.values()) {
      if (now - running.said < REPEAT_MS) continue;
      running.said = now;
      const { title, word, since, done, total } = running;
      const sent = done > 0 ? `  ${formatSize(done)}${total > 0 ? ` of ${formatSize(total)}` : ""}` : "";
      const rate = formatRate(done, now - since);
      const speed = rate === undefined ? "" : `  ${rate}`;
      this.#print(`${title}  still ${word}${sent}${speed}  (${formatElapsed(now - since)})`);
    }
  }
}
