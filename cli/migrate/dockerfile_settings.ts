/** Instructions that say something of the image alone, as keys of `docker`. */
import { type Instruction, jsonList } from "../../lib/dockerfile/instructions.ts";
import type { Refuse } from "./dockerfile_refusal.ts";
import { pairs, type Reading, word, wordsOf } from "./dockerfile_words.ts";

/** What `docker` of a dappfile has so far. */
export type Settings = Record<string, unknown>;

/** Adds what an instruction says; ENV and WORKDIR, which commands see too, are told where these are. */
export function addSetting(docker: Settings, instruction: Instruction, reading: Reading): void {
  const { name, rest } = instruction;
  const { refuse } = reading;
  switch (name) {
    case "LABEL":
      docker.LABEL = { ...asObject(docker.LABEL), ...pairs(rest, reading) };
      return;
    case "EXPOSE":
      docker.EXPOSE = [...asList(docker.EXPOSE), ...wordsOf(rest, reading)];
      return;
    case "VOLUME": {
      const paths = jsonList(rest) ?? wordsOf(rest, reading);
      if (paths.some((path) => !path.startsWith("/") || path.split("/").includes(".."))) {
        refuse("a volume of a dappfile is an absolute path");
      }
      docker.VOLUME = [...asList(docker.VOLUME), ...paths];
      return;
    }
    case "USER":
    case "STOPSIGNAL":
      docker[name] = word(rest, reading);
      return;
    case "ONBUILD":
      docker.ONBUILD = [...asList(docker.ONBUILD), rest];
      return;
    case "HEALTHCHECK":
      docker.HEALTHCHECK = healthcheck(instruction, refuse);
      return;
    case "CMD":
    case "ENTRYPOINT":
      // An ENTRYPOINT drops the base's CMD, and one after CMD drops that as well.
      if (name === "ENTRYPOINT" && "CMD" in docker) refuse("an ENTRYPOINT after CMD changes it");
      docker[name] = jsonList(rest) ?? rest;
      return;
    default:
      refuse(`${name} cannot be told in stages`);
  }
}

/** Flags of HEALTHCHECK, and the same in a dappfile. */
const HEALTH_FLAGS: Readonly<Record<string, string>> = {
  "interval": "interval",
  "timeout": "timeout",
  "start-period": "startPeriod",
  "start-interval": "startInterval",
  "retries": "retries",
};

function healthcheck({ rest, flags }: Instruction, refuse: Refuse): unknown {
  if (/^NONE$/i.test(rest)) return "NONE";
  const [, command] = /^CMD\s+(.+)$/is.exec(rest) ?? [];
  if (command === undefined) return refuse("it has neither CMD nor NONE");
  const times = flags.flatMap((flag) => {
    const [, name = "", value = ""] = /^--([a-z-]+)=(.+)$/.exec(flag) ?? [];
    const key = HEALTH_FLAGS[name];
    if (key === undefined) return refuse(`its option ${flag} cannot be told in stages`);
    // As if it were not there.
    if (/^0[a-z]*$/.test(value)) return [];
    return [[key, key === "retries" ? Number(value) : value] as const];
  });
  const words = jsonList(command);
  return { test: words ? ["CMD", ...words] : command, ...Object.fromEntries(times) };
}

function asObject(value: unknown): object {
  return typeof value === "object" && value !== null ? value : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
