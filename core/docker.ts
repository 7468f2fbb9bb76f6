import type { ContainerConfig } from "../lib/oci/types.ts";
import type { DockerInstructions } from "./config/model.ts";

/**
 * The container configuration after the docker instructions, as the Dockerfile instructions of the same names do it:
 * ENV and LABEL are merged by name, EXPOSE and VOLUME are added, a new ENTRYPOINT drops an inherited CMD.
 * `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` in values mean the image's environment; `\$` is a dollar.
 */
export function applyInstructions(config: ContainerConfig, docker: DockerInstructions): ContainerConfig {
  const before = environment(config.Env);
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(docker.ENV ?? {})) own[name] = expand(value, before);
  const env = { ...before, ...own };
  const each = (values: readonly string[] | undefined) => (values ?? []).map((v) => expand(v, env));

  const out: { -readonly [K in keyof ContainerConfig]: ContainerConfig[K] } = { ...config };
  if (docker.ENV) out.Env = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  if (docker.LABEL) {
    const labels = Object.entries(docker.LABEL).map(([name, value]) => [name, expand(value, env)]);
    out.Labels = sorted({ ...config.Labels, ...Object.fromEntries(labels) });
  }
  if (docker.EXPOSE) out.ExposedPorts = sorted({ ...config.ExposedPorts, ...keys(each(docker.EXPOSE)) });
  if (docker.VOLUME) out.Volumes = sorted({ ...config.Volumes, ...keys(each(docker.VOLUME)) });
  if (docker.ONBUILD) out.OnBuild = [...(config.OnBuild ?? []), ...docker.ONBUILD];
  if (docker.WORKDIR !== undefined) out.WorkingDir = expand(docker.WORKDIR, env);
  if (docker.USER !== undefined) out.User = expand(docker.USER, env);
  if (docker.STOPSIGNAL !== undefined) out.StopSignal = docker.STOPSIGNAL;
  if (docker.HEALTHCHECK !== undefined) out.Healthcheck = docker.HEALTHCHECK;
  if (docker.ENTRYPOINT) {
    out.Entrypoint = docker.ENTRYPOINT;
    delete out.Cmd;
  }
  if (docker.CMD) out.Cmd = docker.CMD;
  return out;
}

/** The environment of an image as a record; later entries win. */
export function environment(env: readonly string[] | undefined): Record<string, string> {
  const out: Record<string, string> = {};
  for (const row of env ?? []) {
    const cut = row.indexOf("=");
    if (cut > 0) out[row.slice(0, cut)] = row.slice(cut + 1);
  }
  return out;
}

function expand(text: string, env: Readonly<Record<string, string>>): string {
  const pattern = /\\(\$)|\$([A-Za-z_]\w*)|\$\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\}/g;
  return text.replace(pattern, (_, escaped, bare, name, operator, word) => {
    if (escaped) return "$";
    const value = env[bare ?? name] ?? "";
    if (operator === "-") return value === "" ? word : value;
    if (operator === "+") return value === "" ? "" : word;
    return value;
  });
}

function keys(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0));
}
