/** What logs of CI systems understand beside text: groups that fold, and places in files that are marked. */

import { printable } from "../format.ts";
import type { Output } from "../io.ts";

/** A message about a place in a file. */
export interface Annotation {
  readonly level: "error" | "warning";
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

/** How a CI system is spoken to in its log. */
export interface CiLog {
  /** Lines around what folds; absent where nothing does. `seconds` since 1970. */
  readonly group?: {
    open(title: string, seconds: number): string;
    close(title: string, seconds: number): string;
  };
  /** A line that marks a place; absent where there are no such lines. */
  readonly annotate?: (annotation: Annotation) => string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The CI system whose log this is; undefined for none, and for those that understand text alone. */
export function ciLogOf(env: Env): CiLog | undefined {
  return SYSTEMS.find(({ variable }) => isOn(env[variable]))?.log;
}

function isOn(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value.toLowerCase() !== "false";
}

/** Text of others, in which nothing is a command to the CI system. */
export function withoutCommands(text: string): string {
  return text.replaceAll(/##(?=\[|vso\[|teamcity\[)/g, "# #").replaceAll(/^(\s*):(?=:)/gm, "$1: ");
}

/** A stream on which nothing is a command to the CI system. */
export function withoutCommandsOn(out: Output): Output {
  return {
    isTerminal: out.isTerminal,
    get failure() {
      return out.failure;
    },
    size: () => out.size(),
    write: (text) => out.write(withoutCommands(text)),
  };
}

/** Lines in which nothing commands who shows them. */
function visible(text: string): string {
  return withoutCommands(text.split("\n").map(printable).join("\n"));
}

/** GitHub docs, "Workflow commands"; Gitea and Forgejo read the same. */
const github: CiLog = {
  group: { open: (title) => `::group::${githubText(title)}`, close: () => "::endgroup::" },
  annotate({ level, message, file, line, column }) {
    const properties = Object.entries({ file, line, col: column })
      .flatMap(([name, value]) => value === undefined ? [] : [`${name}=${githubProperty(String(value))}`]);
    const where = properties.length > 0 ? ` ${properties.join(",")}` : "";
    return `::${level}${where}::${githubText(message)}`;
  },
};

function githubText(text: string): string {
  return visible(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function githubProperty(text: string): string {
  return githubText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

/** GitLab docs, "Custom collapsible sections". Its places come from reports, not from the log. */
const gitlab: CiLog = {
  group: {
    open: (title, seconds) =>
      `\x1b[0Ksection_start:${seconds}:${sectionName(title)}[collapsed=true]\r\x1b[0K${title}`,
    close: (title, seconds) => `\x1b[0Ksection_end:${seconds}:${sectionName(title)}\r\x1b[0K`,
  },
};

/** Letters, digits and `_`, `.`, `-` are what names of sections may have. */
function sectionName(title: string): string {
  return `dapp_${title.replaceAll(/[^\w.-]+/g, "_")}`;
}

/** Azure Pipelines docs, "Logging commands". */
const azure: CiLog = {
  group: { open: (title) => `##[group]${title}`, close: () => "##[endgroup]" },
  annotate({ level, message, file, line, column }) {
    const properties = Object.entries({
      type: level,
      sourcepath: file,
      linenumber: line,
      columnnumber: column,
    })
      .flatMap(([name, value]) => value === undefined ? [] : [`${name}=${azureText(String(value))};`]);
    return `##vso[task.logissue ${properties.join("")}]${azureText(message)}`;
  },
};

function azureText(text: string): string {
  return visible(text).replaceAll("%", "%AZP25").replaceAll("\r", "%0D").replaceAll("\n", "%0A")
    .replaceAll(";", "%3B").replaceAll("]", "%5D");
}

/** TeamCity docs, "Service messages". Problems have no places. */
const teamcity: CiLog = {
  group: {
    open: (title) => `##teamcity[blockOpened name='${teamcityText(title)}']`,
    close: (title) => `##teamcity[blockClosed name='${teamcityText(title)}']`,
  },
  annotate({ level, message, file, line }) {
    const place = file === undefined ? "" : `${file}${line === undefined ? "" : `:${line}`}: `;
    const status = level === "error" ? "ERROR" : "WARNING";
    return `##teamcity[message text='${teamcityText(place + message)}' status='${status}']`;
  },
};

function teamcityText(text: string): string {
  return visible(text).replaceAll(/[|'[\]]/g, "|$&").replaceAll("\n", "|n").replaceAll("\r", "|r");
}

/** travis-ci/travis-build: `travis_fold:start:NAME` and `travis_fold:end:NAME`, each erased by the line that follows. */
const travis: CiLog = {
  group: {
    open: (title) => `travis_fold:start:${sectionName(title)}\r\x1b[0K${title}`,
    close: (title) => `travis_fold:end:${sectionName(title)}\r\x1b[0K`,
  },
};

const SYSTEMS: readonly { readonly variable: string; readonly log: CiLog }[] = [
  { variable: "GITHUB_ACTIONS", log: github },
  { variable: "GITLAB_CI", log: gitlab },
  { variable: "TF_BUILD", log: azure },
  { variable: "TEAMCITY_VERSION", log: teamcity },
  { variable: "TRAVIS", log: travis },
];
