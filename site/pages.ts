/** Which texts of the repository are pages, in the order of the menu. */

/** A text that becomes a page. */
export interface Source {
  /** Name of the page: `cli` is cli.html. */
  readonly name: string;
  readonly title: string;
  /** From the top of the repository. */
  readonly file: string;
}

/** A part of the menu. */
export interface Section {
  readonly title: string;
  readonly pages: readonly Source[];
}

const page = (name: string, title: string, file = `docs/${name}.md`): Source => ({ name, title, file });

/** All pages, by what a reader wants. */
export const menu: readonly Section[] = [
  {
    title: "Start",
    pages: [
      page("index", "What dapp is", "README.md"),
      page("tutorial", "Tutorial"),
      page("install", "Install"),
    ],
  },
  {
    title: "How to",
    pages: [
      page("monorepo", "Several projects in one repository"),
      page("secrets", "Secrets in builds"),
      page("bases", "Choose base images"),
      page("ci", "Use it on GitHub and GitLab"),
      page("other-ci", "Use it in any other CI"),
      page("image", "Use the image of dapp"),
      page("builders", "Choose a builder"),
      page("cluster", "Run a cluster of builders"),
      page("dockerfiles", "Build Dockerfiles"),
      page("untrusted", "Build strangers' projects"),
      page("plugins", "Write plugins"),
      page("tag-plugin", "A tag scheme of your own"),
      page("cleanup-plugin", "A cleanup policy of your own"),
      page("embedding", "Use dapp in a program"),
      page("migration", "Come from another tool"),
      page("troubleshooting", "When something fails"),
      page("contributing", "Contribute", "CONTRIBUTING.md"),
    ],
  },
  {
    title: "Reference",
    pages: [
      page("dappfile", "dappfile.yaml"),
      page("cli", "Commands"),
      page("environment", "Environment variables"),
      page("hooks", "Hooks"),
      page("events", "Events"),
      page("registry", "Registries"),
      page("tagging", "Tags"),
      page("changelog", "Changes", "CHANGELOG.md"),
    ],
  },
  {
    title: "Explanation",
    pages: [
      page("stages", "Stages and signatures"),
      page("cleanup", "Cleanup"),
      page("protocol", "Cleanups beside builds"),
      page("scale", "How dapp grows"),
      page("architecture", "How it works", "ARCHITECTURE.md"),
      page("security", "Security", "SECURITY.md"),
    ],
  },
];

/** Every page. */
export const pages: readonly Source[] = menu.flatMap((section) => section.pages);
