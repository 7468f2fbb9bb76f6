import { delay } from "@std/async/delay";
import { DockerEngine, DockerError } from "./engine.ts";
import { execStream } from "./exec_stream.ts";
import type { EnginePlace } from "./find_engines.ts";

/** The container that is made, and the volume with what its daemon keeps. */
const BUILDER_CONTAINER = "dapp-buildkitd";
const VOLUME = "dapp-buildkitd-state";
/** The daemon that is run when nobody names another one. */
const BUILDER_IMAGE = "moby/buildkit:v0.34.2";
/** Containers that may be removed again. */
const LABEL = "dapp.builder";
/** What BuildKit needs of an engine that may not give all rights itself, as one in a container or a confined machine. */
const FEWER_RIGHTS = {
  CapAdd: ["SYS_ADMIN", "NET_ADMIN"],
  SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
  MaskedPaths: [],
  ReadonlyPaths: [],
  CgroupnsMode: "host",
  Binds: ["/sys/fs/cgroup:/sys/fs/cgroup"],
};
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
 * Has the container made and running, and says what it did, a line each. `image` is a name, or the path of an archive of
 * `docker save`, which begins with "/" or ".".
 *
 * @throws {DockerError}
 */
export async function setUpBuilder(
  host: string,
  wantedImage: string | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  await using engine = new DockerEngine({ DOCKER_HOST: host });
  const done: string[] = [];
  const there = await builderContainer(host, signal);
  const image = wantedImage !== undefined && /^[./]/.test(wantedImage)
    ? await load(engine, wantedImage, signal)
    : wantedImage;
  if (image !== wantedImage) done.push(`loaded image ${image} from ${wantedImage}`);
  if (there && image !== undefined && there.image !== image) {
    throw new DockerError(
      `Container "${BUILDER_CONTAINER}" runs "${there.image}", not "${image}": remove it first with: dapp builder remove`,
    );
  }
  if (!there) {
    const name = image ?? BUILDER_IMAGE;
    if (await engine.imageId(name, signal) === undefined) {
      await pull(engine, name, signal);
      done.push(`pulled image ${name}`);
    }
    const place = `restarts with the engine, volume ${VOLUME}`;
    await create(engine, host, name, { Privileged: true }, signal);
    const { status, text } = await start(engine, signal);
    if (/apply caps: operation not permitted/.test(text)) {
      await removeContainer(engine, host, signal);
      await create(engine, host, name, FEWER_RIGHTS, signal);
      done.push(
        `made container ${BUILDER_CONTAINER} (not privileged, since the engine lacks rights itself: ` +
          `SYS_ADMIN, NET_ADMIN, control groups, no seccomp; ${place})`,
      );
      const again = await start(engine, signal);
      wanted(host, again.status, again.text, 204, 304);
    } else {
      wanted(host, status, text, 204, 304);
      done.push(`made container ${BUILDER_CONTAINER} (privileged, ${place})`);
    }
    done.push("started it");
  } else if (there.state !== "running") {
    const { status, text } = await start(engine, signal);
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
  await removeContainer(engine, host, signal);
  const volume = await engine.ask("DELETE", `/volumes/${VOLUME}`, signal);
  wanted(host, volume.status, volume.text, 204, 404);
  return true;
}

async function create(
  engine: DockerEngine,
  host: string,
  image: string,
  rights: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<void> {
  const body = {
    Image: image,
    // so that --network host, and proxies of this machine, can be had
    Cmd: ["--allow-insecure-entitlement", "network.host"],
    Labels: { [LABEL]: "buildkit" },
    HostConfig: {
      ...rights,
      RestartPolicy: { Name: "unless-stopped" },
      Mounts: [{ Type: "volume", Source: VOLUME, Target: "/var/lib/buildkit" }],
      ...(await hasBridge(engine, signal) ? {} : { NetworkMode: "host" }),
    },
  };
  const path = `/containers/create?name=${BUILDER_CONTAINER}`;
  const { status, text } = await engine.ask("POST", path, signal, body);
  wanted(host, status, text, 201);
}

function start(engine: DockerEngine, signal: AbortSignal) {
  return engine.ask("POST", `/containers/${BUILDER_CONTAINER}/start`, signal);
}

async function removeContainer(engine: DockerEngine, host: string, signal: AbortSignal): Promise<void> {
  const { status, text } = await engine.ask("DELETE", `/containers/${BUILDER_CONTAINER}?force=1`, signal);
  wanted(host, status, text, 204, 404);
}

/** The name of the image in an archive. */
async function load(engine: DockerEngine, archive: string, signal: AbortSignal): Promise<string> {
  if (!await Deno.stat(archive).then(({ isFile }) => isFile, () => false)) {
    throw new DockerError(`There is no file "${archive}" to load an image from`);
  }
  const [name, ...more] = await engine.load(archive, signal);
  if (name !== undefined && more.length === 0) return name;
  const what = name === undefined ? "no image with a name" : `several images (${[name, ...more].join(", ")})`;
  throw new DockerError(`"${archive}" has ${what}: make it with docker save NAME -o FILE`);
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
      `On a machine that can, run: docker pull ${image} && docker save ${image} -o buildkit.tar; ` +
      "here: dapp builder setup --image ./buildkit.tar",
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
