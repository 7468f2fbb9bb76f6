/**
 * A helper process of the native builder: lives in its own mount and pid namespaces (and, for ordinary users, a user
 * namespace), takes requests as JSON lines on standard input and answers on standard output. It ends with its input.
 */
import { EngineError, explained, messageOf } from "../../../core/contract/errors.ts";
import { readLines } from "./lines.ts";
import type { HelperReply, HelperRequest, Numbered, RunRequest, ShellRequest } from "./protocol.ts";
import { settleHelper } from "./sandbox.ts";
import { showLayers } from "./show_layers.ts";
import { syncLayers } from "./sync_layers.ts";
import { networkUp } from "./user_network.ts";
import { observed } from "../../../lib/pool.ts";
import { unreachable } from "../../../lib/unreachable.ts";

const encoder = new TextEncoder();
const aborts = new Map<number, AbortController>();
let writing: Promise<void> = Promise.resolve();

/** Replies in order; settles when the line is written, which holds back steps that print faster than it is read. */
function reply(message: HelperReply): Promise<void> {
  const line = encoder.encode(JSON.stringify(message) + "\n");
  return writing = writing.then(async () => {
    for (let at = 0; at < line.length;) at += await Deno.stdout.write(line.subarray(at));
  });
}

async function handle(id: number, request: HelperRequest): Promise<unknown> {
  switch (request.op) {
    case "run":
      return await run(id, request);
    case "unpack": {
      const { unpackLayer } = await import("./unpack_layer.ts");
      const note = (text: string) => void reply({ kind: "output", id, stream: "stderr", text: `${text}\n` });
      return await unpackLayer(request, note);
    }
    case "spread": {
      const { unpackImage } = await import("./unpack_image.ts");
      return await unpackImage(request.layer, request.run);
    }
    case "inherit": {
      const { inheritedDirs } = await import("./inherit.ts");
      await showLayers(request.native, request.lower.map(({ dir }) => dir));
      return inheritedDirs(request);
    }
    case "remove":
      await Promise.all(request.paths.map(remove));
      return;
    case "compress": {
      const { compressTarFile } = await import("../../../lib/layer/writer.ts");
      return await compressTarFile(request.tar, request.blob, request.compression, 0);
    }
    case "sync":
      return await syncLayers(request.native);
    case "abort":
      return void aborts.get(request.target)?.abort();
    default:
      return unreachable(request);
  }
}

async function run(id: number, request: RunRequest): Promise<unknown> {
  const { runStep } = await stepModule();
  const abort = new AbortController();
  aborts.set(id, abort);
  let keep = false;
  try {
    const { captured, blob } = await runStep(request, {
      signal: abort.signal,
      output: (stream, text) => reply({ kind: "output", id, stream, text }),
    }).catch((error) => {
      keep = request.keepFailed && error instanceof EngineError && !abort.signal.aborted;
      throw error;
    });
    await reply({ kind: "captured", id, value: captured });
    const { layer } = captured;
    return layer && blob && { ...await blob(), diffId: layer.meta.diffId };
  } finally {
    aborts.delete(id);
    if (!keep) await remove(request.run);
  }
}

const stepModule = () => import("./step.ts");

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function commandOf({ details: { command } }: EngineError): { readonly command?: number } {
  return command === undefined ? {} : { command };
}

async function answer({ id, ...request }: Numbered): Promise<void> {
  try {
    await reply({ kind: "done", id, value: await handle(id, request as HelperRequest) });
  } catch (thrown) {
    const error = explained(thrown);
    const known = error instanceof EngineError
      ? { code: error.code, fix: error.fix, ...commandOf(error) }
      : {};
    await reply({ kind: "failed", id, error: { ...known, message: messageOf(error) } });
  }
}

async function serve(): Promise<never> {
  await reply({ kind: "ready" });
  let asked = false;
  stepModule().then(({ warmUp }) => warmUp(() => !asked)).catch(() => {}); // the first step says what is wrong
  for await (const line of readLines(Deno.stdin.readable)) {
    asked = true;
    answer(JSON.parse(line));
  }
  Deno.exit(0); // takes all processes of this pid namespace along
}

const [network, request] = Deno.args;
settleHelper(network === "none" || network === "private" ? network : "host");
const connected = observed(network === "private" ? networkUp() : Promise.resolve());
if (request === undefined) {
  await connected;
  await serve();
} else {
  const { runShell } = await import("./shell_step.ts");
  const shell = JSON.parse(await Deno.readTextFile(request)) as ShellRequest;
  Deno.exit(await runShell(shell, connected));
}
