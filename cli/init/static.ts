import { type Look, OWN } from "./look.ts";

/** A directory with an index.html. */
export const lookForStatic: Look = async (files) => {
  for (const dir of ["", "public", "dist", "site", "www"]) {
    const names = dir === "" ? files.names : new Set(await files.list(dir));
    if (!names.has("index.html")) continue;
    return {
      what: "a static site",
      documents: [[
        "dimg: web",
        "from: nginx:stable",
        "git:",
        `  # What is committed${dir === "" ? "" : ` in ${dir}`} is what nginx serves.`,
        `  - add: /${dir}`,
        "    to: /usr/share/nginx/html",
        ...(dir === "" ? [`    excludePaths: ${OWN}`] : []),
        "docker:",
        "  EXPOSE: 80",
      ].join("\n")],
      notes: [],
    };
  }
  return undefined;
};
