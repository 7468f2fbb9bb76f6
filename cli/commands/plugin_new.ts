import { EngineError } from "../../core/contract/errors.ts";
import type { CommandRun } from "../command.ts";
import { newPlugin } from "../plugin_new/files.ts";
import { projectDir } from "../project_dir.ts";

/** `dapp plugin new`: writes a small plugin with its test. */
export const pluginNew: CommandRun = async ({ io, words, options, answer, quiet }) => {
  const [kind = "", given = ""] = [words.KIND?.[0], words.NAME?.[0]];
  const path = given.replace(/^\.\//, "").replace(/\/+$/, "");
  const { name, files, dappfile, command } = newPlugin(kind, path);
  const dir = await projectDir(io, options);
  const there = new Set(await io.list(`${dir}/${path}`));
  const taken = Object.keys(files).find((file) => there.has(file));
  if (taken !== undefined) {
    throw new EngineError("USAGE", `Cannot write plugin "${name}": "${path}/${taken}" is there already`, {
      fix: "Choose another name, or move the directory away first",
    });
  }
  const written = options.flag("dry-run") ? [] : Object.keys(files).map((file) => `${path}/${file}`);
  for (const file of written) await io.writeText(`${dir}/${file}`, files[file.slice(path.length + 1)]!);
  answer({ name, written, dappfile, command, ...(written.length === 0 && { files }) }, () => {
    if (written.length === 0) {
      return Object.entries(files).flatMap(([file, text]) => [`# ${path}/${file}`, text]);
    }
    if (quiet) return written;
    return [
      `${written.join(", ")}: written`,
      "",
      "Put into the dappfile:",
      ...dappfile.map((line) => `  ${line}`),
      "",
      "Use it, and test it:",
      `  ${command}`,
      `  cd ${path} && npm install && npm test`,
    ];
  });
  return 0;
};
