import * as z from "../../lib/zod.ts";
import { documentSchemas } from "./schema.ts";

/** Among entries that are maps, `...` stands for the inherited ones. */
function allowInherited(list: { items?: unknown }): void {
  const { items } = list;
  if (typeof items !== "object" || items === null || !("type" in items) || items.type !== "object") return;
  list.items = { ...items, type: ["object", "string"], pattern: "^\\.\\.\\.$" };
}

/**
 * JSON Schema (draft 2020-12) of one document of a dappfile, for editors: completion and hover show every directive.
 *
 * It checks shapes only; rules between keys and between documents are for {@linkcode parseConfig}.
 */
export function configJsonSchema(): object {
  const document = z.union([
    documentSchemas.dimg,
    documentSchemas.artifact,
    documentSchemas.template,
    documentSchemas.project,
  ]);
  const { anyOf } = z.toJSONSchema(document, {
    target: "draft-2020-12",
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      // Scalars are read as they are written, so a number or a boolean is a text too.
      if (zodSchema._zod.def.type === "string" && !jsonSchema.enum) {
        jsonSchema.type = ["string", "number", "boolean"] as never;
      }
      allowInherited(jsonSchema);
    },
  });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "dappfile.yaml",
    description: "One document of a dappfile: an image, an artifact, a template, or the project.",
    anyOf,
  };
}
