/** Which keys a dappfile has and what each takes, by the kind of document. */
import * as z from "../../lib/zod_mini.ts";
import { once } from "../../lib/memoize.ts";
import { about, entriesOf, flag, listOf, optional, preprocess, section, text, word } from "./fields.ts";
import { artifactSchema, dimgSchema, templateSchema } from "./image_schema.ts";
import { bytes, duration, repo } from "./texts.ts";

function pluginUses(what: string) {
  return about(
    entriesOf(
      about(
        preprocess(
          (value) => typeof value === "string" ? { use: value } : value,
          about(
            z.strictObject({
              use: optional(
                word,
                "A path that starts with `.` or `/`, an `npm:`, `jsr:` or `https:` specifier, or a built-in name.",
              ),
              options: optional(
                z.unknown(),
                "Options of the plugin; numbers and booleans are what YAML says they are.",
              ),
              trusted: optional(flag, {
                type: ["boolean", "string"],
                description: "`true`: it runs in dapp itself, and may do all that you may.",
              }),
              timeout: optional(duration, "How long one of its hooks may take: `10m`; `2m` when absent."),
            }),
            { required: ["use"] },
          ),
        ),
        { type: ["object", "string"] },
      ),
    ),
    what,
  );
}

const cleanupSection = () =>
  about(
    section({
      keep: pluginUses(
        "Policies that give reasons to keep images, each a name alone, or `use` with `options`; what nobody keeps goes.",
      ),
      defaults: optional(flag, {
        type: ["boolean", "string"],
        description:
          "`false`: only policies under `keep` count. Otherwise default policies count too, unless `keep` names the same policy.",
      }),
      stages: about(
        section({
          grace: optional(
            duration,
            "How long a new stage stays, whatever needs it: `90m`, `1d`; `2h` when absent.",
          ),
          budget: optional(
            bytes,
            "How much stages may take beside what images take: `500MB`, `50GB`; no limit when absent.",
          ),
        }),
        "What happens to stages.",
      ),
    }),
    "What cleanup keeps.",
  );

/** The document about the project as a whole. */
const projectSchema = once(() =>
  z.strictObject({
    project: optional(
      word,
      "Name of the project; from the git origin, else the name of the directory, when absent.",
    ),
    repo: optional(repo, "Where images and stages go: `host/path`, or `oci:DIR` for a directory."),
    plugins: pluginUses("Plugins to load: a name alone, or `use` with `options`, `timeout` and `trusted`."),
    cleanup: cleanupSection(),
    include: about(
      listOf(text),
      "Further files with documents: paths from the project directory, with wildcards.",
    ),
    // Documents are checked when they have inherited them.
    defaults: optional(z.lazy(() => z.omit(templateSchema(), { template: true, extends: true })), {
      type: ["object", "null"],
      description: "What every dimg and artifact starts with, as in a template.",
    }),
  })
);

/** The schemas by the kind of document, each made when it is first asked for: most dappfiles have one kind. */
export const documentSchemas = {
  get dimg() {
    return dimgSchema();
  },
  get artifact() {
    return artifactSchema();
  },
  get template() {
    return templateSchema();
  },
  get project() {
    return projectSchema();
  },
};
/** What a document may be about. */
export type DocumentKind = keyof typeof documentSchemas;
type Documents = { readonly [K in DocumentKind]: z.output<(typeof documentSchemas)[K]> };

/** A dimg as the schema gives it: texts are normalised, what was wrong or absent is undefined. */
export type DimgDocument = Documents["dimg"];
/** The project document as the schema gives it. */
export type ProjectDocument = Documents["project"];
/** Either kind of image; what only one of them has is optional. */
export type ImageDocument = Omit<Documents["artifact"], "artifact"> & Partial<Pick<DimgDocument, "docker">>;
