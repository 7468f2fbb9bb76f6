/** What a cleanup says of clocks that are apart. */
import { wholeSeconds } from "../../lib/whole_seconds.ts";
import { type ClockOff, earlier } from "../protocol/clock.ts";

/** Clocks that differ by more are worth a word. */
const NOTABLE_MS = 3_600_000;

/** What to say where the clocks are more than an hour apart; `now` is this machine's time. */
export function clockNotes(repo: string, now: number, { clockOffMs = 0 }: ClockOff): readonly string[] {
  if (Math.abs(clockOffMs) <= NOTABLE_MS) return [];
  const host = repo.split("/")[0]!;
  const [own, other] = clockOffMs < 0 ? ["ahead", "behind"] : ["behind", "ahead"];
  return [
    `Ages are counted from ${
      wholeSeconds(earlier(now, { clockOffMs }))
    }, so that nothing goes too early: this machine's clock ` +
    `says ${wholeSeconds(now)}, that of ${host} ${
      wholeSeconds(now + clockOffMs)
    }. Set this machine's clock if it is ${own}, or that of ` +
    `${host} if that is ${other}`,
  ];
}
