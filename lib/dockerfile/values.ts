/** What values of Dockerfile instructions must look like, wherever they come from. */
import { resolve } from "@std/path/posix/resolve";
import { suggest } from "../suggest.ts";

/** Reports a value as wrong, with what to do instead. */
export type Refuse = (message: string, hint?: string) => never;

const PROTOCOLS = ["tcp", "udp", "sctp"];

/** Ports of one protocol, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
  readonly protocol: string;
}

/** `8080`, `53/udp` or `7000-7010`; without a protocol it is tcp. */
export function readPorts(value: string, refuse: Refuse): PortRange {
  const match = /^(\d+)(?:-(\d+))?(?:\/(.*))?$/.exec(value);
  if (!match) {
    return refuse(
      `"${value}" is not a port`,
      value.includes(":")
        ? "EXPOSE names ports of the container only, such as `8080`"
        : "Write it like `8080`, `53/udp` or `7000-7010`",
    );
  }
  const [, first, last = first, protocol = "tcp"] = match;
  for (const number of [first!, last!]) {
    if (Number(number) < 1 || Number(number) > 65535) refuse(`Port ${number} is not between 1 and 65535`);
  }
  if (Number(last) < Number(first)) {
    refuse(`Port range "${value}" runs backwards`, `Did you mean \`${last}-${first}\`?`);
  }
  if (!PROTOCOLS.includes(protocol.toLowerCase())) {
    const near = suggest(protocol, PROTOCOLS);
    refuse(
      `Protocol "${protocol}" is not known`,
      near ? `Did you mean \`${near}\`?` : "Use tcp, udp or sctp",
    );
  }
  return { first: Number(first), last: Number(last), protocol: protocol.toLowerCase() };
}

const SIGNALS =
  ("HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN " +
    "TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS").split(" ").map((name) => `SIG${name}`);

/** A number, or a name that gets its `SIG` when it has none. */
export function readSignal(value: string, refuse: Refuse): string {
  if (/^\d+$/.test(value) && Number(value) >= 1 && Number(value) <= 64) return value;
  const name = value.startsWith("SIG") ? value : `SIG${value}`;
  if (SIGNALS.includes(name) || /^SIGRTM(?:IN\+\d+|AX-\d+|IN|AX)$/.test(name)) return name;
  const near = /^\d+$/.test(value) ? undefined : suggest(value, SIGNALS) ?? suggest(`SIG${value}`, SIGNALS);
  return refuse(
    `"${value}" is not a signal`,
    near ? `Did you mean \`${near}\`?` : "Write a name such as SIGTERM, or a number",
  );
}

/** One word: a name or number. */
export function readWord(value: string, refuse: Refuse): string {
  if (value === "") return refuse("The value is empty");
  if (/\s/.test(value)) return refuse(`"${value}" contains white space`);
  return value;
}

/** An absolute path, given back without `.`, `..`, doubled or trailing slashes. */
export function readAbsolutePath(value: string, refuse: Refuse): string {
  if (value === "") return refuse("The path is empty", 'Write "/" for the whole tree');
  if (!value.startsWith("/")) {
    const tail = value.replace(/^(?:\.\/)+|^\.$/, "");
    const climbs = value.split("/").includes("..");
    const hint = /^~(?:\/|$)/.test(value)
      ? '"~" stands for no directory here: write the whole path'
      : climbs
      ? undefined
      : `Did you mean "/${tail}"?`;
    return refuse(`Path "${value}" is relative: it must be absolute`, hint);
  }
  const parts = value.split("/").filter((part) => part !== "");
  if (parts.includes("..")) return refuse(`Path "${value}" contains "..": write where it leads`);
  return resolve(value);
}

/** The name of an environment variable. */
export function readVariableName(name: string, refuse: Refuse): string {
  if (name === "") return refuse("The name is empty");
  if (/[\s=]/.test(name)) {
    return refuse(`"${name}" is not a name of a variable`, "Names contain no spaces and no =");
  }
  return name;
}

/** The name of a label. */
export function readLabelName(name: string, refuse: Refuse): string {
  return name.trim() === "" ? refuse("The name is empty") : name;
}
