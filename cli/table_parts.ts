/** What the tables of commands are made of. */
import type { OptionName } from "./options.ts";
import type { Positional } from "./command.ts";

/** How the answer is printed. */
export const output: readonly OptionName[] = ["json", "quiet", "verbose", "color", "help"];
/** Which project, and where things are. */
export const project: readonly OptionName[] = [
  "dir",
  "config",
  "name",
  "home",
  "platform",
  "dev",
  "untrusted",
];
/** How stages are built. */
export const work: readonly OptionName[] = ["parallel", "network", "builder", "compression", "lock-timeout"];
/** What every command on images takes. */
export const common: readonly OptionName[] = [...project, ...work, "dry-run", ...output];

/** How a registry is reached. */
export const access: readonly OptionName[] = [
  "registry-kind",
  "registry-username",
  "registry-password",
  "registry-password-stdin",
  "insecure-registry",
];
/** For commands that publish, or look at what is published. */
export const publishing: readonly OptionName[] = ["repo", ...access, "naming"];
/** For commands that build or look stages up. */
export const sharing: readonly OptionName[] = ["repo", "repo-read-only", "cache-from", ...access];
/** Every registry option, in the order of the documentation. */
export const registryOptions: readonly OptionName[] = [...sharing, "naming"];

/** What asks for tags; plugins add more of it. */
export const tags: readonly OptionName[] = [
  "tag",
  "tag-slug",
  "tag-plain",
  "tag-branch",
  "tag-commit",
  "tag-build-id",
  "tag-ci",
];
/** What commands need that is no part of the project. */
export const secrets: readonly OptionName[] = ["secret", "ssh-key"];
/** When to open a shell. */
export const introspection: readonly OptionName[] = [
  "introspect-error",
  "introspect-before-error",
  "introspect-stage",
  "introspect-before",
  "introspect-artifact-stage",
  "introspect-artifact-before",
];

/** A paragraph for help. */
export const aboutRepo =
  "REPO is host[:port]/path or oci:DIR. It is the last word, unless it is given by --repo or by " +
  "`repo:` in the dappfile: then every word is a DIMG.";
/** A paragraph for help. */
export const aboutImages =
  "An image is DIMG or DIMG/STAGE as the project stands now, the signature of a stage, oci:DIR[:TAG], " +
  "archive:FILE[:NAME], or HOST/PATH:TAG or @DIGEST in a registry, which is read without being kept. Of an image for " +
  "several platforms, --platform chooses one.";
/** A paragraph for help, where there is no DIMG. */
export const aboutRepoAlone =
  "REPO is host[:port]/path or oci:DIR: the last word, that of --repo, or `repo:` in the dappfile.";
/** A paragraph for help. */
export const aboutTags =
  "Tags are given by the --tag options, in any number and order, and by those that plugins add; without " +
  "any, the tag is latest.";

/** The last word may be REPO, or one DIMG more: see cli/target.ts. */
export const repo: Positional = { name: "REPO", complete: "repo" };
/** Any number of dimgs. */
export const dimgs: Positional = { name: "DIMG", complete: "dimg", many: true };
/** One dimg. */
export const dimg: Positional = { name: "DIMG", complete: "dimg" };
