/**
 * A registry of npm packages and one of JSR packages, on ports of this machine.
 *
 * Tarballs and their integrity are made by `npm pack`. What npm's registry answers beside them has the fields and headers
 * that a real one was seen to send. JSR's was never seen: its documents are as its API is described, and as Deno 2.9 takes
 * them (it compares the checksums, and runs nothing of a package whose manifest lacks a file).
 */
import { peer } from "./peers.ts";
import { run } from "./process.ts";
import { writeFiles } from "./project.ts";

type Files = Readonly<Record<string, string>>;

/** Packages of both kinds. Dispose of it. */
export interface PackageRegistries extends AsyncDisposable {
  /** What `.npmrc` says so that packages of `@team` come from here. */
  readonly npmrc: string;
  /** What JSR_URL says. */
  readonly jsrUrl: string;
  /** Publishes a version, or puts another one in its place. */
  npm(name: string, version: string, files: Files, more?: object): Promise<void>;
  jsr(name: string, version: string, files: Files): Promise<void>;
  /** From now on nothing is answered, as where there is no network. */
  cut(): Promise<void>;
}

interface Answer {
  readonly type: string;
  readonly body: Uint8Array<ArrayBuffer> | string;
}

/** Starts both. Undefined where there is no npm. */
export async function startPackageRegistries(): Promise<PackageRegistries | undefined> {
  const npm = await peer("npm");
  if (npm === undefined) return undefined;
  const answers = new Map<string, Answer>();
  const documents = new Map<string, Record<string, unknown>>();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname);
    const found = answers.get(path);
    return found
      ? new Response(found.body, { headers: { "content-type": found.type } })
      : Response.json({ error: "Not found" }, { status: 404 });
  });
  const origin = `http://127.0.0.1:${server.addr.port}`;
  const json = (path: string, value: unknown) =>
    void answers.set(path, { type: "application/json", body: JSON.stringify(value) });
  const versions = (path: string, version: string, facts: unknown) => {
    const all = { ...documents.get(path), [version]: facts };
    documents.set(path, all);
    return all;
  };
  return {
    npmrc: `@team:registry=${origin}/npm/\n`,
    jsrUrl: `${origin}/jsr/`,
    async npm(name, version, files, more = {}) {
      const manifest = { name, version, type: "module", exports: "./mod.js", ...more };
      const packed = await pack(npm, { "package.json": JSON.stringify(manifest), ...files });
      const tarball = `/npm/${name}/-/${name.split("/").at(-1)}-${version}.tgz`;
      answers.set(tarball, { type: "application/octet-stream", body: packed.bytes });
      const { integrity, shasum } = packed;
      const dist = { integrity, shasum, tarball: origin + tarball };
      const all = versions(`npm ${name}`, version, { ...manifest, _id: `${name}@${version}`, dist });
      json(`/npm/${name}`, { _id: name, name, "dist-tags": { latest: version }, versions: all });
    },
    async jsr(name, version, files) {
      const [scope, own] = name.slice(1).split("/");
      const manifest: Record<string, unknown> = {};
      for (const [path, text] of Object.entries(files)) {
        const bytes = new TextEncoder().encode(text);
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
        manifest[`/${path}`] = { size: bytes.length, checksum: `sha256-${hash}` };
        answers.set(`/jsr/${name}/${version}/${path}`, { type: "text/typescript", body: text });
      }
      json(`/jsr/${name}/${version}_meta.json`, { manifest, exports: { ".": "./mod.ts" } });
      const all = versions(`jsr ${name}`, version, { createdAt: "2026-03-01T12:00:00Z" });
      json(`/jsr/${name}/meta.json`, { scope, name: own, latest: version, versions: all });
    },
    cut: () => server.shutdown(),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** As `npm publish` would send it. */
async function pack(npm: string, files: Files) {
  const dir = await Deno.makeTempDir({ prefix: "dapp-npm-pack-" });
  try {
    await writeFiles(dir, files);
    const { stdout } = await run([npm, "pack", "--json", "--ignore-scripts", "--offline"], { cwd: dir });
    const [{ filename, integrity, shasum }] = JSON.parse(stdout);
    return { bytes: await Deno.readFile(`${dir}/${filename}`), integrity, shasum };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
