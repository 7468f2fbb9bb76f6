/** Durations and sizes as people write them. */

const UNITS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** Milliseconds of `90s`, `15m`, `2h`, `30d` or `4w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})\s*([smhdw])$/.exec(text.trim());
  return match ? Number(match[1]) * UNITS[match[2]!]! : undefined;
}

/** The longest unit that gives a whole number: `2h`, `30d`, `90s`. */
export function formatDuration(ms: number): string {
  const [unit, size] = Object.entries(UNITS).toReversed().find(([, each]) => ms >= each && ms % each === 0) ??
    ["s", 1000];
  return `${Math.round(ms / size)}${unit}`;
}

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** Bytes of `500MB`, `50GB`, `1.5TiB` or a plain number; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)\s*([kmgt]?i?b)?$/i.exec(text.trim());
  if (!match) return undefined;
  const size = SIZES[(match[2] ?? "B").toUpperCase()];
  return size === undefined ? undefined : Math.round(Number(match[1]) * size);
}
