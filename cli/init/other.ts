import { type FirstDappfile, OWN, type ProjectFiles } from "./look.ts";

/** What a project of no known kind starts with: the base and the commands of its Dockerfile, if there is one. */
export async function somethingElse(files: ProjectFiles): Promise<FirstDappfile> {
  const dockerfile = await files.read("Dockerfile") ?? await files.read("Containerfile");
  const lines = (dockerfile ?? "").replaceAll(/\\\r?\n\s*/g, "").split(/\r?\n/);
  const from = lines.flatMap((line) => /^\s*FROM\s+(?:--\S+\s+)*(\S+)/i.exec(line)?.[1] ?? []).at(-1);
  const runs = lines.flatMap((line) => /^\s*RUN\s+(.*)$/i.exec(line)?.[1] ?? []);
  const known = from !== undefined && /^[a-z0-9][\w.\-/:@]*$/.test(from) && from !== "scratch";
  return {
    what: dockerfile === undefined ? "a project of no known kind" : "a project with a Dockerfile",
    documents: [[
      "dimg: app",
      `from: ${known ? from : "debian:bookworm-slim"}`,
      "git:",
      "  - add: /",
      "    to: /app",
      `    excludePaths: ${OWN}`,
      "    # The files that each stage reads; it runs again when one of them changes.",
      '    # stageDependencies: { install: [packages.txt], setup: ["src/**"] }',
      ...(runs.length === 0
        ? ["# shell:", "#   install: [apt-get update -q && apt-get install -qy --no-install-recommends curl]"]
        : [
          "# The Dockerfile runs the following. Put what installs packages under beforeInstall, what reads the",
          "# project's files under install or setup, and name these files in stageDependencies.",
          "# shell:",
          "#   beforeInstall:",
          ...runs.map((run) => `#     - ${run}`),
        ]),
      "docker:",
      "  WORKDIR: /app",
      "  CMD: [sh]",
    ].join("\n")],
    notes: ["the dappfile is a start: say in it what is to be installed, and what the image starts"],
  };
}
