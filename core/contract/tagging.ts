/** The tagging and CI roles. Part of the plugin contract. */

/** A tag that the user asks for: the flag of a scheme, with its value if it takes one. */
export interface TagWish {
  /** Without the dashes: `tag-branch`. */
  readonly flag: string;
  /** Absent for a flag without value. */
  readonly value?: string;
}

/** A flag that a scheme adds to the commands that publish. */
export interface TagFlag {
  /** Without the dashes, starts with `tag`: `tag-calver`. Unique among all plugins. */
  readonly name: string;
  /** What its value is called in help; absent for a flag without value. */
  readonly value?: string;
  /** One line for help, lower case, no final period. */
  readonly summary: string;
}

/** What tags are made from. */
export interface TagRequest {
  /** What the user asked for; the engine asks for one wish at a time. A scheme answers its own flags alone. */
  readonly wishes: readonly TagWish[];
  /** Names of the dimgs that will be published. */
  readonly images: readonly string[];
  /** What is checked out. */
  readonly git: GitFacts;
  /** Undefined outside of CI. */
  readonly ci: CiFacts | undefined;
  /** RFC 3339, the same for the whole run. */
  readonly now: string;
}

/** What is checked out. All undefined outside of git. */
export interface GitFacts {
  /** Full id; undefined also when what is built is not what the commit holds. */
  readonly commit: string | undefined;
  /** Undefined when HEAD is detached. */
  readonly branch: string | undefined;
  /** What is used and differs from HEAD: why there is no commit. Absent when that is not the reason. */
  readonly uncommitted?: readonly string[];
}

/** A tag for images of this run. */
export interface Tag {
  /** As it will stand after the ":"; a scheme slugs what is no valid tag. */
  readonly tag: string;
  /** Recorded with the image, for cleanup: `git_branch`, `git_tag`, `git_commit`, `ci`, `custom`, or a scheme's own name. */
  readonly scheme: string;
  /** What the tag was made from: the name of the branch as git knows it. Recorded with the image. */
  readonly value: string;
  /** The only dimg that gets it; absent = all of them. */
  readonly image?: string;
}

/** Asked what CI system this is. */
export interface CiRequest {
  /** Environment of the run. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One fact of a CI system, with where it came from or where it was looked for. */
export interface CiValue {
  /** Undefined when none of the variables holds anything. */
  readonly value: string | undefined;
  /** Variables in the order they are asked; the first that holds something counts. */
  readonly variables: readonly string[];
}

/** What a CI system says of the running build. */
export interface CiFacts {
  /** As people call it: "GitLab CI". */
  readonly name: string;
  /** The git tag that is built; without value when a branch is built. */
  readonly tag: CiValue;
  /** The branch that is built; without value when a tag is built. */
  readonly branch: CiValue;
  /** Names this run, a job or a build. */
  readonly buildId: CiValue;
}
