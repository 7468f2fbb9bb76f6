/**
 * A tag scheme in one file: `--tag-calver` tags with the date, such as `2026.11.25`.
 *
 *     plugins:
 *       - use: ./examples/tag_calver.ts
 *         options: { zone: Europe/Berlin, format: YYYY.0M.0D }
 */
import { definePlugin } from "../mod.ts";

const flag = "tag-calver";

/** What a format may hold (calver.org), beside `hh` and `mm`, the time of day. */
const token = /YYYY|YY|0M|MM|0D|DD|hh|mm/g;

export default definePlugin({
  name: "tag-calver",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** IANA time zone in which the date is read. */
      zone: z.string().refine(isZone, "No such time zone: wanted is one like UTC or Europe/Berlin").default(
        "UTC",
      ),
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
    tags: ({ wishes, now }) =>
      wishes.filter((wish) => wish.flag === flag).map(() => {
        const tag = format.replaceAll(token, (name) => partsOf(now, zone)[name]!);
        // Not the time: what is published again on the same day shall be the same.
        return { tag, scheme: "calver", value: tag };
      }),
  }),
});

/** What each token stands for at a moment, in a time zone. */
function partsOf(now: string, zone: string): Readonly<Record<string, string>> {
  const { format } = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone,
    dateStyle: "short",
    timeStyle: "short",
  });
  const [YYYY, M, D, hh, mm] = format(new Date(now)).split(/[- :]/) as [
    string,
    string,
    string,
    string,
    string,
  ];
  return { YYYY, YY: YYYY.slice(-2), "0M": M, MM: `${Number(M)}`, "0D": D, DD: `${Number(D)}`, hh, mm };
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: zone }) !== undefined;
  } catch {
    return false;
  }
}
