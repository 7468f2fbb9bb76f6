import { parseReference } from "../../lib/oci/reference.ts";
import { patternsOption } from "../../core/contract/option_schemas.ts";

/** An option that takes other names of REPO, one or a list. */
export function aliases(z: Parameters<typeof patternsOption>[0]) {
  return patternsOption(z).superRefine((names, ctx) => {
    for (const name of names.filter((each) => !isRepository(each))) {
      const message =
        `"${name}" is no name of REPO, wanted is one without scheme and tag: mirror.example.com/shop`;
      ctx.addIssue({ code: "custom", message });
    }
  });
}

function isRepository(name: string): boolean {
  try {
    parseReference(name);
    return !/[:@]/.test(name.slice(name.lastIndexOf("/") + 1));
  } catch {
    return false;
  }
}
