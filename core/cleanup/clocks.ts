/** From when a cleanup counts ages: a clock that is wrong, here or at the registry, must not make images old. */
import type { RegistryCapabilities } from "../contract/registry.ts";

type Off = Pick<RegistryCapabilities, "clockOffMs">;

/** Clocks that differ by more are worth a word. */
const NOTABLE_MS = 3_600_000;

/**
 * The earlier of this machine's time and the registry's, in milliseconds since 1970: the younger all seems, the more stays.
 * This machine's, where the registry does not tell.
 */
export function earlier(now: number, { clockOffMs = 0 }: Off): number {
  return Math.max(0, now + Math.min(0, clockOffMs));
}

/** What to say where the clocks are more than an hour apart; `now` is this machine's time. */
export function clockNotes(repo: string, now: number, { clockOffMs = 0 }: Off): readonly string[] {
  if (Math.abs(clockOffMs) <= NOTABLE_MS) return [];
  const host = repo.split("/")[0]!;
  const [own, other] = clockOffMs < 0 ? ["ahead", "behind"] : ["behind", "ahead"];
  return [
    `Ages are counted from ${
      said(earlier(now, { clockOffMs }))
    }, so that nothing goes too early: this machine's clock ` +
    `says ${said(now)}, that of ${host} ${
      said(now + clockOffMs)
    }. Set this machine's clock if it is ${own}, or that of ` +
    `${host} if that is ${other}`,
  ];
}

/** RFC 3339, whole seconds. */
function said(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
