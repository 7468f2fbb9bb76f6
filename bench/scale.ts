/** How dapp grows: curves of time, memory, processes and requests, drawn as pictures for the docs. */
import { startDockerRegistry } from "../tests/support/docker_registry.ts";
import { run } from "../tests/support/process.ts";
import { removeTree } from "../tests/support/tmp.ts";
import { MemoryRegistry } from "../testing/memory_registry/registry.ts";
import { cleanup, fill, openTagged } from "./cleaning.ts";
import type { Lab } from "./lab.ts";
import type { Taken } from "./measured.ts";
import { type Curve, type CurvePoint, drawCurve } from "./picture.ts";
import { print } from "./report.ts";
import { runTimed } from "./tool.ts";
import { dapp } from "./dapp.ts";

/** Sizes of each curve. */
export interface ScaleSizes {
  readonly files: readonly number[];
  readonly dimgs: readonly number[];
  readonly dappfile: readonly number[];
  readonly tags: readonly number[];
  readonly layer: readonly number[];
}

/** What `--scale` chooses from. */
export const scales: Readonly<Record<string, ScaleSizes>> = {
  full: {
    files: [2_000, 20_000, 200_000],
    dimgs: [1, 10, 100, 1_000],
    dappfile: [10_000, 100_000, 1_000_000, 10_000_000],
    tags: [1_000, 10_000, 50_000],
    layer: [10_000_000, 100_000_000, 2_000_000_000],
  },
  small: {
    files: [200, 2_000, 20_000],
    dimgs: [1, 10, 100],
    dappfile: [10_000, 100_000, 1_000_000],
    tags: [100, 1_000],
    layer: [1_000_000, 10_000_000, 100_000_000],
  },
};

const pictures = new URL("../docs/curves/", import.meta.url);

/** Measures every curve once and draws it into docs/curves/. */
export async function measureScale(lab: Lab, sizes: ScaleSizes): Promise<readonly Curve[]> {
  const dir = `${lab.dir}/scale`;
  const curves = [
    ...await growFiles(lab, dir, sizes.files),
    await growDimgs(lab, dir, sizes.dimgs),
    await growDappfile(lab, dir, sizes.dappfile),
    ...await growTags(lab, dir, sizes.tags),
    ...await growLayer(lab, dir, sizes.layer),
  ];
  await Deno.mkdir(pictures, { recursive: true });
  for (const curve of curves) {
    await Deno.writeTextFile(new URL(`${curve.name}.svg`, pictures), drawCurve(curve));
  }
  await run([Deno.execPath(), "fmt", "--quiet", pictures.pathname]);
  return curves;
}

/** A plan of a repository with so many files, in an empty store and again. */
async function growFiles(lab: Lab, dir: string, sizes: readonly number[]): Promise<readonly Curve[]> {
  const first: CurvePoint[] = [];
  const again: CurvePoint[] = [];
  for (const size of sizes) {
    const at = { project: `${dir}/project`, home: `${dir}/home` };
    const forget = () => removeTree(at.home);
    await commitFiles(at.project, size);
    first.push({ size, values: await taken(lab, () => dapp(lab, at, "plan").argv, { forget }) });
    again.push({ size, values: await taken(lab, () => dapp(lab, at, "plan").argv, { forget: nothing }) });
    await removeTree(dir);
  }
  const unit = "files in the repository";
  return [
    { name: "files-first", title: "Plan with an empty store", unit, points: first },
    { name: "files-again", title: "Plan of what has not changed", unit, points: again },
  ];
}

/** A build without change of so many dimgs whose stages are in REPO. */
async function growDimgs(lab: Lab, dir: string, sizes: readonly number[]): Promise<Curve> {
  const points: CurvePoint[] = [];
  for (const size of sizes) {
    await using registry = new MemoryRegistry();
    const requests = () => registry.seen.length;
    const at = { project: `${dir}/project`, home: `${dir}/home` };
    const documents = Array.from(
      { length: size },
      (_, i) => `dimg: app${i}\nfrom: scratch\ndocker: { ENV: { N: "${i}" } }\n`,
    );
    await commitDappfile(at.project, documents.join("---\n"));
    const build = () => dapp(lab, at, "build", `--repo=${registry.host}/scale`);
    await runTimed(build());
    points.push({ size, values: await taken(lab, () => build().argv, { forget: nothing, requests }) });
    await removeTree(dir);
  }
  return { name: "dimgs", title: "Build without change, stages in REPO", unit: "dimgs", points };
}

/** The names in a dappfile of so many bytes, read for the first time. */
async function growDappfile(lab: Lab, dir: string, sizes: readonly number[]): Promise<Curve> {
  const points: CurvePoint[] = [];
  for (const size of sizes) {
    const at = { project: `${dir}/project`, home: `${dir}/home` };
    const commands = Array.from({ length: 23 }, (_, i) => `    - echo ${i} ${"x".repeat(70)} && true\n`);
    const document = (i: number) =>
      `dimg: app${i}\nfrom: scratch\nshell:\n  setup:\n    - echo ${i}\n${commands.join("")}`;
    const count = Math.ceil(size / document(0).length);
    await commitDappfile(at.project, Array.from({ length: count }, (_, i) => document(i)).join("---\n"));
    const forget = () => removeTree(at.home);
    points.push({ size, values: await taken(lab, () => dapp(lab, at, "list").argv, { forget }) });
    await removeTree(dir);
  }
  return { name: "dappfile", title: "Reading a dappfile for the first time", unit: "bytes", points };
}

/** The plan of a cleanup of so many tags, with an empty store and again. */
async function growTags(lab: Lab, dir: string, sizes: readonly number[]): Promise<readonly Curve[]> {
  const first: CurvePoint[] = [];
  const again: CurvePoint[] = [];
  for (const size of sizes) {
    await using registry = new MemoryRegistry();
    const requests = () => registry.seen.length;
    const at = { project: `${dir}/project`, home: `${dir}/home` };
    await fill(await openTagged(at.project, `${dir}/pushed`), registry.host, size, "custom");
    const plan = () => cleanup(lab, at, `${registry.host}/bench`, "--dry-run").argv;
    first.push({ size, values: await taken(lab, plan, { forget: () => removeTree(at.home), requests }) });
    again.push({ size, values: await taken(lab, plan, { forget: nothing, requests }) });
    await removeTree(dir);
  }
  const unit = "tags in REPO";
  return [
    { name: "tags-first", title: "Plan of a cleanup with an empty store", unit, points: first },
    { name: "tags-again", title: "Plan of a cleanup again", unit, points: again },
  ];
}

/** A base image with one layer of so many bytes: built upon and written to a layout, pushed, and pulled elsewhere. */
async function growLayer(lab: Lab, dir: string, sizes: readonly number[]): Promise<readonly Curve[]> {
  const layer: CurvePoint[] = [];
  const push: CurvePoint[] = [];
  const pull: CurvePoint[] = [];
  for (const size of sizes) {
    const at = { project: `${dir}/project`, home: `${dir}/home` };
    await writeBase(`${dir}/base`, size);
    await commitDappfile(at.project, `dimg: app\nfrom: oci:${dir}/base:latest\ndocker: { CMD: [x] }\n`);
    const build = dapp(lab, at, "build").argv;
    const send = dapp(lab, at, "tag", "--tag=x", `oci:${dir}/out`).argv;
    const built = await taken(lab, () => build, { forget: () => removeTree(at.home) });
    const sent = await taken(lab, () => send, { forget: () => removeTree(`${dir}/out`) });
    const both = (kind: string, join: (...values: number[]) => number) => {
      const values = [built[kind], sent[kind]].filter((value) => value !== undefined);
      return values.length > 0 && { [kind]: join(...values) };
    };
    const sum = (...values: number[]) => values.reduce((a, b) => a + b);
    layer.push({
      size,
      values: {
        ...both("seconds", sum),
        ...both("memory, MB", Math.max),
        ...both("processes", sum),
      },
    });

    await using registry = await startDockerRegistry({ dir: lab.dir });
    if (registry === undefined) throw new Error("Cannot measure pushes: docker-registry is not installed");
    const requests = async () => (await registry.said()).filter((line) => line.includes(" HTTP/1.")).length;
    const repo = `${registry.host}/scale`;
    const publish = dapp(lab, at, "push", "--tag=x", repo).argv;
    push.push({ size, values: await taken(lab, () => publish, { requests }) });
    await runTimed(dapp(lab, at, "stages push", repo));
    const other = { ...at, home: `${dir}/other` };
    const bring = dapp(lab, other, "stages pull", repo).argv;
    pull.push({ size, values: await taken(lab, () => bring, { requests }) });
    await removeTree(dir);
  }
  const unit = "bytes of the layer";
  return [
    { name: "layer", title: "Building upon a layer and writing it to a layout", unit, points: layer },
    { name: "layer-push", title: "Pushing an image for the first time", unit, points: push },
    { name: "layer-pull", title: "Pulling a stage into an empty store", unit, points: pull },
  ];
}

/**
 * What a command takes: time, memory, the requests that a registry has counted, and with `forget`, which undoes what it
 * has done, in a second run the processes that it starts, where strace is installed.
 */
async function taken(
  lab: Lab,
  command: () => readonly string[],
  { forget, requests }: {
    readonly forget?: () => Promise<void>;
    readonly requests?: () => number | Promise<number>;
  },
): Promise<Record<string, number>> {
  const file = `${lab.dir}/taken.json`;
  const script = new URL("./measured.ts", import.meta.url).pathname;
  const argv = command();
  const before = await requests?.() ?? 0;
  await run([Deno.execPath(), "run", "-A", script, file, ...argv]);
  const { ms, bytes }: Taken = JSON.parse(await Deno.readTextFile(file));
  const values: Record<string, number> = { "seconds": ms / 1000, "memory, MB": bytes / 1e6 };
  if (requests) values["requests"] = await requests() - before;
  const log = `${lab.dir}/strace.log`;
  const strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=execve", "-o", log];
  if (forget && await works([...strace, "true"])) {
    await forget();
    await run([...strace, ...argv]);
    values["processes"] = (await Deno.readTextFile(log)).split("\n")
      .filter((line) => line.includes("execve(") && line.endsWith("= 0")).length;
  }
  print(`${argv.slice(0, 8).join(" ")}: ${JSON.stringify(values)}\n`);
  return values;
}

async function works(argv: readonly string[]): Promise<boolean> {
  return await run(argv, { allowFailure: true }).then(({ code }) => code === 0, () => false);
}

async function nothing(): Promise<void> {}

const dappfile = "dimg: app\nfrom: scratch\ngit: [{ add: /, to: /app }]\n";

async function commitFiles(project: string, count: number): Promise<void> {
  await Deno.mkdir(project, { recursive: true });
  await run(["git", "-C", project, "init", "--quiet", "--initial-branch=main"]);
  const stream = `${project}/.git/stream`;
  {
    using out = await Deno.open(stream, { write: true, create: true });
    const encoder = new TextEncoder();
    const write = (text: string) => out.writeSync(encoder.encode(text));
    const file = (path: string, text: string) => `M 100644 inline ${path}\ndata ${text.length}\n${text}\n`;
    write("commit refs/heads/main\ncommitter bench <bench@example.com> 1700000000 +0000\ndata 5\nStart\n");
    write(file("dappfile.yaml", dappfile));
    for (let i = 0; i < count; i++) {
      write(file(`src/part${Math.floor(i / 2000)}/dir${Math.floor(i / 100)}/file${i}.txt`, `file ${i}\n`));
    }
  }
  await run(["sh", "-c", `git -C "$0" fast-import --quiet < "$1" && rm "$1"`, project, stream]);
  await run(["git", "-C", project, "reset", "--quiet", "--hard"]);
}

async function commitDappfile(project: string, text: string): Promise<void> {
  await Deno.mkdir(project, { recursive: true });
  await Deno.writeTextFile(`${project}/dappfile.yaml`, text);
  const who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false"];
  await run(["git", "-C", project, "init", "--quiet", "--initial-branch=main"]);
  await run(["git", "-C", project, "add", "--all"]);
  await run(["git", "-C", project, ...who, "commit", "--quiet", "--message=Start"]);
}

/** An OCI layout with an image of one layer, a plain tar of one file that cannot be compressed. */
async function writeBase(layout: string, bytes: number): Promise<void> {
  const blobs = `${layout}/blobs/sha256`;
  await Deno.mkdir(blobs, { recursive: true });
  await run([
    "sh",
    "-c",
    `head -c ${bytes} /dev/urandom > "$0/data" && tar -C "$0" -cf "$0/layer" data`,
    layout,
  ]);
  const put = async (path: string, mediaType: string) => {
    const hex = (await run(["sha256sum", path])).stdout.slice(0, 64);
    const { size } = await Deno.stat(path);
    await Deno.rename(path, `${blobs}/${hex}`);
    return { mediaType, digest: `sha256:${hex}`, size };
  };
  const document = async (value: unknown, mediaType: string) => {
    await Deno.writeTextFile(`${layout}/document`, JSON.stringify(value));
    return await put(`${layout}/document`, mediaType);
  };
  const oci = "application/vnd.oci.image";
  await Deno.remove(`${layout}/data`);
  const layer = await put(`${layout}/layer`, `${oci}.layer.v1.tar`);
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  const rootfs = { type: "layers", diff_ids: [layer.digest] };
  const config = await document({ architecture, os: "linux", rootfs }, `${oci}.config.v1+json`);
  const mediaType = `${oci}.manifest.v1+json`;
  const manifest = await document({ schemaVersion: 2, mediaType, config, layers: [layer] }, mediaType);
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  await Deno.writeTextFile(`${layout}/oci-layout`, `{"imageLayoutVersion":"1.0.0"}`);
  await Deno.writeTextFile(
    `${layout}/index.json`,
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
}
