/** Every command: parsing, help, documentation and completion read this table. */
import { cleanupCommands } from "./table_cleanup.ts";
import {
  aboutImages,
  access,
  common,
  dimg,
  dimgs,
  introspection,
  output,
  project,
  repo,
  secrets,
  sharing,
} from "./table_parts.ts";
import { sharingCommands } from "./table_sharing.ts";
import type { CommandTable, Example, Group, Topic } from "./command.ts";

/** What `dapp --help` says of the program. */
const program: { readonly summary: string; readonly examples: readonly [Example, Example] } = {
  summary: "Builds container images from a dappfile.yaml, stage by stage.",
  examples: [
    { command: "dapp dimg build", what: "build every image of the project in this directory" },
    { command: "dapp dimg plan", what: "say what a build would do, and why" },
  ],
};

/** Words that only lead to commands. */
const groups: readonly Group[] = [
  { path: "dimg", summary: "Build images and look into them." },
  { path: "dimg stage", summary: "Look at single stages." },
  { path: "dimg flush", summary: "Remove every image of the project." },
  { path: "dimg check", summary: "Look whether what is published is whole." },
  { path: "dimg stages", summary: "Share stages through a registry, and clean them up." },
  { path: "dimg stages cleanup", summary: "Remove stages that are not needed." },
  { path: "dimg stages flush", summary: "Remove every stage of the project." },
  { path: "config", summary: "Check the dappfile." },
  { path: "store", summary: "Look after the local store." },
  { path: "plugin", summary: "Find out about plugins, and write them." },
  { path: "builder", summary: "Set up a BuildKit daemon in this machine's Docker engine." },
  { path: "registry", summary: "Find out about registries." },
];

/** All commands in the order help lists them, by what somebody wants to do. */
const topics: readonly Topic[] = [
  { title: "Begin", commands: ["init", "migrate", "doctor", "dimg lock"] },
  { title: "Build", commands: ["dimg build", "dimg run", "dimg export"] },
  {
    title: "See why",
    commands: [
      "dimg plan",
      "dimg explain",
      "dimg files",
      "dimg diff",
      "dimg list",
      "dimg stage image",
      "config check",
      "config render",
      "config schema",
    ],
  },
  { title: "Publish", commands: ["dimg bp", "dimg push", "dimg spush", "dimg tag", "slug"] },
  {
    title: "Look after a registry",
    commands: ["registry check", "dimg tags", "dimg check repo", "dimg stages push", "dimg stages pull"],
  },
  {
    title: "Clean up a registry",
    commands: [
      "dimg cleanup repo",
      "dimg stages cleanup repo",
      "dimg flush repo",
      "dimg stages flush repo",
      "dimg restore",
    ],
  },
  {
    title: "Look after this machine",
    commands: [
      "dimg cleanup",
      "dimg stages cleanup local",
      "dimg flush local",
      "dimg stages flush local",
      "dimg mrproper",
      "store check",
    ],
  },
  {
    title: "Builders and plugins",
    commands: ["builder setup", "builder list", "builder remove", "plugin list", "plugin new", "plugin lock"],
  },
  { title: "About dapp", commands: ["help", "completion", "version"] },
];

/** The program and all its commands: what each does, takes and runs. */
export const table: CommandTable = {
  program,
  groups,
  topics,
  commands: [
    {
      path: "dimg build",
      run: async () => (await import("./commands/build.ts")).build,
      summary: "Build images, reusing what is there already.",
      details: [
        "DIMG is a name or a glob pattern; without one, every dimg is built. Prints one line for each image: its name " +
        "and the digest that it has in the store. What is published has another one, which push, bp and tags print: each " +
        "tag is an image of its own with its labels.",
        "With --repo, stages that are there are taken from REPO instead of being built, and each new one goes there.",
      ],
      positionals: [dimgs],
      options: ["fail-fast", ...secrets, ...introspection],
      common,
      registry: sharing,
      examples: [
        { command: "dapp dimg build", what: "build everything" },
        {
          command: "dapp dimg build web --introspect-error",
          what: "open a shell where a stage of web fails",
        },
      ],
    },
    {
      path: "dimg plan",
      run: async () => (await import("./commands/plan.ts")).plan,
      summary: "Say what a build would do, and why.",
      details: [
        "Says it of every stage, and changes nothing. With --quiet, prints only the stages that would be built.",
      ],
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
      run: async () => (await import("./commands/explain.ts")).explain,
      summary: "Say what changed since the last build.",
      details: [
        "Names files, commands and values, the commit that changed them, and what follows. With STAGE, prints every fact that the signature of that stage covers as well.",
      ],
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
      path: "dimg files",
      run: async () => (await import("./commands/files.ts")).files,
      summary: "List an image's files, and the stage of each.",
      details: [
        aboutImages,
        "Prints a line for each layer, files that layers hold although the image does not show them (removed, rewritten, or " +
        "repeated with the same content), and every path with size, mode, owner and stage, the largest first. With --verbose " +
        "tables are printed whole; with --quiet, paths only.",
      ],
      positionals: [{ name: "IMAGE", complete: "dimg" }],
      options: [],
      common: [...project, ...output],
      registry: ["repo", "cache-from", ...access],
      examples: [
        { command: "dapp dimg files web", what: "what is built of web now" },
        { command: "dapp dimg files registry.example.com/shop/web:1.0 --json", what: "what is published" },
      ],
    },
    {
      path: "dimg diff",
      run: async () => (await import("./commands/diff.ts")).diff,
      summary: "Compare two images: files, and configuration.",
      details: [
        "Compares IMAGE with OTHER, what is new being in OTHER; a DIMG alone with what was built of it before. " +
        aboutImages,
        "Prints which stage added, removed or changed how many paths, then each path with what differs: type, content, " +
        "target, device, mode, owner, attributes, time. Paths of which only the time differs, and labels that publishing adds, " +
        "are counted, and printed with --verbose. With --quiet, prints paths only. Finding differences is no failure.",
      ],
      positionals: [{ name: "IMAGE", complete: "dimg" }, { name: "OTHER", complete: "dimg" }],
      options: [],
      common: [...project, ...output],
      registry: ["repo", "cache-from", ...access],
      examples: [
        { command: "dapp dimg diff web", what: "what the last build changed" },
        {
          command: "dapp dimg diff registry.example.com/shop/web:1.0 web",
          what: "what is published, and what is built now",
        },
      ],
    },
    {
      path: "dimg list",
      run: async () => (await import("./commands/list.ts")).list,
      summary: "Print the names of dimgs.",
      details: ["They come in the order of the dappfile. A dimg without a name prints nothing."],
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
      run: async () => (await import("./commands/list.ts")).stageImage,
      summary: "Print the cache name of a stage.",
      details: ["It is the same whether or not the stage is built."],
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
      run: async () => (await import("./commands/run.ts")).run,
      summary: "Run a command in a built image.",
      details: [
        "Returns the exit code of the command. Without CMD the image's own command runs, or a shell when it has none. What the command writes is not kept. " +
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
      run: async () => (await import("./commands/export.ts")).exportImages,
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
      run: async () => (await import("./commands/lock.ts")).lock,
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
    ...sharingCommands,
    ...cleanupCommands,
    {
      path: "init",
      run: async () => (await import("./commands/init.ts")).init,
      summary: "Write a first dappfile for what is here.",
      details: [
        "Looks at what is there: Node.js, Python, Go, Rust, Java, PHP, Ruby, a static site, Dockerfiles, a Compose file, werf.yaml, a Dappfile. Nothing that is there is changed.",
      ],
      positionals: [],
      options: [],
      common: ["dir", "dry-run", ...output],
      examples: [
        { command: "dapp init", what: "dappfile.yaml, and its schema for editors" },
        { command: "dapp init --dry-run", what: "only print it" },
      ],
    },
    {
      path: "migrate",
      run: async () => (await import("./commands/migrate.ts")).migrate,
      summary: "Make a dappfile of Dockerfiles, Compose or werf.",
      details: [
        "KIND is werf, dockerfile, compose, bake or dapp. Without FILE, it is the one of that tool in the project directory; with several " +
        "Dockerfiles each becomes an image, called by its directory or by what its name ends with.",
        "Prints the dappfile; with --write it becomes dappfile.yaml, which is never written over. What could not be " +
        "converted stands at its end, line by line, with what to do about it.",
        "A Dockerfile becomes documents of its own where the image stays the same, else `dockerfile:`, which builds it as it is. Of a " +
        "Compose file each service with `build` becomes an image with `dockerfile:`, and so does each target of what docker buildx bake --print prints.",
      ],
      positionals: [
        { name: "KIND", complete: "text", required: true },
        { name: "FILE", complete: "text", many: true },
      ],
      options: ["write"],
      common: ["dir", ...output],
      examples: [
        { command: "dapp migrate werf", what: "print what werf.yaml becomes" },
        { command: "dapp migrate dockerfile --write web/Dockerfile api/Dockerfile", what: "two images" },
      ],
    },
    {
      path: "config check",
      run: async () => (await import("./commands/config.ts")).configCheck,
      summary: "Say all that is wrong with the dappfile.",
      details: [
        "Plugins and cleanup policies that it names are loaded as well, with their options. What it takes from " +
        "the environment must be set.",
      ],
      positionals: [],
      options: [],
      common: [...project, ...output],
      examples: [
        { command: "dapp config check", what: "check the project in this directory" },
        { command: "dapp config check -C services/web --json", what: "another one, for a program" },
      ],
    },
    {
      path: "config render",
      run: async () => (await import("./commands/config.ts")).configRender,
      summary: "Print the dappfile spelled out.",
      details: [
        "Includes, defaults, templates and matrices are worked in. What is printed is a dappfile with the same signatures. Above each document stands where it comes from.",
        "Expressions that read the environment stay as they are written.",
      ],
      positionals: [],
      options: [],
      common: [...project, ...output],
      examples: [
        { command: "dapp config render", what: "see what templates and matrices come to" },
        { command: "dapp config render --json", what: "the same for a program" },
      ],
    },
    {
      path: "config schema",
      run: async () => (await import("./commands/config.ts")).configSchema,
      summary: "Print the JSON Schema of a dappfile, for editors.",
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
      run: async () => (await import("./commands/store.ts")).storeCheck,
      summary: "Read the whole local store and say what is damaged.",
      details: ["Exits with 1 while something is damaged."],
      positionals: [],
      options: ["repair"],
      common: ["home", "dry-run", ...output],
      examples: [
        { command: "dapp store check", what: "only look" },
        {
          command: "dapp store check --repair",
          what: "remove what is damaged; the next build makes it again",
        },
      ],
    },
    {
      path: "registry check",
      run: async () => (await import("./commands/registry.ts")).registryCheck,
      summary: "Try what the registry of REPO can do.",
      details: [
        "Prints what serves REPO and one line for each trial: yes, no, failed or skipped, and what came of it. It " +
        "writes and removes every kind of manifest that dapp ever writes, and so tells what this login may do.",
        "That a registry can do little is no failure. It ends with 1 when a trial failed, or when something stays behind, " +
        "which the last line names.",
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
      run: async () => (await import("./commands/slug.ts")).slug,
      summary: "Print a text as it is used in names.",
      details: ["Lower case, with a hash where that changes it."],
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
      run: async () => (await import("./commands/completion.ts")).completion,
      summary: "Print a script that completes commands in a shell.",
      details: [
        "Completes commands, options, their values, and the names of dimgs and stages.",
      ],
      positionals: [{ name: "SHELL", complete: "shell", required: true }],
      options: [],
      common: ["quiet", "verbose", "color", "help"],
      examples: [
        {
          command: "source <(dapp completion bash)",
          what: "for this bash; zsh reads its script the same way",
        },
        { command: "dapp completion fish > ~/.config/fish/completions/dapp.fish", what: "for every fish" },
      ],
    },
    {
      path: "help",
      run: async () => (await import("./commands/help.ts")).help,
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
      path: "plugin list",
      run: async () => (await import("./commands/plugin.ts")).pluginList,
      summary: "Print which plugins are loaded, and from where.",
      details: [
        "One line for each: its name, built-in or what stands after `use:`, the hooks that it answers, the flags that it " +
        "adds, the names of options that the dappfile gives it, and what it may do. A plugin that runs apart has those rights " +
        "and no others; built-in ones, and those with `trusted: true`, run in dapp itself, where nothing holds them. Cleanup policies are named by `dapp dimg cleanup repo`.",
        "With --quiet, prints names only.",
      ],
      positionals: [],
      options: [],
      common: ["dir", "config", "name", "home", "untrusted", ...output],
      examples: [
        { command: "dapp plugin list", what: "those of the project here" },
        { command: "dapp plugin list --json", what: "for a program, with their options" },
      ],
    },
    {
      path: "plugin new",
      run: async () => (await import("./commands/plugin_new.ts")).pluginNew,
      summary: "Write a small plugin with its test.",
      details: [
        "KIND is tagging, cleanup, registry, builder, ci or inputs. NAME is the plugin's, and that of the directory below " +
        "the project where it is written; plugins/NAME is a directory below another one. The test passes as it is; what " +
        "is there already is never written over. Prints the lines that the dappfile needs.",
      ],
      positionals: [
        { name: "KIND", complete: "text", required: true },
        { name: "NAME", complete: "text", required: true },
      ],
      options: [],
      common: ["dir", "dry-run", ...output],
      examples: [
        { command: "dapp plugin new tagging calver", what: "a tag scheme, --tag-calver" },
        { command: "dapp plugin new cleanup plugins/keep-released", what: "a cleanup policy" },
      ],
    },
    {
      path: "plugin lock",
      run: async () => (await import("./commands/plugin.ts")).pluginLock,
      summary: "Accept the plugins of the dappfile.",
      details: [
        "What they are made of, and what they may do, is noted in dappfile.lock. Prints one line for each plugin that is not of the repository or asks for rights, with the hosts, files, variables " +
        "and programs that it asks for, and writes it to dappfile.lock. A plugin that is not what is written there, or asks " +
        "for more, is not run. What a plugin of the repository is made of is for git to keep.",
        "With --quiet, prints changed lines only.",
      ],
      positionals: [],
      options: ["update"],
      common: ["dir", "config", "name", "home", "dry-run", ...output],
      examples: [
        { command: "dapp plugin lock", what: "accept what is not accepted yet" },
        { command: "dapp plugin lock --update -n", what: "see what is different now" },
      ],
    },
    {
      path: "builder setup",
      run: async () => (await import("./commands/builder.ts")).builderSetup,
      summary: "Make or find a BuildKit daemon in Docker.",
      details: [
        "The engine is that of DOCKER_HOST, else of docker's current context, else the first that answers of Docker Engine, " +
        "Docker Desktop, Colima and Podman. Says what it did, and where to say that it is to be used; on macOS and Windows " +
        "it is used without that. Run again, it changes nothing, or starts what was stopped.",
      ],
      positionals: [],
      options: ["image"],
      common: ["dry-run", ...output],
      examples: [
        { command: "dapp builder setup", what: "container dapp-buildkitd" },
        { command: "dapp builder setup --image ./buildkit.tar", what: "from an archive of docker save" },
      ],
    },
    {
      path: "builder list",
      run: async () => (await import("./commands/builder.ts")).builderList,
      summary: "Print the builder that was set up, and its engine.",
      positionals: [],
      options: [],
      common: [...output],
      examples: [
        { command: "dapp builder list", what: "its address, state and image" },
        { command: "dapp builder list --json", what: "for a program" },
      ],
    },
    {
      path: "builder remove",
      run: async () => (await import("./commands/builder.ts")).builderRemove,
      summary: "Remove the builder, with what it keeps.",
      positionals: [],
      options: [],
      common: ["dry-run", ...output],
      examples: [
        { command: "dapp builder remove", what: "container and volume" },
        { command: "dapp builder remove --dry-run", what: "only say whether there is one" },
      ],
    },
    {
      path: "doctor",
      run: async () => (await import("./commands/doctor.ts")).doctor,
      summary: "Say what this machine lacks, and how to mend it.",
      details: [
        "Looks at git, the store, each builder (which runs a step upon nothing), the network of commands, kept logins with " +
        "their helpers, the dappfile, its git repository and REPO. What is missing or invalid has its fix below it; what nobody asked for is unset.",
        "Exits with 1 only when nothing can be built here. With --quiet, prints only what is missing or invalid.",
      ],
      positionals: [],
      options: [],
      common: ["dir", "config", "name", "home", "platform", "untrusted", ...output],
      registry: ["repo", ...access],
      examples: [
        { command: "dapp doctor", what: "of this machine and the project here" },
        { command: "dapp doctor --repo registry.example.com/shop", what: "may images go there?" },
      ],
    },
    {
      path: "version",
      run: async () => (await import("./commands/version.ts")).version,
      summary: "Print the version.",
      positionals: [],
      options: [],
      common: ["json", "quiet", "verbose", "color", "help"],
      examples: [
        { command: "dapp version", what: "the version of dapp" },
        { command: "dapp version --verbose", what: "and of what it runs on" },
      ],
    },
  ],
};
