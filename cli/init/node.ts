import { firstOf, GIT, type Look, type ProjectFiles } from "./look.ts";

interface Package {
  readonly main?: unknown;
  readonly scripts?: Readonly<Record<string, unknown>>;
}

/** How packages are installed, by the lock file that is there. */
const managers: Readonly<Record<string, readonly [all: string, run: string]>> = {
  "package-lock.json": ["npm ci", "npm ci --omit=dev"],
  "npm-shrinkwrap.json": ["npm ci", "npm ci --omit=dev"],
  "pnpm-lock.yaml": [
    "corepack enable && pnpm install --frozen-lockfile",
    "corepack enable && pnpm install --frozen-lockfile --prod",
  ],
  "yarn.lock": ["corepack enable && yarn install --immutable", "corepack enable && yarn install --immutable"],
};

/** A project with a package.json. */
export const lookForNode: Look = async (files) => {
  const text = await files.read("package.json");
  if (text === undefined) return undefined;
  const { main, scripts = {} } = parse(text);
  const lock = firstOf(files, Object.keys(managers));
  const [all, run] = lock === undefined ? ["npm install", "npm install --omit=dev"] : managers[lock]!;
  const builds = typeof scripts.build === "string";
  const start = typeof scripts.start === "string"
    ? "[npm, start]"
    : `[node, ${JSON.stringify(typeof main === "string" ? main : mainFile(files))}]`;
  return {
    what: "a Node.js project",
    documents: [[
      "dimg: app",
      "from: node:22-bookworm-slim",
      ...GIT,
      "    stageDependencies:",
      `      install: [${["package.json", ...(lock === undefined ? [] : [lock])].join(", ")}]`,
      ...(builds ? ['      setup: ["**/*"]'] : []),
      "shell:",
      `  install: [cd /app && ${builds ? all : run}]`,
      ...(builds ? ["  setup: [cd /app && npm run build]"] : []),
      "docker:",
      "  WORKDIR: /app",
      "  ENV: { NODE_ENV: production }",
      `  CMD: ${start}`,
    ].join("\n")],
    notes: lock === undefined
      ? ["there is no lock file: commit the package-lock.json that npm install writes, so that builds agree"]
      : [],
  };
};

function parse(text: string): Package {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

function mainFile(files: ProjectFiles): string {
  return firstOf(files, ["index.js", "server.js", "app.js", "main.js", "index.mjs"]) ?? "index.js";
}
