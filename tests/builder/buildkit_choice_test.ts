import assert from "node:assert/strict";
import { EngineError } from "../../core/contract/plugin.ts";
import { builderBuildkit, type BuildkitPluginOptions } from "../../plugins/builder/buildkit/mod.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { withTempDir } from "../support/tmp.ts";

interface Choice {
  readonly env?: Readonly<Record<string, string>>;
  readonly options?: BuildkitPluginOptions;
  readonly name?: string;
  readonly tidy?: true;
}

/** The name of the builder that the plugin opens, if it does. */
async function opened({ env = {}, options, name, tidy }: Choice): Promise<string | undefined> {
  return await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/store`);
    const { openBuilder } = await builderBuildkit.load(options, { projectDir: dir, env });
    assert.ok(typeof openBuilder === "function");
    const request = {
      platform: { os: "linux", architecture: "amd64" },
      store,
      parallel: 1,
      ...(name !== undefined && { name }),
      ...(tidy && { tidy }),
    };
    const context = { signal: new AbortController().signal, dryRun: false, emit() {} };
    const builder = await openBuilder(request, context);
    await builder?.[Symbol.asyncDispose]();
    return builder?.name;
  });
}

const env = { BUILDKIT_HOST: "unix:///run/b.sock, tcp://two:1234" };
const options = { addresses: ["tcp://two:1234"] };

Deno.test("builder-buildkit takes the commands when it has an address, unless another builder is named", async () => {
  assert.equal(await opened({}), undefined);
  assert.equal(await opened({ env }), "buildkit");
  assert.equal(await opened({ options }), "buildkit");
  assert.equal(await opened({ options: { addresses: "tcp://two:1234" }, name: "buildkit" }), "buildkit");
  assert.equal(await opened({ env, options, name: "native" }), undefined);
  assert.equal(await opened({ env, tidy: true }), undefined);
  assert.equal(await opened({ env: { BUILDKIT_HOST: "" } }), undefined);
});

Deno.test("builder-buildkit says what is wrong with its choice", async () => {
  const fails = (code: string, message: RegExp) => (error: unknown) =>
    error instanceof EngineError && error.code === code && message.test(error.message);
  await assert.rejects(opened({ name: "buildkit" }), fails("BUILDER_UNAVAILABLE", /has no address/));
  await assert.rejects(
    opened({ env: { BUILDKIT_HOST: "kube-pod://B" } }),
    fails("USAGE", /"kube-pod:\/\/B"/),
  );
  await assert.rejects(opened({ options: { addresses: [] } }), fails("PLUGIN_OPTIONS_INVALID", /addresses/));
});
