import { Agent, type Dispatcher, request } from "undici";
import type { Environment } from "../environment.ts";
import { watching } from "../watch.ts";
import { readChunks } from "../oci/write_blob.ts";

/** The local Docker Engine did not do what was asked. The message is meant for people. */
export class DockerError extends Error {
  override readonly name = "DockerError";
}

/** An image of the engine. */
export interface DockerImage {
  readonly id: string;
  /** With tags. */
  readonly names: readonly string[];
  readonly bytes: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Longest answer that is read, in characters; a list of 10,000 containers has some 20 million. */
const MAX_ANSWER = 128 << 20;

/** Where the engine listens when `DOCKER_HOST` does not say. */
const SOCKET = "/var/run/docker.sock";

/**
 * The local Docker Engine, by its HTTP API (docs.docker.com/reference/api/engine, `POST /images/load`,
 * `GET /images/{name}/json`). `DOCKER_HOST` may be `unix://PATH` or `tcp://HOST:PORT`.
 */
export class DockerEngine implements AsyncDisposable {
  readonly address: string;
  readonly #agent: Agent;
  readonly #origin: string;

  /** @throws {DockerError} for an address that is neither a socket nor plain tcp */
  constructor(env: Environment) {
    watching()?.beyond("the Docker engine");
    this.address = env.DOCKER_HOST || `unix://${SOCKET}`;
    const { address } = this;
    const unlimited = { headersTimeout: 0, bodyTimeout: 0 };
    if (address.startsWith("unix://")) {
      this.#origin = "http://docker";
      this.#agent = new Agent({ connect: { socketPath: address.slice("unix://".length) }, ...unlimited });
    } else if (address.startsWith("tcp://") && URL.canParse(address) && new URL(address).host !== "") {
      this.#origin = `http://${new URL(address).host}`;
      this.#agent = new Agent(unlimited);
    } else {
      throw new DockerError(
        `Cannot reach the Docker engine at "${address}": wanted is unix://PATH or tcp://HOST:PORT`,
      );
    }
  }

  /** The id of an image; undefined when there is none of that name. @throws {DockerError} */
  async imageId(name: string, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#send({ method: "GET", path: `/images/${name}/json` }, signal);
    const text = await this.#text(answer);
    if (answer.statusCode === 404) return undefined;
    if (answer.statusCode !== 200) throw this.#problem(answer.statusCode, text);
    const { Id } = JSON.parse(text) as { Id?: string };
    return Id;
  }

  /** Loads a `docker save` archive, and gives the names of its images. @throws {DockerError} */
  async load(archive: string, signal: AbortSignal): Promise<readonly string[]> {
    const answer = await this.#send({
      method: "POST",
      path: "/images/load?quiet=1",
      headers: { "content-type": "application/x-tar" },
      body: copies(archive) as unknown as string, // undici takes any async iterable; its types lag behind
    }, signal);
    const text = await this.#text(answer);
    // Failures after the first byte come inside of a 200.
    const failed = stringWithin(text, "error");
    if (failed !== undefined) {
      throw new DockerError(`The Docker engine at "${this.address}" failed: ${failed}`);
    }
    if (answer.statusCode !== 200) throw this.#problem(answer.statusCode, text);
    return Array.from(text.matchAll(/Loaded image: ([^\s"\\]+)/g), ([, name = ""]) => name);
  }

  /** Images with all of these labels (`KEY=VALUE`), by the names they have. @throws {DockerError} */
  async images(labels: readonly string[], signal: AbortSignal): Promise<readonly DockerImage[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: labels }));
    const rows = await this.#list(`/images/json?filters=${filters}`, signal) as readonly {
      readonly Id: string;
      readonly RepoTags: readonly string[] | null;
      readonly Size: number;
      readonly Labels: Readonly<Record<string, string>> | null;
    }[];
    return rows.map(({ Id: id, RepoTags, Size: bytes, Labels }) => ({
      id,
      names: (RepoTags ?? []).filter((name) => name !== "<none>:<none>"),
      bytes,
      labels: Labels ?? {},
    }));
  }

  /** Ids of the images that containers use, running or not. @throws {DockerError} */
  async usedImages(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const rows = await this.#list("/containers/json?all=1", signal) as readonly {
      readonly ImageID: string;
    }[];
    return new Set(rows.map(({ ImageID }) => ImageID));
  }

  /** Takes a name off an image, which goes with its last name. False when a container uses it. @throws {DockerError} */
  async removeImage(name: string, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#send({ method: "DELETE", path: `/images/${name}` }, signal);
    const text = await this.#text(answer);
    if (answer.statusCode === 409) return false;
    if (answer.statusCode === 200 || answer.statusCode === 404) return true;
    throw this.#problem(answer.statusCode, text);
  }

  /** Asks for anything else of the API; whatever it answers is for the caller. @throws {DockerError} when nobody answers */
  async ask(
    method: "GET" | "POST" | "DELETE",
    path: string,
    signal: AbortSignal,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly text: string }> {
    const answer = await this.#send({
      method,
      path,
      ...(body !== undefined &&
        { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    }, signal);
    return { status: answer.statusCode, text: await this.#text(answer) };
  }

  async #list(path: string, signal: AbortSignal): Promise<unknown> {
    const answer = await this.#send({ method: "GET", path }, signal);
    const text = await this.#text(answer);
    if (answer.statusCode !== 200) throw this.#problem(answer.statusCode, text);
    return JSON.parse(text);
  }

  /** The whole answer. @throws {DockerError} beyond {@linkcode MAX_ANSWER} */
  async #text(answer: Dispatcher.ResponseData): Promise<string> {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of answer.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length <= MAX_ANSWER) continue;
      throw new DockerError(
        `The Docker engine at "${this.address}" answered with more than ${MAX_ANSWER} characters`,
      );
    }
    return text + decoder.decode();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  async #send(
    { path, ...options }: Omit<Dispatcher.RequestOptions, "origin">,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    try {
      return await request(`${this.#origin}${path}`, { ...options, dispatcher: this.#agent, signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { code, message } = error as { code?: string; message?: string };
      const why = code === "ENOENT" || code === "ECONNREFUSED" ? "nothing listens there" : message;
      throw new DockerError(`Cannot reach the Docker engine at "${this.address}": ${why}`, { cause: error });
    }
  }

  #problem(status: number, text: string): DockerError {
    const said = stringWithin(text, "message") ?? text.trim().slice(0, 300);
    return new DockerError(`The Docker engine at "${this.address}" answered ${status}: ${said}`);
  }
}

/** The first string field of that name in JSON, or in a stream of it. */
function stringWithin(text: string, field: string): string | undefined {
  const found = new RegExp(`"${field}":("(?:[^"\\\\]|\\\\.)*")`).exec(text)?.[1];
  if (found === undefined) return undefined;
  try {
    return JSON.parse(found);
  } catch {
    return found.slice(1, -1);
  }
}

/** The pieces of a file, each of its own: the connection may keep them. */
async function* copies(file: string): AsyncGenerator<Uint8Array> {
  for await (const chunk of readChunks(file)) yield chunk.slice();
}
