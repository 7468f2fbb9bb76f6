import { definePlugin, EngineError, messageOf } from "../../core/contract/plugin.ts";
import { keepUsed, type UsedImage } from "./_in_use.ts";
import { aliases } from "./_options.ts";

const TIMEOUT_MS = 30_000;

/**
 * Keeps images that containers of a Docker engine on this host were made from, running or not, those of Compose
 * included. An engine that does not answer is a failure, so nothing is deleted.
 */
export const keepDocker = definePlugin({
  name: "keep-docker",
  api: 1,
  options: (z) =>
    z.strictObject({
      /** Socket of the engine; from DOCKER_HOST, else /var/run/docker.sock, when left out. */
      socket: z.string().startsWith("/").optional(),
      /** Other names under which this host pulls from REPO. */
      aliases: aliases(z).optional(),
    }),
  setup: ({ socket, aliases }, { env }) => ({
    keep: async ({ inventory, signal }) => {
      const used = await usedImages(socket ?? socketOf(env.DOCKER_HOST), signal);
      return keepUsed(inventory, used, { rule: "used by Docker", ...(aliases && { aliases }) });
    },
  }),
});

function socketOf(host: string | undefined): string {
  if (!host) return "/var/run/docker.sock";
  if (host.startsWith("unix://")) return host.slice("unix://".length);
  throw fail(`DOCKER_HOST is "${host}", wanted is unix:///path`);
}

interface Container {
  readonly Names?: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
}

interface Image {
  readonly Id: string;
  readonly RepoTags?: readonly string[] | null;
  readonly RepoDigests?: readonly string[] | null;
}

async function usedImages(socket: string, signal: AbortSignal): Promise<readonly UsedImage[]> {
  const { Agent, request } = await import("undici");
  await using closing = new AsyncDisposableStack();
  const dispatcher = closing.adopt(
    new Agent({ connect: { socketPath: socket, timeout: TIMEOUT_MS } }),
    (agent) => agent.destroy(),
  );
  const ask = async (path: string): Promise<unknown[]> => {
    try {
      const answer = await request(`http://docker${path}`, {
        dispatcher,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) {
        throw new Error(`${path} answered ${answer.statusCode}: ${text.slice(0, 200)}`);
      }
      const value: unknown = JSON.parse(text);
      if (!Array.isArray(value)) throw new Error(`${path} answered with no list`);
      return value;
    } catch (error) {
      signal.throwIfAborted();
      throw fail(`${socket} ${messageOf(error)}`);
    }
  };
  const containers = await ask("/containers/json?all=1") as Container[];
  const images = new Map((await ask("/images/json") as Image[]).map((image) => [image.Id, image]));
  return containers.flatMap(({ Names, Image: name, ImageID }) => {
    const by = `container ${Names?.[0]?.replace(/^\//, "") ?? name}`;
    const image = images.get(ImageID);
    // A tag may have moved on since the container was made: the digests tell what it really runs.
    return [name, ImageID, ...image?.RepoTags ?? [], ...image?.RepoDigests ?? []].map((each) => ({
      name: each,
      by,
    }));
  });
}

function fail(why: string): EngineError {
  return new EngineError("PLUGIN_FAILED", `Cannot find out what Docker uses on this host: ${why}`, {
    fix: "Start the engine, or remove keep-docker from `cleanup.keep`",
  });
}
