import { firstOf, GIT, type Look } from "./look.ts";

/** A project with a Gemfile. */
export const lookForRuby: Look = async (files) => {
  const gems = await files.read("Gemfile");
  if (gems === undefined) return undefined;
  const wanted = `${await files.read(".ruby-version") ?? ""}\n${/^\s*ruby\s.*$/m.exec(gems)?.[0] ?? ""}`;
  const version = /\d+\.\d+(?:\.\d+)?/.exec(wanted)?.[0] ?? "3";
  const lists = ["Gemfile", "Gemfile.lock", ".ruby-version"].filter((name) => files.names.has(name));
  const own = /^\s*gemspec\b/m.test(gems); // it asks the sources for their version
  const rails = (await files.list("bin")).includes("rails");
  const main = firstOf(files, ["app.rb", "main.rb", "server.rb"]);
  const command = rails
    ? "[bin/rails, server, --binding, 0.0.0.0]"
    : files.names.has("config.ru")
    ? "[bundle, exec, rackup, --host, 0.0.0.0]"
    : `[bundle, exec, ruby, ${main ?? "-v"}]`;
  return {
    what: "a Ruby project",
    documents: [[
      "dimg: app",
      `from: ruby:${version}-bookworm`,
      ...GIT,
      "    stageDependencies:",
      `      install: [${own ? '"**/*"' : lists.join(", ")}]`,
      "shell:",
      '  install: [cd /app && bundle config set --local without "development test" && bundle install]',
      "docker:",
      "  WORKDIR: /app",
      `  CMD: ${command}`,
    ].join("\n")],
    notes: [
      ...(lists.includes("Gemfile.lock")
        ? []
        : ["there is no Gemfile.lock: commit the one that bundle install writes, so that builds agree"]),
      ...(rails || main !== undefined || files.names.has("config.ru")
        ? []
        : ["no program was found: write into CMD what the image starts"]),
    ],
  };
};
