/** Builds by BuildKit that are raced, killed, aborted and watched. */
import assert from "node:assert/strict";
import { type BuildResult, EngineError, type EngineOptions } from "../../mod.ts";
import type { Fault, MemoryRegistry } from "../../testing/memory_registry/registry.ts";
import { processesWith } from "../../testing/processes.ts";
import { busyboxBase } from "./bases.ts";
import { type Buildkitd, startBuildkitd } from "./buildkitd.ts";
import { freePort } from "./free_port.ts";
import { kill, run } from "./process.ts";
import { openProject, type TestProject } from "./project.ts";
import { TcpProxy } from "./tcp_proxy.ts";
import { until } from "./until.ts";
import { verifyRegistry } from "./verify_registry.ts";

/** A daemon whose talk is counted. */
export interface CountedDaemon extends AsyncDisposable {
  /** As BUILDKIT_HOST names it. */
  readonly address: string;
  /** Bytes to and from it so far. */
  talk(): number;
}

/** Starts one; undefined as {@linkcode startBuildkitd}. */
export async function startCounted(): Promise<CountedDaemon | undefined> {
  const port = freePort();
  const daemon = await startBuildkitd({ listen: [`tcp://127.0.0.1:${port}`] });
  if (!daemon) return undefined;
  const proxy = new TcpProxy(`127.0.0.1:${port}`);
  return {
    address: `tcp://${proxy.host}`,
    talk: () => proxy.passed.up + proxy.passed.down,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

/** Puts busybox into a registry, and gives the name. */
export async function pushBusybox(host: string): Promise<string> {
  const name = `${host}/base:1`;
  const from = `oci:${await busyboxBase()}:latest`;
  await run(["skopeo", "copy", "--dest-tls-verify=false", from, `docker://${name}`]);
  return name;
}

/** The same project on another machine, with nothing but the checkout. */
export function twin({ dir, home }: TestProject): TestProject {
  return openProject(dir, `${home}-${crypto.randomUUID().slice(0, 8)}`);
}

/** Builds all of it. */
export async function build(project: TestProject, options: EngineOptions) {
  await using engine = project.engine(options);
  return await engine.build();
}

/** Resolves when a step has printed a line. */
export function printed(project: TestProject, line: RegExp, options: EngineOptions): {
  readonly options: EngineOptions;
  readonly seen: Promise<void>;
} {
  const seen = Promise.withResolvers<void>();
  const onEvent: EngineOptions["onEvent"] = (event) => {
    project.events.push(event);
    if (event.type === "stage.output" && line.test(event.text)) seen.resolve();
  };
  return { options: { ...options, onEvent }, seen: seen.promise };
}

/** What a build printed. */
export function output({ events }: TestProject): string {
  return events.flatMap((event) => event.type === "stage.output" ? [event.text] : []).join("");
}

/** Aborts a build whose step prints "on" and then sleeps for `mark` seconds: no process of it is left in the daemon. */
export async function abortStep(project: TestProject, options: EngineOptions, mark: string): Promise<void> {
  const stop = new AbortController();
  const { options: printing, seen } = printed(project, /^on$/m, { ...options, signal: stop.signal });
  const building = build(project, printing);
  await Promise.race([seen, building]);
  const running = () => processesWith(`sleep\0${mark}`).length > 0;
  await until(running, "the step has begun nothing");
  stop.abort();
  await assert.rejects(building);
  await until(() => !running(), "a process of the step is still there");
}

/**
 * Kills the daemon that runs `stage`, which prints "on": another one makes the image, of so many layers. Then the others,
 * and builds what `change` has made new: all of them are named.
 */
export async function loseDaemons(
  project: TestProject,
  { daemons, registry, stage, layers }: {
    readonly daemons: readonly Buildkitd[];
    readonly registry: MemoryRegistry;
    readonly stage: string;
    readonly layers: number;
  },
  change: () => Promise<void>,
): Promise<void> {
  const repo = `${registry.host}/shop`;
  const env = { BUILDKIT_HOST: daemons.map(({ address }) => address).join(",") };
  const places = () =>
    project.events.flatMap((e) => e.type === "stage.placed" && e.at.stage === stage ? [e.place.address] : []);
  const { options, seen } = printed(project, /^on$/m, { repo, env });
  const building = build(project, options);
  await Promise.race([seen, building]);
  const [first] = places();
  Deno.kill(daemons.find(({ address }) => address === first)!.pid, "SIGKILL");
  const { images } = await building;
  assert.equal(images[0]!.state.layers.length, layers);
  assert.equal(new Set(places()).size, 2);
  assert.match(output(project), /cannot do it/);
  await verifyRegistry(registry.host, "shop");

  for (const { address, pid } of daemons) if (address !== first) Deno.kill(pid, "SIGKILL");
  await change();
  await assert.rejects(build(project, { repo, env }), (error) => {
    assert.ok(error instanceof EngineError, String(error));
    assert.equal(error.code, "BUILDER_UNAVAILABLE");
    for (const { address } of daemons) assert.ok(error.message.includes(address), error.message);
    return true;
  });
}

const MAIN = new URL("./engine_main.ts", import.meta.url).pathname;

/**
 * Builds in a process that is killed when a request comes to the registry of which `isIt` says so, and then again: the
 * registry has all of it, and `taken` is what another machine makes of that.
 */
export async function killAndFinish(
  project: TestProject,
  { registry, address }: { readonly registry: MemoryRegistry; readonly address: string },
  isIt: (...request: Parameters<Fault>) => boolean,
): Promise<{ readonly built: BuildResult; readonly taken: BuildResult }> {
  const { dir, home } = project;
  const options = { dir, home, repo: `${registry.host}/shop`, env: { BUILDKIT_HOST: address } };
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", MAIN, JSON.stringify({ options, steps: [["build"]] })],
    stdout: "null",
    stderr: "null",
  }).spawn();
  let over = false;
  registry.fault((request, url) => {
    if (!over && isIt(request, url)) kill(child, "SIGKILL");
    return undefined;
  }, Infinity);
  assert.equal((await child.status).signal, "SIGKILL");
  over = true;
  const built = await build(project, options);
  await verifyRegistry(registry.host, "shop");
  const taken = await build(twin(project), options);
  assert.equal(taken.images[0]!.digest, built.images[0]!.digest);
  return { built, taken };
}
