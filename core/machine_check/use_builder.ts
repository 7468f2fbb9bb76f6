import type { Builder, StepNetwork } from "../contract/builder.ts";
import { EngineError } from "../contract/errors.ts";
import { signatureOf } from "../contract/signature.ts";
import type { Store } from "../contract/store.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { platformOf } from "../../lib/oci/platform.ts";
import { broken, type MachineCheck, unset } from "./report.ts";

/** What trying a builder takes. */
export interface BuilderTrial {
  readonly hooks: HookRunner;
  readonly store: Store;
  readonly options: Pick<ResolvedOptions, "platform" | "epoch" | "compression" | "signal">;
}

/**
 * Rows about a builder: it is given a step upon nothing. All that it needs of the machine it needs for that as well, and
 * says what is missing as it does in a build; when it finds no shell in the image, everything else was there.
 */
export async function usedBuilder(name: string, trial: BuilderTrial): Promise<readonly MachineCheck[]> {
  const { hooks, store, options } = trial;
  const title = `builder ${name}`;
  const platform = platformOf(options.platform);
  let builder: Builder | undefined;
  try {
    builder = (await hooks.first("openBuilder", { platform, store, parallel: 2, name }))?.value;
  } catch (error) {
    if (!(error instanceof EngineError && error.code === "BUILDER_UNAVAILABLE")) {
      return [broken(title, error)];
    }
    const detail = name === "buildkit"
      ? "not set up; Dockerfiles need it, all else works without"
      : error.message;
    return [unset(title, detail, error.fix)];
  }
  if (!builder) return [unset(title, "no plugin offers it on this machine")];
  await using opened = builder;
  const failure = await failureOf(opened, "none", options);
  if (failure !== undefined) return [broken(title, failure)];
  const rows: MachineCheck[] = [{ name: title, result: "ok", detail: `runs commands${rightsOf(name)}` }];
  if (name !== "native") return rows;
  const unconnected = await failureOf(opened, "private", options);
  const network = "network private";
  return [
    ...rows,
    unconnected === undefined
      ? { name: network, result: "ok", detail: "commands can have a network of their own" }
      : broken(network, unconnected),
  ];
}

function rightsOf(name: string): string {
  if (name !== "native") return "";
  return Deno.uid() === 0 ? ", as root" : `, as an ordinary user (uid ${Deno.uid()})`;
}

/** What keeps a builder from running commands; undefined when nothing does. */
async function failureOf(
  builder: Builder,
  network: StepNetwork,
  { epoch, compression, signal }: BuilderTrial["options"],
): Promise<unknown> {
  try {
    const { layer } = await builder.run({
      label: "doctor",
      signature: await signatureOf(null, [{ key: "doctor", value: network }]),
      parents: [],
      commands: ["true"],
      env: {},
      mounts: [],
      network,
      epoch,
      compression,
    }, { output: () => {}, signal });
    await layer?.blob;
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    return error instanceof EngineError && error.code === "STAGE_FAILED" ? undefined : error;
  }
}
