import { EngineError } from "../../core/contract/errors.ts";
import type { CommandRun } from "../command.ts";
import { remarkText } from "../migrate/compose.ts";
import { migrate as convert } from "../migrate/migrate.ts";
import { requireNoDappfile, writeDappfile } from "../new_dappfile.ts";
import { projectDir } from "../project_dir.ts";

const FILE = "dappfile.yaml";

/** `dapp migrate`: makes a dappfile of files of another tool. */
export const migrate: CommandRun = async ({ io, words, options, answer, progress, quiet }) => {
  const dir = await projectDir(io, options);
  const write = options.flag("write");
  if (write) {
    await requireNoDappfile(io, dir, "Leave --write out to have it printed, or move the file away first");
  }
  const { text, files, remarks } = await convert(words.KIND![0]!, words.FILE ?? [], {
    name: dir.split("/").at(-1) || "project",
    read: (path) => io.readText(`${dir}/${path}`),
    list: (path) => io.list(path === "" ? dir : `${dir}/${path}`),
  });
  const { parseDappfile } = await import("../../mod.ts");
  const problems = await parseDappfile(text, { file: FILE, env: io.env }).then(() => [], (error) => {
    if (error instanceof EngineError && error.code === "CONFIG_INVALID") return error.details.problems ?? [];
    throw error;
  });
  const written = write ? await writeDappfile(io, dir, text) : [];
  const summary = [
    remarks.length === 0
      ? "everything is in the dappfile"
      : `the end of the dappfile says what is to be done by hand: ${remarks.length} ${
        remarks.length === 1 ? "place" : "places"
      }`,
    ...problems.map(({ line, message, hint }) => `${FILE}:${line}: ${message}${hint ? `. ${hint}` : ""}`),
  ];
  answer({ files, text, remarks, problems, written }, () => {
    if (!write) return text.trimEnd().split("\n");
    if (quiet) return written;
    return [
      `${FILE} is written, from ${files.join(", ")}; dappfile.schema.json beside it is for editors`,
      "",
      ...remarks.flatMap((remark) => remarkText(remark).split("\n")),
    ];
  });
  for (const line of summary) progress.note(line);
  return 0;
};
