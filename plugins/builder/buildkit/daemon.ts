import { credentials } from "@grpc/grpc-js";
import { Buffer } from "node:buffer";
import { EngineError, type OciPlatform } from "../../../core/contract/plugin.ts";
import { BuildkitClient } from "../../../lib/buildkit/client.ts";
import type { BuilderAddress, Environment } from "./address.ts";
import { unavailable } from "./failure.ts";
import { Shared } from "../../../lib/memoize.ts";

/** How a daemon is spoken to over TLS. */
export interface TlsFiles {
  /** Certificates of those that are trusted. */
  readonly ca?: string | undefined;
  /** Certificate and key of this client. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name in the daemon's certificate, when it is not the host of the address. */
  readonly serverName?: string | undefined;
}

/** `[worker.oci.labels]` in buildkitd.toml: how many steps of one client it takes at once. */
const STEPS_LABEL = "dapp.parallel";

/** A daemon, and what is known of it. */
export class Daemon implements AsyncDisposable {
  readonly client: BuildkitClient;
  readonly #ready = new Shared((platform: OciPlatform, signal: AbortSignal) => this.#look(platform, signal));
  /** What its network for steps is, as its worker says. */
  network = "";
  /** Steps that it takes at once: its worker's label {@linkcode STEPS_LABEL}, else as many as this machine has processors. */
  steps = navigator.hardwareConcurrency;
  /** The machine is of another platform than what it builds for. */
  emulates = false;
  /** What its machine is. */
  platform = "";

  private constructor(
    readonly address: BuilderAddress,
    client: BuildkitClient,
    readonly wire: (AsyncDisposable & { readonly failure: Error | undefined }) | undefined,
  ) {
    this.client = client;
  }

  /** @throws BUILDER_UNAVAILABLE when files or the container are not there */
  static async open(
    address: BuilderAddress,
    tls: TlsFiles,
    env: Environment,
    directory: string,
  ): Promise<Daemon> {
    switch (address.kind) {
      case "unix":
        return new Daemon(
          address,
          new BuildkitClient(`unix://${address.path}`, credentials.createInsecure()),
          undefined,
        );
      case "tcp":
        return new Daemon(address, await overTcp(address, tls), undefined);
      case "docker-container":
      case "kube-pod": {
        const { DialStdio } = await import("./dial_stdio.ts");
        const wire = await DialStdio.open(address, env, directory);
        return new Daemon(
          address,
          new BuildkitClient(`unix://${wire.path}`, credentials.createInsecure()),
          wire,
        );
      }
      default:
        return address satisfies never;
    }
  }

  /** Makes sure, once, that it is there and builds for a platform. @throws BUILDER_UNAVAILABLE */
  ready(platform: OciPlatform, signal: AbortSignal): Promise<void> {
    return this.#ready.get(platform, signal);
  }

  async #look(platform: OciPlatform, signal: AbortSignal): Promise<void> {
    let workers;
    try {
      workers = await this.client.workers(signal);
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw unavailable([this.address.text], this.wire?.failure ?? error);
    }
    const able = workers.find(({ platforms }) =>
      platforms.some((p) =>
        p.OS === platform.os && p.Architecture === platform.architecture &&
        (platform.variant === undefined || platform.variant === p.Variant || p.Variant === "")
      )
    );
    if (!able) {
      const all = workers.flatMap(({ platforms }) => platforms.map((p) => `${p.OS}/${p.Architecture}`));
      throw new EngineError(
        "BUILDER_UNAVAILABLE",
        `Cannot run stage commands for ${platform.os}/${platform.architecture}: BuildKit at "${this.address.text}" ` +
          `builds for ${[...new Set(all)].join(", ") || "nothing"}`,
        { fix: "Name a daemon of that platform, or install emulation (binfmt) on its machine" },
      );
    }
    this.network = able.Labels["org.mobyproject.buildkit.worker.network"] ?? "";
    const steps = Number(able.Labels[STEPS_LABEL]);
    if (Number.isInteger(steps) && steps > 0) this.steps = steps;
    const [own] = able.platforms; // the machine's comes first, what it emulates after it
    if (!own) return;
    this.emulates = own.OS !== platform.os || own.Architecture !== platform.architecture;
    this.platform = [own.OS, own.Architecture, own.Variant].filter((part) => part !== "").join("/");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.wire?.[Symbol.asyncDispose]();
  }
}

async function overTcp(
  { host, text, serverName: name }: Extract<BuilderAddress, { readonly kind: "tcp" }>,
  { ca, cert, key, serverName = name }: TlsFiles,
): Promise<BuildkitClient> {
  if (ca === undefined && cert === undefined && key === undefined) {
    return new BuildkitClient(host, credentials.createInsecure());
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw new EngineError("USAGE", `Cannot use BuildKit at "${text}": cert and key belong together`, {
      fix: "Name both, or neither",
    });
  }
  const read = async (path: string | undefined) => path === undefined ? null : await readFile(path, text);
  const [roots, chain, secret] = await Promise.all([read(ca), read(cert), read(key)]);
  const ip = /^(?:[\d.]+|\[.*\])(?=:\d+$)/.exec(host)?.[0].replace(/^\[|\]$/g, "");
  if (serverName !== undefined || ip === undefined) {
    return new BuildkitClient(host, credentials.createSsl(roots, secret, chain), serverName);
  }
  // TLS has no server names that are addresses, but certificates can have them.
  const { checkServerIdentity } = await import("node:tls");
  const tls = credentials.createSsl(roots, secret, chain, {
    checkServerIdentity: (_name, certificate) => checkServerIdentity(ip, certificate),
  });
  return new BuildkitClient(host, tls, "localhost");
}

async function readFile(path: string, address: string): Promise<Buffer> {
  try {
    return Buffer.from(await Deno.readFile(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
    const why = error instanceof Deno.errors.NotFound ? "does not exist" : "cannot be read by this user";
    throw new EngineError("USAGE", `Cannot use BuildKit at "${address}": "${path}" ${why}`, {
      fix: "Correct `ca`, `cert` and `key` of builder-buildkit, or BUILDKIT_TLS_CA, _CERT and _KEY",
    });
  }
}
