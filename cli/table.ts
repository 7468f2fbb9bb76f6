/** Every command: parsing, help, documentation and completion read this table. */
import type { OptionName } from "./options.ts";

export interface Positional {
  readonly name: string;
  readonly complete: "dimg" | "stage" | "repo" | "shell" | "command" | "destination" | "text";
  readonly many?: true;
  readonly required?: true;
}

export interface Example {
  readonly command: string;
  readonly what: string;
}

interface CommandSpec {
  readonly path: string;
  readonly summary: string;
  /** Paragraphs for help, one string each. */
  readonly details?: readonly string[];
  readonly positionals: readonly Positional[];
  /** Words after `--` are taken, under this name. */
  readonly rest?: string;
  /** Options of its own; `common` follow in help. */
  readonly options: readonly OptionName[];
  readonly common: readonly OptionName[];
  /** Options on registries. */
  readonly registry?: readonly OptionName[];
  readonly examples: readonly [Example, Example];
}

export interface Group {
  readonly path: string;
  readonly summary: string;
}

const output: readonly OptionName[] = ["json", "quiet", "verbose", "color", "help"];
const project: readonly OptionName[] = ["dir", "config", "name", "home", "platform", "dev"];
const work: readonly OptionName[] = ["parallel", "network", "builder", "compression", "lock-timeout"];
const common: readonly OptionName[] = [...project, ...work, "dry-run", ...output];

const access: readonly OptionName[] = [
  "registry-kind",
  "registry-username",
  "registry-password",
  "registry-password-stdin",
  "insecure-registry",
];
/** For commands that publish, or look at what is published. */
const publishing: readonly OptionName[] = ["repo", ...access, "naming"];
/** For commands that build or look stages up. */
const sharing: readonly OptionName[] = ["repo", "repo-read-only", "cache-from", ...access];
/** Every registry option, in the order of the documentation. */
export const registryOptions: readonly OptionName[] = [...sharing, "naming"];

/** What asks for tags; plugins add more of it. */
const tags: readonly OptionName[] = [
  "tag",
  "tag-slug",
  "tag-plain",
  "tag-branch",
  "tag-commit",
  "tag-build-id",
  "tag-ci",
];
const introspection: readonly OptionName[] = [
  "introspect-error",
  "introspect-before-error",
  "introspect-stage",
  "introspect-before",
  "introspect-artifact-stage",
  "introspect-artifact-before",
];

const aboutRepo =
  "REPO is host[:port]/path or oci:DIR. It is the last word, unless it is given by --repo or by " +
  "`repo:` in the dappfile: then every word is a DIMG.";
const aboutTags =
  "Tags are given by the --tag options, in any number and order, and by those that plugins add; without " +
  "any, the tag is latest.";

/** The last word may be REPO, or one DIMG more: see cli/target.ts. */
const repo: Positional = { name: "REPO", complete: "repo" };
const dimgs: Positional = { name: "DIMG", complete: "dimg", many: true };
const dimg: Positional = { name: "DIMG", complete: "dimg" };

/** What `dapp --help` says of the program. */
export const program: { readonly summary: string; readonly examples: readonly [Example, Example] } = {
  summary: "Builds container images from a dappfile.yaml, stage by stage.",
  examples: [
    { command: "dapp dimg build", what: "build every image of the project in this directory" },
    { command: "dapp dimg plan", what: "say what a build would do, and why" },
  ],
};

/** Words that only lead to commands. */
export const groups: readonly Group[] = [
  { path: "dimg", summary: "Build images and look into them." },
  { path: "dimg stage", summary: "Look at single stages." },
  { path: "dimg stages", summary: "Share stages through a registry." },
  { path: "config", summary: "Check the dappfile." },
  { path: "store", summary: "Look after the local store." },
  { path: "registry", summary: "Find out about registries." },
];

const table = [
  {
    path: "dimg build",
    summary: "Build images, reusing every stage that is there already.",
    details: [
      "DIMG is a name or a glob pattern; without one, every dimg is built. Prints one line for each image: its name " +
      "and its digest.",
      "With --repo, stages that are there are taken from REPO instead of being built, and each new one goes there.",
    ],
    positionals: [dimgs],
    options: introspection,
    common,
    registry: sharing,
    examples: [
      { command: "dapp dimg build", what: "build everything" },
      { command: "dapp dimg build web --introspect-error", what: "open a shell where a stage of web fails" },
    ],
  },
  {
    path: "dimg plan",
    summary: "Say what a build would do to every stage, and why. Changes nothing.",
    details: ["With --quiet, prints only the stages that would be built."],
    positionals: [dimgs],
    options: [],
    common,
    registry: sharing,
    examples: [
      { command: "dapp dimg plan", what: "every image" },
      { command: "dapp dimg plan 'web*' --json", what: "some images, for a program" },
    ],
  },
  {
    path: "dimg explain",
    summary: "Say which files, commands and values changed since the last build.",
    details: ["With STAGE, prints every fact that the signature of that stage covers as well."],
    positionals: [dimg, { name: "STAGE", complete: "stage" }],
    options: [],
    common,
    registry: sharing,
    examples: [
      { command: "dapp dimg explain", what: "why anything would be rebuilt" },
      { command: "dapp dimg explain web install", what: "all that goes into one stage" },
    ],
  },
  {
    path: "dimg list",
    summary: "Print the names of dimgs, in the order of the dappfile.",
    details: ["A dimg without a name prints nothing."],
    positionals: [dimgs],
    options: [],
    common,
    examples: [
      { command: "dapp dimg list", what: "every name" },
      { command: "dapp dimg list 'web*' --json", what: "some names with their stages" },
    ],
  },
  {
    path: "dimg stage image",
    summary: "Print the cache name of a stage, whether or not it is built.",
    positionals: [dimg],
    options: ["stage"],
    common,
    examples: [
      { command: "dapp dimg stage image web", what: "the last stage of web" },
      { command: "dapp dimg stage image web --stage install", what: "an earlier stage" },
    ],
  },
  {
    path: "dimg run",
    summary: "Run a command in a built image and return its exit code.",
    details: [
      "Without CMD the image's own command runs, or a shell when it has none. What the command writes is not kept. " +
      "Standard input and output are passed through, and the image is removed afterwards: -i, -t and --rm are not " +
      "needed.",
    ],
    positionals: [dimg],
    rest: "CMD",
    options: ["stage", "env", "volume", "workdir", "user", "entrypoint"],
    common: [...project, "network", "builder", "quiet", "verbose", "color", "help"],
    // Standard input belongs to the command.
    registry: sharing.filter((name) => name !== "registry-password-stdin"),
    examples: [
      { command: "dapp dimg run web", what: "start web as it would be deployed" },
      { command: "dapp dimg run web -e DEBUG=1 -- ls -l /app", what: "run another command" },
    ],
  },
  {
    path: "dimg export",
    summary: "Write built images to a directory or an archive.",
    details: [
      "DEST is oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME[:TAG]]: an OCI image layout, the same " +
      "in a tar archive, or what `docker load` reads. Without DIMG, every dimg is written.",
    ],
    positionals: [dimgs, { name: "DEST", complete: "destination", required: true }],
    options: [],
    common,
    registry: sharing,
    examples: [
      { command: "dapp dimg export oci:out", what: "every image, as an OCI image layout" },
      { command: "dapp dimg export web docker-archive:web.tar", what: "one image, for docker load" },
    ],
  },
  {
    path: "dimg lock",
    summary: "Pin base images by digest in dappfile.lock.",
    details: ["Entries that are there stay as they are; names that are no longer used are removed."],
    positionals: [],
    options: ["update"],
    common,
    registry: ["repo", ...access],
    examples: [
      { command: "dapp dimg lock", what: "pin what is not pinned yet" },
      { command: "dapp dimg lock --update", what: "move every pin to what the name means now" },
    ],
  },
  {
    path: "dimg push",
    summary: "Publish built images under tags.",
    details: [
      "A dimg is published as REPO/DIMG:TAG, or as REPO:DIMG-TAG with --naming flat; one without a name as REPO:TAG. " +
      "Everything is checked for all of them before the first byte moves. Prints one line for each tag: its full name " +
      "and its digest; with --quiet the name only.",
      aboutTags,
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: [...tags, "with-stages"],
    common,
    registry: publishing,
    examples: [
      { command: "dapp dimg push registry.example.com/shop", what: "every dimg, under the tag latest" },
      {
        command: "dapp dimg push web --tag-branch --tag 1.0 registry.example.com/shop",
        what: "one dimg under two tags",
      },
    ],
  },
  {
    path: "dimg spush",
    summary: "Publish one built image as REPO:TAG, whatever its name.",
    details: [aboutTags, aboutRepo],
    positionals: [dimg, repo],
    options: [...tags, "with-stages"],
    common,
    registry: publishing,
    examples: [
      { command: "dapp dimg spush registry.example.com/shop", what: "the only dimg of a project" },
      { command: "dapp dimg spush web registry.example.com/web --tag-ci", what: "one of several" },
    ],
  },
  {
    path: "dimg bp",
    summary: "Build images and publish them under tags, in one go.",
    details: [
      "Does what `dapp dimg build` and `dapp dimg push` do one after the other. With --with-stages, stages go up while " +
      "later ones are built.",
      aboutTags,
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: [...tags, "with-stages", ...introspection],
    common,
    registry: registryOptions,
    examples: [
      { command: "dapp dimg bp registry.example.com/shop --tag-ci", what: "what a CI job does" },
      { command: "dapp dimg bp --with-stages registry.example.com/shop", what: "and share every stage" },
    ],
  },
  {
    path: "dimg tag",
    summary: "Give built images the names that a push would give them, in the local Docker engine.",
    details: ["When REPO is oci:DIR, they go to an OCI image layout instead.", aboutTags, aboutRepo],
    positionals: [dimgs, repo],
    options: tags,
    common,
    registry: ["repo", "naming"],
    examples: [
      { command: "dapp dimg tag registry.example.com/shop", what: "every dimg, under the tag latest" },
      { command: "dapp dimg tag web oci:out --tag-commit", what: "one dimg, into an OCI image layout" },
    ],
  },
  {
    path: "dimg tags",
    summary: "List what the project has published in REPO, with what each tag was made from.",
    details: ["With --quiet, prints the full name of each tag only.", aboutRepo],
    positionals: [dimgs, repo],
    options: [],
    common: [...project, ...output],
    registry: publishing,
    examples: [
      { command: "dapp dimg tags registry.example.com/shop", what: "every tag of every dimg" },
      { command: "dapp dimg tags web registry.example.com/shop --json", what: "those of one, for a program" },
    ],
  },
  {
    path: "dimg stages push",
    summary: "Publish the stages of the current state that are in the store.",
    details: [
      "Prints one line for each stage: pushed, exists (it was in REPO already) or not built; with --quiet the names of " +
      "those that were pushed.",
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: [],
    common,
    registry: ["repo", ...access],
    examples: [
      { command: "dapp dimg stages push registry.example.com/shop", what: "every stage there is" },
      { command: "dapp dimg stages push web registry.example.com/shop -n", what: "say what would be pushed" },
    ],
  },
  {
    path: "dimg stages pull",
    summary: "Take stages of the current state from REPO into the store.",
    details: [
      "Takes the highest stage there is of each image, which is enough to build on. That REPO has none is no error. " +
      "Prints one line for each stage: pulled, exists (it was in the store already) or absent; with --quiet the names of " +
      "those that were pulled.",
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: ["all"],
    common,
    registry: ["repo", ...access],
    examples: [
      { command: "dapp dimg stages pull registry.example.com/shop", what: "what a build can start from" },
      { command: "dapp dimg stages pull registry.example.com/shop --all", what: "every stage" },
    ],
  },
  {
    path: "config check",
    summary: "Check the dappfile and say everything that is wrong with it.",
    positionals: [],
    options: [],
    common: [...project, ...output],
    examples: [
      { command: "dapp config check", what: "check the project in this directory" },
      { command: "dapp config check -C services/web --json", what: "another one, for a program" },
    ],
  },
  {
    path: "config schema",
    summary: "Print the JSON Schema of a dappfile document, for editors.",
    positionals: [],
    options: [],
    common: ["quiet", "verbose", "color", "help"],
    examples: [
      { command: "dapp config schema", what: "print it" },
      { command: "dapp config schema > dappfile.schema.json", what: "keep it beside the dappfile" },
    ],
  },
  {
    path: "store check",
    summary: "Read the whole local store and say what is damaged.",
    details: ["Exits with 1 while something is damaged."],
    positionals: [],
    options: ["repair"],
    common: ["home", "dry-run", ...output],
    examples: [
      { command: "dapp store check", what: "only look" },
      { command: "dapp store check --repair", what: "remove what is damaged; the next build makes it again" },
    ],
  },
  {
    path: "registry check",
    summary: "Try what the registry of REPO can do, in a scratch repository.",
    details: [
      "Prints what serves REPO and one line for each trial: yes, no, failed or skipped, and what came of it. Fails only " +
      "when the registry cannot be reached.",
      "REPO is host[:port]/path or oci:DIR; without one, that of --repo or of the dappfile.",
    ],
    positionals: [repo],
    options: [],
    common: ["dir", "config", "name", "home", "dry-run", ...output],
    registry: ["repo", ...access],
    examples: [
      {
        command: "dapp registry check registry.example.com/shop",
        what: "can it be pushed to, and cleaned up?",
      },
      {
        command: "dapp registry check localhost:5000/x --insecure-registry localhost:5000",
        what: "one without TLS",
      },
    ],
  },
  {
    path: "slug",
    summary: "Print a text as it is used in names: lower case, with a hash when that changes it.",
    positionals: [{ name: "STRING", complete: "text", required: true }],
    options: [],
    common: ["json", "quiet", "verbose", "color", "help"],
    examples: [
      { command: "dapp slug feature/using_cache", what: "prints feature-using-cache-81644ed0" },
      { command: "dapp slug rework-cache", what: "is one already, and stays as it is" },
    ],
  },
  {
    path: "completion",
    summary: "Print a script that completes dapp's commands in a shell.",
    details: [
      "Completes commands, options, their values, and the names of dimgs and stages.",
    ],
    positionals: [{ name: "SHELL", complete: "shell", required: true }],
    options: [],
    common: ["quiet", "verbose", "color", "help"],
    examples: [
      { command: "source <(dapp completion bash)", what: "for this bash; zsh reads its script the same way" },
      { command: "dapp completion fish > ~/.config/fish/completions/dapp.fish", what: "for every fish" },
    ],
  },
  {
    path: "help",
    summary: "Print help for a command.",
    positionals: [{ name: "COMMAND", complete: "command", many: true }],
    options: [],
    common: ["quiet", "verbose", "color", "help"],
    examples: [
      { command: "dapp help dimg build", what: "one command" },
      { command: "dapp help dimg", what: "all commands on images" },
    ],
  },
  {
    path: "version",
    summary: "Print the version.",
    positionals: [],
    options: [],
    common: ["json", "quiet", "verbose", "color", "help"],
    examples: [
      { command: "dapp version", what: "the version of dapp" },
      { command: "dapp version --verbose", what: "and of what it runs on" },
    ],
  },
] as const satisfies readonly CommandSpec[];

/** The words that call a command, without `dapp`. */
export type CommandPath = typeof table[number]["path"];

export interface Command extends CommandSpec {
  readonly path: CommandPath;
}

/** All commands, in the order help lists them. */
export const commands: readonly Command[] = table;

/** The command with exactly this path. */
export function findCommand(path: string): Command | undefined {
  return commands.find((command) => command.path === path);
}

/** All options of a command. */
export function commandOptions({ options, common, registry = [] }: Command): readonly OptionName[] {
  return [...options, ...registry, ...common];
}

/** Whether the last word may be REPO; which one it is shows only when the dappfile has been read. */
export function takesRepo({ positionals }: Command): boolean {
  return positionals.some(({ complete }) => complete === "repo");
}

/** Whether tags can be asked for, also by flags of plugins. */
export function takesTags({ options }: Command): boolean {
  return options.includes("tag");
}

/** `dapp dimg run [OPTION...] [DIMG] [-- CMD...]` */
export function usageLine(command: Command): string {
  const words = command.positionals.map(({ name, many, required }) => {
    const text = many ? `${name}...` : name;
    return required ? text : `[${text}]`;
  });
  const rest = command.rest ? [`[-- ${command.rest}...]`] : [];
  return ["dapp", command.path, "[OPTION...]", ...words, ...rest].join(" ");
}
