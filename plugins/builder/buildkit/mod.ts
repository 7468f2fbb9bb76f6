import {
  type BuilderRequest,
  definePlugin,
  EngineError,
  type HookContext,
  type Host,
  type Plugin,
  type PluginHooks,
} from "../../../core/contract/plugin.ts";

/** What the project document may say of the builder; the environment says it for one machine. */
export interface BuildkitPluginOptions {
  /** `unix:///PATH`, `tcp://HOST:PORT`, `docker-container://NAME` or `kube-pod://[NAMESPACE/]POD`; BUILDKIT_HOST comes first. */
  readonly addresses?: string | string[] | undefined;
  /** File with certificates of those that are trusted; else BUILDKIT_TLS_CA. */
  readonly ca?: string | undefined;
  /** File with this client's certificate; else BUILDKIT_TLS_CERT. */
  readonly cert?: string | undefined;
  /** File with its key; else BUILDKIT_TLS_KEY. */
  readonly key?: string | undefined;
  /** Name in the daemons' certificates; else BUILDKIT_TLS_SERVER_NAME. */
  readonly serverName?: string | undefined;
}

const name = "builder-buildkit";

const fromEnvironment = definePlugin({ name, api: 1, setup: (_options, host) => hooks({}, host) });

const withOptions = definePlugin({
  name,
  api: 1,
  options: (z) =>
    z.strictObject({
      addresses: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]).optional(),
      ca: z.string().min(1).optional(),
      cert: z.string().min(1).optional(),
      key: z.string().min(1).optional(),
      serverName: z.string().min(1).optional(),
    }),
  setup: (options, host) => hooks(options, host),
});

/**
 * Runs stage commands in BuildKit: with `--builder buildkit`, BUILDKIT_HOST, or `addresses` in the project document.
 * Nothing is loaded for it before a command stage is missing, not even the schema of options that nobody gives.
 */
export const builderBuildkit: Plugin<BuildkitPluginOptions> = {
  name,
  optionsSchema: () => withOptions.optionsSchema(),
  load: (raw, host) =>
    raw === undefined ? fromEnvironment.load(undefined, host) : withOptions.load(raw, host),
};

function hooks(options: BuildkitPluginOptions, { env }: Host): PluginHooks {
  const listed = options.addresses === undefined ? [] : [options.addresses].flat();
  const wanted = splitList(env.BUILDKIT_HOST);
  const addresses = wanted.length > 0 ? wanted : listed;
  return {
    openBuilder: async (request: BuilderRequest, { signal }: HookContext) => {
      if (request.tidy) return undefined; // it keeps nothing in the store
      const named = request.name === "buildkit";
      if (!named && request.name !== undefined) return undefined;
      // Where nothing runs commands itself, the builder that was set up is the default.
      if (!named && addresses.length === 0 && Deno.build.os === "linux") return undefined;
      const found = addresses.length > 0
        ? undefined
        : await (await import("./set_up.ts")).builderSetUp(env, signal);
      if (addresses.length === 0 && !found) {
        if (!named) return undefined;
        throw new EngineError(
          "BUILDER_UNAVAILABLE",
          'Cannot run stage commands: builder "buildkit" has no address',
          {
            fix:
              `Set BUILDKIT_HOST, or \`addresses\` of ${name} in the project document, or run: dapp builder setup`,
          },
        );
      }
      const [{ BuildkitBuilder }, { parseAddress }] = await Promise.all([
        import("./builder.ts"),
        import("./address.ts"),
      ]);
      return new BuildkitBuilder(request, {
        addresses: (found ? [found.address] : addresses).map(parseAddress),
        tls: {
          ca: options.ca ?? env.BUILDKIT_TLS_CA,
          cert: options.cert ?? env.BUILDKIT_TLS_CERT,
          key: options.key ?? env.BUILDKIT_TLS_KEY,
          serverName: options.serverName ?? env.BUILDKIT_TLS_SERVER_NAME,
        },
        env: found ? { ...env, DOCKER_HOST: found.host } : env,
      });
    },
  };
}

function splitList(text = ""): readonly string[] {
  return text.split(",").map((part) => part.trim()).filter((part) => part !== "");
}
