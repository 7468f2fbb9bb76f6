import { EngineError, messageOf } from "../../core/contract/errors.ts";
import type { Annotation } from "./log.ts";

/** A text that starts with `FILE:LINE: `, taken apart; the file from where dapp was started. */
export function placeIn(text: string, dir: string): Pick<Annotation, "message" | "file" | "line" | "column"> {
  const [, file, line, column, message] = /^([^\s:]+):(\d+)(?::(\d+))?: (.*)$/s.exec(text) ?? [];
  if (file === undefined || message === undefined) return { message: text };
  return {
    message,
    file: below(dir, file),
    line: Number(line),
    ...(column !== undefined && { column: Number(column) }),
  };
}

/** What marks an error: a mark for each of its problems, or one for the place that it names. */
export function annotationsOf(error: unknown, dir: string): readonly Annotation[] {
  if (!(error instanceof EngineError)) return [{ level: "error", message: messageOf(error) }];
  const { problems = [], at } = error.details;
  if (problems.length === 0) {
    const place = at === undefined ? { message: error.message } : placeIn(`${at}: ${error.message}`, dir);
    return [{ level: "error", ...place, message: `${error.message}\nfix: ${error.fix}` }];
  }
  return problems.map(({ file, line, column, path, message, hint }) => ({
    level: "error",
    message: `${path ? `${path}: ` : ""}${message}${hint ? `\n${hint}` : ""}`,
    file: below(dir, file),
    ...(line > 0 && { line }),
    ...(line > 0 && column > 0 && { column }),
  }));
}

function below(dir: string, file: string): string {
  const at = dir.replace(/^(?:\.\/)+/, "").replace(/\/+$/, "");
  return file.startsWith("/") || at === "." || at === "" ? file : `${at}/${file}`;
}
