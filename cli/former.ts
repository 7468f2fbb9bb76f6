/** Options and commands that the old tool, werf or docker have and dapp has not, with what to do instead. */

const STORE = "Name the directory of the store with --home or $DAPP_HOME: it is one for all projects";
const DEPLOY =
  "Give the tags that dapp dimg bp prints to helm or kubectl: dapp builds and publishes, and deploys nothing";
const UPDATE = "Install the release you want: dapp does not update itself";
const PRUNE = "Run: dapp dimg cleanup";
const LOOK =
  "Look into an image with dapp dimg run NAME -- sh; dapp dimg tags lists what is published, and skopeo inspect reads that";

/** Of the old tool and of werf, by the option's name. */
export const formerOptions: Readonly<Record<string, string>> = {
  "build-dir": STORE,
  "tmp-dir-prefix": STORE,
  "build-context-directory": "Use dapp dimg stages push oci:DIR and dapp dimg stages pull oci:DIR",
  "force-save-cache": "Leave it out: each stage is saved the moment it succeeds",
  "git-artifact-branch": "Write `branch:` beside `url:` in the dappfile",
  "ignore-config-sequential-processing-warnings": "Leave it out: there is nothing to be warned of",
  "time": "Use --json=events: each event has its time",
  "use-system-tar": "Leave it out: layers are written without tar",
  "log-verbose": "Use --verbose",
  "log-color-mode": "Use --color",
  "stages-storage": "Use --repo REPO",
  "images-repo": "Use --repo REPO",
  "tag-git-branch": "Use --tag-branch",
  "tag-git-tag": "Use --tag-ci, which takes the git tag or the branch, whichever is built",
  "tag-git-commit": "Use --tag-commit",
  "tag-custom": "Use --tag",
  "kube-context": "Name it in the dappfile, in the options of keep-kubernetes under `cleanup.keep`",
};

/** Options that the old tool took at more commands, by the command and the option's name. */
export const formerPlaces: Readonly<Record<string, string>> = {
  "dimg run --dry-run": "See which stages are built with: dapp dimg plan",
  "dimg run --ssh-key": "Use --volume $SSH_AUTH_SOCK:/ssh-agent --env SSH_AUTH_SOCK=/ssh-agent",
};

/** Of docker build, bake and kaniko, by the option's name. */
export const dockerBuildOptions: Readonly<Record<string, string>> = {
  "no-cache": "Raise `cacheVersion` under `shell`, or `fromCacheVersion`, to have stages built again",
  "target": "Name the dimg to build as a word: dapp dimg build NAME",
  "build-arg": "Use ${{ env.NAME }} in the dappfile, and set the variable",
  "file": "Use --config FILE",
  "dockerfile": "Write `dockerfile:` in the dappfile, or have dapp migrate dockerfile do it",
  "context": "Write `context:` beside `dockerfile:` in the dappfile",
  "destination": "Build and publish with: dapp dimg bp REPO --tag TAG",
  "cache-to": "Use --repo REPO: stages are taken from there, and new ones go there",
  "pull": "Look base images up again with: dapp dimg lock --update",
  "push": "Build and publish with: dapp dimg bp",
  "load": "Put images into the local Docker engine with: dapp dimg tag REPO",
  "output": "Use dapp dimg export",
  "label": "Write LABEL under `docker` in the dappfile",
  "debug": "Use --verbose",
  "log-level": "Use --verbose or --quiet",
  "progress": "Leave it out: progress is live on terminals, and one line a change elsewhere",
};

/** Of the old tool, werf and docker, by the command's words. */
export const formerCommands: Readonly<Record<string, string>> = {
  "kube": DEPLOY,
  "deploy": DEPLOY,
  "converge": DEPLOY,
  "update": UPDATE,
  "upgrade": UPDATE,
  "sample": "Write a dappfile for what is here with: dapp init",
  "dimg build-context": "Use dapp dimg stages push oci:DIR here and dapp dimg stages pull oci:DIR there",
  "publish": "Run: dapp dimg push",
  "build-and-publish": "Run: dapp dimg bp",
  "purge": "Run: dapp dimg flush repo",
  "host": PRUNE,
  "prune": PRUNE,
  "system": PRUNE,
  "bake": "Run: dapp dimg build",
  "login": "Log in with docker login, podman login or skopeo login: dapp takes what they keep",
  "lint": "Run: dapp config check",
  "validate": "Run: dapp config check",
  "why": "Run: dapp dimg explain",
  "diff": "Run: dapp dimg explain",
  "inspect": LOOK,
  "history": LOOK,
  "dimg inspect": LOOK,
  "dimg history": LOOK,
};
