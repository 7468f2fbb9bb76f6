import { firstOf, GIT, type Look } from "./look.ts";

/** A project with requirements.txt or pyproject.toml. */
export const lookForPython: Look = (files) => {
  const packages = firstOf(files, ["requirements.txt", "pyproject.toml", "setup.py"]);
  const main = firstOf(files, ["main.py", "app.py", "manage.py", "server.py"]);
  if (packages === undefined && main === undefined) return Promise.resolve(undefined);
  const listed = packages === "requirements.txt";
  const command = main === "manage.py"
    ? '[python3, manage.py, runserver, "0.0.0.0:8000"]'
    : `[python3, ${main ?? "-V"}]`;
  return Promise.resolve({
    what: "a Python project",
    documents: [[
      "dimg: app",
      "from: python:3.13-slim-bookworm",
      ...GIT,
      ...(packages === undefined ? [] : [
        "    stageDependencies:",
        listed ? "      install: [requirements.txt]" : '      setup: ["**/*"]',
        "shell:",
        listed
          ? "  install: [pip install --no-cache-dir -r /app/requirements.txt]"
          : "  setup: [pip install --no-cache-dir /app]",
      ]),
      "docker:",
      "  WORKDIR: /app",
      '  ENV: { PYTHONUNBUFFERED: "1" }',
      `  CMD: ${command}`,
    ].join("\n")],
    notes: main === undefined ? ["no main.py or app.py was found: write into CMD what the image starts"] : [],
  });
};
