import type { Instruction } from "../../lib/dockerfile/instructions.ts";

type Place = Pick<Instruction, "line" | "lastLine">;

/** Why a Dockerfile stays one. */
export class StaysDockerfile {
  constructor(readonly at: Place, readonly why: string) {}
}

/** Says that an instruction cannot be told in stages. */
export type Refuse = (why: string) => never;

/** Refuses what stands somewhere. */
export function refuserAt(at: Place): Refuse {
  return (why) => {
    throw new StaysDockerfile(at, why);
  };
}
