import { firstOf, GIT, type Look, type ProjectFiles, workspaceDirs } from "./look.ts";

interface Package {
  readonly name?: unknown;
  readonly main?: unknown;
  readonly scripts?: Readonly<Record<string, unknown>>;
  readonly workspaces?: unknown;
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

/** What installing reads beside package.json and the lock file. */
const SETTINGS = [".npmrc", "pnpm-workspace.yaml", ".yarnrc.yml", ".yarnrc"];

/** A project with a package.json. */
export const lookForNode: Look = async (files) => {
  const text = await files.read("package.json");
  if (text === undefined) return undefined;
  const { main, scripts = {}, workspaces } = parse(text);
  const lock = firstOf(files, Object.keys(managers));
  const [all, run] = lock === undefined ? ["npm install", "npm install --omit=dev"] : managers[lock]!;
  const builds = typeof scripts.build === "string";
  const patterns = await workspacePatterns(files, workspaces);
  const starting = await startingWorkspaces(files, patterns);
  const file = typeof main === "string" ? main : mainFile(files);
  const [first] = typeof scripts.start === "string" || file !== undefined ? [] : starting;
  const start = typeof scripts.start === "string"
    ? "[npm, start]"
    : first === undefined
    ? `[node, ${JSON.stringify(file ?? "index.js")}]`
    : lock === "pnpm-lock.yaml"
    ? `[pnpm, --filter, ${JSON.stringify(first)}, start]`
    : `[npm, start, --workspace, ${JSON.stringify(first)}]`;
  const reads = [
    // Those of workspaces say what they need.
    patterns.length > 0 ? '"**/package.json"' : "package.json",
    ...(lock === undefined ? [] : [lock]),
    ...SETTINGS.filter((name) => files.names.has(name)),
  ];
  return {
    what: "a Node.js project",
    documents: [[
      "dimg: app",
      "from: node:22-bookworm-slim",
      ...GIT,
      "    stageDependencies:",
      `      install: [${reads.join(", ")}]`,
      ...(builds ? ['      setup: ["**/*"]'] : []),
      "shell:",
      `  install: [cd /app && ${builds ? all : run}]`,
      ...(builds ? ["  setup: [cd /app && npm run build]"] : []),
      "docker:",
      "  WORKDIR: /app",
      "  ENV: { NODE_ENV: production }",
      `  CMD: ${start}`,
    ].join("\n")],
    notes: [
      ...(lock === undefined
        ? [
          "there is no lock file: commit the package-lock.json that npm install writes, so that builds agree",
        ]
        : []),
      ...(first === undefined || starting.length === 1 ? [] : [
        `of ${starting.length} workspaces that start, CMD starts "${first}"; docs/monorepo.md makes an image of each`,
      ]),
      ...(start.startsWith("[node") && file === undefined
        ? ["no program was found: write into CMD what the image starts"]
        : []),
    ],
  };
};

function parse(text: string | undefined): Package {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Where the packages of a workspace are, in the words of npm and yarn, or of pnpm. */
async function workspacePatterns(files: ProjectFiles, workspaces: unknown): Promise<readonly string[]> {
  const pnpm = await files.read("pnpm-workspace.yaml");
  if (pnpm !== undefined) {
    const list = /^packages:\s*\n((?:\s*(?:-.*|#.*)?\n?)*)/m.exec(pnpm)?.[1] ?? "";
    return [...list.matchAll(/^\s*-\s*["']?([^"'#\s]+)/gm)].map(([, pattern]) => pattern!);
  }
  const listed = Array.isArray(workspaces)
    ? workspaces
    : (workspaces as { readonly packages?: unknown } | undefined)?.packages;
  return Array.isArray(listed) ? listed.filter((each) => typeof each === "string") : [];
}

/** Names of packages that have a script `start`. */
async function startingWorkspaces(files: ProjectFiles, patterns: readonly string[]) {
  const dirs = await workspaceDirs(files, patterns);
  const packages = await Promise.all(dirs.map(async (dir) => parse(await files.read(`${dir}/package.json`))));
  return packages.flatMap(({ name, scripts }) =>
    typeof name === "string" && typeof scripts?.start === "string" ? [name] : []
  );
}

function mainFile(files: ProjectFiles): string | undefined {
  return firstOf(files, ["index.js", "server.js", "app.js", "main.js", "index.mjs"]);
}
