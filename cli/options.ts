/** Every option of the command line, once: parsing, help, documentation and completion read this table. */

export interface OptionSpec {
  /** One letter. */
  readonly short?: string;
  /** What the value is called in help; absent for a flag, which `--no-…` turns off again. */
  readonly value?: string;
  /** The value may be left out; when given it follows `=`. */
  readonly optional?: true;
  /** The only values there are. */
  readonly values?: readonly string[];
  /** What `--no-…` means, for an option with a value. */
  readonly negative?: string;
  /** What a value must look like. */
  readonly check?: "count" | "seconds" | "compression" | "variable" | "host";
  readonly complete?: "directory" | "file" | "stage";
  /** May be given several times; otherwise the last one counts. */
  readonly repeat?: true;
  /** What is given here is never repeated in a message. */
  readonly secret?: true;
  /** A flag that a word of its own goes with: what that word is called. */
  readonly word?: string;
  /** The value may be "". */
  readonly empty?: true;
  readonly summary: string;
}

/** The stages an image can have, for completion; `explain`, `run` and others check names against the project. */
export const stageNames: readonly string[] = [
  "from",
  "dockerfile",
  "beforeInstall",
  "import:before-install",
  "git:install",
  "install",
  "import:after-install",
  "git:beforeSetup",
  "beforeSetup",
  "import:before-setup",
  "git:setup",
  "setup",
  "import:after-setup",
  "git:buildArtifact",
  "buildArtifact",
  "gitArchive",
  "docker",
];

/** What export destinations start with. */
export const destinations: readonly string[] = ["oci:", "oci-archive:", "docker-archive:"];

/** What a REPO that is no registry starts with. */
export const repos: readonly string[] = ["oci:"];

/** All options by name, in the order help lists them. */
export const options = {
  stage: { value: "STAGE", complete: "stage", summary: "this stage instead of the last one" },
  env: {
    short: "e",
    value: "NAME=VALUE",
    check: "variable",
    repeat: true,
    summary: "set a variable; NAME alone passes the value of this environment on",
  },
  volume: {
    value: "SOURCE:TARGET[:ro]",
    repeat: true,
    summary: "make a file or directory of this machine visible; both paths are absolute",
  },
  workdir: { short: "w", value: "PATH", summary: "directory to start in, instead of the image's own" },
  user: { short: "u", value: "USER[:GROUP]", summary: "run as this user, a name or a number" },
  entrypoint: { value: "PROGRAM", empty: true, summary: 'replace the ENTRYPOINT; "" removes it' },
  tag: { value: "TAG", repeat: true, summary: "publish under this tag, slugged if it is no valid tag" },
  "tag-slug": { value: "TAG", repeat: true, summary: "same as --tag" },
  "tag-plain": { value: "TAG", repeat: true, summary: "publish under exactly this tag" },
  "tag-branch": { summary: "publish under the git branch" },
  "tag-commit": { summary: "publish under the id of the git commit" },
  "tag-build-id": { summary: "publish under the id of the CI build" },
  "tag-ci": { summary: "publish under the git tag or branch that CI builds" },
  "with-stages": { summary: "publish the stages first, for other machines to build on" },
  all: { summary: "take every stage, not only the highest one of each image" },
  "improper-repo-cache": {
    word: "REPO",
    summary: "stages that no image of the project in REPO stands on; young ones stay, and those a build uses",
  },
  "improper-cache-version": { summary: "stages whose signatures are of another format" },
  "improper-git-commit": {
    summary: "accepted for old scripts: stages cover content, so a lost commit makes none wrong",
  },
  force: { summary: "go on although REPO holds no image of the project" },
  "improper-dev-mode-cache": { summary: "stages that were built with --dev" },
  "improper-cache-version-stages": { summary: "stages whose signatures are of another format" },
  list: { summary: "only list the cleanups that deleted something, and how much of it can be put back" },
  "without-kube": { summary: "do not ask Kubernetes what it runs" },
  "kubernetes-timeout": {
    value: "SEC",
    check: "seconds",
    summary: "accepted for old scripts; a cluster always has 30 seconds to answer",
  },
  plan: {
    value: "FILE",
    complete: "file",
    summary: "do what this file says, which --dry-run --json printed, instead of making a new plan",
  },
  yes: { short: "y", summary: "do not ask before deleting" },
  write: { summary: "write dappfile.yaml, unless it is there" },
  update: { summary: "look every name up again instead of keeping the entries there are" },
  read: { summary: "read every byte and compare digests, not the end of each blob alone" },
  repair: { summary: "remove what is damaged, so that it is made again" },
  "fail-fast": { summary: "when a stage fails, stop those that still run instead of letting them end" },
  "introspect-error": { summary: "open a shell in a stage that failed, with what its commands wrote" },
  "introspect-before-error": { summary: "open a shell in what a failed stage started from" },
  "introspect-stage": {
    value: "STAGE",
    complete: "stage",
    summary: "open a shell in this stage of a dimg once it is there, built or cached",
  },
  "introspect-before": {
    value: "STAGE",
    complete: "stage",
    summary: "open a shell in what this stage of a dimg starts from, before it is built",
  },
  "introspect-artifact-stage": {
    value: "STAGE",
    complete: "stage",
    summary: "the same as --introspect-stage for artifacts",
  },
  "introspect-artifact-before": {
    value: "STAGE",
    complete: "stage",
    summary: "the same as --introspect-before for artifacts",
  },
  untrusted: {
    summary: "build a project of strangers: no plugins, host files, environment, secrets or logins for it",
  },
  secret: {
    value: "ID=FILE",
    repeat: true,
    summary:
      "take this secret from a file (or id=ID,env=NAME: a variable) instead of where the dappfile says",
  },
  "ssh-key": {
    value: "FILE",
    complete: "file",
    repeat: true,
    summary: "use this ssh key, for git and for commands with `ssh`, instead of the agent's",
  },
  dir: {
    short: "C",
    value: "PATH",
    complete: "directory",
    summary: "project directory (default: the current one)",
  },
  config: {
    value: "FILE",
    summary: "dappfile, below the project directory (default: dappfile.yaml or dappfile.yml)",
  },
  name: { value: "NAME", summary: "project name (default: from the dappfile, git, or the directory)" },
  home: {
    value: "PATH",
    complete: "directory",
    summary: "directory of the store (default: $DAPP_HOME, or dapp in the XDG data directory)",
  },
  platform: {
    value: "OS/ARCH",
    repeat: true,
    summary:
      "platform to build for, such as linux/arm64; several are separated by commas (default: linux on this " +
      "machine's architecture)",
  },
  dev: { summary: "include uncommitted changes of the project" },
  parallel: {
    value: "N",
    check: "count",
    summary: "stages to build at once (default: number of processors, or what BuildKit daemons take)",
  },
  network: {
    value: "MODE",
    values: ["private", "host", "none"],
    summary:
      "network of commands in images: private, host or none (default: private if that works, else host)",
  },
  builder: { value: "NAME", summary: "builder to use (default: the first that can)" },
  compression: {
    value: "KIND[:LEVEL]",
    values: ["gzip", "zstd"],
    check: "compression",
    summary: "compression of new layers: gzip[:2-9] or zstd[:1-19] (default: gzip:3)",
  },
  "lock-timeout": {
    value: "SEC",
    check: "seconds",
    summary: "seconds to wait for another process that works on the same stage (default: 24 hours)",
  },
  repo: {
    value: "REPO",
    summary: "where stages and images are kept for everybody, host/path or oci:DIR",
  },
  "repo-read-only": { summary: "only take stages from REPO" },
  "cache-from": { value: "REPO", repeat: true, summary: "another place to take stages from" },
  "registry-kind": {
    value: "KIND",
    summary: "kind of the registry, when its name does not tell: oci, docker-hub, gitlab, harbor and others",
  },
  "registry-username": {
    value: "USER",
    summary: "user at the registry of REPO, instead of docker login's; a terminal is asked for the password",
  },
  "registry-password": {
    value: "PASSWORD",
    secret: true,
    summary: "password of that user; other users of this machine can see it",
  },
  "registry-password-stdin": { secret: true, summary: "read that password from standard input" },
  "insecure-registry": {
    value: "HOST[:PORT]",
    check: "host",
    repeat: true,
    summary: "use this registry without verified TLS, or without TLS",
  },
  naming: {
    value: "HOW",
    values: ["nested", "flat"],
    summary:
      "names of images: nested, REPO/DIMG:TAG, or flat, REPO:DIMG-TAG (default: what the registry can do)",
  },
  image: {
    value: "IMAGE",
    summary: "image with BuildKit, or ./FILE of docker save (default: moby/buildkit:v0.34.2)",
  },
  "dry-run": { short: "n", summary: "say what would happen and change nothing" },
  json: {
    value: "events",
    optional: true,
    values: ["events"],
    summary: "print the answer as one JSON document; --json=events: one event per line, then the answer",
  },
  quiet: {
    short: "q",
    summary: "print only the answer, warnings and errors, the answer as short as it can be",
  },
  verbose: { short: "v", summary: "print details as well" },
  color: {
    value: "WHEN",
    values: ["auto", "always", "never", "on", "off"],
    negative: "never",
    summary: "auto, always (on) or never (off) (default: auto)",
  },
  help: { short: "h", summary: "print help" },
  version: { summary: "print the version" },
} as const satisfies Record<string, OptionSpec>;

export type OptionName = keyof typeof options;

/** All names, in the order help lists them. */
export const optionNames: readonly OptionName[] = Object.keys(options).filter(isOption);

/** The option with this name. */
export function optionSpec(name: OptionName): OptionSpec {
  return options[name];
}

/** Whether there is an option of this name. */
export function isOption(name: string): name is OptionName {
  return Object.hasOwn(options, name);
}

/** Tags are asked for in an order, also by flags that plugins add; so these are kept apart from other options. */
export function isTagOption(name: string): boolean {
  return name === "tag" || name.startsWith("tag-");
}
