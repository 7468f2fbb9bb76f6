/** Registries of the measured run: the real `docker-registry`, one for each tool, emptied by starting another. */
import { type DockerRegistry, startDockerRegistry } from "../tests/support/docker_registry.ts";

export class Remotes implements AsyncDisposable {
  readonly #open = new Map<string, DockerRegistry>();

  /** @param dir where data is kept, on the file system that is measured */
  constructor(readonly dir: string) {}

  /** An empty registry under a new address, of which no tool knows anything. The one that `who` had before is gone. */
  async fresh(who: string): Promise<string> {
    await this.#open.get(who)?.[Symbol.asyncDispose]();
    this.#open.delete(who);
    const registry = await startDockerRegistry({ dir: this.dir });
    if (registry === undefined) {
      throw new Error("Cannot measure registries: docker-registry is not installed");
    }
    this.#open.set(who, registry);
    return registry.host;
  }

  /** The REPO that `who` uses: `127.0.0.1:PORT/bench`. */
  repo(who: string): string {
    const registry = this.#open.get(who);
    if (registry === undefined) throw new Error(`"${who}" has no registry yet`);
    return `${registry.host}/bench`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const registry of this.#open.values()) await registry[Symbol.asyncDispose]();
  }
}
