import { type FirstDappfile, OWN } from "./look.ts";

/** What a project of no known kind starts with. */
export const somethingElse: FirstDappfile = {
  what: "a project of no known kind",
  documents: [[
    "dimg: app",
    "from: debian:bookworm-slim",
    "git:",
    "  - add: /",
    "    to: /app",
    `    excludePaths: ${OWN}`,
    "    # The files that each stage reads; it runs again when one of them changes.",
    '    # stageDependencies: { install: [packages.txt], setup: ["src/**"] }',
    "# shell:",
    "#   install: [apt-get update -q && apt-get install -qy --no-install-recommends curl]",
    "docker:",
    "  WORKDIR: /app",
    "  CMD: [sh]",
  ].join("\n")],
  notes: ["the dappfile is a start: say in it what is to be installed, and what the image starts"],
};
