import { artifactUpon, type Look } from "./look.ts";

/** A project with a go.mod. */
export const lookForGo: Look = async (files) => {
  const text = await files.read("go.mod");
  if (text === undefined) return undefined;
  const version = /^go (\d+\.\d+)/m.exec(text)?.[1] ?? "1.25";
  const lists = ["go.mod", "go.sum"].filter((name) => files.names.has(name));
  const commands = files.names.has("main.go") ? [] : (await files.list("cmd")).toSorted();
  const where = commands[0] === undefined ? "." : `./cmd/${commands[0]}`;
  return {
    what: "a Go project",
    documents: [
      [
        ...artifactUpon(`golang:${version}-bookworm`),
        `    # Modules are downloaded again only when ${lists.join(" or ")} changes.`,
        "    stageDependencies:",
        `      install: [${lists.join(", ")}]`,
        '      buildArtifact: ["**/*"]',
        "shell:",
        "  install: [cd /src && go mod download]",
        `  buildArtifact: [cd /src && CGO_ENABLED=0 go build -trimpath -o /out/app ${where}]`,
      ].join("\n"),
      [
        "dimg: app",
        "from: debian:bookworm-slim",
        "import:",
        "  - { artifact: build, add: /out/app, to: /usr/local/bin/app, after: setup }",
        "docker:",
        "  CMD: [/usr/local/bin/app]",
      ].join("\n"),
    ],
    notes: commands.length > 1 ? [`of ${commands.length} programs in cmd/, "${commands[0]}" is built`] : [],
  };
};
