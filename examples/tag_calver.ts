/**
 * A tag scheme in one file: `--tag-calver` tags with the date, such as `2026.11.25`.
 *
 *     plugins:
 *       - use: ./examples/tag_calver.ts
 *         options: { zone: Europe/Berlin, format: YYYY.0M.0D }
 */
import { definePlugin } from "@dapp/dapp/plugin";

const flag = "tag-calver";

/** What a format may hold (calver.org), beside `hh` and `mm`, the time of day. */
const token = /YYYY|YY|0M|MM|0D|DD|hh|mm/g;

export default definePlugin({
  name: "tag-calver",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** IANA time zone in which the date is read. */
      zone: z.string()
        .refine(isZone, "No such time zone: wanted is one like UTC or Europe/Berlin")
        .default("UTC"),
      format: z.string()
        .refine(
          (format) => format.search(token) >= 0,
          "Nothing of the date is in it: wanted is one like YYYY.MM.DD",
        )
        .refine((format) => /^\w[\w.-]*$/.test(format), "No tag comes of it: use letters, digits, _, . and -")
        .default("YYYY.MM.DD"),
    }),
  setup: ({ zone, format }) => ({
    tagFlags: () => [{ name: flag, summary: "the date" }],
    tags: ({ wishes, now }) => {
      const parts = partsOf(now, zone);
      const tag = format.replaceAll(token, (name) => parts[name] ?? name);
      // The value is not the time: what is published again on the same day shall be the same.
      return wishes.filter((wish) => wish.flag === flag).map(() => ({ tag, scheme: "calver", value: tag }));
    },
  }),
});

/** What each token stands for at a moment (RFC 3339), in a time zone. */
function partsOf(now: string, zone: string): Readonly<Record<string, string>> {
  const { year, month, day, hour, minute } = Temporal.Instant.from(now).toZonedDateTimeISO(zone);
  const padded = (value: number) => String(value).padStart(2, "0");
  return {
    YYYY: `${year}`,
    YY: padded(year % 100),
    "0M": padded(month),
    MM: `${month}`,
    "0D": padded(day),
    DD: `${day}`,
    hh: padded(hour),
    mm: padded(minute),
  };
}

function isZone(zone: string): boolean {
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone) !== undefined;
  } catch {
    return false;
  }
}
