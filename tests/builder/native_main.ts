/**
 * A process of its own that uses the native builder, for tests that kill it or give it a terminal.
 *
 * Arguments: store directory, OCI layout of the base, and JSON with either `commands` or the fields of a shell step.
 */
import type { ShellStep } from "../../core/contract/plugin.ts";
import { NativeBuilder } from "../../plugins/builder/native/builder.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { helpersOf, statusOf } from "../support/proc.ts";
import { layoutLayers } from "../../testing/builder/layers.ts";
import { StageRunner } from "../../testing/builder/stage_runner.ts";

interface Work {
  readonly commands?: readonly string[];
  /** Print the most memory that a helper process had. */
  readonly peak?: boolean;
  /** Open a shell when a command fails. */
  readonly introspect?: boolean;
  readonly shell?: Partial<ShellStep>;
  readonly helperFlags?: readonly string[];
}

const [home, layout, json] = Deno.args as [string, string, string];
const work = JSON.parse(json) as Work;
const print = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(text));

async function main(): Promise<number> {
  await using store = await LocalStore.open(home);
  const { helperFlags = [] } = work;
  const request = { platform: { os: "linux", architecture: "amd64" }, store, parallel: 2 };
  await using builder = new NativeBuilder(request, { env: Deno.env.toObject(), helperFlags });
  const parents = await layoutLayers(store, layout);
  const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  if (work.shell) {
    await builder.expectLayers();
    const step = { label: "app", argv: [], env, cwd: "/", user: "", mounts: [], network: "host" as const };
    return await builder.shell({ ...step, parents, ...work.shell }, new AbortController().signal);
  }
  const runner = new StageRunner(builder, store);
  try {
    const { diffId } = await runner.run(parents, work.commands ?? [], {
      onOutput: print,
      compression: { kind: "zstd", level: 1 },
      ...(work.introspect && {
        onFailure: async (shell: () => Promise<number>) => void print(`shell ended with ${await shell()}\n`),
      }),
    });
    print(`layer ${diffId}\n`);
    if (work.peak) {
      print(`peak ${Math.max(...helpersOf(Deno.pid).map((pid) => parseInt(statusOf(pid, "VmHWM"))))} kB\n`);
    }
    return 0;
  } catch (error) {
    print(`${error instanceof Error ? error.message : error}\n`);
    return 1;
  }
}

Deno.exit(await main());
