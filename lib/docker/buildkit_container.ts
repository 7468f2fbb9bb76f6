import { delay } from "@std/async/delay";
import { DockerEngine, DockerError } from "./engine.ts";
import { execStream } from "./exec_stream.ts";
import type { EnginePlace } from "./find_engines.ts";

/** The container that is made, and the volume with what its daemon keeps. */
export const BUILDER_CONTAINER = "dapp-buildkitd";
const VOLUME = "dapp-buildkitd-state";
/** The daemon that is run when nobody names another one. */
export const BUILDER_IMAGE = "moby/buildkit:v0.34.2";
/** Containers that may be removed again. */
const LABEL = "dapp.builder";
/** How long a daemon may take to answer. */
const START_MS = 60_000;

/** What there is. */
export interface BuilderContainer {
  /** `docker-container://NAME` */
  readonly address: string;
  /** The engine, as DOCKER_HOST names it. */
  readonly host: string;
  readonly image: string;
  /** `running`, `exited`: as the engine says. */
  readonly state: string;
  /** dapp made it. */
  readonly ours: boolean;
}

/** An engine that answers, with its name and version for people. */
export interface FoundEngine extends EnginePlace {
  readonly version: string;
}

/** The first engine that answers, and why the others do not. */
export async function firstEngine(
  places: readonly EnginePlace[],
  signal: AbortSignal,
): Promise<{ readonly engine?: FoundEngine; readonly silent: readonly string[] }> {
  const silent: string[] = [];
  for (const place of places) {
    try {
      await using engine = new DockerEngine({ DOCKER_HOST: place.host });
      const { status, text } = await engine.ask("GET", "/version", signal);
      if (status !== 200) throw new DockerError(`The Docker engine at "${place.host}" answered ${status}`);
      const { Version, Platform } = JSON.parse(text) as { Version: string; Platform?: { Name?: string } };
      return { engine: { ...place, version: `${Platform?.Name || "Docker"} ${Version}` }, silent };
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      silent.push(error.message);
    }
  }
  return { silent };
}

/** The container, when there is one. @throws {DockerError} */
export async function builderContainer(
  host: string,
  signal: AbortSignal,
): Promise<BuilderContainer | undefined> {
  await using engine = new DockerEngine({ DOCKER_HOST: host });
  const { status, text } = await engine.ask("GET", `/containers/${BUILDER_CONTAINER}/json`, signal);
  if (status === 404) return undefined;
  const { Config, State } = JSON.parse(wanted(host, status, text, 200)) as {
    readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> | null };
    readonly State: { readonly Status: string };
  };
  return {
    address: `docker-container://${BUILDER_CONTAINER}`,
    host,
    image: Config.Image,
    state: State.Status,
    ours: Config.Labels?.[LABEL] !== undefined,
  };
}

/**
 * Has the container made and running, and says what it did, a line each. `rights` are those of the container, as
 * `HostConfig` of the engine's API names them.
 *
 * @throws {DockerError}
 */
export async function setUpBuilder(
  host: string,
  image: string | undefined,
  signal: AbortSignal,
  rights: Readonly<Record<string, unknown>> = { Privileged: true },
): Promise<readonly string[]> {
  await using engine = new DockerEngine({ DOCKER_HOST: host });
  const done: string[] = [];
  const there = await builderContainer(host, signal);
  if (there && image !== undefined && there.image !== image) {
    throw new DockerError(
      `Container "${BUILDER_CONTAINER}" runs "${there.image}", not "${image}": remove it first with: dapp builder remove`,
    );
  }
  if (!there) {
    const wantedImage = image ?? BUILDER_IMAGE;
    if (await engine.imageId(wantedImage, signal) === undefined) {
      await pull(engine, wantedImage, signal);
      done.push(`pulled image ${wantedImage}`);
    }
    const body = {
      Image: wantedImage,
      Labels: { [LABEL]: "buildkit" },
      HostConfig: {
        ...rights,
        RestartPolicy: { Name: "unless-stopped" },
        Mounts: [{ Type: "volume", Source: VOLUME, Target: "/var/lib/buildkit" }],
        ...(await hasBridge(engine, signal) ? {} : { NetworkMode: "host" }),
      },
    };
    const { status, text } = await engine.ask(
      "POST",
      `/containers/create?name=${BUILDER_CONTAINER}`,
      signal,
      body,
    );
    wanted(host, status, text, 201);
    done.push(`made container ${BUILDER_CONTAINER} (privileged, restarts with the engine, volume ${VOLUME})`);
  }
  if (there?.state !== "running") {
    const { status, text } = await engine.ask("POST", `/containers/${BUILDER_CONTAINER}/start`, signal);
    wanted(host, status, text, 204, 304);
    done.push("started it");
  }
  await answers(host, signal);
  return done.length > 0 ? done : [`container ${BUILDER_CONTAINER} runs already`];
}

/** Removes the container and what its daemon keeps; false when there is none. @throws {DockerError} */
export async function removeBuilder(host: string, signal: AbortSignal): Promise<boolean> {
  const there = await builderContainer(host, signal);
  if (!there) return false;
  if (!there.ours) {
    throw new DockerError(
      `Container "${BUILDER_CONTAINER}" was not made by dapp: remove it with: docker rm --force ${BUILDER_CONTAINER}`,
    );
  }
  await using engine = new DockerEngine({ DOCKER_HOST: host });
  const container = await engine.ask("DELETE", `/containers/${BUILDER_CONTAINER}?force=1`, signal);
  wanted(host, container.status, container.text, 204, 404);
  const volume = await engine.ask("DELETE", `/volumes/${VOLUME}`, signal);
  wanted(host, volume.status, volume.text, 204, 404);
  return true;
}

async function pull(engine: DockerEngine, image: string, signal: AbortSignal): Promise<void> {
  const at = /^(.*?)(?::([^:/@]+))?$/.exec(image)!;
  const query = image.includes("@")
    ? `fromImage=${encodeURIComponent(image)}`
    : `fromImage=${encodeURIComponent(at[1]!)}&tag=${encodeURIComponent(at[2] ?? "latest")}`;
  const { status, text } = await engine.ask("POST", `/images/create?${query}`, signal);
  const said = /"(?:error|message)":\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1];
  if (status === 200 && said === undefined) return;
  throw new DockerError(
    `Image "${image}" is not in the engine and cannot be pulled: ${said ?? `it answered ${status}`}. ` +
      `On a machine that can, run: docker pull ${image} && docker save ${image} -o buildkit.tar; here: docker load -i buildkit.tar`,
  );
}

/** Whether containers can have a network of their own; without a bridge they have the machine's. */
async function hasBridge(engine: DockerEngine, signal: AbortSignal): Promise<boolean> {
  const { status } = await engine.ask("GET", "/networks/bridge", signal);
  return status !== 404;
}

/** Waits for the daemon. */
async function answers(host: string, signal: AbortSignal): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    let why: string;
    try {
      const stream = await execStream(host, BUILDER_CONTAINER, ["buildctl", "debug", "workers"]);
      const said = await new Response(stream.readable).text();
      stream.close();
      if (/^ID\s/m.test(said)) return;
      why = said.trim() || "it says nothing";
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      why = error.message;
    }
    signal.throwIfAborted();
    if (Date.now() > until) {
      throw new DockerError(
        `BuildKit in container "${BUILDER_CONTAINER}" does not answer: ${why}. See: docker logs ${BUILDER_CONTAINER}`,
      );
    }
    await delay(200, { signal });
  }
}

function wanted(host: string, status: number, text: string, ...good: readonly number[]): string {
  if (good.includes(status)) return text;
  const said = /"message":\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.trim().slice(0, 300);
  throw new DockerError(`The Docker engine at "${host}" answered ${status}: ${said}`);
}
