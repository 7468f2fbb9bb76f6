/** ARG: values before the first FROM are for FROM, and for stages that declare the name again. */
import type { Instruction } from "../../lib/dockerfile/instructions.ts";
import { PREDEFINED } from "../../lib/dockerfile/stages.ts";
import { splitWords } from "../../lib/dockerfile/words.ts";
import type { Refuse } from "./dockerfile_refusal.ts";
import { filled, quoted } from "./dockerfile_words.ts";
import type { Source } from "./source.ts";

/** Arguments with their values. */
export type Args = ReadonlyMap<string, string>;

/** Names to which BuildKit gives values of its own. */
const OWN = /^(?:(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE|BUILDKIT_\w+)$/;

interface Declared {
  readonly instruction: Instruction;
  readonly escape: string;
  /** What has a value where it stands. */
  readonly values: Args;
  /** Values for names that are declared without one. */
  readonly head?: Args;
  readonly source: Source;
  readonly refuse: Refuse;
}

/** The arguments that an ARG declares. */
export function declaredArgs({ instruction, escape, values, head, source, refuse }: Declared): Args {
  const declared = new Map<string, string>();
  for (const each of splitWords(instruction.rest, escape)) {
    const [, name = "", value] = /^(\w+)(?:=(.*))?$/s.exec(each) ?? refuse("it is no name with a value");
    if (OWN.test(name) || PREDEFINED.has(name)) refuse(`${name} has a value of its own in each build`);
    const known = value === undefined
      ? head?.get(name)
      : filled(value, { escape, refuse }, values, (name) => values.has(name));
    declared.set(name, known ?? refuse(`the value of ${name} is given when it is built`));
  }
  const { line, lastLine } = instruction;
  source.remark(
    line,
    lastLine,
    "its value is written where it is used",
    'Nothing must be done, unless builds say another with --build-arg: then write ${{ env.NAME || "value" }} there',
  );
  return declared;
}

/** The image of a FROM. */
export function baseOf(text: string, escape: string, head: Args, refuse: Refuse): string {
  const base = filled(text, { escape, refuse }, head, (name) => head.has(name));
  return base === "" || /[\s$]/.test(base) ? refuse(`its image "${base}" is none`) : base;
}

/** The assignments before a command that give it the arguments; a variable of the image below hides one. */
export function assignments(args: Args): string[] {
  return [...args].map(([name, value]) => `${name}=\${${name}-${quoted(value)}}`);
}
