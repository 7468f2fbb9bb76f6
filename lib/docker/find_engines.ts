import { createHash } from "node:crypto";
import type { Environment } from "../environment.ts";

/** Where a Docker engine may listen. */
export interface EnginePlace {
  /** As DOCKER_HOST names it. */
  readonly host: string;
  /** Who says so: `DOCKER_HOST`, `docker context "colima"`, `Docker Desktop`. */
  readonly found: string;
}

/**
 * Where Docker engines may listen, the likeliest first: DOCKER_HOST alone when it is set; else the current context of the
 * docker command, then the sockets of Docker Engine, Docker Desktop, Colima and Podman. Nothing is connected to.
 */
export async function findEngines(env: Environment): Promise<readonly EnginePlace[]> {
  if (env.DOCKER_HOST) return [{ host: env.DOCKER_HOST, found: "DOCKER_HOST" }];
  const home = env.HOME ?? env.USERPROFILE ?? "";
  const run = env.XDG_RUNTIME_DIR;
  const sockets: (readonly [string, string])[] = [
    ["/var/run/docker.sock", "Docker Engine"],
    ...run ? [[`${run}/docker.sock`, "Docker Engine without root"] as const] : [],
    [`${home}/.docker/run/docker.sock`, "Docker Desktop"],
    [`${home}/.docker/desktop/docker.sock`, "Docker Desktop"],
    [`${home}/.colima/default/docker.sock`, "Colima"],
    [`${home}/.config/colima/default/docker.sock`, "Colima"],
    ["/run/podman/podman.sock", "Podman"],
    ...run ? [[`${run}/podman/podman.sock`, "Podman"] as const] : [],
    [`${home}/.local/share/containers/podman/machine/podman.sock`, "Podman"],
  ];
  const places = await Promise.all(sockets.map(async ([path, found]) => {
    const there = await Deno.stat(path).then(({ isSocket }) => isSocket, () => false);
    return there ? [{ host: `unix://${path}`, found }] : [];
  }));
  const context = await currentContext(env, home);
  return [
    ...(context ? [context] : []),
    ...places.flat(),
    // Named pipes cannot be spoken to; Docker Desktop offers this one in its settings.
    ...(Deno.build.os === "windows" ? [{ host: "tcp://localhost:2375", found: "Docker Desktop" }] : []),
  ];
}

/** The context that the docker command would use, when that is not its default. */
async function currentContext(env: Environment, home: string): Promise<EnginePlace | undefined> {
  const directory = env.DOCKER_CONFIG || `${home}/.docker`;
  try {
    const { currentContext } = JSON.parse(await Deno.readTextFile(`${directory}/config.json`));
    const name: unknown = env.DOCKER_CONTEXT || currentContext;
    if (typeof name !== "string" || name === "default") return undefined;
    const id = createHash("sha256").update(name).digest("hex");
    const meta = JSON.parse(await Deno.readTextFile(`${directory}/contexts/meta/${id}/meta.json`));
    const host: unknown = meta?.Endpoints?.docker?.Host;
    if (typeof host !== "string" || !/^(unix|tcp):\/\//.test(host)) return undefined;
    return { host, found: `docker context "${name}"` };
  } catch {
    return undefined; // there is none that can be read
  }
}
