/** The page that a CI system shows for a job: images with their digests and tags, times, and why stages were built. */
import type { EngineEvent, StageRef } from "../../mod.ts";
import { formatDuration, formatSize, imageTitle } from "../format.ts";
import { stageTitle } from "../render/lines.ts";

/** Rows of a table; a page has a limit (1 MiB on GitHub), and readers have one too. */
const MAX_ROWS = 200;

interface Image {
  readonly title: string;
  digest: string;
  built: number;
  reused: number;
  ms: number;
  readonly tags: string[];
}

interface Built {
  readonly title: string;
  readonly reason: string;
  result: string;
}

/** Follows a command and says at its end what became of it. */
export class JobSummary {
  readonly #images = new Map<string, Image>();
  readonly #built = new Map<string, Built>();
  readonly #warnings: string[] = [];

  event(event: EngineEvent): void {
    switch (event.type) {
      case "stage.started":
        this.#built.set(stageTitle(event.at), {
          title: stageTitle(event.at),
          reason: event.reason,
          result: "not finished",
        });
        break;
      case "stage.finished":
        this.#end(
          event.at,
          `${formatDuration(event.ms)}, ${event.size > 0 ? `+${formatSize(event.size)}` : "no layer"}`,
        );
        break;
      case "stage.failed":
        this.#end(event.at, "**failed**");
        break;
      case "stage.stopped":
        this.#end(event.at, "stopped");
        break;
      case "image.ready": {
        if (event.kind === "artifact") break;
        const image = this.#image(event.image);
        Object.assign(image, {
          digest: event.digest,
          built: event.built,
          reused: event.reused,
          ms: event.ms,
        });
        break;
      }
      case "tag.published":
        this.#image(event.image).tags.push(event.reference);
        if (event.digest !== undefined) this.#image(event.image).digest = event.digest;
        break;
      case "note":
        if (event.level === "warn") this.#warnings.push(event.text);
        break;
    }
  }

  #image(name: string): Image {
    const known = this.#images.get(name);
    if (known) return known;
    const image = { title: imageTitle(name, "dimg"), digest: "", built: 0, reused: 0, ms: 0, tags: [] };
    this.#images.set(name, image);
    return image;
  }

  #end(at: StageRef, result: string): void {
    const built = this.#built.get(stageTitle(at));
    if (built) built.result = result;
  }

  /** Markdown; "" when nothing was built or published. */
  markdown(command: string, failure: string | undefined): string {
    const parts = [
      ...(failure === undefined ? [] : [`**Failed:** ${textOf(failure)}`]),
      ...table(
        ["Image", "Digest", "Stages", "Time", "Tags"],
        [...this.#images.values()].map((image) => [
          textOf(image.title),
          codeOf(image.digest),
          image.built + image.reused === 0 ? "" : `${image.built} built, ${image.reused} cached`,
          image.ms === 0 ? "" : formatDuration(image.ms),
          image.tags.map(codeOf).join("<br>"),
        ]),
      ),
      ...table(
        ["Stage built", "Why", "Result"],
        [...this.#built.values()].map(({ title, reason, result }) => [
          textOf(title),
          textOf(reason),
          result,
        ]),
      ),
      ...this.#warnings.slice(0, MAX_ROWS).map((text) => `- warning: ${textOf(text)}`),
    ];
    if (this.#images.size + this.#built.size === 0 && failure === undefined) return "";
    return `### ${textOf(command)}\n\n${parts.join("\n\n")}\n\n`;
  }
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const shown = rows.slice(0, MAX_ROWS).map(line);
  const more = rows.length > MAX_ROWS ? [`and ${rows.length - MAX_ROWS} more`] : [];
  return [[line(head), line(head.map(() => "---")), ...shown].join("\n"), ...more];
}

/** Text in which nothing is markup. */
function textOf(text: string): string {
  return text.replaceAll(/\s+/g, " ").replaceAll(/[\\`*_[\]<>|~#]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function codeOf(text: string): string {
  return text === "" ? "" : `<code>${textOf(text)}</code>`;
}
