/** The reference page of the command line, made from the same tables as `--help`. */
import { errorCatalog } from "../core/contract/errors.ts";
import { optionUsage } from "./help.ts";
import type { OptionName } from "./options.ts";
import {
  commandsBelow,
  type CommandSpec,
  type CommandTable,
  type Example,
  optionSummary,
  takesTags,
  usageLine,
} from "./command.ts";
import { registryOptions } from "./table_parts.ts";

/** The whole text of `docs/cli.md`. */
export function cliMarkdown(table: CommandTable): string {
  const { program } = table;
  const topics = commandsBelow(table, "");
  const commands = topics.flatMap(({ commands }) => commands);
  const shared = commands.find(({ path }) => path === "dimg build")!.common;
  const lines = [
    "# Command line",
    "",
    "<!-- Made from the tables in cli/ by cli/docs.ts; tests/cli/docs_test.ts says how to make it anew. -->",
    "",
    program.summary,
    "",
    ...exampleBlock(program.examples),
    "",
    ...conventions,
    "",
    "## Commands",
    "",
    ...topics.flatMap(({ title, commands }) => [
      `### ${title}`,
      "",
      "| Command | What it does |",
      "| --- | --- |",
      ...commands.map(({ path, summary }) =>
        `| [\`dapp ${path}\`](#dapp-${path.replaceAll(" ", "-")}) | ${cell(summary)} |`
      ),
      "",
    ]),
    "## Common options",
    "",
    "The `dimg` commands take all of these; where a command takes fewer, its section names them.",
    "",
    ...optionTable(shared),
    "",
    "## Registry options",
    "",
    ...registries,
    "",
    ...optionTable(registryOptions),
    ...commands.flatMap((command) => commandSection(command, shared)),
    "",
    "## Exit codes",
    "",
    "| Code | Meaning |",
    "| --- | --- |",
    "| 0 | done |",
    "| 1 | the work failed or could be done only in part, `store check` found damage, or a question was answered with no |",
    "| 2 | usage or configuration: all problems are told at once, each with file, line and column |",
    "| 130 | interrupted; what is finished is kept |",
    "",
    "`dapp dimg run` passes the exit code of its command through, 128+N when signal N ended it.",
    "",
    "## Error codes",
    "",
    "`--json` prints `{ version, error: { code, message, fix, at, plugin, problems } }`, `at` (file and line) and the `plugin` that failed where they are known. The codes are permanent.",
    "",
    "| Code | Exit code | First thing to try |",
    "| --- | --- | --- |",
    ...Object.entries(errorCatalog).map(([code, { exit, fix }]) =>
      `| \`${code}\` | ${exit} | ${cell(fix)} |`
    ),
    "",
    "Anything else is a bug: dapp prints where it happened and exits with 1; in JSON its code is `BUG`.",
  ];
  return `${lines.join("\n")}\n`;
}

const conventions: readonly string[] = [
  "Options may stand anywhere, also before the command, with `=` or a space before the value: `dapp --dir=web dimg build` equals",
  "`dapp dimg build --dir web`. A flag is turned off again by `--no-…`; of several uses the last one counts. Unknown options are errors.",
  "",
  "The answer goes to stdout, everything else to stderr: progress, remarks, errors. Live progress is shown when stderr is a",
  "terminal and `CI` is unset; otherwise each change is one line. Colors are used on terminals; `--color`, then `NO_COLOR`, then",
  "`FORCE_COLOR` or `CLICOLOR_FORCE`, then `TERM=dumb` decide otherwise.",
  "",
  "`--json` prints the answer as one document with a `version`; `--json=events` prints each event of the run as one line of JSON",
  'with its `time` (UTC with milliseconds, `2026-01-02T03:04:05.678Z`), and ends with a line of type `"result"` or `"error"`.',
  "Cleanups of a registry add `cleanup.tag`, `cleanup.progress`, `cleanup.limited` and `cleanup.waiting`.",
  "",
  "Times in JSON are milliseconds, and parts add up to their whole. A stage's time is its own: `ms` = `runningMs` (commands,",
  "files, bringing the base) + `savingMs` (compressing and storing what it added). Until it can begin it waits for its turn, for",
  "other processes and for layers to be unpacked: `waitingMs`, which is in no `ms`. An image and a build are in one part at any",
  "moment: `ms` = `preparingMs` + `waitingMs` + `runningMs` + `savingMs`, and `publishingMs` of a build that shares stages. Running",
  "counts as long as any stage runs, saving while one is saved and none runs. `build --json` has each stage with its signature,",
  "what became of it (`built`, `reused`, `fetched` with `from`, `covered` by a later one), times, size and digest; `bp --json` has",
  "the same under `build`.",
  "",
  "When a stage fails, nothing new is started, what runs may end and is kept; the log says what still runs and what was not",
  "started. `--fail-fast` stops what runs.",
];

const registries: readonly string[] = [
  "Commands that build, look stages up, publish or clean up take these, or some of them.",
  "",
  "REPO is `host[:port]/path` or `oci:DIR`, an OCI image layout on this machine. With `--repo`, builds take the stages that are",
  "there and put theirs there; the places after `--cache-from` are asked after it. Commands that publish or clean up take REPO as",
  "their last word too, `restore` as its first, or from `repo:` in the dappfile.",
  "",
  "Logins are those of `docker login`, credential helpers included. `--registry-username` and a password replace them for the host",
  "of REPO alone. A password is best given on standard input: `--registry-password-stdin` reads it to the end and drops one line",
  "end. At a terminal, a password that is not given is asked for. No message repeats it.",
];

const pluginTags =
  "Plugins add tag options of their own, `--tag-NAME` or `--tag-NAME VALUE`; they stand after the command. Tags " +
  "are made in the order of the command line.";

function commandSection(command: CommandSpec, shared: readonly OptionName[]): string[] {
  const { path, summary, details = [], options, registry = [], common, examples } = command;
  const all = shared.every((name) => common.includes(name));
  const lines = [
    "",
    `## dapp ${path}`,
    "",
    summary,
    "",
    ...exampleBlock(examples),
    "",
    `    ${usageLine(command)}`,
    ...details.flatMap((paragraph) => ["", paragraph]),
  ];
  if (options.length > 0) lines.push("", ...optionTable(options, command));
  if (takesTags(command)) lines.push("", pluginTags);
  if (registry.length > 0) {
    lines.push("", `Of the [registry options](#registry-options): ${listed(registry)}.`);
  }
  lines.push(
    "",
    all
      ? "And the [common options](#common-options)."
      : `Of the [common options](#common-options): ${listed(common)}.`,
  );
  return lines;
}

function listed(names: readonly OptionName[]): string {
  return names.map((name) => `\`--${name}\``).join(", ");
}

function exampleBlock(examples: readonly Example[]): string[] {
  return ["```sh", ...examples.flatMap(({ command, what }) => [`# ${what}`, command]), "```"];
}

function optionTable(names: readonly OptionName[], command?: CommandSpec): string[] {
  return [
    "| Option | Meaning |",
    "| --- | --- |",
    ...names.map((name) =>
      `| \`${cell(optionUsage(name).trim())}\` | ${cell(optionSummary(name, command))} |`
    ),
  ];
}

/** Text inside a table. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
