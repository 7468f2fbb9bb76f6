import assert from "node:assert/strict";
import { run } from "../support/process.ts";

interface Dependency {
  readonly isDynamic?: boolean;
  readonly code?: { readonly specifier: string };
}

interface Graph {
  readonly roots: readonly string[];
  readonly modules: readonly { readonly specifier: string; readonly dependencies?: readonly Dependency[] }[];
}

const root = new URL("../../", import.meta.url);

/** Paths of the modules that loading `path` loads, without what it imports dynamically. */
async function loadedBy(path: string): Promise<readonly string[]> {
  const argv = [Deno.execPath(), "info", "--json", new URL(path, root).pathname];
  const graph: Graph = JSON.parse((await run(argv, { cwd: root.pathname })).stdout);
  const modules = new Map(graph.modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const seen = new Set<string>();
  const visit = (specifier: string) => {
    if (seen.has(specifier)) return;
    seen.add(specifier);
    for (const { isDynamic, code } of modules.get(specifier) ?? []) {
      if (!isDynamic && code) visit(code.specifier);
    }
  };
  graph.roots.forEach(visit);
  return [...seen].map((specifier) => specifier.replace(root.href, "")).sort();
}

Deno.test("dapp --version loads nothing but the version, what a missing permission is called, and what readies TLS", async () => {
  assert.deepEqual(await loadedBy("cli.ts"), [
    "cli.ts",
    "lib/missing_permission.ts",
    "lib/registry/far_host.ts",
    "lib/registry/hosts.ts",
    "lib/registry/tls_ready.ts",
  ]);
  assert.deepEqual(await loadedBy("cli/version.ts"), ["cli/version.ts", "deno.json"]);
});

/** What `cli.ts` loads for any other command line. */
async function loadedFirst(): Promise<readonly string[]> {
  return [...new Set([...await loadedBy("cli/main.ts"), ...await loadedBy("cli/host.ts")])].sort();
}

Deno.test("every other command line loads these modules first, and no others", async () => {
  assert.deepEqual(await loadedFirst(), [
    "cli/command.ts",
    "cli/engine_options.ts",
    "cli/format.ts",
    "cli/host.ts",
    "cli/main.ts",
    "cli/options.ts",
    "cli/output.ts",
    "cli/parse.ts",
    "cli/render/lines.ts",
    "cli/render/renderer.ts",
    "cli/render/tails.ts",
    "cli/scan.ts",
    "cli/style.ts",
    "cli/table.ts",
    "cli/table_cleanup.ts",
    "cli/table_parts.ts",
    "cli/table_sharing.ts",
    "cli/usage.ts",
    "core/contract/errors.ts",
    "lib/alarm.ts",
    "lib/file_failure.ts",
    "lib/plain.ts",
    "lib/suggest.ts",
    "lib/unreachable.ts",
    "lib/watch.ts",
  ]);
});

Deno.test("an answer that is repeated needs these, and nothing of the engine", async () => {
  assert.deepEqual(await loadedBy("cli/remembered/repeat.ts"), [
    "cli/output.ts",
    "cli/remembered/answer.ts",
    "cli/remembered/ask.ts",
    "cli/remembered/facts.ts",
    "cli/remembered/repeat.ts",
    "cli/version.ts",
    "deno.json",
    "lib/alarm.ts",
    "lib/file_failure.ts",
    "lib/file_look.ts",
    "lib/guard.ts",
    "lib/home.ts",
    "lib/oci/digest.ts",
    "lib/oci/media_type.ts",
    "lib/oci/types.ts",
    "lib/pool.ts",
    "lib/sealed.ts",
    "lib/sha256.ts",
  ]);
  const asking = await loadedBy("cli/remembered/ask_client.ts");
  assert.deepEqual(asking.filter((path) => !/^lib\/|^cli\/remembered\//.test(path)), []);
  assert.ok(asking.length <= 54, asking.join("\n"));
});

Deno.test("dapp dimg build and the commands that share add few modules of its own to those and the engine", async () => {
  const first = new Set([...await loadedBy("cli.ts"), ...await loadedFirst()]);
  const added: Record<string, readonly string[]> = {
    "cli/commands/build.ts": ["cli/commands/build.ts"],
    "cli/commands/publish.ts": ["cli/commands/build.ts", "cli/commands/publish.ts", "cli/target.ts"],
    "cli/commands/stages.ts": ["cli/commands/stages.ts", "cli/target.ts"],
    "cli/commands/cleanup.ts": [
      "cli/columns.ts",
      "cli/commands/cleanup.ts",
      "cli/consent.ts",
      "cli/improper.ts",
      "cli/render/apply_steps.ts",
      "cli/render/cleanup_table.ts",
      "cli/target.ts",
      "cli/width.ts",
    ],
    "cli/commands/cleanup_local.ts": [
      "cli/columns.ts",
      "cli/commands/cleanup_local.ts",
      "cli/consent.ts",
      "cli/improper.ts",
      "cli/target.ts",
      "cli/width.ts",
    ],
    "cli/commands/restore.ts": [
      "cli/columns.ts",
      "cli/commands/restore.ts",
      "cli/target.ts",
      "cli/width.ts",
    ],
    "cli/commands/version.ts": ["cli/commands/version.ts", "cli/version.ts", "deno.json"],
    "cli/render/plain.ts": [
      "cli/render/output_lines.ts",
      "cli/render/plain.ts",
      "cli/render/progress.ts",
      "cli/render/stage_outputs.ts",
      "lib/without_end.ts",
    ],
    "cli/render/tty.ts": [
      "cli/render/output_lines.ts",
      "cli/render/progress.ts",
      "cli/render/stage_outputs.ts",
      "cli/render/tty.ts",
      "cli/width.ts",
      "lib/without_end.ts",
    ],
    "cli/render/silent.ts": ["cli/render/silent.ts"],
  };
  for (const [path, wanted] of Object.entries(added)) {
    assert.deepEqual((await loadedBy(path)).filter((module) => !first.has(module)), wanted);
  }
});
