/**
 * Every variable of the environment that dapp reads, but for those that CI systems set: their plugins know these. The
 * reference (docs/environment.md) is made of it, and a test finds what is read and not here. Types alone are needed to
 * read variables, so that no run loads the table.
 */

/** What a variable is for. */
export interface Variable {
  /** The part of the reference that it stands in. */
  readonly of:
    | "dapp"
    | "output"
    | "registries"
    | "network"
    | "builders"
    | "docker"
    | "clusters"
    | "plugins"
    | "programs";
  /** What its value does; when it is not set, where that is not plain. */
  readonly use: string;
}

/** The variables by name. Those of proxies count in lower case too. */
export const variables = {
  DAPP_HOME: {
    of: "dapp",
    use:
      "Directory of the local store, as `--home`. Not set: `dapp` in `XDG_DATA_HOME`, else `~/.local/share/dapp`",
  },
  XDG_DATA_HOME: { of: "dapp", use: "Where the store is when `DAPP_HOME` is not set; an absolute path" },
  SOURCE_DATE_EPOCH: {
    of: "dapp",
    use:
      "Time of all that is newer in layers, in seconds since 1970. Not set: 2026-01-01. It is in signatures",
  },
  SSH_AUTH_SOCK: {
    of: "dapp",
    use: "Socket of the ssh agent: for git, and for commands of images with `ssh`",
  },

  NO_COLOR: { of: "output", use: "Set to anything: no colors" },
  FORCE_COLOR: { of: "output", use: "Colors where there is no terminal either; `0`: none" },
  CLICOLOR_FORCE: { of: "output", use: "The same; `0` is as if it were not set" },
  TERM: { of: "output", use: "`dumb`: no colors and no live view. Handed to `dapp dimg run` and to shells" },
  CI: { of: "output", use: "Set: one line for each change in place of a live view, and no questions" },
  GITHUB_STEP_SUMMARY: { of: "output", use: "File that gets the summary of a job" },

  DOCKER_AUTH_CONFIG: { of: "registries", use: "Logins, as the text of Docker's `config.json`" },
  REGISTRY_AUTH_FILE: { of: "registries", use: "File with logins, as podman has it" },
  DOCKER_CONFIG: { of: "registries", use: "Directory of Docker's `config.json`. Not set: `~/.docker`" },
  XDG_CONFIG_HOME: {
    of: "registries",
    use: "Where podman's logins and `containers/certs.d` are. Not set: `~/.config`",
  },
  XDG_RUNTIME_DIR: {
    of: "registries",
    use: "Where podman's `containers/auth.json` and the sockets of engines without root are",
  },
  CI_REGISTRY: {
    of: "registries",
    use: "Registry of GitLab: `CI_JOB_TOKEN` is the login there, and nowhere else",
  },
  CI_JOB_TOKEN: { of: "registries", use: "Login of a GitLab job at `CI_REGISTRY`" },
  CI_REGISTRY_IMAGE: {
    of: "registries",
    use: "Path of the GitLab project, which tells how deep names may be",
  },
  CI_SERVER_URL: { of: "registries", use: "GitLab itself, for its REST API" },
  GITHUB_TOKEN: { of: "registries", use: "Token of GitHub's packages API when no login is known" },
  QUAY_OAUTH_TOKEN: { of: "registries", use: "Token of Quay's API" },
  AWS_ACCESS_KEY_ID: { of: "registries", use: "Key of Amazon ECR" },
  AWS_SECRET_ACCESS_KEY: { of: "registries", use: "Secret of that key" },
  AWS_SESSION_TOKEN: { of: "registries", use: "Token of that key, when it is one for a session" },
  AWS_REGION: { of: "registries", use: "Region of Amazon ECR, where the host does not tell" },
  AWS_DEFAULT_REGION: { of: "registries", use: "The same, after `AWS_REGION`" },
  DAPP_DIMG_CLEANUP_REGISTRY_PASSWORD: {
    of: "registries",
    use: "Password of `dapp dimg cleanup repo` for the user `dapp-cleanup-repo`, as the old dapp had it",
  },

  HTTP_PROXY: { of: "network", use: "Proxy for http; commands of images get it too, as all of these" },
  HTTPS_PROXY: { of: "network", use: "Proxy for https" },
  ALL_PROXY: { of: "network", use: "For commands of images; dapp itself does not take it" },
  FTP_PROXY: { of: "network", use: "For commands of images" },
  NO_PROXY: { of: "network", use: "Hosts that are reached without one: names, addresses, ranges, `*`" },
  SSL_CERT_FILE: { of: "network", use: "File with further authorities that registries are trusted by" },
  DENO_CERT: { of: "network", use: "The same" },
  DAPP_INSECURE_REGISTRY: {
    of: "network",
    use: "Registries without verified TLS, separated by commas, as `--insecure-registry`",
  },
  DAPP_LOW_SPEED_LIMIT: {
    of: "network",
    use: "Bytes per second below which a transfer counts as failed; 0: any speed is good. Not set: 1000",
  },
  DAPP_LOW_SPEED_TIME: { of: "network", use: "Seconds that it may be slower. Not set: 120" },

  BUILDKIT_HOST: {
    of: "builders",
    use: "Addresses of BuildKit daemons, separated by commas; set: they run the commands",
  },
  BUILDKIT_TLS_CA: { of: "builders", use: "File with the authority of the daemons' certificates" },
  BUILDKIT_TLS_CERT: { of: "builders", use: "File with the certificate that dapp shows them" },
  BUILDKIT_TLS_KEY: { of: "builders", use: "File with its key" },
  BUILDKIT_TLS_SERVER_NAME: {
    of: "builders",
    use: "Name in the daemons' certificates, when it is not the host",
  },

  DOCKER_HOST: {
    of: "docker",
    use:
      "Docker engine of `dapp dimg tag`, `dapp builder` and `keep-docker`. Not set: `/var/run/docker.sock`",
  },
  DOCKER_CONTEXT: { of: "docker", use: "Context of docker that `dapp builder setup` takes the engine from" },

  KUBECONFIG: { of: "clusters", use: "Files that `keep-kubernetes` reads. Not set: `~/.kube/config`" },

  DENO_DIR: { of: "plugins", use: "Where Deno keeps what plugins load. Not set: `deno` in `XDG_CACHE_HOME`" },
  DENO_V8_FLAGS: {
    of: "plugins",
    use: "Flags of V8 for what dapp starts of Deno. The installed program puts its own before them",
  },
  XDG_CACHE_HOME: { of: "plugins", use: "Where that is. Not set: `~/.cache`" },
  NPM_CONFIG_REGISTRY: { of: "plugins", use: "Registry that `npm:` plugins come from" },
  JSR_URL: { of: "plugins", use: "Registry that `jsr:` plugins come from" },

  PATH: { of: "programs", use: "Where git and the other programs are" },
  HOME: {
    of: "programs",
    use: "Where logins, the store and other things are when their own variable is not set",
  },
  USERPROFILE: { of: "programs", use: "The same on Windows" },
  USER: { of: "programs", use: "Handed to helpers of the native builder" },
  LOGNAME: { of: "programs", use: "The same" },
  TMPDIR: { of: "programs", use: "Where temporary files are" },
  LD_LIBRARY_PATH: { of: "programs", use: "Handed to Deno when dapp starts it" },
} as const satisfies Readonly<Record<string, Variable>>;

/** A variable that dapp reads. */
export type VariableName = keyof typeof variables;

/** An environment, as far as dapp reads it: a variable that is not in the table cannot be named. */
export type Environment = { readonly [N in VariableName]?: string | undefined };
