import {
  readAbsolutePath,
  readLabelName,
  readPorts,
  readSignal,
  readVariableName,
  readWord,
  type Refuse,
} from "../../lib/dockerfile/values.ts";
import { fillTemplate, parseTemplate, VariableError } from "../../lib/dockerfile/variables.ts";
import type { ContainerConfig } from "../../lib/oci/types.ts";
import type { DockerInstructions } from "../contract/config.ts";
import { compareText } from "../contract/signature.ts";

/** PATH of an image that sets none. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** An instruction that cannot be carried out for this image. The message names the instruction and its value. */
export class InstructionError extends Error {
  override readonly name = "InstructionError";
  constructor(message: string, readonly hint: string | undefined) {
    super(message);
  }
}

/**
 * The container configuration after the docker instructions, as the Dockerfile instructions of the same names do it:
 * ENV and LABEL are merged by name, EXPOSE and VOLUME are added, a new ENTRYPOINT drops an inherited CMD, a command
 * that is a text is run by the SHELL of the base. Values are checked once their variables are filled in.
 *
 * @throws {InstructionError}
 */
export function applyInstructions(config: ContainerConfig, docker: DockerInstructions): ContainerConfig {
  const own = environment(config.Env);
  const before = new Map([["PATH", DEFAULT_PATH], ...own]);
  // Sorted, as they are signed: the order in the dappfile must not reach the image.
  for (const [name, value] of Object.entries(docker.ENV ?? {}).sort(([a], [b]) => compareText(a, b))) {
    own.set(...pair("ENV", name, value, before, readVariableName));
  }
  const env = new Map([["PATH", DEFAULT_PATH], ...own]);
  const value = <T>(instruction: string, text: string, read: (text: string, refuse: Refuse) => T) =>
    filled(instruction, text, env, read);

  const out: { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] } = { ...config };
  if (docker.ENV) out.Env = [...own].map(([name, value]) => `${name}=${value}`);
  if (docker.LABEL) {
    const labels = Object.entries(docker.LABEL).map(([name, text]) =>
      pair("LABEL", name, text, env, readLabelName)
    );
    out.Labels = merged(config.Labels, labels);
  }
  if (docker.EXPOSE) {
    const ports = docker.EXPOSE.flatMap((text) => value("EXPOSE", text, singlePorts));
    out.ExposedPorts = merged(config.ExposedPorts, ports.map((port) => [port, {}]));
  }
  if (docker.VOLUME) {
    const volumes = docker.VOLUME.map((text) => value("VOLUME", text, readAbsolutePath));
    out.Volumes = merged(config.Volumes, volumes.map((path) => [path, {}]));
  }
  if (docker.ONBUILD !== undefined) out.OnBuild = docker.ONBUILD;
  if (docker.WORKDIR !== undefined) out.WorkingDir = value("WORKDIR", docker.WORKDIR, readAbsolutePath);
  if (docker.USER !== undefined) out.User = value("USER", docker.USER, readWord);
  if (docker.STOPSIGNAL !== undefined) out.StopSignal = value("STOPSIGNAL", docker.STOPSIGNAL, readSignal);
  if (docker.HEALTHCHECK !== undefined) out.Healthcheck = docker.HEALTHCHECK;
  const shell = config.Shell?.length ? config.Shell : ["/bin/sh", "-c"];
  const argv = (command: string | readonly string[]) =>
    typeof command === "string" ? [...shell, command] : command;
  if (docker.ENTRYPOINT !== undefined) {
    out.Entrypoint = argv(docker.ENTRYPOINT);
    delete out.Cmd;
  }
  if (docker.CMD !== undefined) out.Cmd = argv(docker.CMD);
  return out;
}

/** The environment of an image; later rows win. */
export function environment(rows: readonly string[] | undefined): Map<string, string> {
  const out = new Map<string, string>();
  for (const row of rows ?? []) {
    const cut = row.indexOf("=");
    if (cut > 0) out.set(row.slice(0, cut), row.slice(cut + 1));
  }
  return out;
}

function singlePorts(text: string, refuse: Refuse): string[] {
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (words.length === 0) refuse("it names no port");
  return words.flatMap((word) => {
    const { first, last, protocol } = readPorts(word, refuse);
    return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`);
  });
}

function pair(
  instruction: string,
  name: string,
  text: string,
  env: ReadonlyMap<string, string>,
  readName: (text: string, refuse: Refuse) => string,
): [string, string] {
  return [
    filled(instruction, name, env, readName),
    filled(`${instruction} ${name}`, text, env, (value) => value),
  ];
}

/** `text` with its variables filled in, then checked and normalised by `read`. */
function filled<T>(
  instruction: string,
  text: string,
  env: ReadonlyMap<string, string>,
  read: (text: string, refuse: Refuse) => T,
): T {
  const refuse: Refuse = (message, hint) => {
    throw new InstructionError(`${instruction} "${text}": ${message}`, hint);
  };
  let value: string;
  try {
    value = fillTemplate(parseTemplate(text), env);
  } catch (error) {
    if (error instanceof VariableError) return refuse(error.message);
    throw error;
  }
  return read(value, refuse);
}

/** Both together, later names winning, sorted: the order of a base image's keys must not reach the image. */
function merged<T>(
  before: Readonly<Record<string, T>> | undefined,
  added: readonly (readonly [string, T])[],
): Record<string, T> {
  const all = new Map([...Object.entries(before ?? {}), ...added]);
  return Object.fromEntries([...all].sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
