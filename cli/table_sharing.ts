/** The commands that share stages and images through REPO. */
import {
  aboutRepo,
  aboutTags,
  access,
  common,
  dimg,
  dimgs,
  introspection,
  output,
  project,
  publishing,
  registryOptions,
  repo,
  secrets,
  tags,
} from "./table_parts.ts";
import type { CommandSpec } from "./command.ts";

/** In the order help lists them. */
export const sharingCommands = [
  {
    path: "dimg push",
    run: async () => (await import("./commands/publish.ts")).push,
    summary: "Publish built images under tags.",
    details: [
      "What this machine has not built is taken from REPO. " +
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
    run: async () => (await import("./commands/publish.ts")).spush,
    summary: "Publish one image as REPO:TAG, whatever its name.",
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
    run: async () => (await import("./commands/publish.ts")).bp,
    summary: "Build images and publish them under tags.",
    details: [
      "Does what `dapp dimg build` and `dapp dimg push` do one after the other. With --with-stages, stages go up while " +
      "later ones are built.",
      aboutTags,
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: [...tags, "with-stages", "fail-fast", ...secrets, ...introspection],
    common,
    registry: registryOptions,
    examples: [
      { command: "dapp dimg bp registry.example.com/shop --tag-ci", what: "what a CI job does" },
      { command: "dapp dimg bp --with-stages registry.example.com/shop", what: "and share every stage" },
    ],
  },
  {
    path: "dimg tag",
    run: async () => (await import("./commands/publish.ts")).tag,
    summary: "Give built images their tags in Docker.",
    details: [
      "Those are the names that a push would give them, in the local Docker engine. What this machine has not built is taken from REPO. When REPO is oci:DIR, the images go to an OCI image layout " +
      "instead.",
      aboutTags,
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: tags,
    common,
    registry: publishing,
    examples: [
      { command: "dapp dimg tag registry.example.com/shop", what: "every dimg, under the tag latest" },
      { command: "dapp dimg tag web oci:out --tag-commit", what: "one dimg, into an OCI image layout" },
    ],
  },
  {
    path: "dimg tags",
    run: async () => (await import("./commands/tags.ts")).tags,
    summary: "List what the project has published in REPO.",
    details: [
      "Says of each tag what it was made from. With --quiet, prints the full name of each tag only.",
      aboutRepo,
    ],
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
    path: "dimg check repo",
    run: async () => (await import("./commands/check_repo.ts")).checkRepo,
    summary: "Look whether what is published can be read.",
    details: [
      "Looks at every manifest, configuration and layer that the project's tags, stages and signatures stand on: " +
      "registries can lose what they say that they have. Says for each tag what is missing, and whether this machine " +
      "has it or can make it again. --repair sends that, and reads it back. A stage that stays damaged, and that no image " +
      "in REPO and no build stands on, it takes away and names; `dapp dimg restore` puts it back.",
      "Exits with 1 while something is missing, or when the registry does not tell of some tag. With --quiet, prints the " +
      "names of those tags only.",
      aboutRepo,
    ],
    positionals: [dimgs, repo],
    options: ["read", "repair"],
    says: { repair: "send again what the store has" },
    common: [...project, ...output],
    registry: publishing,
    examples: [
      { command: "dapp dimg check repo registry.example.com/shop --read", what: "read every byte" },
      { command: "dapp dimg check repo registry.example.com/shop --repair", what: "send what is missing" },
    ],
  },
  {
    path: "dimg stages push",
    run: async () => (await import("./commands/stages.ts")).stagesPush,
    summary: "Publish stages that are in the store.",
    details: [
      "Those are the stages of the current state. Prints one line for each stage: pushed, exists (it was in REPO already) or not built; with --quiet the names of " +
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
    run: async () => (await import("./commands/stages.ts")).stagesPull,
    summary: "Take stages from REPO into the store.",
    details: [
      "Those are the stages of the current state. Takes the highest stage there is of each image, which is enough to build on. That REPO has none is no error. " +
      "Prints one line for each stage: pulled, exists (it was in the store already), absent, or unusable (it is in REPO and " +
      "not whole, as a warning says); with --quiet the names of those that were pulled.",
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
] as const satisfies readonly CommandSpec[];
